//! VICReg: both views of an image get similar embeddings, every feature varies over the batch, and no two features vary together.
//!
//! `L = l s(z1, z2) + m (v(z1) + v(z2)) + n (c(z1) + c(z2))` with `z = h(f(x))`, s the mean square between the views, v the
//! deviations missing to 1, c the covariances of different features. Bardes, Ponce and LeCun 2022, equation 6.

use burn::module::Module;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{ProjectorDepth, ViewOptions};
use super::shared::solo_learn;
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::{VicregWeights, vicreg};
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Experiment, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets,
    StepDisplay, StepPosition, Unit, Views, apart,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{Cosine, OptimizerConfig, Schedule, scaled_rate};
use crate::options;
use crate::rng::Rng;

/// Features drawn of the covariance.
const DRAWN: usize = 64;

options! {
    /// Options of VICReg.
    pub struct VicregOptions {
        ..views: ViewOptions;
        ..depth: ProjectorDepth;
        /// Width of the expander's layers; the paper's is 8192.
        expander: usize = 512, in 1..=65_536, tiny = 16;
        /// Weight of invariance, the mean square between the views.
        invariance: f64 = 25.0, in 0.0..;
        /// Weight of variance, the deviations missing to 1. The authors' released code takes half of the term.
        variance: f64 = 25.0, in 0.0..;
        /// Weight of covariance, between different features.
        covariance: f64 = 1.0, in 0.0..;
    }
}

/// Encoder f and expander h.
#[derive(Module, Debug)]
pub struct Vicreg {
    encoder: Encoder,
    expander: Mlp,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    weights: VicregWeights,
}

