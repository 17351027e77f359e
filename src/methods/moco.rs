//! MoCo: each view is matched with the other view of its image among a queue of keys, which a momentum encoder made of earlier
//! images.
//!
//! `L = -log(exp(q . k / tau) / (exp(q . k / tau) + sum_j exp(q . Q_j / tau)))` with unit rows, k without gradient and the queue
//! Q. He et al. 2020, equation 1; with a deeper head and other views: Chen, Fan et al. 2020 (version 2).

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{MomentumDecay, Temperature, ViewOptions};
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::{Contrast, info_nce, own_keys_found, unit_rows};
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::ema::{self, ema_update, momentum_copy};
use crate::net::memory::KeyQueue;
use crate::net::{BatchShuffle, Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{OptimizerConfig, Schedule, scaled_rate};
use crate::options::options;
use crate::rng::Rng;

/// Columns of the drawing of the queue.
const DRAWN: usize = 64;

options! {
    /// Options of MoCo.
    pub struct MocoOptions {
        ..views: ViewOptions;
        ..decay: MomentumDecay;
        ..temperature: Temperature;
        /// Keys in the queue, a multiple of the keys that a step adds.
        queue: usize = 4096, in 1..=16_777_216, unit "keys", tiny = 16;
        /// Width of the head's hidden layer; 0 makes the head linear, as in version 1.
        hidden: usize = 256, in 0..=65_536, tiny = 16;
        /// Width of the embeddings.
        width: usize = 128, in 1..=65_536, tiny = 16;
        /// Use both views as queries and as keys; switched off, view 1 is the query and view 2 the key.
        symmetric: bool = false;
    }
}

/// Encoder f and head, of the queries and of the keys.
#[derive(Module, Debug)]
pub struct Branch {
    encoder: Encoder,
    head: Mlp,
}

impl Branch {
    /// Embeddings of length 1, `[n, width]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        unit_rows(self.head.forward(self.encoder.forward(x)))
    }
}

/// Encoder and head of the queries, their momentum encoder for the keys, and the queue.
#[derive(Module, Debug)]
pub struct Moco {
    query: Branch,
    key: Branch,
    queue: KeyQueue,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    options: MocoOptions,
    /// Keys that one step adds to the queue.
    #[module(skip)]
    keys: usize,
}

