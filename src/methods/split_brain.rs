//! Split-brain autoencoders: two halves of a network each see one half of the channels and predict the other half.
//!
//! `L = L_1(F_1(x_1), x_2) + L_2(F_2(x_2), x_1)`, each a cross-entropy over bins (50 of lightness, those of colour) or a squared
//! error. Zhang, Isola and Efros 2017, equations 1 to 3. The features are those of both halves, concatenated.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::shared::crop::CropFlip;
use super::shared::options::PixelHeadOptions;
use crate::config::{Preset, RunConfig};
use crate::data::catalogue;
use crate::error::{Error, Result};
use crate::loss::{
    annealed_mean, class_frequencies, cross_entropy, entropy, nearest_bin, pixel_maps, pixel_rows,
    unexplained_variance, weighted_squared_error,
};
use crate::method::{
    Batch, Better, DataInfo, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay, StepPosition, Unit,
    Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Input, PixelHead};
use crate::optim::{OptimizerConfig, ParamGroup, Schedule, Steps};
use crate::options::{options, words};
use crate::rng::Rng;
use crate::view::{ab_bins, resize, subsample};

/// Bins of a half that has one channel.
const BINS: usize = 50;
/// Temperature at which predictions are drawn: between the mean and the mode.
const TEMPERATURE: f64 = 0.38;

words! {
    /// Prediction of each half.
    pub enum Answer {
        /// Probability of each bin of the other half's values.
        Classification = "classification",
        /// The other half's values.
        Regression = "regression",
    }
}

options! {
    /// Options of split-brain autoencoders.
    pub struct SplitBrainOptions {
        ..crop: CropFlip;
        ..pixel_head: PixelHeadOptions;
        /// Prediction of each half.
        task: Answer = Answer::Classification;
    }
}

/// An encoder in two halves; `forth` predicts the second half of an image from the first, `back` the other way round.
#[derive(Module, Debug)]
pub struct SplitBrain {
    encoder: Encoder,
    forth: PixelHead,
    back: PixelHead,
    /// Centres of the bins of either half `[q, channels]`, kept with the heads.
    bins: Vec<Param<Tensor<2>>>,
    #[module(skip)]
    halves: [Half; 2],
    #[module(skip)]
    options: SplitBrainOptions,
}

/// Half of an image, as a target.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Half {
    /// One channel with values from `low` to `high`.
    Scale { low: f64, high: f64 },
    /// The plane of a and b.
    Colours,
}

impl Method for SplitBrain {
    const INFO: Info = Info {
        id: "split-brain",
        title: "Split-brain autoencoder",
        year: 2017,
        paper: "Zhang, Isola, Efros: Split-Brain Autoencoders: Unsupervised Learning by Cross-Channel Prediction",
        url: "https://arxiv.org/abs/1611.09842",
        group: Group::FillIn,
        task: "Each image is split into two signals that together make it up; each half of the network is given one and \
               predicts the other.",
        lesson: "An autoencoder that has to reproduce its input can do so without understanding anything: it copies. Here \
                 each half has to predict what only the other one sees, so there is nothing to copy. Together they have seen \
                 the whole image, and together they are the encoder. Images in colour are split into lightness and colours, \
                 gray ones into coarse and fine.",
        loss: "0 would mean that each half predicts with certainty what only the other is given.",
        metric: Metric {
            name: "loss compared with one fixed answer",
            better: Better::Lower,
            baseline: "always giving the same answer",
            chance: Some(1.0),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, full);

    type Options = SplitBrainOptions;

    fn init(config: &RunConfig, options: &SplitBrainOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let halves = Half::both(config.encoder.input)?;
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        let width = encoder.width() / 2;
        let head = |half: Half, init: &mut Init| {
            let outputs = match options.task {
                Answer::Classification => half.bins().len() / half.channels(),
                Answer::Regression => half.channels(),
            };
            options.pixel_head.init(width, outputs, init)
        };
        let forth = head(halves[1], init);
        let back = head(halves[0], init);
        let bins = halves.map(|half| {
            let bins = half.bins();
            let count = bins.len() / half.channels();
            init.frozen(bins, [count, half.channels()])
        });
        Ok(Self { encoder, forth, back, bins: bins.into(), halves, options: options.clone() })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Biases have no weight decay, as in the code of colorization.
    fn groups(_config: &RunConfig, _options: &SplitBrainOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { weight_decay: Some(0.0), ..ParamGroup::vectors() }]
    }

    /// The images, which the encoder splits itself, and all channels of its input.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let images = self.options.crop.images(batch, rng);
        let read = self.encoder.input().read(images.clone());
        Views { images: vec![images], targets: vec![read], ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let [one, other] = self.encoder.halves(views.images[0].clone());
        let found = [self.back.forward(other), self.forth.forward(one)];
        let wanted = self.apart(views.targets[0].clone());
        let maps = found.iter().map(|found| found.clone().detach().inner()).collect();
        let [(loss1, share1), (loss2, share2)] = [0, 1].map(|half| self.loss_of(half, &found[half], &wanted[half]));
        LossOutput { metric: Some((share1 + share2) / 2.0), maps, ..LossOutput::of(loss1 + loss2) }
    }

    /// Input of each half, alone and with its prediction of the other half.
    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let truth = self.apart(views.targets[0].clone());
        let [_, _, h, w] = truth[0].dims();
        let input = self.encoder.input();
        let drawn = |halves: [Tensor<4>; 2]| input.to_images(Tensor::cat(halves.into(), 1));
        let blank = [0, 1].map(|half| truth[half].zeros_like() + self.halves[half].blank());
        let predicted = [0, 1].map(|half| resize(self.decoded(half, outcome.maps[half].clone()), [h, w]));
        let [x1, x2] = truth.clone();
        let [blank1, blank2] = blank;
        let [predicted1, predicted2] = predicted;
        let row = |title: &str, halves| (title.to_string(), drawn(halves));
        let rows = vec![
            row("Input of the first half", [x1.clone(), blank2]),
            row("with its prediction of the rest", [x1, predicted2]),
            row("Input of the second half", [blank1, x2.clone()]),
            row("with its prediction of the rest", [predicted1, x2]),
            row("The original", truth),
        ];
        StepDisplay { rows, ..StepDisplay::default() }
    }
}

