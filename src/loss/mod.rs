//! Losses: pure functions of tensors.

mod classification;

pub use classification::{accuracy, cross_entropy};
