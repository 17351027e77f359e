//! Probes: accuracy of simple classifiers on frozen features, beside controls that learned nothing, all measured in the same way.

mod compact;
mod compare;
pub mod confusion;
pub mod cost;
mod curvature;
pub mod features;
pub mod few;
mod gain;
pub mod interval;
pub mod knn;
pub mod labelled;
pub mod linear;
mod newton;
pub mod pca;
pub mod plane;
mod probing;
mod problem;
pub mod retrieval;
mod row;
mod sample;
mod settings;
mod spanned;
mod standing;
#[cfg(not(target_family = "wasm"))]
pub mod tsne;

use crate::data::Split;
pub use compare::gains;
pub use gain::Gain;
pub use probing::{Probing, Reading};
pub use row::{ProbeRow, Source};
pub use sample::{Sample, Validation};
pub use settings::ProbeSettings;
pub use standing::{CONTROLS, MARGIN, Standing, best_control};

/// Labelled images of a split that are used when `wanted` are asked for (0: all).
pub fn count(split: &Split, wanted: usize) -> usize {
    let there = split.len().min(split.labels().len());
    if wanted == 0 { there } else { wanted.min(there) }
}

/// The accuracy of predictions; 0 for none.
fn share_right(named: &[u16], labels: &[u16]) -> f64 {
    let right = named.iter().zip(labels).filter(|(a, b)| a == b).count();
    right as f64 / labels.len().max(1) as f64
}
