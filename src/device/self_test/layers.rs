//! Layers: value and gradients.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Outputs, flat, leaf};
use crate::kernel::{self, ConvGeometry, NormTensors, PoolConfig, UnitConfig};

/// Added to the variance of the norm under test.
const EPSILON: f32 = 1e-5;

/// Convolution of stride 2 with a bias, on maps with an odd side.
pub(super) fn convolution(device: &Device) -> Option<Outputs> {
    let x = leaf(1, [2, 3, 9, 8], device);
    let w = leaf(2, [5, 3, 3, 3], device);
    let bias = leaf(3, [5], device);
    let geometry = ConvGeometry { stride: 2, padding: 1, dilation: 1, groups: 1 };
    let y = kernel::convolve(x.clone(), w.clone(), Some(bias.clone()), geometry);
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("output of a convolution", flat(y)),
        ("input gradient of a convolution", flat(Tensor::from_inner(x.grad(&gradients)?))),
        ("weight gradient of a convolution", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("bias gradient of a convolution", flat(Tensor::from_inner(bias.grad(&gradients)?))),
    ])
}

/// Convolution, batch norm, ReLU and max pooling, on maps whose last row and column no window covers.
pub(super) fn unit(device: &Device) -> Option<Outputs> {
    let x = leaf(4, [3, 4, 7, 5], device);
    let w = leaf(5, [6, 4, 3, 3], device);
    let scale = leaf(6, [6], device);
    let shift = leaf(7, [6], device);
    let geometry = ConvGeometry { stride: 1, padding: 1, dilation: 1, groups: 1 };
    let (y, mean) = if kernel::has_unit(device, geometry) {
        let config = UnitConfig { geometry, groups: 1, views: 1, relu: true, pool: 2, epsilon: EPSILON, momentum: 1.0 };
        let running = Tensor::zeros([6], device);
        let norm = NormTensors {
            scale: scale.clone(),
            shift: shift.clone(),
            running_mean: running.clone(),
            running_var: running,
        };
        let (y, [mean, _]) = kernel::unit(x.clone(), w.clone(), norm, None, config);
        (y, mean)
    } else {
        let y = kernel::convolve(x.clone(), w.clone(), None, geometry).reshape([3, 6, 35]);
        let normed = kernel::batch_norm(y, scale.clone(), shift.clone(), f64::from(EPSILON));
        (relu(kernel::max_pool_2x2(normed.output.reshape([3, 6, 7, 5]))), normed.mean)
    };
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("output of a unit", flat(y)),
        ("batch mean of a unit", flat(mean)),
        ("input gradient of a unit", flat(Tensor::from_inner(x.grad(&gradients)?))),
        ("weight gradient of a unit", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("scale gradient of a unit", flat(Tensor::from_inner(scale.grad(&gradients)?))),
        ("shift gradient of a unit", flat(Tensor::from_inner(shift.grad(&gradients)?))),
    ])
}

/// Convolution, batch norm, residual and ReLU.
pub(super) fn residual_unit(device: &Device) -> Option<Outputs> {
    let x = leaf(11, [3, 4, 5, 5], device);
    let w = leaf(12, [6, 4, 3, 3], device);
    let shift = leaf(13, [6], device);
    let residual = leaf(14, [3, 6, 5, 5], device);
    let geometry = ConvGeometry { stride: 1, padding: 1, dilation: 1, groups: 1 };
    let scale = Tensor::ones([6], device);
    let y = if kernel::has_unit(device, geometry) {
        let config = UnitConfig { geometry, groups: 1, views: 1, relu: true, pool: 1, epsilon: EPSILON, momentum: 1.0 };
        let running = Tensor::zeros([6], device);
        let norm = NormTensors { scale, shift: shift.clone(), running_mean: running.clone(), running_var: running };
        kernel::unit(x.clone(), w.clone(), norm, Some(residual.clone()), config).0
    } else {
        let y = kernel::convolve(x.clone(), w.clone(), None, geometry).reshape([3, 6, 25]);
        let normed = kernel::batch_norm(y, scale, shift.clone(), f64::from(EPSILON));
        relu(normed.output.reshape([3, 6, 5, 5]) + residual.clone())
    };
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("output of a unit with a residual", flat(y)),
        ("input gradient of a unit with a residual", flat(Tensor::from_inner(x.grad(&gradients)?))),
        ("shift gradient of a unit with a residual", flat(Tensor::from_inner(shift.grad(&gradients)?))),
        ("residual gradient of a unit", flat(Tensor::from_inner(residual.grad(&gradients)?))),
    ])
}

/// Max pooling over overlapping windows, with ReLU.
pub(super) fn max_pooling(device: &Device) -> Option<Outputs> {
    let x = leaf(10, [2, 3, 7, 6], device);
    let config = PoolConfig { window: 3, padding: 1, relu: true, ..PoolConfig::HALVING };
    let y = kernel::max_pool(x.clone(), config);
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("max pooling", flat(y)),
        ("input gradient of max pooling", flat(Tensor::from_inner(x.grad(&gradients)?))),
    ])
}

/// Mean pooling, linear layer and cross-entropy.
pub(super) fn classifier(device: &Device) -> Option<Outputs> {
    let x = leaf(8, [5, 7, 3, 3], device);
    let w = leaf(9, [4, 7], device);
    let labels = Tensor::<1, Int>::from_data(TensorData::new(vec![0, 3, 1, 2, 3], [5]), device);
    let features = kernel::mean_pool(x.clone());
    let logits = kernel::linear(features.clone(), w.clone(), None) * 5.0;
    let loss = kernel::cross_entropy(logits, labels);
    let gradients = loss.clone().backward();
    Some(vec![
        ("mean pooling", flat(features)),
        ("cross-entropy", loss.inner()),
        ("weight gradient of a linear layer", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("input gradient of mean pooling", flat(Tensor::from_inner(x.grad(&gradients)?))),
    ])
}
