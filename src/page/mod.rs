//! The page: controls, live charts and the lesson around them. It shows what the engine in the worker says and never asks
//! which method is running: names, texts, settings and pictures all come from there.
//!
//! `model` is computed without a browser and is compiled and tested on the desktop too; `state` holds signals, the engine's
//! handle and storage; `ui` holds the components.

pub mod model;
#[cfg(target_family = "wasm")]
mod state;
#[cfg(target_family = "wasm")]
mod ui;

#[cfg(target_family = "wasm")]
pub use state::mount::run;