impl Method for Moco {
    const INFO: Info = Info {
        id: "moco",
        title: "MoCo v2",
        year: 2020,
        paper: "He, Fan, Wu, Xie, Girshick: Momentum Contrast for Unsupervised Visual Representation Learning",
        url: "https://arxiv.org/abs/1911.05722",
        group: Group::Compare,
        task: "Each image is altered twice at random; from one view the network finds the other among the views of thousands \
               of earlier images.",
        lesson: "The more images a view has to be told apart from, the more the network has to notice. Their descriptions are kept \
                 in a queue, so that they need not be computed again; a slowly changing copy of the network makes them, so that \
                 old and new ones are comparable. The picture shows the age of each place of the queue.",
        loss: "0 would mean that every view is matched with certainty.",
        metric: Metric {
            name: "matching view found",
            better: Better::Higher,
            baseline: "guessing is right once in as many tries as there are views to choose from",
            chance: None,
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    type Options = MocoOptions;

    fn init(config: &RunConfig, options: &MocoOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of_two(&options.views, data_info)?;
        let keys = if options.symmetric { 2 * config.batch } else { config.batch };
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let head = head(options).init(encoder.width(), init);
        let query = Branch { encoder, head };
        let key = momentum_copy(&query);
        let queue = KeyQueue::init(options.queue, options.width, keys, init)?;
        Ok(Self { query, key, queue, augment, options: options.clone(), keys })
    }

    fn advice(_config: &RunConfig, options: &MocoOptions, data_info: &DataInfo, _total_steps: usize) -> Vec<String> {
        augmented_views::advice_on_repeats("queue", options.queue, data_info).into_iter().collect()
    }

    fn encoder(&self) -> &Encoder {
        &self.query.encoder
    }

    /// The keys are computed in a shuffled order: if batch norm has groups, a query and its key must not share one, because its
    /// statistics would reveal the pair.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let views = self.augment.views(batch, rng);
        let shuffle = BatchShuffle::draw(batch.indices.len(), rng, &batch.images.device());
        Views { draws: vec![shuffle.order, shuffle.inverse], ..views }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let [x1, x2] = augmented_views::both(views);
        let shuffle = BatchShuffle { order: views.draws[0].clone(), inverse: views.draws[1].clone() };
        let key = |x: Tensor<4>| shuffle.undo(self.key.forward(shuffle.apply(x))).detach();
        let q1 = self.query.forward(x1.clone());
        let k2 = key(x2.clone());
        let one = self.contrast(q1.clone(), k2.clone());
        let metric = Some(own_keys_found(q1.clone(), unit_rows(k2.clone()), self.queue.rows()));
        let embeddings = Embeddings::Separate(vec![q1.detach(), k2.clone()]);
        if !self.options.symmetric {
            return LossOutput { metric, embeddings, carry: vec![k2], ..LossOutput::of(one.loss()) };
        }
        let q2 = self.query.forward(x2);
        let k1 = key(x1);
        let loss = one.loss() + self.contrast(q2, k1.clone()).loss();
        LossOutput { metric, embeddings, carry: vec![Tensor::cat(vec![k1, k2], 0)], ..LossOutput::of(loss) }
    }

    /// Keys enter the queue after the loss, so that they are no negatives of their own queries. The momentum encoder is updated
    /// before its next use, which equals the paper.
    fn after_step(self, mut carry: Vec<Tensor<2>>, position: &StepPosition) -> Self {
        let keys = carry.pop().expect("a step hands its keys over");
        let key = ema_update(self.key, &self.query, self.options.decay.momentum);
        Self { key, queue: self.queue.push(keys, position.step), ..self }
    }

    fn lag(&self) -> Option<Tensor<1>> {
        Some(ema::lag(&self.key, &self.query))
    }

    fn show(&self, views: &Views, _outcome: &LossOutput, position: &StepPosition) -> StepDisplay {
        let rows = self.queue.rows().inner();
        let [length, _] = rows.dims();
        let device = rows.device();
        let columns = DRAWN.min(length);
        let rounds = (length / self.keys) as f32;
        let age = |age: Option<usize>| age.map_or(rounds, |age| age as f32);
        let mut ages: Vec<f32> = KeyQueue::ages(length, self.keys, position.step + 1).into_iter().map(age).collect();
        ages.truncate(length / columns * columns);
        let shape = [ages.len() / columns, columns];
        let figure = Figure {
            title: "Age of the queue".to_string(),
            caption: format!(
                "Each cell is one of {length} keys; black was written in the last step, white {rounds} steps ago or never."
            ),
            values: Tensor::from_data(TensorData::new(ages, shape), &device),
            low: 0.0,
            high: rounds,
        };
        StepDisplay { rows: augmented_views::rows(views), figures: vec![figure], ..StepDisplay::default() }
    }
}

impl Moco {
    fn contrast(&self, q: Tensor<2>, k: Tensor<2>) -> Contrast {
        info_nce(q, k, self.queue.rows(), self.options.temperature.tau)
    }
}

/// The head: linear in version 1 of the paper, two layers without norm in version 2.
fn head(options: &MocoOptions) -> MlpPlan {
    match options.hidden {
        0 => MlpPlan::linear(options.width),
        hidden => MlpPlan::plain(hidden, options.width),
    }
}

/// [`augmented_views::small_run`] with a queue of 4096, momentum 0.99 and temperature 0.1 as in the authors' CIFAR demonstration, and
/// the head of version 2. Batch norm has no groups: its statistics over 256 images reveal little.
///
/// On Fashion-MNIST, on two CPU cores: 4.7 minutes; linear 90.6 %, kNN 88.5 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    augmented_views::small_run(Moco::INFO.id, data)
        .with_options(&MocoOptions { views: ViewOptions::small(data), ..Default::default() })
}

