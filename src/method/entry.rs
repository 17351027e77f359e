//! The row of the list: a method without its type.

use std::fmt;

use burn::tensor::Device;

use super::trainer::{Learner, Training};
use super::{DataInfo, Info, Method, Presets};
use crate::config::{Preset, RunConfig};
use crate::error::Result;

/// One method, as the shells see it.
#[derive(Clone, Copy)]
pub struct Entry {
    info: &'static Info,
    presets: Presets,
    compares: bool,
    build: fn(&RunConfig, &DataInfo, &Device) -> Result<Box<dyn Training>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.info.id).finish_non_exhaustive()
    }
}

impl Entry {
    /// The entry of a method, given by its type.
    pub const fn of<M: Method>() -> Self {
        Self {
            info: &M::INFO,
            presets: M::PRESETS,
            compares: M::COMPARES,
            build: |config, data_info, device| Ok(Box::new(Learner::<M>::new(config, data_info, device)?)),
        }
    }

    /// What the method says of itself.
    pub fn info(&self) -> &'static Info {
        self.info
    }

    /// Whether its loss compares embeddings, which are watched for collapse.
    pub fn compares(&self) -> bool {
        self.compares
    }

    /// A preset as a full configuration for a data set of this name.
    pub fn config(&self, preset: Preset, data: &str) -> RunConfig {
        self.presets.of(preset, data)
    }

    /// True if the learning rate of this preset follows the batch by the authors' rule: [`RunConfig::follow_batch`].
    pub fn has_linear_rate(&self, preset: Preset) -> bool {
        preset == Preset::Full && self.presets.has_linear_rate()
    }

    /// The method with fresh weights, ready to train on `device` (given without gradient tracking).
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn build(&self, config: &RunConfig, data_info: &DataInfo, device: &Device) -> Result<Box<dyn Training>> {
        config.check()?;
        (self.build)(config, data_info, device)
    }
}
