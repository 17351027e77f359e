//! Watching objects move: what moves together in a clip belongs together; the network has to find it in a single frame.
//!
//! `L = -mean_p m_p log sigmoid(s_p) + (1 - m_p) log sigmoid(-s_p)` over the pixels p of a frame of which the motion to the next
//! frame says clearly whether they are foreground m. Pathak, Girshick, Dollar, Darrell and Hariharan 2017, section 3.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData};
use serde_json::Value;

use super::shared::crop::{self, CropFlip};
use crate::config::{Preset, RunConfig};
use crate::data::{CLIPS, shapes};
use crate::error::{Error, Result};
use crate::loss::{best_fixed_iou, mask_cross_entropy, iou};
use crate::method::{
    Batch, DataInfo, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay, StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, MaskHead, MaskHeadConfig};
use crate::optim::{OptimizerConfig, Schedule};
use crate::rng::Rng;
use crate::view::motion::{FlowSettings, ForegroundSettings, Zoom, flow, motion_saliency, zoom_to_motion};
use crate::view::resize;

/// Shares of images out of which the best fixed mask is chosen.
const FIXED: usize = 20;
/// The smallest window in films.
const FILMED: f64 = 0.15;
/// Pixels of motion that are drawn in full colour at least.
const FAINT: f64 = 0.5;

/// Encoder and a head that draws masks.
#[derive(Module, Debug)]
pub struct Motion {
    encoder: Encoder,
    head: MaskHead,
    #[module(skip)]
    frame: CropFlip,
    #[module(skip)]
    watcher: MotionLabeller,
}

/// Finds in two frames what moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MotionLabeller {
    plan: FlowSettings,
    foreground: ForegroundSettings,
    /// The smallest window around what moves, as a share of the frame's side; 1 takes frames whole.
    least_window: f64,
    /// Rows and columns of masks.
    pub(crate) mask: usize,
}

impl Method for Motion {
    const INFO: Info = Info {
        id: "motion",
        title: "Watching objects move",
        year: 2017,
        paper: "Pathak, Girshick, Dollar, Darrell, Hariharan: Learning Features by Watching Objects Move",
        url: "https://arxiv.org/abs/1612.06370",
        task: "The network sees a single frame of a clip and says which pixels will move on their own.",
        lesson: "What moves together belongs together: that is how infants learn where one thing ends and the next begins. From \
                 two frames it can be computed what moves differently from the background. The network is shown only one of \
                 them, in which nothing moves: to mark the same pixels it has to recognise things. Masks made from motion are \
                 rough, so pixels about which they are not sure are left out.",
        metric: Metric { name: "overlap with what moves", chance: None, unit: Unit::Share },
        needs: Needs { colour: false, clips: true },
    };
    const PRESETS: Presets = Presets::new(small, full, full);

    fn init(config: &RunConfig, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        refuse_single(config, data_info)?;
        let (watcher, frame) = (MotionLabeller::of(config)?, CropFlip::of(config)?);
        let sides = frame.sides([data_info.size.height, data_info.size.width]);
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        let maps = encoder.last_map_size(sides);
        if maps.contains(&0) {
            let [height, width] = sides;
            return Err(Error::Config(format!(
                "the encoder leaves nothing of frames of {height} by {width} pixels: set size, or another encoder.kind"
            )));
        }
        let (width, bottleneck) = (config.option("head")?, config.option("bottleneck")?);
        if width == 0 {
            return Err(Error::Config("head must be at least 1: the mask is drawn from so many channels".into()));
        }
        let head = MaskHeadConfig { maps, width, bottleneck, side: watcher.mask }.init(init);
        Ok(Self { encoder, head, frame, watcher })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let Seen { frames, targets } = self.watcher.watch(batch, self.frame, rng);
        Views { images: vec![frames], targets: targets.to_vec(), ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let logits = self.head.forward(self.encoder.last_map(views.images[0].clone())); // [n, 1, mask, mask]
        let [on, known] = [0, 1].map(|index| views.targets[index].clone());
        let said = logits.clone().detach().inner();
        let found = said.clone().greater_elem(0.0).float();
        LossOutput {
            metric: Some(iou(found, on.clone(), known.clone())),
            baseline: Some(best_fixed_iou(on.clone(), known.clone(), FIXED)),
            maps: vec![sigmoid(said)],
            ..LossOutput::of(mask_cross_entropy(logits, on, known))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let targets = [0, 1, 2].map(|index| views.targets[index].clone());
        let seen = Seen { frames: views.images[0].clone().inner(), targets };
        StepDisplay { rows: seen.rows(outcome.maps.first()), ..StepDisplay::default() }
    }
}

/// Refuses data whose images do not follow one another.
pub(crate) fn refuse_single(config: &RunConfig, data_info: &DataInfo) -> Result<()> {
    if data_info.clips {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{} learns from clips, but the images of {} do not follow one another: choose {}, or clips:DIR for a folder of clips of \
         your own",
        config.method,
        config.data,
        shapes::NAME
    )))
}

