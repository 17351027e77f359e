//! The engine behind the page: it owns device, data and run, and talks in messages.

#[cfg(target_family = "wasm")]
mod data;
#[cfg(target_family = "wasm")]
mod engine;
#[cfg(target_family = "wasm")]
mod fetch;
#[cfg(target_family = "wasm")]
mod inbox;
#[cfg(target_family = "wasm")]
mod keeping;
#[cfg(target_family = "wasm")]
mod pace;
#[cfg(target_family = "wasm")]
mod page;
pub mod protocol;
#[cfg(target_family = "wasm")]
mod run;
#[cfg(target_family = "wasm")]
mod shelf;
pub mod story;
#[cfg(target_family = "wasm")]
pub mod wire;

#[cfg(target_family = "wasm")]
pub use engine::run;
