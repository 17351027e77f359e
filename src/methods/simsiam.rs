//! SimSiam: the network predicts, from one view of an image, what it says itself of another; only the predicting side
//! learns.
//!
//! `L = D(p1, sg z2) / 2 + D(p2, sg z1) / 2` with `z = g(f(x))`, `p = h(z)` and D the negative cosine. Chen and He 2021,
//! equation 3. Without the stop-gradient sg the answers collapse, behind the last batch norm into few directions:
//! `stop_gradient = false` shows it.

use burn::module::Module;
use burn::tensor::Tensor;

use super::shared::augmented_views::{self, Augment};
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::negative_cosine;
use crate::method::{
    Batch, DataInfo, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay, StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{OptimizerConfig, ParamGroup, Rate, Schedule, scaled_rate};
use crate::rng::Rng;

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
        task: "Two views of each image: from what it says of one the network predicts what it says of the other.",
        lesson: "Cropped, mirrored and recoloured, a shoe is still the same shoe. The network is asked to say the same of \
                 both views. It could cheat by saying the same of every image; what keeps it from doing so is that of the \
                 two sides only the predicting one may learn while the other stands still. Switch `stop_gradient` off and \
                 watch the answers collapse: the loss gets better than ever while images differ in fewer and fewer directions.",
        metric: Metric { name: "cosine of prediction and view", chance: None, unit: Unit::Number },
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    fn init(config: &RunConfig, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of_two(config, data_info)?;
        let (width, hidden) = (config.option("projector")?, config.option("predictor")?);
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let projector = MlpPlan::simsiam_projector(width, augmented_views::layers(config)?).init(encoder.width(), init);
        let predictor = MlpPlan::simsiam_predictor(hidden, width).init(width, init);
        Ok(Self { encoder, projector, predictor, augment, stop_gradient: config.option("stop_gradient")? })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The predictor has to keep up with an encoder that changes all the time: its rate does not fall.
    fn groups(config: &RunConfig) -> Vec<ParamGroup> {
        let rate = Rate::Fixed(config.optimizer.lr);
        vec![ParamGroup { rate, ..ParamGroup::of(|name, _| name.starts_with("predictor.")) }]
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let [x1, x2] = augmented_views::both(views);
        let (z1, z2) = (self.project(x1), self.project(x2));
        let (p1, p2) = (self.predictor.forward(z1.clone()), self.predictor.forward(z2.clone()));
        let one = negative_cosine(p1, z2.clone(), self.stop_gradient);
        let other = negative_cosine(p2, z1.clone(), self.stop_gradient);
        let loss = (one + other) / 2.0;
        let metric = Some(loss.clone().detach().neg());
        LossOutput { metric, embeddings: vec![z1.detach(), z2.detach()], ..LossOutput::of(loss) }
    }

    fn show(&self, views: &Views, _outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        StepDisplay { rows: augmented_views::rows(views), ..StepDisplay::default() }
    }
}

impl SimSiam {
    fn project(&self, x: Tensor<4>) -> Tensor<2> {
        self.projector.forward(self.encoder.forward(x))
    }
}

/// [`augmented_views::small_run`] with heads a quarter of the paper's width, and its SGD: the decay is that of the paper's CIFAR setting, the
/// rate three times as high (0.1 where that has 0.03 at this batch), for ten epochs are few, and it falls step by step.
///
/// On Fashion-MNIST, on two CPU cores: 6.4 minutes; linear 90.5 %, kNN 88.0 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    let base = RunConfig { optimizer: OptimizerConfig::sgd(0.1, 5e-4), ..augmented_views::small_run(SimSiam::INFO.id, data) };
    options(base, Augment::small(data), 512, 2, 128)
}

/// Appendix D of the paper: ResNet-18, 512 images a step, 800 epochs, a projector of two layers, no blur. Published for
/// CIFAR-10: 91.8 % linear.
fn cifar(data: &str) -> RunConfig {
    let encoder =
        EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(EncoderKind::Resnet18Cifar, data) };
    let optimizer = OptimizerConfig::sgd(scaled_rate(0.03, 512), 5e-4);
    let base = RunConfig::of(SimSiam::INFO.id, Preset::Full, data, encoder, optimizer, Schedule::cosine_per_epoch());
    options(RunConfig { batch: 512, epochs: 800, ..base }, Augment::published("simsiam-cifar", 0), 2048, 2, 512)
}

/// The authors' code for ImageNet: ResNet-50 at 224 px, 512 images a step, 100 epochs. Published: 68.1 % linear.
fn imagenet(data: &str) -> RunConfig {
    let encoder = EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(EncoderKind::Resnet50, data) };
    let optimizer = OptimizerConfig::sgd(scaled_rate(0.05, 512), 1e-4);
    let base = RunConfig::of(SimSiam::INFO.id, Preset::Full, data, encoder, optimizer, Schedule::cosine_per_epoch());
    options(RunConfig { batch: 512, epochs: 100, ..base }, Augment::published("simsiam", 224), 2048, 3, 512)
}

fn options(
    base: RunConfig,
    augment: augmented_views::Options,
    projector: usize,
    layers: usize,
    predictor: usize,
) -> RunConfig {
    let heads = [("projector", projector.into()), ("layers", layers.into()), ("predictor", predictor.into())];
    base.with_options(augment).with_options(heads).with_options([("stop_gradient", true.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{encoder_gradient, model, tiny, zeroed};

    fn learns(stop_gradient: bool) -> f32 {
        let mut config = tiny(SimSiam::INFO.id);
        config.set("stop_gradient", if stop_gradient { "true" } else { "false" }).expect("an option");
        // a predictor that says the same of everything: with the stop-gradient nothing is left that reaches the encoder
        let model = zeroed(model::<SimSiam>(&config), |name| name == "predictor.layers.1.linear.weight");
        encoder_gradient(&model)
    }

    #[test]
    fn only_the_predicting_side_teaches_the_encoder() {
        assert_eq!(learns(true), 0.0, "a gradient reached the encoder through the view that must stand still");
        assert!(learns(false) > 0.0, "the switch must let it through");
    }

    #[test]
    fn the_predictor_keeps_its_rate() {
        let config = small("fashion-mnist");
        let [group] = SimSiam::groups(&config)[..] else { panic!("one group") };
        assert_eq!(group.rate, Rate::Fixed(0.1));
        assert!(
            (group.matches)("predictor.layers.0.linear.weight", 2)
                && !(group.matches)("projector.layers.0.linear.weight", 2)
        );
    }
}