impl SplitBrain {
    /// Splits the channels into the halves.
    fn apart(&self, read: Tensor<4>) -> [Tensor<4>; 2] {
        let [first, second] = self.halves.map(Half::channels);
        [read.clone().narrow(1, 0, first), read.narrow(1, first, second)]
    }

    /// Loss `[1]` of predicting a half, and its ratio to the loss of the best constant prediction `[1]`.
    fn loss_of(&self, half: usize, found: &Tensor<4>, wanted: &Tensor<4>) -> (Tensor<1>, Tensor<1>) {
        let [n, outputs, h, w] = found.dims();
        let wanted = subsample(wanted.clone(), [h, w]);
        if self.options.task == Answer::Regression {
            let wanted = self.halves[half].scaled(wanted);
            let all = Tensor::ones([n, 1, h, w], &wanted.device());
            let share = unexplained_variance(found.clone().inner(), wanted.clone(), all.clone());
            return (weighted_squared_error(found.clone(), wanted, all), share);
        }
        let labels = self.labels(half, wanted);
        let loss = cross_entropy(pixel_rows(found.clone()), labels.clone());
        let fixed = entropy(class_frequencies(labels, outputs)).clamp_min(1e-6);
        (loss.clone(), loss.inner() / fixed)
    }

    /// Bin of each pixel `[n h w]`. Bins are hard and not rebalanced, unlike those of colorization.
    fn labels(&self, half: usize, wanted: Tensor<4>) -> Tensor<1, Int> {
        let rows = pixel_rows(wanted);
        match self.halves[half] {
            Half::Colours => nearest_bin(rows, self.bins[half].val().inner()),
            Half::Scale { low, high } => {
                let place = (rows.squeeze_dim::<1>(1) - low) / (high - low) * BINS as f64;
                place.floor().clamp(0.0, BINS as f64 - 1.0).int()
            }
        }
    }

    /// Decodes the prediction of a half: `[n, outputs, h, w]` -> `[n, channels, h, w]`.
    fn decoded(&self, half: usize, found: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = found.dims();
        if self.options.task == Answer::Regression {
            return self.halves[half].unscaled(found);
        }
        pixel_maps(annealed_mean(pixel_rows(found), self.bins[half].val().inner(), TEMPERATURE), [n, h, w])
    }
}

impl Half {
    fn both(input: Input) -> Result<[Self; 2]> {
        let pixels = Half::Scale { low: 0.0, high: 1.0 };
        match input {
            Input::Lab => Ok([Half::Scale { low: 0.0, high: 100.0 }, Half::Colours]),
            Input::Bands => Ok([pixels, Half::Scale { low: -0.5, high: 0.5 }]),
            Input::Sides => Ok([pixels, pixels]),
            Input::Pixels | Input::Lightness => Err(Error::Config(
                "split-brain needs an encoder in two halves: set encoder.input to lab (colour), or to bands or sides (gray)"
                    .into(),
            )),
        }
    }

