//! SimSiam: from one view of an image the network predicts its own projection of another view; only the predicting side gets a
//! gradient.
//!
//! `L = D(p1, sg z2) / 2 + D(p2, sg z1) / 2` with `z = g(f(x))`, `p = h(z)` and D the negative cosine. Chen and He 2021,
//! equation 3. Without the stop-gradient sg the projections collapse, after the last batch norm into few directions:
//! `stop_gradient = false` shows it.

use burn::module::Module;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{ProjectorDepth, ViewOptions};
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::negative_cosine;
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Experiment, Group, Info, LossOutput, Method, Metric, Needs, Presets,
    StepDisplay, StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan, Norm};
use crate::optim::{OptimizerConfig, ParamGroup, Rate, Schedule, scaled_rate};
use crate::options::options;
use crate::rng::Rng;

options! {
    /// Options of SimSiam.
    pub struct SimSiamOptions {
        ..views: ViewOptions;
        ..depth: ProjectorDepth;
        /// Width of the projector's layers; the paper's is 2048.
        projector: usize = 512, in 1..=65_536, tiny = 16;
        /// Width of the predictor's bottleneck; a quarter of the projector's.
        predictor: usize = 128, in 1..=65_536, tiny = 8;
        /// Stop the gradient at the target view. Switched off, the run collapses.
        stop_gradient: bool = true;
    }
}

/// Encoder f, projector g, predictor h.
#[derive(Module, Debug)]
pub struct SimSiam {
    encoder: Encoder,
    projector: Mlp,
    predictor: Mlp,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    stop_gradient: bool,
}

