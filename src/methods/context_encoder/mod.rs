//! Context encoders: parts of an image are painted over, and the network paints in what was there.
//!
//! `L = (1 - lambda) L_rec + lambda L_adv` with `L_rec = |m (x - F((1 - m) x))|^2` over what is missing m, its rim weighing
//! more, and `L_adv = -log D(F((1 - m) x))` for a discriminator D that learns to tell what was painted from what was there.
//! Pathak et al. 2016, equations 1 to 3.

mod options;

use burn::module::Module;
use burn::tensor::Tensor;

use super::shared::crop::CropFlip;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{adversarial_loss, unexplained_variance, weighted_squared_error};
use crate::method::{
    Batch, DataInfo, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay, StepPosition, Unit, Views,
};
use crate::net::ema::momentum_copy;
use crate::net::{Discriminator, Encoder, EncoderConfig, EncoderKind, Init, InpaintingDecoder, InpaintingDecoderConfig, Input, Pixels};
use crate::optim::{OptimizerConfig, ParamGroup, Rate, Schedule};
use crate::rng::Rng;
use crate::view::mask::{Holes, blocks, central, fill};
use options::{ContextEncoderOptions, HoleFill, Mask};

/// The smallest side that is painted.
const LEAST: usize = 8;
/// What the authors' code paints holes with, in the order of its channels: the mean of ImageNet with red and green exchanged.
const PUBLISHED: [f64; 3] = [117.0 / 255.0, 104.0 / 255.0, 123.0 / 255.0];

/// Encoder, painter, and a judge where there is one.
#[derive(Module, Debug)]
pub struct ContextEncoder {
    encoder: Encoder,
    decoder: InpaintingDecoder,
    discriminator: Option<Discriminator>,
    #[module(skip)]
    options: ContextEncoderOptions,
    /// Of the holes, a number a channel.
    #[module(skip)]
    colour: Vec<f64>,
}

impl Method for ContextEncoder {
    const INFO: Info = Info {
        id: "context-encoder",
        title: "Context encoder (inpainting)",
        year: 2016,
        paper: "Pathak, Krahenbuhl, Donahue, Darrell, Efros: Context Encoders: Feature Learning by Inpainting",
        url: "https://arxiv.org/abs/1604.07379",
        task: "Parts of each image are missing; the network paints what was there.",
        lesson: "To paint the missing sleeve one has to know that this is a shirt. Whoever cuts the hole knows what was in it, \
                 so the answer costs nothing. Squares punish every pixel that is off, so that what is painted is right on \
                 average and blurred; a second network that judges whether it looks real makes it sharper, and features worse.",
        metric: Metric { name: "error, as a share of one fixed colour's", chance: Some(1.0), unit: Unit::Share },
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, full);

    type Options = ContextEncoderOptions;

    fn init(config: &RunConfig, options: &ContextEncoderOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let sides = options.crop.sides([data_info.size.height, data_info.size.width]);
        let channels = data_info.size.channels;
        let side = options.painted(sides[0]);
        if sides[0] != sides[1] || side < LEAST {
            let [height, width] = sides;
            return Err(Error::Config(format!(
                "context-encoder paints squares of at least {LEAST} pixels a side, but images are {height} by {width}: set size"
            )));
        }
        let encoder = Encoder::init(&config.encoder, channels, init)?;
        let [maps, pixels, _] = encoder.last_map_size(sides);
        if pixels == 0 {
            return Err(Error::Config(format!(
                "the encoder leaves nothing of images of {} pixels a side: set size, or another encoder.kind",
                sides[0]
            )));
        }
        let width = options.decoder;
        let output = [channels, side];
        let plan = InpaintingDecoderConfig { maps: [maps, pixels], bottleneck: options.bottleneck, width, output };
        let decoder = plan.init(init);
        let discriminator = (options.adversarial > 0.0).then(|| Discriminator::init(output, width, init));
        let colour = options.colour(&config.data);
        Ok(Self { encoder, decoder, discriminator, options: options.clone(), colour })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The discriminator learns at a tenth of the painter's rate.
    fn groups(_config: &RunConfig, _options: &ContextEncoderOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { rate: Rate::Factor(0.1), ..ParamGroup::of(|name, _| name.starts_with("discriminator.")) }]
    }