    fn channels(self) -> usize {
        match self {
            Half::Scale { .. } => 1,
            Half::Colours => 2,
        }
    }

    /// Centres of its bins, concatenated.
    fn bins(self) -> Vec<f32> {
        match self {
            Half::Scale { low, high } => {
                (0..BINS).map(|bin| (low + (high - low) * (bin as f64 + 0.5) / BINS as f64) as f32).collect()
            }
            Half::Colours => ab_bins().concat(),
        }
    }

    /// Offset and scale of the values for regression.
    fn scale(self) -> (f64, f64) {
        match self {
            Half::Scale { low, high } => ((low + high) / 2.0, high - low),
            Half::Colours => (0.0, 110.0),
        }
    }

    fn scaled(self, x: Tensor<4>) -> Tensor<4> {
        let (middle, unit) = self.scale();
        (x - middle) / unit
    }

    fn unscaled(self, x: Tensor<4>) -> Tensor<4> {
        let (middle, unit) = self.scale();
        x * unit + middle
    }

    /// Value drawn in place of a hidden half.
    fn blank(self) -> f64 {
        self.scale().0
    }
}

/// An encoder with a split input for these data, normalised to about mean 0 and deviation 1.
fn reading(encoder: EncoderConfig, data: &str) -> EncoderConfig {
    let gray = catalogue::find(data).is_ok_and(|entry| entry.size.channels == 1);
    if gray {
        encoder.reading(Input::Bands, &[0.0, 0.0], &[1.0, 0.25])
    } else {
        encoder.reading(Input::Lab, &[50.0, 0.0, 0.0], &[25.0, 25.0, 25.0])
    }
}

/// The four-block encoder in two halves, predictions at a quarter of the image's size, minutes on two CPU cores; AdamW with a
/// learning rate for a few epochs. Gray images are split into frequencies.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: SplitBrain::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 5,
        encoder: reading(EncoderConfig::small(32), data),
        optimizer: OptimizerConfig::adamw(3e-3, 1e-3),
        schedule: Schedule::cosine(0.2),
        ..RunConfig::default()
    }
    .with_options(&SplitBrainOptions::default())
}

/// No setting is published for images of about 32 px: this is the published one with a ResNet-18 in two halves.
fn cifar(data: &str) -> RunConfig {
    let encoder = reading(EncoderConfig::published(EncoderKind::Resnet18Cifar, data), data);
    let base = RunConfig { encoder, epochs: 200, steps: 0, schedule: Schedule::cosine(0.0), ..full(data) };
    let pixel_head = PixelHeadOptions { head: 256, layers: 1 };
    base.with_options(&SplitBrainOptions { pixel_head, ..Default::default() })
}