/// Frames, and what is known of their pixels.
pub(crate) struct Seen {
    /// `[n, c, h, w]`.
    pub(crate) frames: Tensor<4>,
    /// What moved on its own and where that is known `[n, 1, mask, mask]`, and all motion as colours `[n, 3, h, w]`.
    pub(crate) targets: [Tensor<4>; 3],
}

impl Seen {
    /// For drawing, with what a network says of each pixel in 0 to 1, if it has said anything.
    pub(crate) fn rows(self, said: Option<&Tensor<4>>) -> Vec<(String, Tensor<4>)> {
        let ([_, _, h, w], [on, known, colours]) = (self.frames.dims(), self.targets);
        let masks = on * known.clone() + (known.neg() + 1.0) * 0.5;
        let mut rows = vec![
            ("What the network was given".to_string(), self.frames),
            ("How it moved until the next frame, by colour; gray stood still".to_string(), colours),
            (
                "What moved on its own: white did, black did not, gray is not asked for".to_string(),
                large(masks, [h, w]),
            ),
        ];
        rows.extend(said.map(|said| ("What it says moves".to_string(), large(said.clone(), [h, w]))));
        rows
    }
}

/// Maps in the size of the frames, for drawing.
fn large(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    resize(maps, size).clamp(0.0, 1.0)
}

/// Flow as colours: each of red, green and blue stands for a direction, at angles of 120 degrees; the fastest pixel of each
/// frame has full colour. `[n, 2, h, w]` -> `[n, 3, h, w]` in 0 to 1.
fn colours(flow: Tensor<4>) -> Tensor<4> {
    let half = 3f32.sqrt() / 2.0;
    let directions = TensorData::new(vec![1.0f32, 0.0, -0.5, half, -0.5, -half], [3, 2]);
    let ([n, _, h, w], directions) = (flow.dims(), Tensor::<2>::from_data(directions, &flow.device()));
    let fastest = flow.clone().square().sum_dim(1).max_dim(2).max_dim(3).sqrt().clamp_min(FAINT); // [n, 1, 1, 1]
    let along = directions.unsqueeze::<3>().expand([n, 3, 2]).matmul(flow.reshape([n, 2, h * w]));
    along.reshape([n, 3, h, w]) / fastest * 0.5 + 0.5
}

impl MotionLabeller {
    /// Single frames, or windows of them, with their masks. What moves is found in the whole frame and cut and mirrored with
    /// it; nothing that is asked for is computed from how the frame looks.
    pub(crate) fn watch(&self, batch: &Batch, frame: CropFlip, rng: &mut Rng) -> Seen {
        let images = batch.images.clone();
        let [n, channels, h, w] = images.dims();
        let next = batch.next.clone().expect("a batch of clips has the next frames");
        let flow = flow(images.clone(), next, &self.plan);
        let soft = motion_saliency(flow.clone(), &self.foreground); // [n, 1, h, w]
        let mut all = Tensor::cat(vec![images, soft.clone(), colours(flow)], 1);
        if self.least_window < 1.0 {
            let moves = soft.greater_equal_elem(self.foreground.high).float();
            all = zoom_to_motion(all, moves, &Zoom::draw(n, rng), self.least_window, frame.sides([h, w]));
        }
        let all = frame.images(&Batch { images: all, ..batch.clone() }, rng);
        let [frames, soft, colours] =
            [(0, channels), (channels, 1), (channels + 1, 3)].map(|(first, count)| all.clone().narrow(1, first, count));
        let [on, known] = self.foreground.trimap(resize(soft, [self.mask; 2]));
        Seen { frames, targets: [on, known, colours] }
    }

