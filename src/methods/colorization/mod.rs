//! Colorization: from the lightness of an image the network predicts the colour of each pixel.
//!
//! `L = -mean_p v(Z_p) sum_q Z_pq log softmax(z_p)_q` over pixels p and colour bins q: the soft code Z is spread over the
//! bins nearest to the true colour, v rebalances common and rare bins. Zhang, Isola and Efros 2016, equations 2 to 5.

mod options;

use burn::module::{Module, Param};
use burn::tensor::{IndexingUpdateOp, Tensor};

use super::shared::crop::CropFlip;
use super::shared::options::PixelHeadOptions;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{
    SoftCode, annealed_mean, entropy, has_colour, pixel_maps, pixel_rows, rebalancing_weights, scale_gradient,
    soft_code, unexplained_variance, weighted_squared_error,
};
use crate::method::presets::is_small;
use crate::method::{
    Batch, Better, DataInfo, Experiment, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Input, PixelHead};
use crate::optim::{OptimizerConfig, ParamGroup, Schedule, Steps};
use crate::rng::Rng;
use crate::view::lab::{from_lab, to_lab};
use crate::view::{ab_bins, resize, subsample};
use options::{Answer, Bins, ColorizationOptions};

/// Scale of a and b for regression.
const REACH: f64 = 110.0;
/// Bins of the drawn plane along a and along b, and the step between them.
const PLANE: usize = 23;
const STEP: f64 = 10.0;
/// Subtracted from the logits of unused bins.
const NEVER: f64 = 1e4;

/// Encoder of lightness, head of colours, and the prior of the data.
#[derive(Module, Debug)]
pub struct Colorization {
    encoder: Encoder,
    head: PixelHead,
    /// Colours of the bins `[q, 2]`, saved with the head whose outputs they define.
    bins: Param<Tensor<2>>,
    /// Prior of the bins over the pixels of the first steps: of soft codes, and of nearest bins `[2, q]`.
    prior: Param<Tensor<2>>,
    #[module(skip)]
    options: ColorizationOptions,
}

/// Targets of a batch.
struct Asked {
    code: SoftCode,
    /// Weights of the pixels' gradients `[m]`.
    weights: Tensor<1>,
    /// Bins in use `[q]`, 0 or 1.
    live: Tensor<1>,
    /// Prior, with this batch during the first steps `[2, q]`.
    prior: Tensor<2>,
}

