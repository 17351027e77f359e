//! Barlow Twins: each feature of one view is correlated with the same feature of the other view, and with no other feature.
//!
//! `L = sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2`, C the cross-correlation of both views' features over the batch.
//! Zbontar et al. 2021, equation 1.

use burn::module::Module;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{ProjectorDepth, ViewOptions};
use super::shared::solo_learn;
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::barlow_twins;
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views, apart,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{Cosine, OptimizerConfig, ParamGroup, Rate, Schedule, scaled_rate};
use crate::options::{above, options};
use crate::rng::Rng;

/// Features of the cross-correlation that are drawn.
const DRAWN: usize = 64;

options! {
    /// Options of Barlow Twins.
    pub struct BarlowTwinsOptions {
        ..views: ViewOptions;
        ..depth: ProjectorDepth;
        /// Width of the projector's layers; the paper's is 8192.
        projector: usize = 512, in 1..=65_536, tiny = 16;
        /// Weight of the redundancy term, the correlations of different features.
        lambda: f64 = 5e-3, in 0.0..;
        /// Factor of the loss.
        scale: f64 = 0.1, in above(0.0);
        /// Learning rate of biases and batch norms, as a multiple of the learning rate of weights.
        vector_rate: f64 = 1.0, in 0.0..;
    }
}

/// Encoder and projector.
#[derive(Module, Debug)]
pub struct BarlowTwins {
    encoder: Encoder,
    projector: Mlp,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    options: BarlowTwinsOptions,
}

