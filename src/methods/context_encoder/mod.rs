//! Context encoders: parts of an image are masked, and the network inpaints them.
//!
//! `L = (1 - lambda) L_rec + lambda L_adv` with `L_rec = |m (x - F((1 - m) x))|^2` over the mask m, with a larger weight at
//! its rim, and `L_adv = -log D(F((1 - m) x))` for a discriminator D that learns to tell inpainted from real pixels.
//! Pathak et al. 2016, equations 1 to 3.

mod options;

use burn::module::Module;
use burn::tensor::Tensor;

use super::shared::crop::CropFlip;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{adversarial_loss, unexplained_variance, weighted_squared_error};
use crate::method::{
    Batch, Better, DataInfo, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay, StepPosition, Unit,
    Views,
};
use crate::net::ema::momentum_copy;
use crate::net::{
    Discriminator, Encoder, EncoderConfig, EncoderKind, Init, InpaintingDecoder, InpaintingDecoderConfig, Input, Pixels,
};
use crate::optim::{OptimizerConfig, ParamGroup, Rate, Schedule};
use crate::rng::Rng;
use crate::view::mask::{Holes, blocks, central, fill};
use options::{ContextEncoderOptions, HoleFill, Mask};

/// Smallest side of an inpainted square, in pixels.
const LEAST: usize = 8;
/// Fill of holes in the authors' code, in the order of its channels: the mean of ImageNet with red and green exchanged.
const PUBLISHED: [f64; 3] = [117.0 / 255.0, 104.0 / 255.0, 123.0 / 255.0];

/// Encoder, decoder, and a discriminator if there is an adversarial loss.
#[derive(Module, Debug)]
pub struct ContextEncoder {
    encoder: Encoder,
    decoder: InpaintingDecoder,
    discriminator: Option<Discriminator>,
    #[module(skip)]
    options: ContextEncoderOptions,
    /// Fill of the holes, a number for each channel.
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
        group: Group::FillIn,
        task: "Parts of each image are missing; the network paints what was there.",
        lesson: "To paint the missing part of a thing one has to know what the thing is. Whoever cuts the hole knows what was \
                 in it, so the target costs nothing. A squared error makes the painting right on average and blurred; a \
                 second network that judges whether it looks real makes it sharper, and the features worse.",
        loss: "0 would mean that every missing pixel is painted exactly as it was.",
        metric: Metric {
            name: "error compared with one fixed colour",
            better: Better::Lower,
            baseline: "one fixed colour everywhere",
            chance: Some(1.0),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, full);

    type Options = ContextEncoderOptions;

    fn init(
        config: &RunConfig,
        options: &ContextEncoderOptions,
        data_info: &DataInfo,
        init: &mut Init,
    ) -> Result<Self> {
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

    /// The discriminator has a tenth of the learning rate.
    fn groups(_config: &RunConfig, _options: &ContextEncoderOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { rate: Rate::Factor(0.1), ..ParamGroup::of(|name, _| name.starts_with("discriminator.")) }]
    }

    /// Images with filled holes; the targets are the images, the masks and the rims.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let images = self.options.crop.images(batch, rng);
        let [n, _, h, w] = images.dims();
        let device = images.device();
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
        let [truth, missing] = [0, 1].map(|index| views.targets[index].clone());
        let given = views.images[0].clone();
        let mut rows = vec![("What the network was given".to_string(), given.clone())];
        rows.extend(outcome.maps.iter().map(|painted| {
            let painted = self.placed((painted.clone() + 1.0) / 2.0, given.clone());
            let kept = given.clone() * (missing.clone().neg() + 1.0);
            let new = painted * missing.clone();
            ("with the holes as it paints them".to_string(), kept + new)
        }));
        rows.push(("The truth".to_string(), truth));
        StepDisplay { rows, ..StepDisplay::default() }
    }
}

impl ContextEncoder {
    /// Inpainted region of images: their centre, or all of them.
    fn window(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        if self.options.mask == Mask::Blocks {
            return images;
        }
        images.narrow(2, height / 4, height / 2).narrow(3, width / 4, width / 2)
    }

    /// Inpainted pixels, at their place in the images.
    fn placed(&self, painted: Tensor<4>, images: Tensor<4>) -> Tensor<4> {
        let [n, c, height, width] = images.dims();
        if self.options.mask == Mask::Blocks {
            return painted;
        }
        let top = height / 4;
        let left = width / 4;
        images.slice_assign([0..n, 0..c, top..top + height / 2, left..left + width / 2], painted)
    }

    /// Sum of all losses: squared error and adversarial loss of a frozen discriminator for the decoder, and the discriminator's
    /// loss on real and inpainted pixels, which are detached. Both learn in the same step; in the authors' code the
    /// discriminator is first.
    ///
    /// The discriminator sees neither the surroundings nor the position of the hole, or it would look at the seam only.
    fn judge(&self, judge: &Discriminator, painted: Tensor<1>, found: Tensor<4>, wanted: Tensor<4>) -> Tensor<1> {
        let lambda = self.options.adversarial;
        // without gradient tracking statistics are the running ones
        let (frozen, real) = if found.device().is_autodiff() {
            (momentum_copy(judge), Tensor::from_inner(wanted))
        } else {
            (judge.clone(), wanted)
        };
        let passes = adversarial_loss(frozen.forward(found.clone()), true);
        let verdicts =
            adversarial_loss(judge.forward(real), true) + adversarial_loss(judge.forward(found.detach()), false);
        painted * (1.0 - lambda) + passes * lambda + verdicts
    }

    /// Passes whole images through the encoder without gradient, so that its running statistics cover images with and without
    /// holes equally, because features are taken of whole images. The gradient does not change.
    fn see_whole(&self, views: &Views) {
        if views.images[0].device().is_autodiff() {
            self.encoder.clone().no_grad().last_map(Tensor::from_inner(views.targets[0].clone()));
        }
    }
}

