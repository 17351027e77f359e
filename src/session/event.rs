//! The event stream of a run: progress bar, `events.jsonl`, page and tests all read the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::method::Unit;
pub use crate::probe::{Gain, ProbeRow, Source};

/// One event of a run. In JSON the field `event` names the kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "the large one comes once a run; in a browser it is small enough")]
pub enum Event {
    /// The run is set up and about to take its first step (or the first after a resume).
    Started(Started),
    /// A training step whose loss was read back: every one on the CPU, every tenth on a GPU.
    Step(Step),
    /// Means over a finished epoch.
    Epoch(Epoch),
    /// The method's own metric on images the network never trained on.
    Pretext(Pretext),
    /// Accuracies of frozen features beside their controls.
    Probe(Probe),
    /// The examination: the same on many images and with all controls.
    Exam(Exam),
    /// The state of the representation, measured without labels.
    Health(Health),
    /// A warning for the user.
    Warning {
        /// The sentence.
        message: String,
    },
    /// A checkpoint was written.
    Saved {
        /// Steps taken when it was written.
        step: usize,
        /// Its path, relative to the run's folder.
        path: String,
    },
    /// The run ended.
    Done(Done),
}

impl Event {
    /// True if the event comes after step `taken`, so that a run resumed from there will give it again. With `measured`, probes
    /// at that very step count too, since they will be measured again.
    pub fn is_beyond(&self, taken: usize, measured: bool) -> bool {
        match self {
            Event::Step(event) => event.step > taken,
            Event::Health(event) => event.step > taken,
            Event::Epoch(event) => event.step > taken,
            Event::Saved { step, .. } => *step > taken,
            Event::Probe(event) => event.step > taken || (measured && event.step == taken),
            Event::Exam(Exam { probe, .. }) => probe.step > taken || (measured && probe.step == taken),
            Event::Pretext(_) | Event::Done(_) => true,
            Event::Started(event) => event.resumed_at > taken,
            Event::Warning { .. } => false,
        }
    }
}

/// A run's plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Everything the run was configured with.
    pub config: RunConfig,
    /// The device, for example `CPU (flex, 2 threads)`.
    pub device: String,
    /// Training images.
    pub images: usize,
    /// Steps in one pass over the training images.
    pub steps_per_epoch: usize,
    /// Steps until the run is done.
    pub total_steps: usize,
    /// Steps taken before this start; 0 for a new run.
    pub resumed_at: usize,
    /// Trainable parameters.
    pub parameters: usize,
}

/// One training step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Steps taken so far, this one included: the first is 1.
    pub step: usize,
    /// Epochs so far, as a fraction.
    pub epoch: f64,
    /// The loss of this step's batch, in nats where it is a cross-entropy.
    pub loss: f64,
    /// The method's own metric on this batch (for rotation: accuracy, 0 to 1).
    pub metric: Option<f64>,
    /// Learning rate of this step, before the factor of a parameter group.
    pub learning_rate: f64,
    /// Images (not views) per second since the last step event.
    pub images_per_second: f64,
    /// Seconds of training so far, including those before a resume, without probes and pauses.
    pub elapsed_seconds: f64,
    /// Debug output: operations on a GPU for which there is no kernel of ours, with the shape of their input, and the number of
    /// times that Burn's operation served instead since the last step event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fallbacks: BTreeMap<String, usize>,
}

/// One finished pass over the training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The first is 1.
    pub epoch: usize,
    /// Steps taken so far.
    pub step: usize,
    /// Mean loss over the step events of the epoch.
    pub loss: f64,
    /// Mean of the method's own metric over the step events of the epoch.
    pub metric: Option<f64>,
}

/// The method's own metric on held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretext {
    /// Steps taken so far.
    pub step: usize,
    /// Held-out images used.
    pub images: usize,
    /// Name of the metric.
    pub name: String,
    /// Its value (for accuracies 0 to 1).
    pub value: f64,
    /// Value of guessing, where that is defined.
    pub chance: Option<f64>,
    /// Unit of both.
    pub unit: Unit,
}

