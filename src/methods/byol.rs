//! BYOL: from one view the online network predicts the projection of the other view by its momentum encoder.
//!
//! `L = |l2(q1) - sg l2(z2')|^2 + |l2(q2) - sg l2(z1')|^2` with `q = h(g(f(x)))` online and `z' = g'(f'(x))` from the target,
//! whose weights follow: `xi <- m xi + (1 - m) theta`. Grill et al. 2020, equations 1 and 2.

use burn::module::Module;
use burn::tensor::Tensor;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{MomentumDecay, ViewOptions};
use super::shared::solo_learn;
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::cosine_regression;
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::ema::{self, cosine_momentum, ema_update, momentum_copy};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{OptimizerConfig, Schedule, scaled_rate};
use crate::options::options;
use crate::rng::Rng;

options! {
    /// Options of BYOL.
    pub struct ByolOptions {
        ..views: ViewOptions;
        ..decay: MomentumDecay;
        /// Width of the hidden layer of projector and predictor; the paper's is 4096.
        hidden: usize = 512, in 1..=65_536, tiny = 16;
        /// Width of their outputs; the paper's is 256.
        width: usize = 128, in 1..=65_536, tiny = 16;
    }
}

/// Encoder f and projector g, of the online network and of the target.
#[derive(Module, Debug)]
pub struct Branch {
    encoder: Encoder,
    projector: Mlp,
}

impl Branch {
    fn init(config: &RunConfig, options: &ByolOptions, channels: usize, init: &mut Init) -> Result<Self> {
        let encoder = Encoder::init(&config.encoder, channels, init)?;
        let projector = mlp(options).init(encoder.width(), init);
        Ok(Self { encoder, projector })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.projector.forward(self.encoder.forward(x))
    }
}

/// Online network, its predictor, and the target, its momentum encoder.
#[derive(Module, Debug)]
pub struct Byol {
    online: Branch,
    predictor: Mlp,
    target: Branch,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    momentum: f64,
}

