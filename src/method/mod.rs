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
pub use info::{Info, Metric, Needs, Unit};
pub use presets::Presets;
pub use trainer::{StepResult, Training};

/// A way to train an encoder without labels.
///
/// The task is split in two: [`views`](Method::views) draws what the network gets to see, on the plain device and with
/// host randomness alone; [`loss`](Method::loss) is a pure function of those views. The rest of a method's needs have a
/// place each: a slow copy, a queue, a memory bank or prototypes are fields whose parameters do not require gradients,
/// moved in [`after_step`](Method::after_step) by what the loss handed over; a discriminator or a predictor with its own
/// learning rate is a [`ParamGroup`].
pub trait Method: Module + Debug + 'static {
    /// What the method says of itself.
    const INFO: Info;

    /// What it comes with.
    const PRESETS: Presets;

    /// Its own options, declared with [`options!`](crate::options!): help, `--set`, the page's form and the tests read the
    /// declarations.
    type Options: Options;

    /// Builds the model for such data; `init` draws the weights.
    ///
    /// # Errors
    /// When options, encoder and data do not fit together.
    fn init(config: &RunConfig, options: &Self::Options, data_info: &DataInfo, init: &mut Init) -> Result<Self>;

    /// The network whose features are wanted.
    fn encoder(&self) -> &Encoder;

    /// Whether the loss compares embeddings, which are watched for collapse: [`LossOutput::embeddings`].
    const COMPARES: bool = false;

    /// Options that cannot do what they are for in a run of so many steps on such data, a sentence each with what to set
    /// instead. Nothing is refused for it.
    fn advice(
        _config: &RunConfig,
        _options: &Self::Options,
        _data_info: &DataInfo,
        _total_steps: usize,
    ) -> Vec<String> {
        Vec::new()
    }

    /// Parameters that learn differently from the rest.
    fn groups(_config: &RunConfig, _options: &Self::Options) -> Vec<ParamGroup> {
        Vec::new()
    }

    /// What the network gets to see of a batch.
    fn views(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> Views;

    /// How well it did.
    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput;

    /// [`LossOutput::carry`] of the micro-batches of one step put together: rows of images one below another, unless a method carries something else.
    fn gathered(carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
        micro_batch::stacked(carries)
    }

    /// Moves what no gradient moves, after the optimiser's step. `carry` is what [`LossOutput::carry`] held.
    fn after_step(self, _carry: Vec<Tensor<2>>, _position: &StepPosition) -> Self {
        self
    }

    /// How far a slow copy lies behind the network it follows, `[1]`: [`crate::net::ema::lag`].
    fn lag(&self) -> Option<Tensor<1>> {
        None
    }

    /// The views and answers of the step at `position`, for drawing.
    fn show(&self, views: &Views, outcome: &LossOutput, position: &StepPosition) -> StepDisplay;
}

/// What a method may know of the data when it is built.
#[derive(Clone, Copy, Debug)]
pub struct DataInfo {
    /// The size of every image.
    pub size: Size,
    /// Training images: the rows of a memory bank.
    pub images: usize,
    /// Whether the images are frames of clips.
    pub clips: bool,
}

impl DataInfo {
    /// Of single images.
    pub fn of(size: Size, images: usize) -> Self {
        Self { size, images, clips: false }
    }
}

/// Images of one step, on the plain device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[n, c, h, w]` in 0 to 1.
    pub images: Tensor<4>,
    /// Each image's place in the data set.
    pub indices: Vec<usize>,
    /// Where images are frames of clips, the next frame of each (of a clip's last frame the one before) `[n, c, h, w]`.
    pub next: Option<Tensor<4>>,
}

impl Batch {
    /// Single images.
    pub fn of(images: Tensor<4>, indices: Vec<usize>) -> Self {
        Self { images, indices, next: None }
    }

