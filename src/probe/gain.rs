//! The gain of trained features over the better control, image by image.

use serde::{Deserialize, Serialize};

use super::row::Source;
use super::standing::Standing;

/// Trained features against the better control under one probe, each at the layer that validation chose, on the same test
/// images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// `linear` or `knn`.
    pub probe: String,
    /// The layer of the trained encoder.
    pub layer: String,
    /// The control.
    pub control: Source,
    /// Its layer.
    pub control_layer: String,
    /// Test images.
    pub images: usize,
    /// Images that the trained features alone classify correctly.
    pub gained: usize,
    /// Images that the control alone classifies correctly.
    pub lost: usize,
    /// The 95 % interval of [`Gain::difference`]; see [`super::interval::paired`].
    pub interval: [f64; 2],
    /// The gain as a verdict.
    pub standing: Standing,
}

impl Gain {
    /// Accuracy of the trained features minus that of the control.
    pub fn difference(&self) -> f64 {
        (self.gained as f64 - self.lost as f64) / self.images.max(1) as f64
    }
}