impl Method for Byol {
    const INFO: Info = Info {
        id: "byol",
        title: "BYOL",
        year: 2020,
        paper: "Grill et al.: Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning",
        url: "https://arxiv.org/abs/2006.07733",
        group: Group::Compare,
        task: "Each image is altered twice at random; from one view the network predicts how a slowly changing copy of itself \
               describes the other.",
        lesson: "The network learns from a teacher, and the teacher is its own average over the recent past. Nothing pushes \
                 different images apart; that the teacher changes slowly, and that only the student has a predictor, is enough \
                 to keep all images from being described alike.",
        loss: "0 would mean that prediction and target agree completely; 4, that they have nothing in common.",
        metric: Metric {
            name: "cosine of prediction and target",
            better: Better::Higher,
            baseline: "1 is full agreement, which a collapsed network reaches too, and 0 nothing in common",
            chance: None,
            unit: Unit::Number,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    type Options = ByolOptions;

    /// The target starts with random weights of its own, as in the authors' code, not with a copy.
    fn init(config: &RunConfig, options: &ByolOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let channels = data_info.size.channels;
        let augment = Augment::of_two(&options.views, data_info)?;
        init.set_views(2);
        let online = Branch::init(config, options, channels, init)?;
        augment.fit(&online.encoder, config)?;
        let predictor = mlp(options).init(options.width, init);
        let target = momentum_copy(&Branch::init(config, options, channels, init)?);
        Ok(Self { online, predictor, target, augment, momentum: options.decay.momentum })
    }

    fn encoder(&self) -> &Encoder {
        &self.online.encoder
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let x = augmented_views::in_turn(views);
        let z = self.online.forward(x.clone());
        let q = self.predictor.forward(z.clone());
        let t = self.target.forward(x);
        // the sum of both directions is twice the mean over the rows of both views
        let loss = cosine_regression(q, augmented_views::crossed(t), true) * 2.0;
        // each direction is 2 - 2 cos, so the mean cosine is 1 - L / 4
        let metric = Some(loss.clone().detach() / -4.0 + 1.0);
        LossOutput { metric, embeddings: Embeddings::InTurn(z.detach()), ..LossOutput::of(loss) }
    }

    fn after_step(self, _carry: Vec<Tensor<2>>, position: &StepPosition) -> Self {
        let m = cosine_momentum(self.momentum, position.step, position.total);
        let target = ema_update(self.target, &self.online, m);
        Self { target, ..self }
    }

    fn lag(&self) -> Option<Tensor<1>> {
        Some(ema::lag(&self.target, &self.online))
    }

    fn show(&self, views: &Views, _outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        StepDisplay { rows: augmented_views::rows(views), ..StepDisplay::default() }
    }
}

/// Projector and predictor: batch norm on the hidden layer, whose bias is kept, nothing at the output.
fn mlp(options: &ByolOptions) -> MlpPlan {
    MlpPlan { hidden_bias: true, ..MlpPlan::normed(vec![options.hidden, options.width]) }
}

/// [`augmented_views::small_run`] with hidden layers of an eighth of the paper's width, outputs of half of it, and a smaller momentum
/// (0.99), because the run is short.
///
/// On Fashion-MNIST, on two CPU cores: 8.1 minutes; linear 90.0 %, kNN 87.5 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    augmented_views::small_run(Byol::INFO.id, data)
        .with_options(&ByolOptions { views: ViewOptions::small(data), ..Default::default() })
}

/// solo-learn's CIFAR-10 setting: ResNet-18, LARS at 1.0, 256 images a step, 1000 epochs. Published there: 92.58 % linear.
fn cifar(data: &str) -> RunConfig {
    solo_learn::cifar(Byol::INFO.id, data, 1.0, 1e-5).with_options(&ByolOptions {
        views: ViewOptions::published("byol-cifar", 0),
        hidden: 4096,
        width: 256,
        ..Default::default()
    })
}

/// The authors' code for ImageNet: ResNet-50 at 224 px, 4096 images a step, LARS at 0.2 times batch / 256, momentum
/// from 0.996 to 1, 1000 epochs. Published: 74.3 % linear.
fn imagenet(data: &str) -> RunConfig {
    let encoder = EncoderConfig { zero_init_residual: true, ..EncoderConfig::published(EncoderKind::Resnet50, data) };
    RunConfig {
        method: Byol::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 4096,
        epochs: 1000,
        encoder,
        optimizer: OptimizerConfig::lars(scaled_rate(0.2, 4096), 1.5e-6),
        schedule: Schedule::cosine(10.0),
        ..RunConfig::default()
    }
    .with_options(&ByolOptions {
        views: ViewOptions::published("byol", 224),
        decay: MomentumDecay { momentum: 0.996 },
        hidden: 4096,
        width: 256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{
        POSITION, encoder_gradient, gradient_of, model, parameters, tiny, values, zeroed,
    };

    #[test]
    fn gradients_reach_the_encoder_through_the_predictor_only() {
        let model = model::<Byol>(&tiny(Byol::INFO.id));
        assert_eq!(gradient_of(&model, |name| name.starts_with("target.")), 0.0);
        assert!(encoder_gradient(&model) > 0.0);
        let silent = zeroed(model, |name| name.starts_with("predictor.layers.1"));
        assert_eq!(gradient_of(&silent, |name| name.starts_with("online.")), 0.0);
    }

    #[test]
    fn the_target_follows_until_the_end() {
        let config = tiny(Byol::INFO.id);
        let model = model::<Byol>(&config);
        let name = "encoder.body.stages.0.units.0.conv.weight";
        let online = values(&model.online, name);
        let target = values(&model.target, name);
        assert_ne!(online, target, "the target starts with other weights");
        let moved = values(&model.clone().after_step(Vec::new(), &POSITION).target, name);
        for ((moved, theta), xi) in moved.iter().zip(&online).zip(&target) {
            assert!((moved - (0.99 * xi + 0.01 * theta)).abs() < 1e-6);
        }
        let last = StepPosition { step: 100, total: 100, ..POSITION };
        assert_eq!(values(&model.after_step(Vec::new(), &last).target, name), target);
    }

    #[test]
    fn heads_have_the_papers_parameters() {
        let plan = mlp(&ByolOptions { hidden: 4096, width: 256, ..Default::default() });
        // a bias and a batch norm on 4096, no bias on 256
        assert_eq!(parameters(&plan, 2048), 2048 * 4096 + 3 * 4096 + 4096 * 256);
    }
}
