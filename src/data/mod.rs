//! Images: their places on disk, their formats, and the splits that a run holds in memory.

pub mod catalogue;
pub mod dataset;
pub mod draw;
#[cfg(not(target_family = "wasm"))]
pub mod folder;
pub mod format;
#[cfg(not(target_family = "wasm"))]
mod reading;
mod sequence;
pub mod shapes;
#[cfg(not(target_family = "wasm"))]
mod spec;
#[cfg(not(target_family = "wasm"))]
pub mod store;

pub use dataset::{Dataset, Size, Split};
pub use format::idx;
#[cfg(not(target_family = "wasm"))]
pub use reading::Reading;
pub use sequence::{CLIPS, Sequence};
#[cfg(not(target_family = "wasm"))]
pub use spec::Spec;
