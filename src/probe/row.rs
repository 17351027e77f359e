//! One measured number with what it takes to read it.

use serde::{Deserialize, Serialize};

/// Source of probed features.
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
    /// The source in words.
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

/// The result of one probe at one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRow {
    /// Source of the features.
    pub source: Source,
    /// The layer (`block1`, ..., `gap`; `pixels` for raw pixels).
    pub layer: String,
    /// Features of an image: channels times grid cells.
    pub width: usize,
    /// `linear`, `knn`, `sgd`, `finetune`, or a measure of [`super::retrieval`].
    pub probe: String,
    /// Test accuracy, 0 to 1; for retrieval the mean over test images.
    pub accuracy: f64,
    /// Its 95 % interval for the number of test images; see [`super::interval::wilson`], and
    /// [`super::interval::of_bounded`] for means.
    pub interval: [f64; 2],
    /// The L2 penalty in use; linear probe only.
    pub l2: Option<f64>,
    /// The learning rate in use; only where something was trained with labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Accuracy on the validation images of a probe fitted to the other training images, by which the best layer is chosen.
    /// `None` if no images were set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
}

impl ProbeRow {
    /// The number that layers are compared by: validation accuracy, or test accuracy where no images were set aside.
    pub fn merit(&self) -> f64 {
        self.validation.unwrap_or(self.accuracy)
    }

    /// The row of the best layer of `source` under `probe` by [`merit`](Self::merit); the earlier layer of two that tie.
    ///
    /// Choosing by test accuracy would report the luckiest of several layers, an estimate that is too high.
    pub fn best<'a>(rows: &'a [Self], source: Source, probe: &str) -> Option<&'a Self> {
        let candidates = rows.iter().filter(|row| row.source == source && row.probe == probe);
        candidates.reduce(|best, row| if row.merit() > best.merit() { row } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(layer: &str, accuracy: f64, validation: Option<f64>) -> ProbeRow {
        ProbeRow {
            source: Source::Trained,
            layer: layer.into(),
            width: 8,
            probe: "linear".into(),
            accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation,
        }
    }

    fn best(rows: &[ProbeRow]) -> Option<&str> {
        ProbeRow::best(rows, Source::Trained, "linear").map(|row| row.layer.as_str())
    }

    #[test]
    fn the_best_layer_is_chosen_by_validation() {
        let lucky = row("block1", 0.9, Some(0.6));
        let chosen = row("block2", 0.7, Some(0.8));
        assert_eq!(best(&[lucky, chosen]), Some("block2"));
        assert_eq!(best(&[row("block1", 0.9, None), row("block2", 0.7, None)]), Some("block1"));
    }

    #[test]
    fn the_earlier_of_two_equal_layers_is_best() {
        assert_eq!(best(&[row("block1", 0.7, Some(0.8)), row("block2", 0.9, Some(0.8))]), Some("block1"));
    }

    #[test]
    fn other_sources_and_probes_are_not_candidates() {
        let control = ProbeRow { source: Source::Untrained, ..row("block1", 0.9, None) };
        let other = ProbeRow { probe: "knn".into(), ..row("block1", 0.9, None) };
        assert_eq!(best(&[control, other]), None);
    }
}