    /// The options with their values for these images, masks of so many pixels a side. The shapes that are made fill much of
    /// their frames; of what people film, little moves.
    pub(crate) fn options(mask: usize, data: &str) -> [(&'static str, Value); 13] {
        let least_window = if data == CLIPS { FILMED } else { 1.0 };
        let FlowSettings { warps, rounds, smoothness, reach } = FlowSettings::default();
        [
            ("mask_side", mask.into()),
            ("least_window", least_window.into()),
            ("warps", warps.into()),
            ("rounds", rounds.into()),
            ("smoothness", smoothness.into()),
            ("reach", reach.into()),
            ("least_motion", 0.4.into()),
            ("deviations", 3.0.into()),
            ("low", 0.4.into()),
            ("high", 0.7.into()),
            ("least_share", 0.1.into()),
            ("most_share", 0.8.into()),
            ("border_share", 0.1.into()),
        ]
    }

    /// Takes the options up.
    ///
    /// # Errors
    /// When they are missing or impossible.
    pub(crate) fn of(config: &RunConfig) -> Result<Self> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        let number = |option: &str| -> Result<f64> { config.option(option) };
        let plan = FlowSettings {
            warps: config.option("warps")?,
            rounds: config.option("rounds")?,
            smoothness: number("smoothness")?,
            reach: number("reach")?,
        };
        if plan.warps == 0 || plan.rounds == 0 || !(plan.smoothness > 0.0 && (0.3..=20.0).contains(&plan.reach)) {
            return wrong(
                "warps and rounds must be at least 1, smoothness positive, and reach between 0.3 and 20 pixels",
            );
        }
        let foreground = ForegroundSettings {
            least: number("least_motion")?,
            deviations: number("deviations")?,
            low: number("low")?,
            high: number("high")?,
            shares: [number("least_share")?, number("most_share")?],
            border: number("border_share")?,
        };
        let ForegroundSettings { least, deviations, low, high, shares, .. } = foreground;
        if !(least > 0.0 && deviations >= 0.0) {
            return wrong("least_motion must be positive, and deviations must not be negative");
        }
        if !(0.0 < low && low <= high && high < 1.0 && shares[0] <= shares[1]) {
            return wrong("low and high must lie in order between 0 and 1, and so must least_share and most_share");
        }
        let least_window = number("least_window")?;
        if !(least_window > 0.0 && least_window <= 1.0) {
            return wrong("least_window must be above 0 and at most 1, which takes frames whole");
        }
        let mask = config.option("mask_side")?;
        if !(4..=256).contains(&mask) {
            return wrong("mask_side must be between 4 and 256 pixels");
        }
        Ok(Self { plan, foreground, least_window, mask })
    }
}

/// The four-block encoder on whole frames, masks of 24x24 pixels drawn from 12x12, minutes on two CPU cores. Adam at a rate
/// for some epochs. Each pixel is drawn from its surroundings and not, as published, all at once from the whole: a few hundred
/// clips are too few for that. On the moving shapes, six epochs and some five minutes: an overlap of 85 % on test clips, where the
/// best mask that is always the same has 52 %; shapes are told apart by 35.5 % of linear probes and 31.1 % of neighbours, where
/// the untrained encoder has 21.9 % and 16.6 %. Of films, windows around what moves, of 15 to 100 % of the frame's side: of people who
/// cross a street (OpenCV's `vtest.avi`, 128 px, windows at 64) too little moves for whole frames to be of use; in windows the
/// overlap came to 70.9 % after 132 steps, the best fixed mask to 31.5 %.
fn small(data: &str) -> RunConfig {
    let (optimizer, schedule) = (OptimizerConfig::adamw(2e-3, 1e-3), Schedule::cosine(0.2));
    let encoder = EncoderConfig::small(32);
    let base = RunConfig::of(Motion::INFO.id, Preset::Small, data, encoder, optimizer, schedule);
    options(RunConfig { epochs: 6, ..base }, CropFlip::options(0, true), [64, 0, 24])
}

