//! Losses and the metrics beside them: pure functions of tensors.

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
mod vicreg;

pub use classification::{accuracy, agreement, cross_entropy, first_place, own_keys_found, partners_found};
pub use colour::{
    SoftCode, annealed_mean, class_frequencies, entropy, has_colour, nearest_bin, rebalancing_weights, scale_gradient,
    soft_code,
};
pub use contrastive::{Contrast, info_nce, nt_xent};
pub use cosine::{cosine_regression, cosines, negative_cosine, unit_rows};
pub use cross_correlation::{CrossCorrelation, barlow_twins};
pub use nce::{Nce, nce_loss, nce_partition};
pub use pixel::{
    adversarial_loss, best_fixed_iou, iou, mask_cross_entropy, pixel_maps, pixel_rows, unexplained_variance,
    weighted_squared_error,
};
pub use regression::{explained_variance, squared_error};
pub use swapped_prediction::{Sinkhorn, sinkhorn, sinkhorn_with_queue, swapped_prediction};
pub use triplet::triplet;
pub use vicreg::{Vicreg, VicregWeights, vicreg};
