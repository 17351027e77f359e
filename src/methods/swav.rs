//! SwAV: both views of an image are assigned to prototypes, and each view predicts the assignment of the other.
//!
//! `L = 1/A sum_a 1/(V-1) sum_{v != a} -q_a . log softmax(z_v C / tau)`, the codes q balanced over the prototypes C by the
//! Sinkhorn-Knopp algorithm, without gradient. Caron et al. 2020, equations 1 to 3.

use burn::module::Module;
use burn::tensor::Tensor;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{Temperature, ViewOptions};
use super::shared::solo_learn;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{Sinkhorn, agreement, sinkhorn, sinkhorn_with_queue, swapped_prediction, unit_rows};
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::memory::{FeatureQueue, Prototypes};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{Cosine, OptimizerConfig, ParamGroup, Schedule, scaled_rate};
use crate::options::options;
use crate::rng::Rng;

/// Views with a code: the large ones.
const CODED: usize = 2;
/// Images and prototypes in the drawing of codes.
const DRAWN: [usize; 2] = [32, 128];

options! {
    /// Options of SwAV.
    pub struct SwavOptions {
        ..views: ViewOptions;
        ..temperature: Temperature;
        /// Width of the projector's hidden layer; the paper's is 2048.
        hidden: usize = 256, in 1..=65_536, tiny = 16;
        /// Width of the embeddings.
        width: usize = 128, in 1..=65_536, tiny = 16;
        /// Number of prototypes; the paper's is 3000.
        prototypes: usize = 128, in 2..=1_048_576, tiny = 8;
        /// Epsilon of the Sinkhorn-Knopp algorithm, the weight of entropy; the lower it is, the harder are the codes.
        epsilon: f64 = 0.05, in 0.025..;
        /// Iterations of the Sinkhorn-Knopp algorithm.
        iterations: usize = 3, in 1..=1000;
        /// Steps without updates of the prototypes, in which the features spread.
        freeze: usize = 0, in 0.., unit "steps", tiny = 0;
        /// Features in the queue, from earlier batches, which balance the codes of small batches; 0 keeps none.
        queue: usize = 0, in 0..=16_777_216, unit "features", tiny = 16;
        /// Epoch from which the queue is filled.
        queue_from_epoch: usize = 0, in 0.., unit "epochs";
    }
}

/// Encoder, projector, prototypes, and a queue of features for each coded view, if there is a queue.
#[derive(Module, Debug)]
pub struct Swav {
    encoder: Encoder,
    projector: Mlp,
    prototypes: Prototypes,
    recent: Vec<FeatureQueue>,
    #[module(skip)]
    augment: Augment,
    #[module(skip)]
    options: SwavOptions,
    #[module(skip)]
    batch: usize,
}

