//! The engine behind the page, in a worker of its own: it owns device, data and run, and communicates by messages.

#[cfg(target_family = "wasm")]
mod autosave;
#[cfg(target_family = "wasm")]
mod dataset;
#[cfg(target_family = "wasm")]
mod engine;
#[cfg(target_family = "wasm")]
mod exam;
#[cfg(target_family = "wasm")]
mod fetch;
#[cfg(target_family = "wasm")]
mod inbox;
#[cfg(target_family = "wasm")]
pub mod js_value;
pub mod kept_run;
#[cfg(target_family = "wasm")]
mod pace;
#[cfg(target_family = "wasm")]
mod page;
pub mod protocol;
#[cfg(target_family = "wasm")]
mod run;
pub mod run_history;
#[cfg(target_family = "wasm")]
mod run_store;

#[cfg(target_family = "wasm")]
pub use engine::run;