    /// Images out of a split, with the frames that follow them where it knows of any.
    pub fn out_of(split: &Split, indices: Vec<usize>, device: &Device) -> Self {
        let batch = Self::of(split.tensor(&indices, device), indices);
        let Some(sequence) = split.sequence() else { return batch };
        let partners: Vec<usize> = batch.indices.iter().map(|&index| sequence.partner(index)).collect();
        Self { next: Some(split.tensor(&partners, device)), ..batch }
    }
}

/// Where in the run a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPosition {
    /// Steps taken before this one.
    pub step: usize,
    /// Steps of the whole run.
    pub total: usize,
    /// Steps an epoch.
    pub steps_per_epoch: usize,
}

/// What the network gets to see.
#[derive(Clone, Debug, Default)]
pub struct Views {
    /// Each view's images `[m, c, h, w]`; sizes may differ between views.
    pub images: Vec<Tensor<4>>,
    /// The right answers `[m]`, where the task has classes.
    pub labels: Option<Tensor<1, Int>>,
    /// Tables that belong to the views: where the images have their rows in a memory bank.
    pub tables: Vec<Tensor<2>>,
    /// Numbers that were drawn for this step: an order of the batch, rows of a memory bank.
    pub draws: Vec<Tensor<1, Int>>,
    /// What is to be said of pixels, and of which `[m, c, h, w]`; stays on the plain device, for nothing is learned there.
    pub targets: Vec<Tensor<4>>,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// What is minimised `[1]`: all parts added, for only one backward pass may run through a graph.
    pub loss: Tensor<1>,
    /// The method's own measure `[1]`, no gradient.
    pub metric: Option<Tensor<1>>,
    /// What the best answer that does not look at the images scores by that measure `[1]`, where only the data can tell: it
    /// stands for [`Metric::chance`] then.
    pub baseline: Option<Tensor<1>>,
    /// The network's answers `[m, k]` as logits, where the task has classes.
    pub answers: Option<Tensor<2>>,
    /// What the loss compares, a tensor a view of the same images, one row an image and no gradient `[n, d]`: whether it
    /// collapses is watched.
    pub embeddings: Vec<Tensor<2>>,
    /// Matrices for [`Method::show`], no gradient.
    pub figures: Vec<Tensor<2>>,
    /// Maps for [`Method::show`], no gradient: what was said of pixels.
    pub maps: Vec<Tensor<4>>,
    /// Detached tensors for [`Method::after_step`]: keys for a queue, rows for a memory bank.
    pub carry: Vec<Tensor<2>>,
}

impl LossOutput {
    /// An outcome with nothing but a loss.
    pub fn of(loss: Tensor<1>) -> Self {
        let (embeddings, figures, maps, carry) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { loss, metric: None, baseline: None, answers: None, embeddings, figures, maps, carry }
    }
}

/// The views and answers of a step, still on the device.
#[derive(Clone, Debug, Default)]
pub struct StepDisplay {
    /// Rows of images in 0 to 1: title and `[m, c, h, w]`.
    pub rows: Vec<(String, Tensor<4>)>,
    /// For the images of the first row, where the task has classes.
    pub verdicts: Option<ClassPredictions>,
    /// Matrices that show what the loss does.
    pub figures: Vec<Figure>,
}

/// A matrix to be drawn as a picture of its values.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub title: String,
    /// How to read it, in a sentence or two.
    pub caption: String,
    /// `[rows, columns]`.
    pub values: Tensor<2>,
    /// The value drawn darkest; everything below is drawn alike.
    pub low: f32,
    /// The value drawn brightest.
    pub high: f32,
}

/// Questions with their right and their given answers.
#[derive(Clone, Debug)]
pub struct ClassPredictions {
    /// What the classes are called.
    pub names: Vec<String>,
    /// `[m]`.
    pub truth: Tensor<1, Int>,
    /// `[m, k]`, the largest counts.
    pub answers: Tensor<2>,
}
