//! Convolution, batch norm, ReLU and 2x2 max pooling, or batch norm, residual and ReLU, as one operation.

use burn_cubecl::tensor::CubeTensor;

use super::batch_norm::{self, Affine, NormPlan, Residual};
use super::convolution;
use super::layout::{empty, nchw, nhwc};
use crate::kernel::UnitConfig;

impl UnitConfig {
    fn plan(&self, map: [usize; 3]) -> NormPlan {
        NormPlan { map, cell: self.pool, relu: self.relu, groups: self.groups }
    }
}

/// Output, output of the convolution, the coefficients that the backward pass needs, and the new running mean and variance.
pub(super) fn forward(
    x: CubeTensor,
    w: CubeTensor,
    affine: Affine,
    residual: Option<CubeTensor>,
    config: UnitConfig,
) -> [CubeTensor; 5] {
    let (raw, part) = convolution::with_statistics(x, w, config.geometry, config.groups);
    let [_, height, width, channels] = raw.meta.shape().dims();
    let plan = config.plan([height, width, channels]);
    let made = batch_norm::forward(&raw, part, affine, residual.map(nhwc), plan, config);
    [nchw(made.y), nchw(raw), made.coefficients, made.running_mean, made.running_var]
}

/// Gradients of the convolution's output, of scale and of shift.
pub(super) fn backward(
    raw: CubeTensor,
    coefficients: CubeTensor,
    g: CubeTensor,
    config: UnitConfig,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let raw = nhwc(raw);
    let g = nhwc(g);
    let [_, height, width, channels] = raw.meta.shape().dims();
    let (draw, dscale, dshift) =
        batch_norm::backward(raw, coefficients, g, None, config.plan([height, width, channels]));
    (nchw(draw), dscale, dshift)
}

/// Gradients of the convolution's output, of scale, shift and residual, out of the unit's output y and its gradient.
pub(super) fn residual_backward(
    raw: CubeTensor,
    coefficients: CubeTensor,
    y: CubeTensor,
    g: CubeTensor,
    config: UnitConfig,
) -> [CubeTensor; 4] {
    let [raw, y, g] = [raw, y, g].map(nhwc);
    let [images, height, width, channels] = raw.meta.shape().dims();
    let gradient = empty(&raw, [images, height, width, channels]);
    let residual = Residual { y, gradient: gradient.clone() };
    // the sum of norm and residual decides over ReLU, not the norm
    let plan = NormPlan { relu: false, ..config.plan([height, width, channels]) };
    let (draw, dscale, dshift) = batch_norm::backward(raw, coefficients, g, Some(residual), plan);
    [nchw(draw), dscale, dshift, nchw(gradient)]
}
