//! Presets of a method.

use crate::config::{Preset, RunConfig};
use crate::data::catalogue;

/// A preset: a configuration for the data set of this name.
type Make = fn(&str) -> RunConfig;

/// The presets of a method.
#[derive(Clone, Copy, Debug)]
pub struct Presets {
    small: Make,
    cifar: Make,
    published: Make,
    linear_rate: bool,
}

impl Presets {
    /// A preset for minutes on two CPU cores, the published setting for images of CIFAR's size and the one for larger images. If
    /// only one is published, it is given for both.
    pub const fn new(small: Make, cifar: Make, published: Make) -> Self {
        Self { small, cifar, published, linear_rate: false }
    }

    /// Marks presets whose authors scale the learning rate with the batch: see [`RunConfig::follow_batch`].
    pub const fn with_linear_rate(self) -> Self {
        Self { linear_rate: true, ..self }
    }

    /// True if the published learning rates scale with the batch.
    pub fn has_linear_rate(&self) -> bool {
        self.linear_rate
    }

    /// Preset for this data set.
    pub fn of(&self, preset: Preset, data: &str) -> RunConfig {
        match preset {
            Preset::Small => (self.small)(data),
            Preset::Full if is_small(data) => (self.cifar)(data),
            Preset::Full => (self.published)(data),
        }
    }
}

/// True if the images of the data set are about 32 px in size, for which papers have separate settings.
pub fn is_small(data: &str) -> bool {
    catalogue::find(data).is_ok_and(|entry| entry.size.height.max(entry.size.width) <= 64)
}
