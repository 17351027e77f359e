//! Rotation prediction (RotNet): the network classifies images by their rotation of 0, 90, 180 or 270 degrees.
//!
//! `L = -1/4n sum_i sum_r log softmax(h(f(rot_r(x_i))))[r]`, Gidaris, Singh and Komodakis 2018, equations 2 and 3.

use std::ops::Bound;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::shared::fc_head::{FcHead, alexnet_layers};
use super::shared::options::{FcOptions, ShiftFlip};
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{accuracy, cross_entropy};
use crate::method::{
    Batch, Better, ClassPredictions, DataInfo, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Linear};
use crate::optim::{OptimizerConfig, Schedule, Steps};
use crate::options::{options, words};
use crate::rng::Rng;
use crate::view::{Fill, Filter, Homography, all_rotations, random_flip, random_shift, random_windows, resample, warp};

const ANGLES: [&str; 4] = ["0°", "90°", "180°", "270°"];

/// Smallest and largest aspect ratio of crops, width over height.
const ASPECT: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

words! {
    /// Implementation of rotations.
    pub enum Turn {
        /// Pixels are moved without interpolation.
        Exact = "exact",
        /// Pixels are interpolated about an off-centre point, as some libraries do.
        Resampled = "resampled",
    }
}

options! {
    /// Options of rotation prediction.
    pub struct RotationOptions {
        ..shift: ShiftFlip;
        ..layers: FcOptions;
        /// Side of the random crops; 0 takes whole images.
        size: usize = 0, in 0..=2048, unit "px", tiny = 64;
        /// Smallest crop, as a share of the image's area.
        min_area: f64 = 0.08, in (Bound::Excluded(0.0), Bound::Included(1.0));
        /// Implementation of rotations; resampled ones leave a line at the border that reveals the label.
        turn: Turn = Turn::Exact;
    }
}

/// Encoder, average over positions or fully connected layers, and a linear layer to four angles.
#[derive(Module, Debug)]
pub struct Rotation {
    encoder: Encoder,
    neck: FcHead,
    head: Linear,
    #[module(skip)]
    options: RotationOptions,
}

impl Method for Rotation {
    const INFO: Info = Info {
        id: "rotation",
        title: "Rotation prediction (RotNet)",
        year: 2018,
        paper: "Gidaris, Singh, Komodakis: Unsupervised Representation Learning by Predicting Image Rotations",
        url: "https://arxiv.org/abs/1803.07728",
        group: Group::Undo,
        task: "Each image is turned by 0, 90, 180 or 270 degrees; the network predicts by how much.",
        lesson: "We turned the image ourselves, so the answer is known and nobody has to write it down. To see that a thing \
                 lies on its side, the network has to find out what it looks like and which way up it stands. The features it \
                 builds for that are what we want; the prediction itself is thrown away.",
        loss: "0 would mean that every turn is named with certainty; guessing among four gives 1.39.",
        metric: Metric {
            name: "rotation accuracy",
            better: Better::Higher,
            baseline: "guessing",
            chance: Some(0.25),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet);

    type Options = RotationOptions;

    fn init(config: &RunConfig, options: &RotationOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        refuse(options, data_info)?;
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        let size = match options.size {
            0 => [data_info.size.height, data_info.size.width],
            side => [side; 2],
        };
        let neck = FcHead::init(alexnet_layers(options.layers.hidden), &encoder, size, config, init)?;
        let head = Linear::init(neck.width(&encoder), ANGLES.len(), true, init);
        Ok(Self { encoder, neck, head, options: options.clone() })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Crops and mirrors first and rotates last: a rotated image that is cropped afterwards shows its rotation at the border.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let RotationOptions { shift, size, min_area, turn, .. } = &self.options;
        let [n, _, height, width] = batch.images.dims();
        let mut x = batch.images.clone();
        if *size > 0 {
            let windows = random_windows(n, [height, width], [*min_area, 1.0], ASPECT, rng);
            x = resample(x, &windows, [*size; 2], Filter::Bilinear);
        }
        x = random_shift(x, shift.crop_padding, rng);
        if shift.flip {
            x = random_flip(x, rng);
        }
        let labels: Vec<i32> = (0..4).flat_map(|quarters| std::iter::repeat_n(quarters, n)).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [4 * n]), &x.device());
        let turned = match turn {
            Turn::Exact => all_rotations(x),
            Turn::Resampled => all_resampled(x),
        };
        Views { images: vec![turned], labels: Some(labels), ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let labels = views.labels.clone().expect("rotation draws a label for every view");
        let logits = self.head.forward(self.neck.forward(&self.encoder, views.images[0].clone())); // [4n, 4]
        LossOutput {
            metric: Some(accuracy(logits.clone().detach(), labels.clone())),
            answers: Some(logits.clone().detach()),
            ..LossOutput::of(cross_entropy(logits, labels))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let verdicts = views.labels.clone().zip(outcome.answers.clone());
        StepDisplay {
            rows: vec![("What the network was given".to_string(), views.images[0].clone())],
            verdicts: verdicts.map(|(truth, answers)| ClassPredictions {
                names: ANGLES.map(str::to_string).to_vec(),
                truth,
                answers: answers.inner(),
            }),
            ..StepDisplay::default()
        }
    }
}

/// Checks that the images can be rotated and cropped.
///
/// # Errors
/// If they are not square, or smaller than the padding.
fn refuse(options: &RotationOptions, data_info: &DataInfo) -> Result<()> {
    let [height, width] = [data_info.size.height, data_info.size.width];
    if options.size == 0 && height != width {
        return Err(Error::Data(
            "rotation needs square images, for the shape of others would give the turn away; or a `size` to crop them to"
                .into(),
        ));
    }
    if options.shift.crop_padding >= if options.size > 0 { options.size } else { height } {
        return Err(Error::Config("crop_padding must be smaller than the image".into()));
    }
    Ok(())
}

/// All four rotations as some libraries compute them: about the centre of the pixel next to the middle, with black outside. A
/// line of one pixel at the border then reveals the rotation.
fn all_resampled(x: Tensor<4>) -> Tensor<4> {
    let [n, _, side, _] = x.dims();
    let device = x.device();
    let middle = (side as f64 + 1.0) / 2.0;
    let turned = |(sine, cosine): (f64, f64)| {
        let [right, down] = [middle - cosine * middle + sine * middle, middle - sine * middle - cosine * middle];
        let map = Homography([cosine, -sine, right, sine, cosine, down, 0.0, 0.0, 1.0]);
        warp(x.clone(), Homography::tensor(&vec![map; n], &device), [side; 2], Fill::Value(0.0))
    };
    Tensor::cat([(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)].map(turned).to_vec(), 0)
}

/// Preset of the toy: the four-block encoder, minutes on two CPU cores.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: Rotation::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        epochs: 5,
        encoder: EncoderConfig::small(32),
        optimizer: OptimizerConfig::nesterov(0.05, 5e-4),
        schedule: Schedule::cosine(0.1),
        ..RunConfig::default()
    }
    .with_options(&RotationOptions::default())
}