impl Method for Colorization {
    const INFO: Info = Info {
        id: "colorization",
        title: "Colorization",
        year: 2016,
        paper: "Zhang, Isola, Efros: Colorful Image Colorization",
        url: "https://arxiv.org/abs/1603.08511",
        group: Group::FillIn,
        task: "Each image is given without its colours; the network predicts the colour of every pixel.",
        lesson: "Every colour photograph is a gray one with the answers at the back. To know that this patch is grass and \
                 that one sky, one has to see what things are. Many things have several colours: so the network does not \
                 predict one colour but the probability of each of some hundred, and rare colours count more than the gray \
                 that is everywhere.",
        loss: "0 would mean that every colour is named with certainty. No network gets there: many things may have several \
               colours.",
        metric: Metric {
            name: "loss compared with one fixed answer",
            better: Better::Lower,
            baseline: "always giving the same answer",
            chance: Some(1.0),
            unit: Unit::Share,
        },
        experiment: Some(Experiment {
            label: "Try it with one colour a pixel",
            key: "task",
            value: "regression",
            watch: "Watch everything turn brown, the mean of all colours that a thing may have.",
        }),
        needs: Needs { colour: true, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, full, full);

    type Options = ColorizationOptions;

    fn init(config: &RunConfig, options: &ColorizationOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let channels = data_info.size.channels;
        if channels != 3 {
            return Err(Error::Data(format!(
                "colorization needs colour images, but those of {} have {channels} channel: choose a data set with colour, for \
                 example cifar-10",
                config.data
            )));
        }
        if config.encoder.input != Input::Lightness {
            return Err(Error::Config(
                "encoder.input must be lightness for colorization: other input shows colours".into(),
            ));
        }
        let bins = ab_bins();
        let q = bins.len();
        let encoder = Encoder::init(&config.encoder, channels, init)?;
        let outputs = if options.task == Answer::Regression { 2 } else { q };
        let head = options.pixel_head.init(encoder.width(), outputs, init);
        let bins = init.frozen(bins.concat(), [q, 2]);
        let prior = init.frozen(vec![0.0; 2 * q], [2, q]);
        Ok(Self { encoder, head, bins, prior, options: options.clone() })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Biases have no weight decay, as in the authors' code.
    fn groups(_config: &RunConfig, _options: &ColorizationOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { weight_decay: Some(0.0), ..ParamGroup::vectors() }]
    }

    /// The images, of which the encoder reads the lightness only, and their colours. No channel is normalised by statistics of
    /// the others.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let images = self.options.crop.images(batch, rng);
        let colours = to_lab(images.clone()).narrow(1, 1, 2);
        Views { images: vec![images], targets: vec![colours], ..Views::default() }
    }

    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput {
        let found = self.head.forward(self.encoder.last_map(views.images[0].clone())); // [n, q, h, w]
        let [_, _, h, w] = found.dims();
        let colours = subsample(views.targets[0].clone(), [h, w]); // [n, 2, h, w]
        let maps = vec![found.clone().detach().inner()];
        if self.is_regression() {
            return LossOutput { maps, ..self.squares(found, colours) };
        }
        let Asked { code, weights, live, prior } = self.asked(colours, position);
        let losses = code.cross_entropy(pixel_rows(found) - ((live.clone().neg() + 1.0) * NEVER).unsqueeze_dim::<2>(0));
        let metric = share(&losses, &code.dense(live.dims()[0]), &weights);
        let loss = scale_gradient(losses, weights).mean();
        LossOutput { metric: Some(metric), maps, carry: vec![prior], ..LossOutput::of(loss) }
    }

    /// The prior of the last micro-batch, which includes the others.
    fn gathered(mut carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
        carries.pop().unwrap_or_default()
    }

    fn after_step(self, carry: Vec<Tensor<2>>, _position: &StepPosition) -> Self {
        let prior = carry.into_iter().fold(self.prior, |prior, new| prior.map(|_| Tensor::from_inner(new)));
        Self { prior, ..self }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let images = views.images[0].clone().inner();
        let [_, _, h, w] = images.dims();
        let lab = to_lab(images.clone());
        let lightness = lab.clone().narrow(1, 0, 1);
        let painted = |colours: Tensor<4>| from_lab(Tensor::cat(vec![lightness.clone(), colours], 1));
        let gray = painted(lab.narrow(1, 1, 2).zeros_like());
        let mut rows = vec![("Input of the network".to_string(), gray)];
        rows.extend(outcome.maps.iter().map(|maps| {
            let colours = resize(self.decoded(maps.clone()), [h, w]);
            ("In the predicted colours".to_string(), painted(colours))
        }));
        rows.push(("The original".to_string(), images));
        let figures = if self.is_regression() { Vec::new() } else { vec![self.common()] };
        StepDisplay { rows, figures, ..StepDisplay::default() }
    }
}

impl Colorization {
    fn is_regression(&self) -> bool {
        self.options.task == Answer::Regression
    }

    /// Squared error of a and b, without near-gray images: the loss that the paper improves on.
    fn squares(&self, found: Tensor<4>, colours: Tensor<4>) -> LossOutput {
        let [n, _, h, w] = found.dims();
        let counts = has_colour(colours.clone(), self.options.least_colour).reshape([n, 1, 1, 1]).expand([n, 1, h, w]);
        let wanted = colours / REACH;
        let metric = unexplained_variance(found.clone().inner(), wanted.clone(), counts.clone());
        LossOutput { metric: Some(metric), ..LossOutput::of(weighted_squared_error(found, wanted, counts)) }
    }

