//! The page: controls, live charts and the lesson around them. It knows no method: names, texts, settings and pictures come
//! from the engine in the worker.
//!
//! `model` needs no browser and is tested natively; `state` holds the signals, the engine's handle and the saved runs; `ui`
//! holds the components.

pub mod model;
#[cfg(target_family = "wasm")]
mod state;
#[cfg(target_family = "wasm")]
mod ui;

#[cfg(target_family = "wasm")]
pub use state::mount::run;