/// RotNet's CIFAR-10 setting from its code: NIN, 128 images and their rotations a step, SGD with Nesterov's momentum, rate
/// 0.1 falling to a fifth at epochs 60, 120 and 160 of 200, crops out of 4 px of padding and mirroring before the rotation.
/// Published for CIFAR-10: 91.16 % with a convolutional classifier on block 2, 89.06 % with a fully connected one.
fn cifar(data: &str) -> RunConfig {
    RunConfig {
        method: Rotation::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 128,
        epochs: 200,
        encoder: EncoderConfig::published(EncoderKind::Nin, data),
        optimizer: OptimizerConfig::nesterov(0.1, 5e-4),
        schedule: Schedule::Steps(Steps { at_epochs: vec![60.0, 120.0, 160.0], factor: 0.2 }),
        ..RunConfig::default()
    }
    .with_options(&RotationOptions { shift: ShiftFlip { crop_padding: 4, flip: true }, ..Default::default() })
}

/// RotNet's ImageNet setting from its code: AlexNet with batch norm and two fully connected layers of 4096, random crops
/// of 224 px, 192 images and their rotations a step, rate 0.01, divided by 10 at epochs 15, 30 and 45 of 50. Published,
/// linear on conv1 to conv5: 18.8, 31.7, 38.7, 38.2, 36.5 %, from maps of 12, 7, 5, 6 and 6 cells a side.
fn imagenet(data: &str) -> RunConfig {
    RunConfig {
        method: Rotation::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 192,
        epochs: 50,
        encoder: EncoderConfig::published(EncoderKind::AlexnetBn, data),
        optimizer: OptimizerConfig::nesterov(0.01, 5e-4),
        schedule: Schedule::Steps(Steps { at_epochs: vec![15.0, 30.0, 45.0], factor: 0.1 }),
        ..RunConfig::default()
    }
    .with_options(&RotationOptions {
        shift: ShiftFlip { crop_padding: 0, flip: true },
        layers: FcOptions { hidden: 4096 },
        size: 224,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::data::Size;
    use crate::methods::test_support;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(device: &Device) -> Rotation {
        build_with(&[], device)
    }

    fn build_with(changes: &[(&str, &str)], device: &Device) -> Rotation {
        let mut config = small("test");
        config.encoder = EncoderConfig::small(2);
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        let data_info = DataInfo::of(Size { channels: 1, height: 28, width: 28 }, 8);
        test_support::init(&config, &data_info, device).expect("a model")
    }

    const POSITION: StepPosition = StepPosition { step: 0, total: 1, steps_per_epoch: 1 };

    #[test]
    fn each_image_has_all_four_rotations() {
        let device = Device::flex();
        let images = Tensor::<4>::random([3, 1, 28, 28], burn::tensor::Distribution::Uniform(0.0, 1.0), &device);
        let batch = Batch::of(images.clone(), vec![0, 1, 2]);
        let views = build(&device).views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0));
        let labels: Vec<i64> =
            views.labels.expect("labels").into_data().convert::<i64>().try_to_vec().expect("integers");
        assert_eq!(labels, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        assert_eq!(views.images[0].dims(), [12, 1, 28, 28]);
        // the third block, label 2, is the batch upside down
        let third = views.images[0].clone().slice([6..9, 0..1, 0..28, 0..28]);
        assert_eq!(third.into_data(), images.flip([2, 3]).into_data());
    }

    #[test]
    fn equal_logits_lose_ln_4() {
        let model = test_support::model::<Rotation>(&test_support::tiny(Rotation::INFO.id));
        let model = test_support::zeroed(model, |name| name.starts_with("head."));
        let loss: f32 = model.loss(&test_support::views(&model), &POSITION).loss.into_scalar();
        assert!((loss - 1.3863).abs() < 1e-4, "{loss}");
    }

    #[test]
    fn images_without_content_do_not_reveal_the_label() {
        let device = Device::flex();
        let model = build(&device);
        let batch = Batch::of(Tensor::zeros([2, 1, 28, 28], &device), vec![0, 1]);
        let views = model.views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0));
        let loss: f32 = model.loss(&views, &POSITION).loss.into_scalar();
        assert!(loss >= 4f32.ln() - 1e-5, "{loss} is below ln 4: the turn leaks");
    }

    /// Mean brightness of the top, bottom, left and right border of a uniform gray image in each rotation.
    fn borders(turn: &str) -> Vec<[f32; 4]> {
        let device = Device::flex();
        let model = build_with(&[("turn", turn)], &device);
        let batch = Batch::of(Tensor::ones([1, 1, 28, 28], &device) * 0.5, vec![0]);
        let views = model.views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0)).images[0].clone();
        // without the corners, which belong to two sides each
        let side = |image: usize, rows: Range<usize>, columns: Range<usize>| {
            views.clone().slice([image..image + 1, 0..1, rows, columns]).mean().into_scalar::<f32>()
        };
        let sides = |image| {
            [side(image, 0..1, 1..27), side(image, 27..28, 1..27), side(image, 1..27, 0..1), side(image, 1..27, 27..28)]
        };
        (0..4).map(sides).collect()
    }

    #[test]
    fn resampled_rotations_have_black_borders() {
        assert_eq!(borders("exact"), [[0.5; 4]; 4]);
        let black = |sides: [f32; 4]| sides.map(|side| side < 0.1);
        let found: Vec<_> = borders("resampled").into_iter().map(black).collect();
        let [yes, no] = [true, false];
        assert_eq!(found, [[no; 4], [yes, no, no, no], [yes, no, yes, no], [no, no, yes, no]]);
    }

    #[test]
    fn a_resampled_rotation_is_off_by_a_pixel() {
        let device = Device::flex();
        let x = Tensor::<4>::random([1, 1, 28, 28], burn::tensor::Distribution::Uniform(0.2, 1.0), &device);
        let exact = all_rotations(x.clone());
        let resampled = all_resampled(x);
        for (turn, [down, right]) in [[0, 0], [1, 0], [1, 1], [0, 1]].into_iter().enumerate() {
            let part = |x: &Tensor<4>, [top, left]: [usize; 2]| {
                x.clone().slice([turn..turn + 1, 0..1, top..top + 26, left..left + 26])
            };
            let away: f32 = (part(&exact, [0, 0]) - part(&resampled, [down, right])).abs().max().into_scalar();
            assert!(away < 1e-4, "{turn} quarters: {away}");
        }
    }

    #[test]
    fn crops_are_square_for_images_of_any_shape() {
        let device = Device::flex();
        let of = |size: &str| {
            let mut config = small("test");
            config.set("size", size).expect("an option");
            let data_info = DataInfo::of(Size { channels: 1, height: 24, width: 40 }, 8);
            test_support::init::<Rotation>(&config, &data_info, &device)
        };
        let batch = Batch::of(Tensor::zeros([2, 1, 24, 40], &device), vec![0, 1]);
        let views = of("16").expect("a model").views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0));
        assert_eq!(views.images[0].dims(), [8, 1, 16, 16]);
        assert!(of("0").expect_err("not square").to_string().contains("square"));
        assert!(of("4").expect_err("too small").to_string().contains("leaves nothing"));
    }

    #[test]
    fn both_published_networks_learn_at_reduced_width() {
        let cases = [
            (cifar("cifar-10"), 32, vec!["block1", "block2", "block3", "block4", "gap"]),
            (imagenet("photographs"), 80, vec!["conv1", "conv2", "conv3", "conv4", "conv5", "gap"]),
        ];
        for (mut config, side, layers) in cases {
            config.encoder.width = 8;
            if config.options["hidden"] != 0 {
                config.set("hidden", "16").expect("an option");
                config.set("size", "64").expect("an option");
            }
            config.optimizer.lr = 0.01;
            let losses = test_support::losses(&config, [3, side, side], 2, 6);
            assert!(losses.iter().all(|loss| loss.is_finite()) && losses[5] < losses[0], "{losses:?}");
            let data_info = DataInfo::of(Size { channels: 3, height: side, width: side }, 8);
            let model = test_support::init::<Rotation>(&config, &data_info, &Device::flex()).expect("a model");
            assert_eq!(model.encoder.layer_names(), layers);
        }
    }
}
