//! A method without its type, as the session and the command line see it.

use std::fmt;

use burn::tensor::Device;

use super::trainer::{Trainer, Training};
use super::{DataInfo, Info, Method, Presets};
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::options::{Declared, Options};

/// A method without its type: one of the list, or one defined elsewhere.
#[derive(Clone, Copy)]
pub struct Entry {
    info: &'static Info,
    presets: Presets,
    compares: bool,
    options: fn() -> Vec<Declared>,
    build: fn(&RunConfig, &DataInfo, &Device) -> Result<Box<dyn Training>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.info.id).finish_non_exhaustive()
    }
}

impl Entry {
    /// Entry of a method, which need not be in the list.
    pub const fn of<M: Method>() -> Self {
        Self {
            info: &M::INFO,
            presets: M::PRESETS,
            compares: M::COMPARES,
            options: M::Options::declared,
            build: |config, data_info, device| Ok(Box::new(Trainer::<M>::new(config, data_info, device)?)),
        }
    }

    /// Title, task, lesson and needs of the method.
    pub fn info(&self) -> &'static Info {
        self.info
    }

    /// True if its loss compares embeddings, which are watched for collapse.
    pub fn compares(&self) -> bool {
        self.compares
    }

    /// Configuration of a preset for the data set of this name.
    pub fn config(&self, preset: Preset, data: &str) -> RunConfig {
        self.presets.of(preset, data)
    }

    /// True if the learning rate of this preset scales with the batch: [`RunConfig::follow_batch`].
    pub fn has_linear_rate(&self, preset: Preset) -> bool {
        preset == Preset::Full && self.presets.has_linear_rate()
    }

    /// Declarations of the method's own options.
    pub fn options(&self) -> Vec<Declared> {
        (self.options)()
    }

    /// Declarations of all settings of a configuration: run, encoder, optimiser and schedule, then the method's own options.
    pub fn settings(&self, config: &RunConfig) -> Vec<Declared> {
        config.declared_settings().into_iter().chain(self.options()).collect()
    }

    /// Replaces options by their sizes for tests, if declared; options of 0 are switched off and stay so.
    pub fn tiny(&self, mut config: RunConfig) -> RunConfig {
        for option in self.options() {
            let (Some(tiny), Some(value)) = (option.tiny, config.options.get_mut(&option.key)) else { continue };
            if value.as_f64() != Some(0.0) {
                *value = tiny;
            }
        }
        config
    }

    /// The method with random weights, ready to train on `device` (given without gradient tracking).
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn build(&self, config: &RunConfig, data_info: &DataInfo, device: &Device) -> Result<Box<dyn Training>> {
        config.check()?;
        (self.build)(config, data_info, device)
    }
}
