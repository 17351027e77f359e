//! Losses of pairs of embeddings: value and gradients.

use burn::tensor::{Device, Tensor};

use super::{Outputs, flat, leaf};
use crate::kernel;

/// Rows of length 1, and the negative cosine of rows.
pub(super) fn rows(device: &Device) -> Option<Outputs> {
    let p = leaf(10, [6, 5], device);
    let z = leaf(11, [6, 5], device);
    let unit = kernel::unit_rows(p.clone());
    let cosine = kernel::negative_cosine(p.clone(), z.clone());
    let unit_slope = p.grad(&(unit.clone() * z).sum().backward())?;
    let cosine_slope = p.grad(&cosine.clone().backward())?;
    Some(vec![
        ("rows of length 1", flat(unit)),
        ("gradient of rows of length 1", flat(Tensor::from_inner(unit_slope))),
        ("negative cosine", cosine.inner()),
        ("gradient of the negative cosine", flat(Tensor::from_inner(cosine_slope))),
    ])
}

/// Cross-correlation of columns.
pub(super) fn columns(device: &Device) -> Option<Outputs> {
    let a = leaf(12, [7, 5], device);
    let b = leaf(13, [7, 5], device);
    let found = kernel::cross_correlation(a.clone(), b.clone(), [0.1, 0.5, 1e-5]);
    let gradients = found.loss.clone().backward();
    Some(vec![
        ("cross-correlation", flat(found.correlation)),
        ("diagonal of a cross-correlation", found.diagonal.inner()),
        ("loss of a cross-correlation", found.loss.inner()),
        ("gradient of a cross-correlation", flat(Tensor::from_inner(a.grad(&gradients)?))),
        ("second gradient of a cross-correlation", flat(Tensor::from_inner(b.grad(&gradients)?))),
    ])
}
