//! Losses: pure functions of tensors.

mod classification;
mod colour;
mod contrastive;
mod cosine;
mod cross_correlation;
mod nce;
mod pixel;
mod regression;
mod swapped_prediction;
#[cfg(test)]
pub(crate) mod test_support;
mod triplet;

pub use classification::{accuracy, cross_entropy};
pub use colour::{
    SoftCode, annealed_mean, coloured, entropy, frequencies, gradient_scaled, nearest_bin, rebalanced, soft_code,
};
pub use contrastive::{Contrast, info_nce, nt_xent};
pub use cosine::{cosine_regression, cosines, negative_cosine, unit_rows};
pub use cross_correlation::{Redundancy, barlow_twins};
pub use nce::{Nce, noise_contrast, partition};
pub use pixel::{
    fixed_overlap, judged, mask_cross_entropy, overlap, pixel_maps, pixel_rows, share_of_fixed, weighted_squares,
};
pub use regression::{explained, squared_error};
pub use swapped_prediction::{Sinkhorn, sinkhorn, sinkhorn_with_queue, swapped_prediction};
pub use triplet::triplet;