    /// Soft codes and weights of the pixels `[n, 2, h, w]`, on the plain device.
    fn asked(&self, colours: Tensor<4>, position: &StepPosition) -> Asked {
        let [n, _, h, w] = colours.dims();
        let ColorizationOptions { neighbours, sigma, lambda, .. } = self.options;
        let counts = has_colour(colours.clone(), self.options.least_colour);
        let counts = counts.reshape([n, 1]).expand([n, h * w]).reshape([n * h * w]);
        let code = soft_code(pixel_rows(colours), self.bins.val().inner(), neighbours, sigma);
        let prior = self.with(&code, &counts, position.step);
        let q = prior.dims()[1];
        let row = |index| prior.clone().narrow(0, index, 1).squeeze_dim::<1>(0);
        let live = if self.options.bins == Bins::Data && position.step >= self.options.prior_steps {
            row(1).greater_elem(0.0).float()
        } else {
            Tensor::ones([q], &prior.device())
        };
        let code = code.among(live.clone());
        let weights = rebalancing_weights(row(0), live.clone(), lambda).select(0, code.nearest()) * counts;
        Asked { code, weights, live, prior }
    }

    /// Prior with the pixels of this batch, the mean over the first steps. Later it is constant, and so is the loss function.
    fn with(&self, code: &SoftCode, counts: &Tensor<1>, step: usize) -> Tensor<2> {
        let prior = self.prior.val().inner();
        if step >= self.options.prior_steps {
            return prior;
        }
        let [_, q] = prior.dims();
        let counted = counts.clone().sum().clamp_min(1.0).unsqueeze_dim::<2>(0);
        let mean = |code: &SoftCode| (code.dense(q) * counts.clone().unsqueeze_dim(1)).sum_dim(0) / counted.clone();
        let batch = Tensor::cat(vec![mean(code), mean(&code.hard())], 0);
        prior.clone() + (batch - prior) / (step as f64 + 1.0)
    }

    /// Decodes colours from the head's outputs: `[n, q, h, w]` -> `[n, 2, h, w]`.
    fn decoded(&self, found: Tensor<4>) -> Tensor<4> {
        if self.is_regression() {
            return found * REACH;
        }
        let [n, _, h, w] = found.dims();
        let colours = annealed_mean(pixel_rows(found), self.bins.val().inner(), self.options.temperature);
        pixel_maps(colours, [n, h, w])
    }

    /// Drawing of the prior over the plane of a and b.
    fn common(&self) -> Figure {
        let prior = self.prior.val().inner().narrow(0, 0, 1); // [1, q]
        let [_, q] = prior.dims();
        let place = (self.bins.val().inner() / STEP).round().int() + PLANE as i64 / 2; // [q, 2]
        let a = place.clone().narrow(1, 0, 1);
        let b = place.narrow(1, 1, 1);
        let empty = Tensor::<2>::zeros([1, PLANE * PLANE], &prior.device());
        let shares = empty.scatter(1, (a * PLANE as i64 + b).reshape([1, q]), prior, IndexingUpdateOp::Add);
        let steps = self.options.prior_steps;
        Figure {
            title: "How common each colour is".to_string(),
            caption: format!(
                "Measured in the first {steps} steps. Down: from green to red, across: from blue to yellow, gray in the middle; \
                 white is a tenth of all pixels, black under one in a million. Rare colours count more."
            ),
            values: (shares.clamp_min(1e-12).log() / std::f64::consts::LN_10).reshape([PLANE, PLANE]),
            low: -6.0,
            high: -1.0,
        }
    }
}

/// Ratio of the weighted loss to that of the best constant prediction for the same pixels, `[1]`.
fn share(losses: &Tensor<1>, codes: &Tensor<2>, weights: &Tensor<1>) -> Tensor<1> {
    let total = weights.clone().sum().clamp_min(1e-6);
    let fixed = entropy((codes.clone() * weights.clone().unsqueeze_dim(1)).sum_dim(0).squeeze_dim(0));
    (losses.clone().inner() * weights.clone()).sum() / total / fixed.clamp_min(1e-6)
}

