//! Images: where they lie, how they are read, and how a run holds them.

pub mod catalogue;
pub mod dataset;
pub mod idx;
#[cfg(not(target_family = "wasm"))]
pub mod store;

pub use dataset::{Dataset, Size, Split};