impl Method for Swav {
    const INFO: Info = Info {
        id: "swav",
        title: "SwAV",
        year: 2020,
        paper: "Caron, Misra, Mairal, Goyal, Bojanowski, Joulin: Unsupervised Learning of Visual Features by Contrasting \
                Cluster Assignments",
        url: "https://arxiv.org/abs/2006.09882",
        group: Group::Compare,
        task: "Each image is altered several times at random, and its views are put into clusters, which are learned too; \
               from one view the network predicts the cluster of another.",
        lesson: "Nobody defines the clusters; they only have to be used about equally often, and all views of an image belong to \
                 the same one. Similar images then have to end up together. In the picture, each row is an image and each column \
                 a cluster.",
        loss: "The lower it is, the surer the network predicts the cluster that the other view was put into.",
        metric: Metric {
            name: "both views put into the same cluster",
            better: Better::Higher,
            baseline: "guessing is right once in as many tries as there are clusters",
            chance: None,
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet).with_linear_rate();
    const COMPARES: bool = true;

    type Options = SwavOptions;

    fn init(config: &RunConfig, options: &SwavOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let augment = Augment::of(&options.views, data_info)?;
        if augment.count() < CODED {
            return Err(Error::Config("swav needs a recipe of at least two views".into()));
        }
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        augment.fit(&encoder, config)?;
        let projector = projector(options).init(encoder.width(), init);
        let prototypes = Prototypes::init(options.prototypes, options.width, init);
        let views = if options.queue == 0 { 0 } else { CODED };
        let recent = (0..views).map(|_| FeatureQueue::init(options.queue, options.width, config.batch, init));
        let recent = recent.collect::<Result<_>>()?;
        Ok(Self { encoder, projector, prototypes, recent, augment, options: options.clone(), batch: config.batch })
    }

    fn advice(config: &RunConfig, options: &SwavOptions, data_info: &DataInfo, total_steps: usize) -> Vec<String> {
        let SwavOptions { freeze, queue, queue_from_epoch, .. } = *options;
        let steps_per_epoch = (data_info.images / config.batch).max(1);
        let frozen = (freeze >= total_steps && freeze > 0).then(|| {
            format!("the prototypes keep their random values: they are frozen for {freeze} steps and the run has {total_steps}; set freeze below")
        });
        let unused = (queue > 0 && queue_from_epoch * steps_per_epoch >= total_steps).then(|| {
            format!(
                "the queue is never used: it joins at epoch {queue_from_epoch}, after the run has ended; set queue_from_epoch or \
                 queue=0"
            )
        });
        let repeats = augmented_views::advice_on_repeats("queue", queue, data_info);
        [frozen, unused, repeats].into_iter().flatten().collect()
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Prototypes are frozen for the first steps.
    fn groups(_config: &RunConfig, options: &SwavOptions) -> Vec<ParamGroup> {
        let from_step = options.freeze;
        vec![ParamGroup { from_step, ..ParamGroup::of(|name, _| name.starts_with("prototypes.")) }]
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.augment.views(batch, rng)
    }

    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput {
        let z = self.features(&views.images);
        let scores: Vec<_> = z.iter().map(|z| self.prototypes.scores(z.clone())).collect();
        let codes: Vec<_> = (0..CODED).map(|view| self.code(view, scores[view].clone(), position)).collect();
        LossOutput {
            metric: Some(agreement(codes[0].clone(), scores[1].clone())),
            embeddings: Embeddings::Separate(z.iter().take(CODED).map(|z| z.clone().detach()).collect()),
            figures: vec![codes[0].clone()],
            carry: z.iter().take(CODED).map(|z| z.clone().detach()).collect(),
            ..LossOutput::of(swapped_prediction(&scores, &codes, self.options.temperature.tau))
        }
    }

    fn after_step(self, carry: Vec<Tensor<2>>, position: &StepPosition) -> Self {
        let recent = if position.step >= self.options.queue_from_epoch * position.steps_per_epoch {
            self.recent.into_iter().zip(carry).map(|(recent, z)| recent.push(z)).collect()
        } else {
            self.recent
        };
        Self { prototypes: self.prototypes.normalised(), recent, ..self }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let figures = outcome.figures.iter().map(|code| {
            let [n, k] = code.dims();
            let drawn = [n.min(DRAWN[0]), k.min(DRAWN[1])];
            Figure {
                title: "Assignment to the prototypes".to_string(),
                caption: format!(
                    "Row: an image, column: one of the first {} of {k} prototypes. White: the image belongs there. All columns \
                     are used about equally often.",
                    drawn[1]
                ),
                values: code.clone().inner().slice([0..drawn[0], 0..drawn[1]]),
                low: 0.0,
                high: 1.0,
            }
        });
        StepDisplay { rows: augmented_views::rows(views), figures: figures.collect(), ..StepDisplay::default() }
    }
}

impl Swav {
    /// Embeddings of length 1 for each view. Views of one size pass the network together and share batch statistics, as in the
    /// authors' code.
    fn features(&self, images: &[Tensor<4>]) -> Vec<Tensor<2>> {
        let mut features = Vec::with_capacity(images.len());
        for alike in images.chunk_by(|a, b| a.dims() == b.dims()) {
            let [n, ..] = alike[0].dims();
            let z = unit_rows(self.projector.forward(self.encoder.forward(Tensor::cat(alike.to_vec(), 0))));
            features.extend(z.split(n, 0));
        }
        features
    }

    fn code(&self, view: usize, scores: Tensor<2>, position: &StepPosition) -> Tensor<2> {
        let pushed = position.step.saturating_sub(self.options.queue_from_epoch * position.steps_per_epoch);
        match self.recent.get(view) {
            Some(recent) if recent.is_full(pushed, self.batch) => {
                let earlier = self.prototypes.scores(recent.rows());
                sinkhorn_with_queue(scores, earlier, self.options.sinkhorn())
            }
            _ => sinkhorn(scores, self.options.sinkhorn()),
        }
    }
}

impl SwavOptions {
    fn sinkhorn(&self) -> Sinkhorn {
        Sinkhorn { epsilon: self.epsilon, iterations: self.iterations }
    }
}

/// The projector: biases kept, batch norm on the hidden layer.
fn projector(options: &SwavOptions) -> MlpPlan {
    MlpPlan { hidden_bias: true, output_bias: true, ..MlpPlan::normed(vec![options.hidden, options.width]) }
}

/// [`augmented_views::small_run`] with two views, because small crops of 28 px show nothing, and fewer prototypes than images in a
/// batch, so that no queue is needed.
///
/// On Fashion-MNIST, on two CPU cores: 5.9 minutes; linear 90.8 %, kNN 88.2 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    augmented_views::small_run(Swav::INFO.id, data).with_options(&SwavOptions {
        views: ViewOptions::small(data),
        freeze: 100,
        ..Default::default()
    })
}