    /// Images with their holes filled; the targets are the images, what is missing and the rim.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let images = self.options.crop.images(batch, rng);
        let ([n, _, h, w], device) = (images.dims(), images.device());
        let Holes { missing, rim } = match self.options.mask {
            Mask::Blocks => blocks(n, [h, w], self.options.overlap, &device, rng),
            Mask::Centre => central(n, [h, w], self.options.overlap, &device),
        };
        let given = fill(images.clone(), missing.clone(), &self.colour);
        Views { images: vec![given], targets: vec![images, missing, rim], ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let found = self.decoder.forward(self.encoder.last_map(views.images[0].clone())); // [n, c, side, side]
        let [truth, missing, rim] = [0, 1, 2].map(|index| self.window(views.targets[index].clone()));
        let wanted = truth * 2.0 - 1.0;
        let weights = missing.clone() + rim * self.options.overlap_weight;
        let metric = unexplained_variance(found.clone().inner(), wanted.clone(), missing);
        let maps = vec![found.clone().detach().inner()];
        if self.options.refresh {
            self.see_whole(views);
        }
        let painted = weighted_squared_error(found.clone(), wanted.clone(), weights);
        let loss = match &self.discriminator {
            Some(discriminator) => self.judge(discriminator, painted, found, wanted),
            None => painted,
        };
        LossOutput { metric: Some(metric), maps, ..LossOutput::of(loss) }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let ([truth, missing], given) = ([0, 1].map(|index| views.targets[index].clone()), views.images[0].clone());
        let mut rows = vec![("What the network was given".to_string(), given.clone())];
        rows.extend(outcome.maps.iter().map(|painted| {
            let painted = self.placed((painted.clone() + 1.0) / 2.0, given.clone());
            let (kept, new) = (given.clone() * (missing.clone().neg() + 1.0), painted * missing.clone());
            ("with the holes as it paints them".to_string(), kept + new)
        }));
        rows.push(("The truth".to_string(), truth));
        StepDisplay { rows, ..StepDisplay::default() }
    }
}

impl ContextEncoder {
    /// The part of an image that is painted: its middle, or all of it.
    fn window(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        if self.options.mask == Mask::Blocks {
            return images;
        }
        images.narrow(2, height / 4, height / 2).narrow(3, width / 4, width / 2)
    }

    /// What was painted, in its place in the images.
    fn placed(&self, painted: Tensor<4>, images: Tensor<4>) -> Tensor<4> {
        let [n, c, height, width] = images.dims();
        if self.options.mask == Mask::Blocks {
            return painted;
        }
        let (top, left) = (height / 4, width / 4);
        images.slice_assign([0..n, 0..c, top..top + height / 2, left..left + width / 2], painted)
    }

    /// All losses in one: squares and a frozen judge's verdict for the painter, and for the judge what is real and what was
    /// painted, whose gradient ends there. Both learn in the same step; in the authors' code the judge goes first.
    ///
    /// The judge sees neither the surroundings nor the hole's place, or it would look at the seam alone.
    fn judge(&self, judge: &Discriminator, painted: Tensor<1>, found: Tensor<4>, wanted: Tensor<4>) -> Tensor<1> {
        let lambda = self.options.adversarial;
        // without tracking nothing learns, and statistics are the running ones
        let (frozen, real) = if found.device().is_autodiff() {
            (momentum_copy(judge), Tensor::from_inner(wanted))
        } else {
            (judge.clone(), wanted)
        };
        let passes = adversarial_loss(frozen.forward(found.clone()), true);
        let verdicts = adversarial_loss(judge.forward(real), true) + adversarial_loss(judge.forward(found.detach()), false);
        painted * (1.0 - lambda) + passes * lambda + verdicts
    }

    /// Passes whole images through the encoder without gradient, so that its running statistics are those of images with and
    /// without holes in equal parts: features are taken of whole images. What is learned does not change.
    fn see_whole(&self, views: &Views) {
        if views.images[0].device().is_autodiff() {
            self.encoder.clone().no_grad().last_map(Tensor::from_inner(views.targets[0].clone()));
        }
    }
}

impl ContextEncoderOptions {
    /// The colour of the holes for data of this name, a number a channel.
    fn colour(&self, data: &str) -> Vec<f64> {
        match self.fill {
            HoleFill::Mean => Pixels::of(data).mean,
            HoleFill::Published => PUBLISHED.to_vec(),
            HoleFill::Black => vec![0.0],
        }
    }

    /// Pixels a side of what is painted.
    fn painted(&self, side: usize) -> usize {
        if self.mask == Mask::Blocks { side } else { side / 2 }
    }
}

/// The four-block encoder, a channel-wise layer of its 3x3 or 4x4 maps, transposed convolutions to the whole image, minutes on
/// two CPU cores. Blocks at random places rather than the middle, so that all of the image teaches; squares alone, which the
/// paper found best for features; a rim of one pixel. Adam at a rate for some epochs.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: ContextEncoder::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 5,
        encoder: EncoderConfig::small(32),
        optimizer: OptimizerConfig::adamw(2e-3, 1e-4),
        schedule: Schedule::cosine(0.2),
        ..RunConfig::default()
    }
    .with_options(&ContextEncoderOptions { refresh: true, ..Default::default() })
}

