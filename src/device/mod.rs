//! The choice of the processor that a run uses.

use burn::tensor::Device;

mod choice;
#[cfg(not(target_family = "wasm"))]
mod native;
pub mod self_test;
#[cfg(target_family = "wasm")]
mod web;

pub use crate::kernel::take_fallbacks;
pub use choice::{DeviceChoice, Kind, Listed, Readout};
#[cfg(not(target_family = "wasm"))]
pub use native::{list, select};
#[cfg(target_family = "wasm")]
pub use web::{list, on_lost, select};

/// A device ready for use.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device without gradient tracking.
    pub device: Device,
    /// Its description and the reason for the choice.
    pub readout: Readout,
}