/// The authors' CIFAR-10 demonstration: ResNet-18, 512 images a step, rate 0.06, batch norm in 8 groups, a queue of 4096,
/// a linear head, the symmetric loss, 800 epochs. Published: kNN 89.7 %.
fn cifar(data: &str) -> RunConfig {
    let optimizer = OptimizerConfig::sgd(0.06, 5e-4);
    RunConfig { batch: 512, epochs: 800, optimizer, ..published(EncoderKind::Resnet18Cifar, data) }.with_options(
        &MocoOptions {
            views: ViewOptions::published("moco-cifar", 0),
            hidden: 0,
            symmetric: true,
            ..Default::default()
        },
    )
}

/// MoCo v2 for ImageNet: ResNet-50 at 224 px, 256 images a step, rate 0.03, a queue of 65,536, temperature 0.2, 200
/// epochs. Published: 67.7 % linear. Version 1 is `--set hidden=0 tau=0.07 recipe=moco-v1` with its step decay of the rate.
fn imagenet(data: &str) -> RunConfig {
    let optimizer = OptimizerConfig::sgd(scaled_rate(0.03, 256), 1e-4);
    RunConfig { batch: 256, epochs: 200, optimizer, ..published(EncoderKind::Resnet50, data) }.with_options(
        &MocoOptions {
            views: ViewOptions::published("moco-v2", 224),
            decay: MomentumDecay { momentum: 0.999 },
            temperature: Temperature { tau: 0.2 },
            queue: 65_536,
            hidden: 2048,
            ..Default::default()
        },
    )
}

/// Schedule and batch norm in groups of both published settings.
fn published(kind: EncoderKind, data: &str) -> RunConfig {
    RunConfig {
        method: Moco::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        encoder: EncoderConfig { norm_groups: 8, ..EncoderConfig::published(kind, data) },
        schedule: Schedule::cosine_per_epoch(),
        ..RunConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{POSITION, encoder_gradient, gradient_of, model, tiny, values, views};

    #[test]
    fn keys_and_queue_have_no_gradient() {
        for symmetric in ["false", "true"] {
            let mut config = tiny(Moco::INFO.id);
            config.set("symmetric", symmetric).expect("an option");
            let model = model::<Moco>(&config);
            assert_eq!(gradient_of(&model, |name| !name.starts_with("query.")), 0.0);
            assert!(encoder_gradient(&model) > 0.0);
        }
    }

    #[test]
    fn keys_enter_the_queue_after_the_step() {
        let model = model::<Moco>(&tiny(Moco::INFO.id));
        let outcome = model.loss(&views(&model), &POSITION);
        let keys: Vec<f32> = outcome.carry[0].clone().into_data().try_to_vec().expect("floats");
        let before = values(&model.queue, "rows");
        assert_ne!(before[..keys.len()], keys[..]);
        let name = "encoder.body.stages.0.units.0.conv.weight";
        let theta = values(&model.query, name);
        let xi = values(&model.key, name);
        assert_eq!(theta, xi, "the momentum encoder starts as a copy");
        let after = model.after_step(outcome.carry, &POSITION);
        let queue = values(&after.queue, "rows");
        assert_eq!(queue[..keys.len()], keys[..]);
        assert_eq!(queue[keys.len()..], before[keys.len()..]);
    }

    #[test]
    fn a_batch_that_does_not_divide_the_queue_is_refused() {
        let mut config = tiny(Moco::INFO.id);
        config.set("queue", "7").expect("an option");
        let error = crate::methods::test_support::build::<Moco>(&config).expect_err("7 is no multiple").to_string();
        assert!(error.contains("queue of 7"), "{error}");
    }
}
