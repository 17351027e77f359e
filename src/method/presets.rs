//! The settings each method comes with.

use crate::config::{Preset, RunConfig};
use crate::data::catalogue;

/// A preset: from the name of a data set to a configuration.
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
    /// One for minutes on two CPU cores, what is published for images of CIFAR's size, and what is published for larger ones;
    /// where only one setting is published, it stands for both.
    pub const fn new(small: Make, cifar: Make, published: Make) -> Self {
        Self { small, cifar, published, linear_rate: false }
    }

    /// The same for authors whose code scales the learning rate with the batch: see [`RunConfig::follow_batch`].
    pub const fn with_linear_rate(self) -> Self {
        Self { linear_rate: true, ..self }
    }

    /// True if the published rates follow the batch.
    pub fn has_linear_rate(&self) -> bool {
        self.linear_rate
    }

    /// The one for this data set.
    pub fn of(&self, preset: Preset, data: &str) -> RunConfig {
        match preset {
            Preset::Small => (self.small)(data),
            Preset::Full if is_small(data) => (self.cifar)(data),
            Preset::Full => (self.published)(data),
        }
    }
}

/// True if the data set of this name has images of about 32 px, for which papers have settings of their own.
pub fn is_small(data: &str) -> bool {
    catalogue::find(data).is_ok_and(|entry| entry.size.height.max(entry.size.width) <= 64)
}