/// The state of the representation, measured without labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Steps taken so far.
    pub step: usize,
    /// Summary of the numbers below.
    pub verdict: Verdict,
    /// L2 norm of the gradient of all parameters in this step, before clipping.
    pub gradient: f64,
    /// Distance of the momentum encoder from the network it follows, where there is one. See [`crate::net::ema::lag`].
    pub lag: Option<f64>,
    /// Share of the time since the last measurement that was spent waiting for images, 0 to 1.
    pub waiting: f64,
    /// Statistics of the embeddings, where the loss compares some.
    pub embedding: Option<Embedding>,
}

/// Statistics of the embeddings of the first images of a step's batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// Images measured.
    pub rows: usize,
    /// Dimensions of an embedding.
    pub width: usize,
    /// Spread of the unit rows: about 1 where healthy, 0 where all are equal. See [`crate::health::spread`].
    pub spread: f64,
    /// Effective rank (RankMe). See [`crate::health::Spectrum::effective_rank`].
    pub rank: f64,
    /// Effective rank of the rows less their mean: the number of directions in which images differ.
    pub centred_rank: f64,
    /// LiDAR: the number of directions that tell images apart rather than views, where there are two views. See
    /// [`crate::health::lidar`].
    pub lidar: Option<f64>,
    /// Alignment: squared distance between the views of an image, 0 to 4. See [`crate::health::alignment`].
    pub alignment: Option<f64>,
    /// Uniformity of the images on the sphere: 0 where all are equal. See [`crate::health::uniformity`].
    pub uniformity: f64,
    /// Decay rate of the spectrum (alpha-ReQ). See [`crate::health::Spectrum::decay`].
    pub decay: Option<f64>,
    /// Singular values at the ranks 1, 2, 4, 8 and so on, as shares of the largest.
    pub spectrum: Vec<f64>,
}

impl Embedding {
    /// The highest possible rank.
    pub fn directions(&self) -> usize {
        self.rows.min(self.width)
    }
}

/// The verdict on a run's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Different images get different embeddings, and the loss moves.
    #[default]
    Healthy,
    /// All images get the same embedding, or are equal themselves.
    NoVariety,
    /// All images get nearly the same embedding.
    Collapsing,
    /// The embeddings differ in ever fewer directions.
    DimensionalCollapse,
    /// The loss is where it began.
    Stalled,
}

impl Verdict {
    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::NoVariety => "no variety: all images look the same to the network",
            Verdict::Collapsing => "collapsing: all images get nearly the same embedding",
            Verdict::DimensionalCollapse => "collapsing: images differ in ever fewer directions",
            Verdict::Stalled => "stalled: the loss is where it began",
        }
    }
}

/// A round of probes: the trained encoder and its controls, measured alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Steps taken so far.
    pub step: usize,
    /// Epochs so far.
    pub epoch: f64,
    /// Labelled training images used.
    pub train_images: usize,
    /// Test images used.
    pub test_images: usize,
    /// One row for each source, layer and probe.
    pub rows: Vec<ProbeRow>,
    /// The gain under each probe, once a step is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<Gain>,
}

/// An examination: probes of all layers and all controls on as many images as it takes to tell small gains from chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exam {
    /// The accuracies, and the gain that decides.
    pub probe: Probe,
    /// Images, draw and probe in words.
    pub settings: String,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Position of an examination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamProgress {
    /// The next part in words.
    pub part: String,
    /// Parts done.
    pub done: usize,
    /// Parts in all; 0 until the images are there.
    pub parts: usize,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Steps taken.
    pub step: usize,
    /// Seconds of training, without probes.
    pub elapsed_seconds: f64,
    /// True if all planned steps were taken, false if the run was stopped before.
    pub finished: bool,
}
