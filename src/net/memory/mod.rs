//! What methods remember between steps: rows of features that no gradient reaches. All are fields of a module, saved and
//! restored with it.

mod bank;
mod prototypes;
mod queue;
mod recent;

pub use bank::{MemoryBank, places};
pub use prototypes::Prototypes;
pub use queue::Queue;
pub use recent::RecentFeatures;

use burn::tensor::Tensor;

/// Rows at length 1: `x / max(|x|, 1e-12)`, `[n, d]` -> `[n, d]`.
fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12); // [n, 1]
    x / norm
}
