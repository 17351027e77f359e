//! One measured number with what it takes to read it.

use serde::{Deserialize, Serialize};

/// What the probed features come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The encoder as trained so far.
    Trained,
    /// The same encoder with the weights it had before its first step: a control.
    Untrained,
    /// The pixels themselves: a control.
    RawPixels,
    /// As many principal components of the pixels as the last layer has features: a control.
    Pca,
    /// The same encoder trained with labels from the weights it had before its first step: what labels are worth.
    Supervised,
}

impl Source {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Source::Trained => "trained encoder",
            Source::Untrained => "untrained encoder",
            Source::RawPixels => "raw pixels",
            Source::Pca => "PCA of raw pixels",
            Source::Supervised => "supervised encoder",
        }
    }
}

/// What one probe makes of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRow {
    /// Where the features come from.
    pub source: Source,
    /// The layer (`block1`, ..., `gap`; `pixels` for raw pixels).
    pub layer: String,
    /// Features a vector: channels times grid cells.
    pub width: usize,
    /// `linear`, `knn`, `sgd`, `finetune`, or a measure of [`super::retrieval`].
    pub probe: String,
    /// Share of test images named rightly, 0 to 1; the mean over test images of a measure of retrieval.
    pub accuracy: f64,
    /// The 95 % interval of it, for so many test images; see [`super::interval::wilson`], and
    /// [`super::interval::of_mean`] for means.
    pub interval: [f64; 2],
    /// The L2 penalty in use; linear probe only.
    pub l2: Option<f64>,
    /// The learning rate in use; only where something was trained with labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// The same of the last sixth of the training images when the reader knows the others alone: what the best layer is
    /// chosen by. Nothing where no images were set aside for choosing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
}

impl ProbeRow {
    /// What layers are compared by: accuracy on images set aside from training, where there were any.
    pub fn merit(&self) -> f64 {
        self.validation.unwrap_or(self.accuracy)
    }
}