impl ContextEncoderOptions {
    /// Fill of the holes for this data set, a number for each channel.
    fn colour(&self, data: &str) -> Vec<f64> {
        match self.fill {
            HoleFill::Mean => Pixels::of(data).mean,
            HoleFill::Published => PUBLISHED.to_vec(),
            HoleFill::Black => vec![0.0],
        }
    }

    /// Side of the inpainted region, in pixels.
    fn painted(&self, side: usize) -> usize {
        if self.mask == Mask::Blocks { side } else { side / 2 }
    }
}

/// The four-block encoder, a channel-wise layer on its 3x3 or 4x4 maps, transposed convolutions to the whole image, minutes on two
/// CPU cores. Random blocks instead of the centre, so that the loss covers all of the image; squared error only, which the paper
/// found best for features; a rim of one pixel. AdamW with a learning rate for a few epochs.
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

/// No setting is published for images of about 32 px: this is the published one with three convolutions instead of five, a hole of
/// 16 of 32 pixels with a rim of 1, and a bottleneck of 512.
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
/// 2e-4, 500 epochs, a rim of 4 pixels of weight 10, a bottleneck of 4000, an adversarial weight of 0.001. Published
/// for features, with AlexNet, random holes and squared error only: 21.0 % linear on ImageNet at the third layer.
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

/// Batch, learning rates and input of both published settings.
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
    fn holes_hide_the_image_and_the_rest_stays() {
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
    fn each_fill_has_its_brightness() {
        let brightness = |fill: &str| -> f32 {
            let model = model::<ContextEncoder>(&with(&[("fill", fill)]));
            let views = views(&model);
            let given = views.images[0].clone().inner();
            let missing = views.targets[1].clone();
            let share = missing.clone().sum();
            ((given * missing).sum() / share).into_scalar()
        };
        let whole: f32 = batch(1).images.mean().into_scalar();
        assert!((brightness("mean") - whole).abs() < 0.1, "{} {whole}", brightness("mean"));
        assert_eq!(brightness("black"), 0.0);
        assert!((brightness("published") - 117.0 / 255.0).abs() < 1e-6);
    }

    #[test]
    fn the_published_fill_is_that_of_the_authors_code() {
        for (found, expected) in PUBLISHED.iter().map(|x| 2.0 * x - 1.0).zip([-0.082, -0.184, -0.035]) {
            assert!((found - expected).abs() < 5e-4, "{found} is not {expected}");
        }
    }

    #[test]
    fn decoder_and_discriminator_have_their_own_losses() {
        let model = model::<ContextEncoder>(&with(&[("adversarial", "0.001"), ("mask", "centre")]));
        let views = views(&model);
        let judge: fn(&str) -> bool = |name| name.starts_with("discriminator.");
        assert!(
            gradient_from(&model, &views, judge) > 0.0 && gradient_from(&model, &views, |name| !judge_of(name)) > 0.0
        );
        // a discriminator with zero weights gives the decoder no gradient: its squared error is left
        let blind = zeroed(model.clone(), |name| name == "discriminator.last.weight");
        let squares = ContextEncoder { discriminator: None, ..blind.clone() };
        let found = gradient_from(&blind, &views, |name| !judge_of(name));
        let expected = 0.999 * gradient_from(&squares, &views, |_| true);
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
        // and loses ln 2: twice for itself, times 0.001 for the decoder
        let loss = |model: &ContextEncoder| -> f32 { model.loss(&views, &POSITION).loss.into_scalar() };
        let expected = 0.999 * loss(&squares) + 2.001 * std::f32::consts::LN_2;
        assert!((loss(&blind) - expected).abs() < 1e-4, "{} is not {expected}", loss(&blind));
    }

    fn judge_of(name: &str) -> bool {
        name.starts_with("discriminator.")
    }

    #[test]
    fn the_adversarial_loss_does_not_train_the_discriminator() {
        // its gradient does not depend on the weight of the adversarial loss
        let steep = |lambda: &str| {
            let model = model::<ContextEncoder>(&with(&[("adversarial", lambda), ("mask", "centre")]));
            gradient_from(&model, &views(&model), judge_of)
        };
        let little = steep("0.001");
        let much = steep("0.9");
        assert!(little > 0.0 && (little / much - 1.0).abs() < 1e-4, "{little} {much}");
    }

    #[test]
    fn the_discriminator_has_a_tenth_of_the_rate() {
        let [group] = ContextEncoder::groups(&full("imagenet"), &ContextEncoderOptions::default())[..] else {
            panic!("one group")
        };
        assert_eq!(group.rate, Rate::Factor(0.1));
        assert!((group.matches)("discriminator.links.0.conv.weight", 4) && !(group.matches)("decoder.last.weight", 4));
    }

    #[test]
    fn pixels_outside_the_mask_do_not_change_the_loss() {
        let model = model::<ContextEncoder>(&with(&[]));
        let views = views(&model);
        // other pixels elsewhere: the loss is equal bit for bit
        let [truth, missing, rim] = [0, 1, 2].map(|index| views.targets[index].clone());
        let asked = missing.clone() + rim.clone();
        let other = truth.clone() * asked.clone() + (asked.neg() + 1.0) * 0.77;
        let changed = Views { targets: vec![other, missing, rim], ..views.clone() };
        let loss = |views: &Views| -> f32 { model.loss(views, &POSITION).loss.into_scalar() };
        assert_eq!(loss(&views), loss(&changed));
    }

    #[test]
    fn whole_images_change_running_statistics_only() {
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
    fn images_that_are_too_small_are_refused() {
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