/// solo-learn's CIFAR-10 setting: ResNet-18, two views, LARS at 0.6, 3000 prototypes, frozen for two epochs of 50,000
/// images, a queue of 3840 from epoch 50, 1000 epochs. Published there: 89.17 % linear.
fn cifar(data: &str) -> RunConfig {
    solo_learn::cifar(Swav::INFO.id, data, 0.6, 1e-6).with_options(&SwavOptions {
        views: ViewOptions::published("swav-cifar", 0),
        hidden: 2048,
        prototypes: 3000,
        freeze: 390,
        queue: 3840,
        queue_from_epoch: 50,
        ..Default::default()
    })
}

/// The authors' code for ImageNet with large batches: ResNet-50, two views at 224 px and six at 96, 4096 images a step,
/// LARC at 0.3 times batch / 256 after a warm-up from 0.3, 800 epochs. Published: 75.3 % linear.
fn imagenet(data: &str) -> RunConfig {
    let cosine = Cosine { warmup_epochs: 10.0, start_factor: 0.3 / 4.8, end_factor: 1e-3, per_epoch: false };
    RunConfig {
        method: Swav::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 4096,
        epochs: 800,
        encoder: EncoderConfig::published(EncoderKind::Resnet50, data),
        optimizer: OptimizerConfig::larc(scaled_rate(0.3, 4096), 1e-6),
        schedule: Schedule::Cosine(cosine),
        ..RunConfig::default()
    }
    .with_options(&SwavOptions {
        views: ViewOptions::published("swav", 224),
        hidden: 2048,
        prototypes: 3000,
        freeze: 313,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{POSITION, gradient_of, model, parameters, tiny, views};

    #[test]
    fn the_queue_is_used_once_it_is_full() {
        let mut config = tiny(Swav::INFO.id);
        config.set("queue", "16").expect("an option");
        let mut model = model::<Swav>(&config);
        let views = views(&model);
        let code = |model: &Swav, step| -> Vec<f32> {
            let position = StepPosition { step, ..POSITION };
            model.loss(&views, &position).figures[0].clone().into_data().try_to_vec().expect("floats")
        };
        let alone = code(&model, 0);
        for step in 0..2 {
            let position = StepPosition { step, ..POSITION };
            // features unlike those of the batch
            let carry =
                vec![
                    Tensor::<2>::random([8, 16], burn::tensor::Distribution::Default, &burn::tensor::Device::flex());
                    2
                ];
            assert_eq!(code(&model, step), alone, "a queue that is not full must not be used");
            model = Swav { prototypes: model.prototypes.clone(), ..model.after_step(carry, &position) };
        }
        assert_ne!(code(&model, 2), alone);
        assert_eq!(gradient_of(&model, |name| name.starts_with("recent.")), 0.0);
    }

    #[test]
    fn prototypes_have_gradients_and_a_first_step() {
        let model = model::<Swav>(&tiny(Swav::INFO.id));
        assert!(gradient_of(&model, |name| name.starts_with("prototypes.")) > 0.0);
        let config = small("fashion-mnist");
        let options = config.read_options().expect("its own options");
        let [group] = Swav::groups(&config, &options)[..] else { panic!("one group") };
        assert!(group.from_step == 100 && (group.matches)("prototypes.weight", 2));
    }

    #[test]
    fn the_projector_has_the_papers_parameters() {
        let plan = projector(&SwavOptions { hidden: 2048, width: 128, ..Default::default() });
        assert_eq!(parameters(&plan, 2048), 2048 * 2048 + 3 * 2048 + 2048 * 128 + 128);
    }
}