/// The network of the authors' code, AlexNet at 227 px with batch norm: 128 channels squeezed through 512 numbers to a mask of
/// 56x56; its last pooling is kept, so that maps are of 6x6 and not of 13x13. Rate, batch and steps are not in that code; these
/// are ours. Published with 1.6 million frames: 61.0 mAP in classification and 52.2 in detection on VOC 2007.
fn full(data: &str) -> RunConfig {
    let encoder = EncoderConfig::published(EncoderKind::AlexnetBn, data);
    let (optimizer, schedule) = (OptimizerConfig::adamw(1e-3, 1e-4), Schedule::cosine(1.0));
    let base = RunConfig::of(Motion::INFO.id, Preset::Full, data, encoder, optimizer, schedule);
    options(RunConfig { batch: 128, epochs: 30, ..base }, CropFlip::options(227, true), [128, 512, 56])
}

fn options(base: RunConfig, frame: crop::Options, [head, bottleneck, mask]: [usize; 3]) -> RunConfig {
    let head = [("head", head.into()), ("bottleneck", bottleneck.into())];
    let watcher = MotionLabeller::options(mask, &base.data);
    base.with_options(frame).with_options(head).with_options(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::methods::test_support::{
        POSITION, batch, encoder_gradient, gradient_from, losses_of, model, shrunk, tiny, views, views_of, zeroed,
    };
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn numbers(x: &Tensor<4>) -> Vec<f32> {
        x.clone().into_data().try_to_vec().expect("floats")
    }

    /// The registry's frames, each followed by one that `change` makes.
    fn followed(change: fn(Tensor<4>) -> Tensor<4>) -> Batch {
        let batch = batch(1);
        Batch { next: Some(change(batch.images.clone())), ..batch }
    }

    #[test]
    fn single_images_are_refused_in_words() {
        let data_info = DataInfo::of(Size { channels: 1, height: 28, width: 28 }, 32);
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex());
        let said = Motion::init(&tiny("motion"), &data_info, &mut init).expect_err("no clips").to_string();
        assert!(said.contains("do not follow one another") && said.contains("clips:DIR"), "{said}");
    }

    #[test]
    fn an_undecided_network_loses_ln_2() {
        let model = zeroed(model::<Motion>(&tiny("motion")), |name| name.starts_with("head."));
        let views = views(&model);
        assert!(numbers(&views.targets[1]).iter().sum::<f32>() > 100.0, "nothing is known of these frames");
        let lost: f32 = model.loss(&views, &POSITION).loss.into_scalar();
        assert!((lost - std::f32::consts::LN_2).abs() < 1e-5, "{lost}");
    }

    #[test]
    fn frames_without_motion_of_their_own_teach_nothing() {
        let model = model::<Motion>(&tiny("motion"));
        assert!(encoder_gradient(&model) > 0.0);
        // nothing happens
        let still = views_of(&model, &followed(|images| images));
        assert!(numbers(&still.targets[0]).iter().chain(&numbers(&still.targets[1])).all(|&x| x == 0.0));
        assert_eq!(gradient_from(&model, &still, |_| true), 0.0);
        assert_eq!(model.loss(&still, &POSITION).loss.into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn the_network_sees_one_frame_and_masks_come_from_motion_alone() {
        let model = model::<Motion>(&tiny("motion"));
        let (moving, still) = (views(&model), views_of(&model, &followed(|images| images)));
        // another next frame: other masks, the same picture
        assert_ne!(numbers(&moving.targets[0]), numbers(&still.targets[0]));
        assert_eq!(moving.images[0].clone().into_data(), still.images[0].clone().into_data());
        let said = |views: &Views| model.loss(views, &POSITION).maps[0].clone().into_data();
        assert_eq!(said(&moving), said(&still));
    }

    #[test]
    fn masks_hold_yes_no_and_unknown_and_turn_with_the_picture() {
        let mut config = tiny("motion");
        config.set("flip", "false").expect("an option");
        let (plain, some) = (model::<Motion>(&config), model::<Motion>(&tiny("motion")));
        let (plain, some) = (views(&plain), views(&some));
        let mut mirrored = 0;
        for index in 0..8 {
            let of = |views: &Views, target: usize| views.targets[target].clone().narrow(0, index, 1);
            let image = |views: &Views| views.images[0].clone().inner().narrow(0, index, 1);
            assert!(numbers(&of(&plain, 0)).iter().chain(&numbers(&of(&plain, 1))).all(|&x| x == 0.0 || x == 1.0));
            let turned = numbers(&image(&some)) != numbers(&image(&plain));
            mirrored += usize::from(turned);
            let expected = if turned { of(&plain, 0).flip([3]) } else { of(&plain, 0) };
            let off = numbers(&of(&some, 0)).iter().zip(numbers(&expected)).filter(|(a, b)| **a != *b).count();
            assert!(off <= 2, "image {index}: {off} pixels of the mask did not turn with it");
        }
        assert!((1..8).contains(&mirrored), "{mirrored} of 8 are mirrored");
    }

    #[test]
    fn masks_out_of_motion_agree_with_what_was_drawn() {
        let (side, clips) = (shapes::SIDE, 12);
        let made: Vec<_> = (0..clips).map(|number| shapes::clip(number, side)).collect();
        let data = shapes::dataset(side, |count| (0..count).map(|number| made[number % clips].clone()).collect());
        let indices: Vec<usize> = (0..clips).map(|clip| clip * shapes::FRAMES + clip % shapes::FRAMES).collect();
        let truth: Vec<f32> =
            indices.iter().flat_map(|at| shapes::covered(at / shapes::FRAMES, side, at % shapes::FRAMES)).collect();
        let truth = Tensor::<4>::from_data(TensorData::new(truth, [clips, 1, side, side]), &Device::flex());
        let batch = Batch::out_of(&data.expect("a data set").train, indices, &Device::flex());
        let settings = MotionLabeller::of(&small(shapes::NAME)).expect("a preset");
        let found = flow(batch.images, batch.next.expect("clips"), &settings.plan);
        let [on, known] = settings.foreground.trimap(motion_saliency(found, &settings.foreground));
        let shared: f32 = iou(on, truth.greater_elem(0.5).float(), known.clone()).into_scalar();
        let used: f32 = known.max_dim(2).max_dim(3).mean().into_scalar();
        assert!(shared > 0.7 && used > 0.6, "an overlap of {shared} where anything is known, in {used} of the frames");
    }

    #[test]
    fn what_is_small_in_the_frame_is_learned_from_in_windows() {
        // a speckled square of 9 pixels that moves over a still background of 64: a fiftieth of the frame
        let (side, square) = (64usize, 9usize);
        let speckled = |x: usize, y: usize, seed: usize| {
            ((x / 2 * 37 + y / 2 * 101 + seed * 17 + x / 2 * (y / 2) * 13) % 90) as f32
        };
        let frame = |index: usize, step: usize| -> Vec<f32> {
            let (left, top) = (8 + 5 * index + step, 40 - 4 * index);
            let inside = |x: usize, y: usize| (left..left + square).contains(&x) && (top..top + square).contains(&y);
            let pixel = |x: usize, y: usize| match inside(x, y) {
                true => (160.0 + speckled(x - left, y - top, 50)) / 255.0,
                false => speckled(x, y, index) / 255.0,
            };
            (0..side * side).map(|at| pixel(at % side, at / side)).collect()
        };
        let frames = |step: usize| {
            let pixels: Vec<f32> = (0..8).flat_map(|index| frame(index, step)).collect();
            Tensor::<4>::from_data(TensorData::new(pixels, [8, 1, side, side]), &Device::flex())
        };
        let batch = Batch { images: frames(0), next: Some(frames(1)), ..batch(1) };
        let used = |least: &str| -> f32 {
            let mut config = small(CLIPS);
            config.set("least_window", least).expect("an option");
            let watcher = MotionLabeller::of(&config).expect("a preset");
            let seen =
                watcher.watch(&batch, CropFlip::of(&config).expect("options"), &mut stream(1, Purpose::Views, 0));
            assert_eq!(seen.frames.dims(), [8, 1, side, side]);
            seen.targets[1].clone().max_dim(2).max_dim(3).mean().into_scalar()
        };
        assert_eq!(used("1"), 0.0, "too little moves in whole frames");
        assert!(used("0.15") >= 0.5, "windows are of use: {}", used("0.15"));
    }

    #[test]
    fn the_published_network_builds_and_learns() {
        let mut config = shrunk(full("photographs"));
        config.set("size", "72").expect("an option");
        let losses = losses_of(&config, 1, 8);
        assert!(losses.iter().all(|loss| loss.is_finite()) && losses[7] < losses[0], "{losses:?}");
    }
}
