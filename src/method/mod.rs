//! The contract of a method: the trait, the values that pass through it, and the trainer that drives it. The methods
//! themselves are in `src/methods`.

mod entry;
mod info;
pub(crate) mod micro_batch;
pub(crate) mod presets;
mod trainer;

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::config::RunConfig;
use crate::data::{Size, Split};
use crate::error::Result;
use crate::net::{Encoder, Init};
use crate::optim::ParamGroup;
use crate::options::Options;
use crate::rng::Rng;

pub use entry::Entry;
pub use info::{Better, Experiment, Group, Info, Metric, Needs, Unit};
pub use presets::Presets;
pub use trainer::{StepResult, Training};

/// A way to train an encoder without labels.
///
/// The task is split in two: [`views`](Method::views) draws the inputs of the network, on the plain device and with random
/// numbers of the host alone; [`loss`](Method::loss) is a pure function of those views. Everything else has its place: a
/// momentum encoder, a queue, a memory bank or prototypes are fields whose parameters do not require gradients, updated in
/// [`after_step`](Method::after_step); a discriminator or a predictor with its own learning rate is a [`ParamGroup`].
pub trait Method: Module + Debug + 'static {
    /// Name, paper, task and needs of the method.
    const INFO: Info;

    /// Configurations it comes with.
    const PRESETS: Presets;

    /// Own options, declared with [`options!`](crate::options!): help, `--set`, the page's form and the tests read the
    /// declarations.
    type Options: Options;

    /// Builds the model for these data; `init` draws the weights.
    ///
    /// # Errors
    /// If options, encoder and data do not fit together.
    fn init(config: &RunConfig, options: &Self::Options, data_info: &DataInfo, init: &mut Init) -> Result<Self>;

    /// The encoder that is trained.
    fn encoder(&self) -> &Encoder;

    /// True if the loss compares embeddings, which are then watched for collapse: [`LossOutput::embeddings`].
    const COMPARES: bool = false;

    /// Warnings about options that have no effect in a run of `total_steps` on these data, a sentence each, with the remedy.
    /// None of them stops the run.
    fn advice(
        _config: &RunConfig,
        _options: &Self::Options,
        _data_info: &DataInfo,
        _total_steps: usize,
    ) -> Vec<String> {
        Vec::new()
    }

    /// Parameters with their own learning rate or weight decay.
    fn groups(_config: &RunConfig, _options: &Self::Options) -> Vec<ParamGroup> {
        Vec::new()
    }

    /// Draws the views of a batch: augmentations, labels of the pretext task, masks, negatives.
    fn views(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> Views;

    /// Loss and metric of the views.
    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput;

    /// Joins [`LossOutput::carry`] of the micro-batches of one step; by default their rows are concatenated.
    fn gathered(carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
        micro_batch::stacked(carries)
    }

    /// Updates the state that has no gradient, after the optimiser's step. `carry` is [`LossOutput::carry`] of the step.
    fn after_step(self, _carry: Vec<Tensor<2>>, _position: &StepPosition) -> Self {
        self
    }

    /// Distance of a momentum encoder from the encoder it follows, `[1]`: [`crate::net::ema::lag`].
    fn lag(&self) -> Option<Tensor<1>> {
        None
    }

    /// Images, predictions and matrices of the step at `position`, for drawing.
    fn show(&self, views: &Views, output: &LossOutput, position: &StepPosition) -> StepDisplay;
}

/// Properties of the data that a method is built for.
#[derive(Clone, Copy, Debug)]
pub struct DataInfo {
    /// Size of every image.
    pub size: Size,
    /// Number of training images, for example the rows of a memory bank.
    pub images: usize,
    /// True if the images are frames of clips.
    pub clips: bool,
}

impl DataInfo {
    /// Properties of single images.
    pub fn of(size: Size, images: usize) -> Self {
        Self { size, images, clips: false }
    }
}

/// Images of one step, on the plain device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[n, c, h, w]` in 0 to 1.
    pub images: Tensor<4>,
    /// Index of each image in the data set.
    pub indices: Vec<usize>,
    /// Next frame of each image `[n, c, h, w]` if the images are frames of clips; the previous one for a clip's last frame.
    pub next: Option<Tensor<4>>,
}

impl Batch {
    /// A batch of single images.
    pub fn of(images: Tensor<4>, indices: Vec<usize>) -> Self {
        Self { images, indices, next: None }
    }

    /// The images of a split at `indices`, with their next frames if the split has clips.
    pub fn out_of(split: &Split, indices: Vec<usize>, device: &Device) -> Self {
        let batch = Self::of(split.tensor(&indices, device), indices);
        let Some(sequence) = split.sequence() else { return batch };
        let partners: Vec<usize> = batch.indices.iter().map(|&index| sequence.partner(index)).collect();
        Self { next: Some(split.tensor(&partners, device)), ..batch }
    }
}