impl Method for Vicreg {
    const INFO: Info = Info {
        id: "vicreg",
        title: "VICReg",
        year: 2022,
        paper: "Bardes, Ponce, LeCun: VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
        url: "https://arxiv.org/abs/2105.04906",
        group: Group::Compare,
        task: "Each image is altered twice at random; both views must get the same features, and each feature must vary and \
               carry information of its own.",
        lesson: "Two views of an image should get the same features. Were that all, the network would give every image the \
                 same ones. Here nothing is compared with other images, copied or stopped to prevent it: each feature is \
                 simply required to vary from image to image, and no two features may vary together. In the picture, \
                 everything off the diagonal should be gray.",
        loss: "0 would mean that both views get the same features, and that every feature varies and carries information of \
               its own.",
        metric: Metric {
            name: "agreement of the views",
            better: Better::Higher,
            baseline: "nothing in common",
            chance: Some(0.0),
            unit: Unit::Number,
        },
        experiment: Some(Experiment {
            label: "Try it without the variance",
            key: "variance",
            value: "0.0",
            watch: "Watch the features collapse: nothing keeps them from being the same for every image.",
        }),
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;
    type Options = VicregOptions;

    fn init(config: &RunConfig, options: &VicregOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of_two(&options.views, data_info)?;
        init.set_views(2);
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let expander = expander(options.expander, options.depth.layers).init(encoder.width(), init);
        let VicregOptions { invariance, variance, covariance, .. } = *options;
        Ok(Self { encoder, expander, augment, weights: VicregWeights { invariance, variance, covariance } })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let z = self.expander.forward(self.encoder.forward(augmented_views::in_turn(views)));
        let [z1, z2] = apart(z.clone());
        let found = vicreg(z1, z2, self.weights);
        LossOutput {
            metric: Some(found.agreement),
            embeddings: Embeddings::InTurn(z.detach()),
            figures: vec![found.covariance],
            ..LossOutput::of(found.loss)
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let figures = outcome.figures.iter().map(|covariance| {
            let [d, _] = covariance.dims();
            let drawn = d.min(DRAWN);
            Figure {
                title: "Covariance of the features".to_string(),
                caption: format!(
                    "Rows and columns: features of view 1 (the first {drawn} of {d}). Black -1, gray 0, white 1. The loss wants \
                     1 on the diagonal and 0 elsewhere."
                ),
                values: covariance.clone().inner().slice([0..drawn, 0..drawn]),
                low: -1.0,
                high: 1.0,
            }
        });
        StepDisplay { rows: augmented_views::rows(views), figures: figures.collect(), ..StepDisplay::default() }
    }
}

/// Expander: batch norm and biases on hidden layers, neither at the output.
fn expander(width: usize, layers: usize) -> MlpPlan {
    MlpPlan { hidden_bias: true, ..MlpPlan::normed(vec![width; layers]) }
}

/// [`augmented_views::small_run`] with an expander of two layers; the weights of the three terms are the paper's.
///
/// On Fashion-MNIST: linear 90.6 %, kNN 88.3 % (untrained 88.6 and 85.9), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    augmented_views::small_run(Vicreg::INFO.id, data)
        .with_options(&VicregOptions { views: ViewOptions::small(data), ..Default::default() })
}

/// solo-learn's CIFAR-10 setting: ResNet-18, LARS at 0.3, 256 images a step, an expander of 3 x 2048, 1000 epochs. Published
/// there: 92.07 % linear.
fn cifar(data: &str) -> RunConfig {
    solo_learn::cifar(Vicreg::INFO.id, data, 0.3, 1e-4).with_options(&VicregOptions {
        views: ViewOptions::published("vicreg-cifar", 0),
        depth: ProjectorDepth { layers: 3 },
        expander: 2048,
        ..Default::default()
    })
}

/// The paper's ImageNet setting: ResNet-50 at 224 px, an expander of 3 x 8192, 2048 images a step, LARS at 0.2 times batch /
/// 256, 1000 epochs. Published: 73.2 % linear.
fn imagenet(data: &str) -> RunConfig {
    let encoder = EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(EncoderKind::Resnet50, data) };
    RunConfig {
        method: Vicreg::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 2048,
        epochs: 1000,
        encoder,
        optimizer: OptimizerConfig::lars(scaled_rate(0.2, 2048), 1e-6),
        schedule: Schedule::Cosine(Cosine { warmup_epochs: 10.0, end_factor: 1e-3, ..Default::default() }),
        ..RunConfig::default()
    }
    .with_options(&VicregOptions {
        views: ViewOptions::published("vicreg", 224),
        depth: ProjectorDepth { layers: 3 },
        expander: 8192,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{POSITION, model, parameters, tiny, views};

    #[test]
    fn views_of_one_image_agree() {
        let model = model::<Vicreg>(&tiny(Vicreg::INFO.id));
        let view = views(&model).images.swap_remove(0);
        let outcome = model.loss(&Views { images: vec![view.clone(), view], ..Views::default() }, &POSITION);
        let metric: f32 = outcome.metric.expect("a measure").into_scalar();
        assert!((metric - 1.0).abs() < 1e-5, "{metric}");
    }

    #[test]
    fn the_weights_are_those_of_the_options() {
        let loss = |changes: &[(&str, &str)]| -> f32 {
            let mut config = tiny(Vicreg::INFO.id);
            changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
            let model = model::<Vicreg>(&config);
            model.loss(&views(&model), &POSITION).loss.into_scalar()
        };
        let alone = |term: &str| {
            let others = ["invariance", "variance", "covariance"].into_iter().filter(|other| *other != term);
            loss(&others.map(|other| (other, "0")).collect::<Vec<_>>())
        };
        let sum = alone("invariance") + alone("variance") + alone("covariance");
        assert!((loss(&[]) / sum - 1.0).abs() < 1e-4, "{} is not {sum}", loss(&[]));
        let doubled = loss(&[("invariance", "50"), ("variance", "0"), ("covariance", "0")]);
        assert!((doubled / alone("invariance") - 2.0).abs() < 1e-4);
    }

    #[test]
    fn the_expander_has_the_papers_parameters() {
        // the paper's 8192 would fill half a gigabyte
        assert_eq!(parameters(&expander(1024, 3), 2048), 2048 * 1024 + 2 * 1024 * 1024 + 2 * 3 * 1024);
    }
}
