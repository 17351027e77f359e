//! Differences between a browser and a desktop behind one interface.

#[cfg(not(target_family = "wasm"))]
pub mod display;
#[cfg(not(target_family = "wasm"))]
pub mod memory;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(not(target_family = "wasm"))]
pub use native::{now, yield_now};
#[cfg(target_family = "wasm")]
pub use web::{now, run_constructors, yield_now};