/// Position of a step in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPosition {
    /// Steps taken before this one.
    pub step: usize,
    /// Steps of the whole run.
    pub total: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
}

/// Inputs of the network, and the targets that belong to them.
#[derive(Clone, Debug, Default)]
pub struct Views {
    /// Images of each view `[m, c, h, w]`; sizes may differ between views.
    pub images: Vec<Tensor<4>>,
    /// Labels `[m]`, if the task has classes.
    pub labels: Option<Tensor<1, Int>>,
    /// Matrices that belong to the views, for example the rows of the images in a memory bank.
    pub tables: Vec<Tensor<2>>,
    /// Indices drawn for this step: a permutation of the batch, negatives in a memory bank.
    pub draws: Vec<Tensor<1, Int>>,
    /// Targets of pixels, and masks `[m, c, h, w]`. They stay on the plain device, as nothing differentiates them.
    pub targets: Vec<Tensor<4>>,
}

/// Result of a step.
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// Loss `[1]`, the sum of all terms: only one backward pass can run through a graph.
    pub loss: Tensor<1>,
    /// Metric of the method `[1]`, without gradient.
    pub metric: Option<Tensor<1>>,
    /// Metric of the best constant prediction `[1]`, if it depends on the data; it then replaces [`Metric::chance`].
    pub baseline: Option<Tensor<1>>,
    /// Logits `[m, k]`, if the task has classes.
    pub answers: Option<Tensor<2>>,
    /// Embeddings that the loss compares, without gradient; they are watched for collapse.
    pub embeddings: Embeddings,
    /// Matrices for [`Method::show`], without gradient.
    pub figures: Vec<Tensor<2>>,
    /// Predictions of pixels for [`Method::show`], without gradient.
    pub maps: Vec<Tensor<4>>,
    /// Detached tensors for [`Method::after_step`], for example keys for a queue or rows for a memory bank.
    pub carry: Vec<Tensor<2>>,
}

impl LossOutput {
    /// A result with a loss only.
    pub fn of(loss: Tensor<1>) -> Self {
        Self {
            loss,
            metric: None,
            baseline: None,
            answers: None,
            embeddings: Embeddings::default(),
            figures: Vec::new(),
            maps: Vec::new(),
            carry: Vec::new(),
        }
    }
}

/// Embeddings of the views of a batch, row i of each view from image i.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a step has one of them")]
pub enum Embeddings {
    /// A tensor `[n, d]` for each view.
    Separate(Vec<Tensor<2>>),
    /// Rows of two views in turn, `[2n, d]`. They are split only when they are measured.
    InTurn(Tensor<2>),
}

impl Default for Embeddings {
    fn default() -> Self {
        Self::Separate(Vec::new())
    }
}

impl Embeddings {
    /// A tensor `[n, d]` for each view, on the plain device.
    pub fn views(&self) -> Vec<Tensor<2>> {
        match self {
            Self::Separate(views) => views.iter().map(|z| z.clone().inner()).collect(),
            Self::InTurn(z) => apart(z.clone().inner()).into(),
        }
    }
}

/// Rows in turn as a tensor for each view: `[2n, d]` -> `[n, d]` twice.
pub fn apart(z: Tensor<2>) -> [Tensor<2>; 2] {
    let [rows, d] = z.dims();
    let wide = z.reshape([rows / 2, 2 * d]);
    [0, 1].map(|view| wide.clone().narrow(1, view * d, d))
}

/// Drawing of a step, still on the device.
#[derive(Clone, Debug, Default)]
pub struct StepDisplay {
    /// Rows of images in 0 to 1: title and `[m, c, h, w]`.
    pub rows: Vec<(String, Tensor<4>)>,
    /// Labels and predictions of the images in the first row, if the task has classes.
    pub verdicts: Option<ClassPredictions>,
    /// Matrices that illustrate the loss.
    pub figures: Vec<Figure>,
}

/// A matrix to draw as a grayscale image.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Title.
    pub title: String,
    /// Caption that explains rows, columns and shades, in a sentence or two.
    pub caption: String,
    /// `[rows, columns]`.
    pub values: Tensor<2>,
    /// Value drawn black; everything below is black too.
    pub low: f32,
    /// Value drawn white.
    pub high: f32,
}

/// Labels with the predictions of the network.
#[derive(Clone, Debug)]
pub struct ClassPredictions {
    /// Names of the classes.
    pub names: Vec<String>,
    /// Labels `[m]`.
    pub truth: Tensor<1, Int>,
    /// Logits `[m, k]`; the largest is the prediction.
    pub answers: Tensor<2>,
}
