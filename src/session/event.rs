//! What a run says while it goes: the one stream that the progress bar, `events.jsonl`, the page and the tests read.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::method::Unit;
pub use crate::probe::{ProbeRow, Source};

/// One message of a run. As JSON, the field `event` names the kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "the large one comes once a run; in a browser it is small enough")]
pub enum Event {
    /// The run is set up and about to take its first step (or the first after a resume).
    Started(Started),
    /// A training step whose loss was read back: each one on the CPU, each tenth on a GPU.
    Step(Step),
    /// The means over one finished pass through the training images.
    Epoch(Epoch),
    /// The pretext task on images the network never trained on.
    Pretext(Pretext),
    /// Accuracy of frozen features, with their controls.
    Probe(Probe),
    /// How the run is doing, seen without labels.
    Health(Health),
    /// Something the user should know, in a sentence.
    Warning {
        /// The sentence.
        message: String,
    },
    /// A checkpoint was written.
    Saved {
        /// Steps taken when it was written.
        step: usize,
        /// Where it lies, relative to the run folder.
        path: String,
    },
    /// The run ended.
    Done(Done),
}

impl Event {
    /// Whether it was said after step `taken` was, so that a run that goes on from there says it again. What was `measured`
    /// at that very step counts too, if it is going to be measured again.
    pub fn is_beyond(&self, taken: usize, measured: bool) -> bool {
        match self {
            Event::Step(event) => event.step > taken,
            Event::Health(event) => event.step > taken,
            Event::Epoch(event) => event.step > taken,
            Event::Saved { step, .. } => *step > taken,
            Event::Probe(event) => event.step > taken || (measured && event.step == taken),
            Event::Pretext(_) | Event::Done(_) => true,
            Event::Started(event) => event.resumed_at > taken,
            Event::Warning { .. } => false,
        }
    }
}

/// The plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Everything the run was configured with.
    pub config: RunConfig,
    /// The device in words, for example `CPU (flex, 2 threads)`.
    pub device: String,
    /// Training images.
    pub images: usize,
    /// Steps in one pass over the training images.
    pub steps_per_epoch: usize,
    /// Steps until the run is done.
    pub total_steps: usize,
    /// Steps already taken before this start; 0 for a fresh run.
    pub resumed_at: usize,
    /// Trainable parameters.
    pub parameters: usize,
}

/// One training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Steps taken so far, this one included: the first is 1.
    pub step: usize,
    /// Passes over the training images so far, as a fraction.
    pub epoch: f64,
    /// The loss of this step's batch, in nats where it is a cross-entropy.
    pub loss: f64,
    /// The method's own measure on this batch (for rotation: accuracy, 0 to 1).
    pub metric: Option<f64>,
    /// The learning rate of this step, before the factor of a parameter group.
    pub learning_rate: f64,
    /// Images (not views) per second since the last step event.
    pub images_per_second: f64,
    /// Seconds of training so far, probes and pauses left out, earlier parts of a resumed run included.
    pub elapsed_seconds: f64,
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
    /// Mean of the method's measure over the step events of the epoch.
    pub metric: Option<f64>,
}

/// The pretext task on held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretext {
    /// Steps taken so far.
    pub step: usize,
    /// Held-out images used.
    pub images: usize,
    /// The name of the measure.
    pub name: String,
    /// Its value (for accuracies 0 to 1).
    pub value: f64,
    /// What guessing would give, where that is defined.
    pub chance: Option<f64>,
    /// How both are written.
    pub unit: Unit,
}

/// How a run is doing, seen without labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Steps taken so far.
    pub step: usize,
    /// What it all means.
    pub verdict: Verdict,
    /// The length of the gradient of all parameters in this step, before any clipping.
    pub gradient: f64,
    /// How far the slow copy lies behind the network it follows, where there is one. See [`crate::net::ema::lag`].
    pub lag: Option<f64>,
    /// The share of the time since the last look that went by until the images of a step were there, 0 to 1.
    pub waiting: f64,
    /// What the embeddings look like, where the loss compares some.
    pub embedding: Option<Embedding>,
}

/// What embeddings look like, without labels: those of the first images of a step's batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// Images looked at.
    pub rows: usize,
    /// Numbers the network gives of each.
    pub width: usize,
    /// How far unit rows spread: about 1 where healthy, 0 where all are the same. See [`crate::health::spread`].
    pub spread: f64,
    /// How many directions are in use (RankMe). See [`crate::health::Spectrum::effective_rank`].
    pub rank: f64,
    /// How many directions images differ in: the same of the rows less their mean.
    pub centred_rank: f64,
    /// How many directions tell images apart rather than views, where there are two views. See [`crate::health::lidar`].
    pub lidar: Option<f64>,
    /// How far apart the views of one image lie, 0 to 4. See [`crate::health::alignment`].
    pub alignment: Option<f64>,
    /// How evenly the images cover the sphere: 0 where all are the same. See [`crate::health::uniformity`].
    pub uniformity: f64,
    /// How fast the spectrum falls (alpha-ReQ). See [`crate::health::Spectrum::decay`].
    pub decay: Option<f64>,
    /// The singular values at the ranks 1, 2, 4, 8 and so on, as shares of the largest.
    pub spectrum: Vec<f64>,
}

impl Embedding {
    /// The most directions there could be.
    pub fn directions(&self) -> usize {
        self.rows.min(self.width)
    }
}

/// The state of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Different images get different answers, and the loss moves.
    #[default]
    Healthy,
    /// All images get the same answer, or are the same: there is nothing to tell apart.
    NoVariety,
    /// All images get nearly the same answer.
    Collapsing,
    /// Images differ in ever fewer directions.
    DimensionalCollapse,
    /// The loss is where it began.
    Stalled,
}

/// A round of probes: trained features and the controls, measured alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Steps taken so far.
    pub step: usize,
    /// Passes over the training images so far.
    pub epoch: f64,
    /// Labelled training images the probe saw.
    pub train_images: usize,
    /// Test images the accuracy was counted on.
    pub test_images: usize,
    /// One row a layer and kind of probe.
    pub rows: Vec<ProbeRow>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Steps taken.
    pub step: usize,
    /// Seconds of training, probes left out.
    pub elapsed_seconds: f64,
    /// True when all planned steps were taken, false when somebody stopped the run before.
    pub finished: bool,
}
