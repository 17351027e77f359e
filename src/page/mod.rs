//! The page: controls, live charts and the lesson around them. It shows what the engine in the worker says and never asks
//! which method is running: names, texts, settings and pictures all come from there.
//!
//! What can be computed without a browser stands in files of its own, which are compiled and tested on the desktop too.

pub mod curve;
pub mod findings;
pub mod kept;
pub mod layout;
pub mod loading;
pub mod phase;
pub mod plot;
pub mod record;
pub mod scale;
pub mod sets;
pub mod settings;
pub mod trouble;
pub mod words;

#[cfg(target_family = "wasm")]
mod address;
#[cfg(target_family = "wasm")]
mod app;
#[cfg(target_family = "wasm")]
mod axes;
#[cfg(target_family = "wasm")]
mod bench;
#[cfg(target_family = "wasm")]
mod buttons;
#[cfg(target_family = "wasm")]
mod canvas;
#[cfg(target_family = "wasm")]
mod chart;
#[cfg(target_family = "wasm")]
mod data;
#[cfg(target_family = "wasm")]
mod device;
#[cfg(target_family = "wasm")]
mod engine;
#[cfg(target_family = "wasm")]
mod field;
#[cfg(target_family = "wasm")]
mod files;
#[cfg(target_family = "wasm")]
mod form;
#[cfg(target_family = "wasm")]
mod hearing;
#[cfg(target_family = "wasm")]
mod hooks;
#[cfg(target_family = "wasm")]
mod keeping;
#[cfg(target_family = "wasm")]
mod layers;
#[cfg(target_family = "wasm")]
mod learning;
#[cfg(target_family = "wasm")]
mod matrix;
#[cfg(target_family = "wasm")]
mod mount;
#[cfg(target_family = "wasm")]
mod notice;
#[cfg(target_family = "wasm")]
mod probes;
#[cfg(target_family = "wasm")]
mod status;
#[cfg(target_family = "wasm")]
mod strip;
#[cfg(target_family = "wasm")]
mod task;
#[cfg(target_family = "wasm")]
mod tile;
#[cfg(target_family = "wasm")]
mod width;

#[cfg(target_family = "wasm")]
pub use mount::run;
