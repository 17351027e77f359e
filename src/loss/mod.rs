//! Losses: pure functions of tensors.

mod assign;
mod bank;
mod classification;
mod colour;
mod contrast;
#[cfg(test)]
pub(crate) mod golden;
mod pixel;
mod redundancy;
mod regression;
mod similarity;
mod triplet;

pub use assign::{Sinkhorn, sinkhorn, sinkhorn_with_queue, swapped_prediction};
pub use bank::{Nce, noise_contrast, partition};
pub use classification::{accuracy, cross_entropy};
pub use colour::{
    SoftCode, annealed_mean, coloured, entropy, frequencies, gradient_scaled, nearest_bin, rebalanced, soft_code,
};
pub use contrast::{Contrast, info_nce, nt_xent};
pub use pixel::{
    fixed_overlap, judged, mask_cross_entropy, overlap, pixel_maps, pixel_rows, share_of_fixed, weighted_squares,
};
pub use redundancy::{Redundancy, barlow_twins};
pub use regression::{explained, squared_error};
pub use similarity::{cosine_regression, cosines, negative_cosine, unit_rows};
pub use triplet::triplet;