/// For images of about 32 px there is no published setting: the published one with three convolutions in place of five, a hole
/// of 16 of 32 pixels with a rim of 1, and 512 numbers in the middle.
fn cifar(data: &str) -> RunConfig {
    published(EncoderKind::DcganCifar, data).with_options(&ContextEncoderOptions {
        mask: Mask::Centre,
        bottleneck: 512,
        decoder: 64,
        adversarial: 1e-3,
        ..Default::default()
    })
}

/// The authors' code for the middle of images of 128 px: 64 images a step, Adam with beta1 0.5 at 2e-3, the discriminator's at
/// 2e-4, 500 epochs, a rim of 4 pixels that counts ten times, 4000 numbers in the middle, a thousandth of adversarial loss.
/// Published for features, with AlexNet, random holes and squares alone: 21.0 % linear on ImageNet at the third layer.
fn full(data: &str) -> RunConfig {
    published(EncoderKind::Dcgan, data).with_options(&ContextEncoderOptions {
        crop: CropFlip::of(128),
        mask: Mask::Centre,
        fill: HoleFill::Published,
        overlap: 4,
        bottleneck: 4000,
        decoder: 64,
        adversarial: 1e-3,
        ..Default::default()
    })
}

/// Batch, rates and input of both.
fn published(kind: EncoderKind, data: &str) -> RunConfig {
    RunConfig {
        method: ContextEncoder::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 64,
        epochs: 500,
        encoder: EncoderConfig::published(kind, data).reading(Input::Pixels, &[0.5], &[0.5]),
        optimizer: OptimizerConfig { momentum: 0.5, ..OptimizerConfig::adam(2e-3, 0.0) },
        schedule: Schedule::Constant,
        ..RunConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{
        POSITION, batch, build_for, gradient_from, losses_of, model, shrunk, tiny, values, views, zeroed,
    };

    fn with(settings: &[(&str, &str)]) -> RunConfig {
        let mut config = tiny("context-encoder");
        settings.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        config
    }

    #[test]
    fn what_is_missing_is_not_shown_and_the_rest_is() {
        for mask in ["centre", "blocks"] {
            let model = model::<ContextEncoder>(&with(&[("mask", mask), ("flip", "false")]));
            let views = views(&model);
            let [truth, missing] = [0, 1].map(|index| views.targets[index].clone());
            let given = views.images[0].clone().inner();
            let off = |where_: Tensor<4>, what: Tensor<4>| -> f32 { (where_ * what).abs().max().into_scalar() };
            assert_eq!(off(missing.clone().neg() + 1.0, given.clone() - truth), 0.0);
            // Fashion-MNIST's mean
            assert!(off(missing, given - 0.2860) < 1e-6);
        }
    }

    #[test]
    fn holes_in_the_mean_colour_do_not_stand_out_as_black_ones_do() {
        let brightness = |fill: &str| -> f32 {
            let model = model::<ContextEncoder>(&with(&[("fill", fill)]));
            let views = views(&model);
            let (given, missing) = (views.images[0].clone().inner(), views.targets[1].clone());
            let share = missing.clone().sum();
            ((given * missing).sum() / share).into_scalar()
        };
        let whole: f32 = batch(1).images.mean().into_scalar();
        assert!((brightness("mean") - whole).abs() < 0.1, "{} {whole}", brightness("mean"));
        assert_eq!(brightness("black"), 0.0);
        assert!((brightness("published") - 117.0 / 255.0).abs() < 1e-6);
    }

    #[test]
    fn the_published_fill_is_that_of_the_code() {
        for (found, expected) in PUBLISHED.iter().map(|x| 2.0 * x - 1.0).zip([-0.082, -0.184, -0.035]) {
            assert!((found - expected).abs() < 5e-4, "{found} is not {expected}");
        }
    }

    #[test]
    fn painter_and_judge_learn_from_their_own_losses_alone() {
        let model = model::<ContextEncoder>(&with(&[("adversarial", "0.001"), ("mask", "centre")]));
        let views = views(&model);
        let judge: fn(&str) -> bool = |name| name.starts_with("discriminator.");
        assert!(
            gradient_from(&model, &views, judge) > 0.0 && gradient_from(&model, &views, |name| !judge_of(name)) > 0.0
        );
        // a judge that says 0 of everything has no slope for the painter: all that is left are its squares
        let blind = zeroed(model.clone(), |name| name == "discriminator.last.weight");
        let squares = ContextEncoder { discriminator: None, ..blind.clone() };
        let found = gradient_from(&blind, &views, |name| !judge_of(name));
        let expected = 0.999 * gradient_from(&squares, &views, |_| true);
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
        // and loses ln 2 of each: twice for its own part, a thousandth of it for the painter's
        let loss = |model: &ContextEncoder| -> f32 { model.loss(&views, &POSITION).loss.into_scalar() };
        let expected = 0.999 * loss(&squares) + 2.001 * std::f32::consts::LN_2;
        assert!((loss(&blind) - expected).abs() < 1e-4, "{} is not {expected}", loss(&blind));
    }

    fn judge_of(name: &str) -> bool {
        name.starts_with("discriminator.")
    }

    #[test]
    fn the_judge_does_not_learn_from_the_painters_wish() {
        // with nearly all weight on the wish, the judge's gradient is what its own verdicts give
        let steep = |lambda: &str| {
            let model = model::<ContextEncoder>(&with(&[("adversarial", lambda), ("mask", "centre")]));
            gradient_from(&model, &views(&model), judge_of)
        };
        let (little, much) = (steep("0.001"), steep("0.9"));
        assert!(little > 0.0 && (little / much - 1.0).abs() < 1e-4, "{little} {much}");
    }

    #[test]
    fn the_judge_has_a_tenth_of_the_rate() {
        let [group] = ContextEncoder::groups(&full("imagenet"), &ContextEncoderOptions::default())[..] else { panic!("one group") };
        assert_eq!(group.rate, Rate::Factor(0.1));
        assert!((group.matches)("discriminator.links.0.conv.weight", 4) && !(group.matches)("decoder.last.weight", 4));
    }

    #[test]
    fn pixels_that_are_not_asked_for_teach_nothing() {
        let model = model::<ContextEncoder>(&with(&[]));
        let views = views(&model);
        // elsewhere the truth may be anything: the loss stays to the last bit
        let [truth, missing, rim] = [0, 1, 2].map(|index| views.targets[index].clone());
        let asked = missing.clone() + rim.clone();
        let other = truth.clone() * asked.clone() + (asked.neg() + 1.0) * 0.77;
        let changed = Views { targets: vec![other, missing, rim], ..views.clone() };
        let loss = |views: &Views| -> f32 { model.loss(views, &POSITION).loss.into_scalar() };
        assert_eq!(loss(&views), loss(&changed));
    }

    #[test]
    fn whole_images_move_the_statistics_and_nothing_else() {
        let run = |refresh: &str| {
            let model = model::<ContextEncoder>(&with(&[("refresh", refresh)]));
            let loss: f32 = model.loss(&views(&model), &POSITION).loss.into_scalar();
            (loss, values(&model, "encoder.body.stages.0.units.0.norm.running_mean"))
        };
        let ((with, both), (without, masked)) = (run("true"), run("false"));
        assert_eq!(with, without);
        assert_ne!(both, masked);
    }

    #[test]
    fn every_setting_learns_and_is_drawn() {
        let cases = [("centre", "0.001", "16"), ("centre", "0", "0"), ("blocks", "0.001", "0"), ("blocks", "0", "16")];
        for (mask, adversarial, bottleneck) in cases {
            let config = with(&[("mask", mask), ("adversarial", adversarial), ("bottleneck", bottleneck)]);
            let losses = losses_of(&config, 1, 12);
            assert!(losses.iter().all(|loss| loss.is_finite()), "{mask} {adversarial}: {losses:?}");
            assert!(losses[11] < losses[0], "{mask} {adversarial}: {losses:?}");
            let model = model::<ContextEncoder>(&config);
            let views = views(&model);
            let shown = model.show(&views, &model.loss(&views, &POSITION), &POSITION);
            assert!(shown.rows.iter().all(|(_, row)| row.dims() == [8, 1, 28, 28]));
        }
    }

    #[test]
    fn the_published_networks_build_and_learn() {
        for (data, channels, size) in [("imagenet", 3, "64"), ("fashion-mnist", 1, "0")] {
            let mut config = shrunk(ContextEncoder::PRESETS.of(Preset::Full, data));
            config.set("size", size).expect("an option");
            let losses = losses_of(&config, channels, 12);
            assert!(losses.iter().all(|loss| loss.is_finite()) && losses[11] < losses[0], "{data}: {losses:?}");
        }
    }

    #[test]
    fn images_that_cannot_be_painted_are_refused() {
        let said = build_for::<ContextEncoder>(&with(&[("mask", "centre"), ("size", "14")]), 1);
        let said = said.expect_err("7 pixels are too few").to_string();
        assert!(said.contains("8 pixels") && said.contains("14 by 14"), "{said}");
        let refused = |key, value| build_for::<ContextEncoder>(&with(&[(key, value)]), 1).expect_err(value).to_string();
        assert!(refused("mask", "stripes").contains("centre or blocks"));
        assert!(refused("fill", "red").contains("mean, published or black"));
        assert!(refused("adversarial", "1").contains("adversarial"));
        assert!(refused("encoder.kind", "dcgan").contains("28 pixels"));
    }
}