impl Method for BarlowTwins {
    const INFO: Info = Info {
        id: "barlow-twins",
        title: "Barlow Twins",
        year: 2021,
        paper: "Zbontar, Jing, Misra, LeCun, Deny: Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
        url: "https://arxiv.org/abs/2103.03230",
        group: Group::Compare,
        task: "Each image is altered twice at random; both views must get the same features, and no two features may carry \
               the same information.",
        lesson: "Both views of an image show the same thing, so each feature should have the same value for both. If all features \
                 were copies of one, that would be easy and useless: so different features must not be correlated. In the \
                 picture, the diagonal should become bright and everything else gray.",
        loss: "0 would mean that each feature agrees perfectly across the views and with no other feature.",
        metric: Metric {
            name: "correlation of twin features",
            better: Better::Higher,
            baseline: "nothing in common",
            chance: Some(0.0),
            unit: Unit::Number,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    type Options = BarlowTwinsOptions;

    fn init(config: &RunConfig, options: &BarlowTwinsOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of_two(&options.views, data_info)?;
        init.set_views(2);
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let projector = projector(options.projector, options.depth.layers).init(encoder.width(), init);
        Ok(Self { encoder, projector, augment, options: options.clone() })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Biases and batch norms have their own learning rate.
    fn groups(_config: &RunConfig, options: &BarlowTwinsOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { rate: Rate::Factor(options.vector_rate), ..ParamGroup::vectors() }]
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let z = self.projector.forward(self.encoder.forward(augmented_views::in_turn(views)));
        let [z1, z2] = apart(z.clone());
        let reduced = barlow_twins(z1, z2, self.options.lambda, self.options.scale);
        LossOutput {
            metric: Some(reduced.diagonal),
            embeddings: Embeddings::InTurn(z.detach()),
            figures: vec![reduced.correlation],
            ..LossOutput::of(reduced.loss)
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let figures = outcome.figures.iter().map(|correlation| {
            let [d, _] = correlation.dims();
            let drawn = d.min(DRAWN);
            Figure {
                title: "Cross-correlation of the features".to_string(),
                caption: format!(
                    "Row: a feature of view 1, column: one of view 2 (the first {drawn} of {d}). Black -1, gray 0, white 1. The \
                     loss wants a white diagonal on gray."
                ),
                values: correlation.clone().inner().slice([0..drawn, 0..drawn]),
                low: -1.0,
                high: 1.0,
            }
        });
        StepDisplay { rows: augmented_views::rows(views), figures: figures.collect(), ..StepDisplay::default() }
    }
}

/// Projector: no biases, batch norm on hidden layers, nothing at the output, which the loss normalises itself.
fn projector(width: usize, layers: usize) -> MlpPlan {
    MlpPlan::normed(vec![width; layers])
}

/// [`augmented_views::small_run`] with a projector of two layers; the loss is scaled by 0.1 as in solo-learn.
///
/// On Fashion-MNIST, on two CPU cores: 6.2 minutes; linear 90.4 %, kNN 88.2 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    augmented_views::small_run(BarlowTwins::INFO.id, data)
        .with_options(&BarlowTwinsOptions { views: ViewOptions::small(data), ..Default::default() })
}

/// solo-learn's CIFAR-10 setting: ResNet-18, LARS at 0.3, 256 images a step, 1000 epochs. Published there: 92.10 % linear.
fn cifar(data: &str) -> RunConfig {
    solo_learn::cifar(BarlowTwins::INFO.id, data, 0.3, 1e-4).with_options(&BarlowTwinsOptions {
        views: ViewOptions::published("barlow-twins-cifar", 0),
        depth: ProjectorDepth { layers: 3 },
        projector: 2048,
        ..Default::default()
    })
}

/// The authors' code for ImageNet: ResNet-50 at 224 px, a projector of 3 x 8192, 2048 images a step, 1000 epochs; learning
/// rates of 0.2 for weights and 0.0048 for biases and batch norms, both times batch / 256. Published: 73.5 % linear.
fn imagenet(data: &str) -> RunConfig {
    let encoder = EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(EncoderKind::Resnet50, data) };
    RunConfig {
        method: BarlowTwins::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 2048,
        epochs: 1000,
        encoder,
        optimizer: OptimizerConfig::lars(scaled_rate(0.2, 2048), 1e-6),
        schedule: Schedule::Cosine(Cosine { warmup_epochs: 10.0, end_factor: 1e-3, ..Default::default() }),
        ..RunConfig::default()
    }
    .with_options(&BarlowTwinsOptions {
        views: ViewOptions::published("barlow-twins", 224),
        depth: ProjectorDepth { layers: 3 },
        projector: 8192,
        lambda: 0.0051,
        scale: 1.0,
        vector_rate: 0.0048 / 0.2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{POSITION, gradient_from, model, parameters, tiny, views};

    /// With a stop-gradient on one side, swapping the views would change the gradient.
    #[test]
    fn swapped_views_give_the_same_gradient() {
        let model = model::<BarlowTwins>(&tiny(BarlowTwins::INFO.id));
        let views = views(&model);
        let swapped = Views { images: vec![views.images[1].clone(), views.images[0].clone()], ..Views::default() };
        let loss = |views: &Views| -> f32 { model.loss(views, &POSITION).loss.into_scalar() };
        let learnt = |views: &Views| gradient_from(&model, views, |name| name.starts_with("encoder."));
        for (one, other) in [(loss(&views), loss(&swapped)), (learnt(&views), learnt(&swapped))] {
            assert!(one > 0.0 && (one - other).abs() < 1e-4 * one, "{one} and {other}");
        }
    }

    #[test]
    fn a_view_correlates_with_itself() {
        let model = model::<BarlowTwins>(&tiny(BarlowTwins::INFO.id));
        let view = views(&model).images.swap_remove(0);
        let outcome = model.loss(&Views { images: vec![view.clone(), view], ..Views::default() }, &POSITION);
        let metric: f32 = outcome.metric.expect("a measure").into_scalar();
        assert!(metric > 0.99, "{metric}");
    }

    #[test]
    fn batch_norms_and_biases_have_their_own_rate() {
        let config = imagenet("imagenet");
        let options = config.read_options().expect("its own options");
        let [group] = BarlowTwins::groups(&config, &options)[..] else { panic!("one group") };
        assert_eq!(group.rate, Rate::Factor(0.0048 / 0.2));
        assert!((group.matches)("encoder.body.bn1.weight", 1) && !(group.matches)("encoder.body.conv1.weight", 4));
    }

    #[test]
    fn the_projector_has_the_papers_parameters() {
        // the paper's 8192 would fill half a gigabyte
        assert_eq!(parameters(&projector(1024, 3), 2048), 2048 * 1024 + 2 * 1024 * 1024 + 2 * 2 * 1024);
    }
}