/// The paper's AlexNet in two halves at 180 px, predictions at 12 x 12. The rest is not in the paper and is taken from
/// colorization with AlexNet (80 images a step, Adam, 3e-5 falling in three steps to about 1e-6 at steps 240,000, 300,000
/// and 400,000, epochs of ImageNet). Published: 35.4 % linear on ImageNet at the third layer, with squared errors 33.6 %.
fn full(data: &str) -> RunConfig {
    let encoder = EncoderConfig::published(EncoderKind::DilatedAlexnet, data);
    RunConfig {
        method: SplitBrain::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 80,
        epochs: 28,
        encoder: encoder.reading(Input::Lab, &[50.0, 0.0, 0.0], &[1.0]),
        optimizer: OptimizerConfig::adam(3e-5, 1e-3),
        schedule: Schedule::Steps(Steps { at_epochs: vec![15.0, 18.7, 25.0], factor: 1.0 / 3.0 }),
        ..RunConfig::default()
    }
    .with_options(&SplitBrainOptions {
        crop: CropFlip::of(180),
        pixel_head: PixelHeadOptions { head: 0, layers: 0 },
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{
        POSITION, batch, build_for, gradient_from, losses_of, shrunk, tiny, views_of, zeroed,
    };

    /// A tiny model for colour or gray images, and views of such.
    fn model(input: &str, task: &str) -> (SplitBrain, Views) {
        let channels = if input == "lab" { 3 } else { 1 };
        let mut config = if input == "lab" { shrunk(small("cifar-10")) } else { tiny("split-brain") };
        config.set("encoder.input", input).expect("an input");
        config.set("task", task).expect("an option");
        let model = build_for::<SplitBrain>(&config, channels).expect("a model");
        let views = views_of(&model, &batch(channels));
        (model, views)
    }

    #[test]
    fn undecided_halves_lose_the_log_of_their_bins() {
        let (model, views) = model("lab", "classification");
        let model = zeroed(model, |name| name.starts_with("forth.last.") || name.starts_with("back.last."));
        let loss: f32 = model.loss(&views, &POSITION).loss.into_scalar();
        assert!((loss - (309f32.ln() + 50f32.ln())).abs() < 1e-4, "{loss}");
    }

    #[test]
    fn no_gradient_passes_between_the_halves() {
        for (input, task) in [("lab", "classification"), ("bands", "classification"), ("sides", "regression")] {
            let (model, views) = model(input, task);
            let without = |head: fn(&str) -> bool| zeroed(model.clone(), head);
            // behind a head with zero weights, a half has no gradient, whatever the other does
            let deaf = without(|name| name.starts_with("forth.last.weight"));
            assert_eq!(gradient_from(&deaf, &views, |name| name.starts_with("encoder.body.")), 0.0, "{input}");
            assert!(gradient_from(&deaf, &views, |name| name.starts_with("encoder.second.")) > 0.0);
            let deaf = without(|name| name.starts_with("back.last.weight"));
            assert_eq!(gradient_from(&deaf, &views, |name| name.starts_with("encoder.second.")), 0.0, "{input}");
            assert!(gradient_from(&deaf, &views, |name| name.starts_with("encoder.body.")) > 0.0);
        }
    }

    #[test]
    fn bins_are_those_of_the_paper() {
        let (model, _) = model("lab", "classification");
        let labels = |part, values: &[f32], channels| -> Vec<i64> {
            let shape = [1, channels, 1, values.len() / channels];
            let x = Tensor::<4>::from_data(
                burn::tensor::TensorData::new(values.to_vec(), shape),
                &burn::tensor::Device::flex(),
            );
            model.labels(part, x).into_data().iter::<i64>().collect()
        };
        assert_eq!(labels(0, &[0.0, 1.99, 2.0, 99.0, 100.0, -0.1], 1), [0, 0, 1, 49, 49, 0]);
        // the nearest bin is where colorization's soft code is largest
        let colours = [12.0f32, -44.0, 80.5, -7.0, 31.0, 2.2];
        let rows = Tensor::<2>::from_floats([[12.0, -7.0], [-44.0, 31.0], [80.5, 2.2]], &burn::tensor::Device::flex());
        let soft = crate::loss::soft_code(rows, model.bins[1].val().inner(), 10, 5.0).nearest();
        assert_eq!(labels(1, &colours, 2), soft.into_data().iter::<i64>().collect::<Vec<_>>());
    }

    #[test]
    fn predictions_are_drawn_at_the_size_of_the_images() {
        for (input, task) in [("lab", "classification"), ("bands", "regression"), ("sides", "classification")] {
            let (model, views) = model(input, task);
            let shown = model.show(&views, &model.loss(&views, &POSITION), &POSITION);
            let [n, _, h, w] = views.images[0].dims();
            for (title, row) in shown.rows {
                let [rows, _, height, width] = row.dims();
                assert_eq!([rows, height, width], [n, h, w], "{input}: {title}");
            }
        }
    }

    #[test]
    fn every_split_and_task_learns() {
        for input in ["lab", "bands", "sides"] {
            for task in ["classification", "regression"] {
                let mut config = if input == "lab" { shrunk(small("cifar-10")) } else { tiny("split-brain") };
                config.set("encoder.input", input).expect("an input");
                config.set("task", task).expect("an option");
                let losses = losses_of(&config, if input == "lab" { 3 } else { 1 }, 8);
                assert!(losses[7] < losses[0], "{input}, {task}: {losses:?}");
            }
        }
    }

    #[test]
    fn the_published_networks_build_and_learn() {
        for data in ["imagenet", "fashion-mnist"] {
            let mut config = shrunk(SplitBrain::PRESETS.of(Preset::Full, data));
            config.set("size", "48").expect("an option");
            config.optimizer.lr = 1e-3;
            let losses = losses_of(&config, if data == "imagenet" { 3 } else { 1 }, 8);
            assert!(losses.iter().all(|loss| loss.is_finite()) && losses[7] < losses[0], "{data}: {losses:?}");
        }
    }

    #[test]
    fn an_encoder_without_halves_is_refused() {
        let mut config = tiny("split-brain");
        config.set("encoder.input", "pixels").expect("an input");
        let said = build_for::<SplitBrain>(&config, 1).expect_err("nothing is split").to_string();
        assert!(said.contains("encoder.input") && said.contains("bands"), "{said}");
    }
}