impl Method for SimSiam {
    const INFO: Info = Info {
        id: "simsiam",
        title: "SimSiam",
        year: 2021,
        paper: "Chen, He: Exploring Simple Siamese Representation Learning",
        url: "https://arxiv.org/abs/2011.10566",
        group: Group::Compare,
        task: "Each image is altered twice at random (cropped, mirrored, recoloured); from its description of one view the \
               network predicts its description of the other.",
        lesson: "Cropped, mirrored and recoloured, a thing is still the same thing. The network is asked to describe both \
                 views alike. It could cheat by describing every image alike; it does not, because only the predicting side \
                 gets a gradient and the other stands still.",
        loss: "−1 would mean that prediction and view agree completely; 0, that they have nothing in common.",
        metric: Metric {
            name: "cosine of prediction and view",
            better: Better::Higher,
            baseline: "1 is full agreement, which a collapsed network reaches too, and 0 nothing in common",
            chance: None,
            unit: Unit::Number,
        },
        experiment: Some(Experiment {
            label: "Try it without the stop gradient",
            key: "stop_gradient",
            value: "false",
            watch: "Watch the descriptions collapse: the loss gets better than ever while images differ in fewer and fewer \
                    directions.",
        }),
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    type Options = SimSiamOptions;

    fn init(config: &RunConfig, options: &SimSiamOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of_two(&options.views, data_info)?;
        init.set_views(2);
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let projector = projector(options.projector, options.depth.layers).init(encoder.width(), init);
        let predictor = predictor(options.predictor, options.projector).init(options.projector, init);
        Ok(Self { encoder, projector, predictor, augment, stop_gradient: options.stop_gradient })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The predictor has to follow an encoder that changes throughout, so its learning rate is constant.
    fn groups(config: &RunConfig, _options: &SimSiamOptions) -> Vec<ParamGroup> {
        let rate = Rate::Fixed(config.optimizer.lr);
        vec![ParamGroup { rate, ..ParamGroup::of(|name, _| name.starts_with("predictor.")) }]
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let z = self.projector.forward(self.encoder.forward(augmented_views::in_turn(views)));
        let p = self.predictor.forward(z.clone());
        // the mean over the rows of both views is D(p1, z2) / 2 + D(p2, z1) / 2
        let loss = negative_cosine(p, augmented_views::crossed(z.clone()), self.stop_gradient);
        let metric = Some(loss.clone().detach().neg());
        LossOutput { metric, embeddings: Embeddings::InTurn(z.detach()), ..LossOutput::of(loss) }
    }

    fn show(&self, views: &Views, _outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        StepDisplay { rows: augmented_views::rows(views), ..StepDisplay::default() }
    }
}

/// Projector: layers of one width, each with batch norm, the last without scale and shift. The authors' code freezes the
/// last layer's bias, which that norm would cancel. Three layers for ImageNet, two for CIFAR-10.
fn projector(width: usize, layers: usize) -> MlpPlan {
    MlpPlan { output_norm: Norm::Plain, ..MlpPlan::normed(vec![width; layers]) }
}

/// Predictor: a bottleneck with batch norm on the hidden layer only and a bias at the output.
fn predictor(hidden: usize, output: usize) -> MlpPlan {
    MlpPlan { output_bias: true, ..MlpPlan::normed(vec![hidden, output]) }
}

/// [`augmented_views::small_run`] with heads of a quarter of the paper's width, and its SGD: the weight decay of the paper's CIFAR
/// setting, and 0.1 instead of its learning rate of 0.03 at this batch, because ten epochs are few; it falls at every step.
///
/// On Fashion-MNIST, on two CPU cores: 6.4 minutes; linear 90.5 %, kNN 88.0 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    let base = augmented_views::small_run(SimSiam::INFO.id, data);
    RunConfig { optimizer: OptimizerConfig::sgd(0.1, 5e-4), ..base }
        .with_options(&SimSiamOptions { views: ViewOptions::small(data), ..Default::default() })
}

/// Appendix D of the paper: ResNet-18, 512 images a step, 800 epochs, a projector of two layers, no blur. Published for
/// CIFAR-10: 91.8 % linear.
fn cifar(data: &str) -> RunConfig {
    let base = published(EncoderKind::Resnet18Cifar, data);
    RunConfig { epochs: 800, optimizer: OptimizerConfig::sgd(scaled_rate(0.03, 512), 5e-4), ..base }.with_options(
        &SimSiamOptions {
            views: ViewOptions::published("simsiam-cifar", 0),
            projector: 2048,
            predictor: 512,
            ..Default::default()
        },
    )
}

/// The authors' code for ImageNet: ResNet-50 at 224 px, 512 images a step, 100 epochs. Published: 68.1 % linear.
fn imagenet(data: &str) -> RunConfig {
    let base = published(EncoderKind::Resnet50, data);
    RunConfig { epochs: 100, optimizer: OptimizerConfig::sgd(scaled_rate(0.05, 512), 1e-4), ..base }.with_options(
        &SimSiamOptions {
            views: ViewOptions::published("simsiam", 224),
            depth: ProjectorDepth { layers: 3 },
            projector: 2048,
            predictor: 512,
            ..Default::default()
        },
    )
}

/// Batch, schedule and initial weights of both published settings.
fn published(kind: EncoderKind, data: &str) -> RunConfig {
    RunConfig {
        method: SimSiam::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 512,
        encoder: EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(kind, data) },
        schedule: Schedule::cosine_per_epoch(),
        ..RunConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{encoder_gradient, model, parameters, tiny, zeroed};

    fn learns(stop_gradient: bool) -> f32 {
        let mut config = tiny(SimSiam::INFO.id);
        config.set("stop_gradient", if stop_gradient { "true" } else { "false" }).expect("an option");
        // with a constant predictor and the stop-gradient no path leads to the encoder
        let model = zeroed(model::<SimSiam>(&config), |name| name == "predictor.layers.1.linear.weight");
        encoder_gradient(&model)
    }

    #[test]
    fn only_the_predicting_side_has_a_gradient() {
        assert_eq!(learns(true), 0.0, "a gradient reached the encoder through the target view");
        assert!(learns(false) > 0.0, "without the stop-gradient it must get through");
    }

    #[test]
    fn the_predictors_learning_rate_is_constant() {
        let config = small("fashion-mnist");
        let [group] = SimSiam::groups(&config, &SimSiamOptions::default())[..] else { panic!("one group") };
        assert_eq!(group.rate, Rate::Fixed(0.1));
        assert!(
            (group.matches)("predictor.layers.0.linear.weight", 2)
                && !(group.matches)("projector.layers.0.linear.weight", 2)
        );
    }

    #[test]
    fn heads_have_the_papers_parameters() {
        // three matrices and two batch norms with scale and shift; two matrices, a batch norm and a bias
        assert_eq!(parameters(&projector(2048, 3), 2048), 3 * 2048 * 2048 + 2 * 2 * 2048);
        assert_eq!(parameters(&predictor(512, 2048), 2048), 2 * 2048 * 512 + 2 * 512 + 2048);
    }
}