/// The four-block encoder, colours at a quarter of the image's size (8 x 8 for 32 px), minutes on two CPU cores. Bins and prior are
/// those of the first 50 steps. AdamW with a hundred times the published learning rate and cosine decay, for a few epochs instead
/// of weeks; lightness divided by 25, which suits that rate.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: Colorization::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 5,
        encoder: EncoderConfig::small(32).reading(Input::Lightness, &[50.0], &[25.0]),
        optimizer: OptimizerConfig::adamw(3e-3, 1e-3),
        schedule: Schedule::cosine(0.2),
        ..RunConfig::default()
    }
    .with_options(&ColorizationOptions { bins: Bins::Data, ..Default::default() })
}

/// The authors' code: its network at 176 px (CIFAR's images keep their size), 40 images a step, Adam with 0.9 and 0.99 at 3e-5,
/// divided by 10 at step 225,000 (the seventh epoch of ImageNet), 500,000 steps; 50 is subtracted from lightness. Published with
/// AlexNet instead: 32.6 % linear on ImageNet at the fourth layer.
///
/// The code reads the prior from a file; here it is measured in the first 1000 steps.
fn full(data: &str) -> RunConfig {
    RunConfig {
        method: Colorization::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 40,
        epochs: 16,
        steps: 500_000,
        encoder: EncoderConfig::published(EncoderKind::ColourVgg, data).reading(Input::Lightness, &[50.0], &[1.0]),
        optimizer: OptimizerConfig { beta2: 0.99, ..OptimizerConfig::adam(3e-5, 1e-3) },
        schedule: Schedule::Steps(Steps { at_epochs: vec![7.025], factor: 0.1 }),
        ..RunConfig::default()
    }
    .with_options(&ColorizationOptions {
        crop: CropFlip::of(if is_small(data) { 0 } else { 176 }),
        pixel_head: PixelHeadOptions { head: 256, layers: 2 },
        prior_steps: 1000,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{
        POSITION, batch, build_for, encoder_gradient, gradient_from, losses_of, model, shrunk, tiny, values, views,
        views_of, zeroed,
    };

    fn loss(model: &Colorization, views: &Views) -> f32 {
        model.loss(views, &POSITION).loss.into_scalar()
    }

    #[test]
    fn gray_images_are_refused() {
        let said = build_for::<Colorization>(&tiny("colorization"), 1).expect_err("no colours").to_string();
        assert!(said.contains("needs colour images") && said.contains("cifar-10"), "{said}");
    }

    #[test]
    fn an_undecided_network_loses_ln_q() {
        let model = zeroed(model::<Colorization>(&tiny("colorization")), |name| name.starts_with("head.last."));
        let q = model.bins.dims()[0];
        assert_eq!(q, 309);
        assert!((loss(&model, &views(&model)) - (q as f32).ln()).abs() < 1e-4);
    }

    #[test]
    fn the_encoder_does_not_see_the_targets() {
        let model = model::<Colorization>(&tiny("colorization"));
        let views = views(&model);
        // other targets change the loss, and not the predictions
        let other = Views { targets: vec![views.targets[0].clone().neg()], ..views.clone() };
        let said = |views: &Views| model.loss(views, &POSITION).maps[0].clone().into_data();
        assert_ne!(loss(&model, &views), loss(&model, &other));
        assert_eq!(said(&views), said(&other));
        let gray = Tensor::cat(vec![crate::view::lab::lightness(views.images[0].clone()) / 100.0; 3], 1);
        let features = |x: Tensor<4>| model.encoder.valid().last_map(x.inner()).into_data();
        assert_ne!(features(views.images[0].clone()), features(gray), "lightness is seen");
    }

    #[test]
    fn the_prior_is_the_mean_of_the_first_steps() {
        let mut model = model::<Colorization>(&tiny("colorization"));
        let views = views(&model);
        for step in 0..6 {
            let position = StepPosition { step, ..POSITION };
            // red images in the second step, and again after the last that is measured
            let red = Views { targets: vec![views.targets[0].ones_like() * 60.0], ..views.clone() };
            let carry = model.loss(if step == 1 || step > 3 { &red } else { &views }, &position).carry;
            model = model.after_step(carry, &position);
            let prior = values(&model, "prior");
            let (soft, hard) = prior.split_at(309);
            assert!((soft.iter().sum::<f32>() - 1.0).abs() < 1e-4 && (hard.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            let at = ab_bins().iter().position(|bin| *bin == [60.0, 60.0]).expect("a bin");
            let expected = [0.0, 1.0 / 2.0, 1.0 / 3.0, 0.25, 0.25, 0.25][step];
            assert!((hard[at] - expected).abs() < 1e-5, "step {step}: {} is not {expected}", hard[at]);
        }
    }

    #[test]
    fn weights_have_mean_1_over_the_prior() {
        let mut config = tiny("colorization");
        config.set("neighbours", "1").expect("an option");
        let model = model::<Colorization>(&config);
        let views = views(&model);
        let colours = subsample(views.targets[0].clone(), [6, 6]);
        let asked = model.asked(colours, &POSITION);
        let mean: f32 = asked.weights.mean().into_scalar();
        assert!((mean - 1.0).abs() < 1e-4, "{mean}");
    }

    #[test]
    fn weights_change_the_gradient_and_not_the_loss() {
        let run = |lambda: &str| {
            let mut config = tiny("colorization");
            config.set("lambda", lambda).expect("an option");
            let model = model::<Colorization>(&config);
            (loss(&model, &views(&model)), encoder_gradient(&model))
        };
        let (balanced, steep) = run("0.5");
        let (even, flat) = run("1");
        assert_eq!(balanced, even);
        assert!((steep / flat - 1.0).abs() > 1e-3, "{steep} {flat}");
    }

    #[test]
    fn gray_images_have_no_gradient() {
        for task in ["classification", "regression"] {
            let mut config = tiny("colorization");
            config.set("task", task).expect("an option");
            let model = model::<Colorization>(&config);
            let gray = Batch { images: batch(1).images.expand([8, 3, 28, 28]), ..batch(3) };
            assert_eq!(gradient_from(&model, &views_of(&model, &gray), |_| true), 0.0, "{task}");
            assert!(encoder_gradient(&model) > 0.0);
        }
    }

    #[test]
    fn unused_bins_are_dropped_after_the_first_steps() {
        for (bins, given_up) in [("data", true), ("gamut", false)] {
            let mut config = tiny("colorization");
            config.set("bins", bins).expect("an option");
            let model = zeroed(model::<Colorization>(&config), |name| name.starts_with("head.last."));
            let views = views(&model);
            let carry = model.loss(&views, &POSITION).carry;
            let model = model.after_step(carry, &POSITION);
            let later = StepPosition { step: 50, ..POSITION };
            let lost: f32 = model.loss(&views, &later).loss.into_scalar();
            let occur = values(&model, "prior")[309..].iter().filter(|&&share| share > 0.0).count();
            assert!(occur < 200, "{occur}");
            // an undecided network loses ln Q for the Q bins in use
            let q = if given_up { occur } else { 309 };
            assert!((lost - (q as f32).ln()).abs() < 1e-3, "{bins}: {lost} is not ln {q}");
        }
    }

    #[test]
    fn the_published_network_builds_and_learns() {
        let mut config = shrunk(full("imagenet"));
        config.set("size", "32").expect("an option");
        config.optimizer.lr = 1e-3;
        let losses = losses_of(&config, 3, 8);
        assert!(losses.iter().all(|loss| loss.is_finite()) && losses[7] < losses[0], "{losses:?}");
    }
}
