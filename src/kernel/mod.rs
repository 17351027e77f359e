//! Kernels of our own for the layers in which training spends its time: the crate `nolabel-cpu-kernels` for Burn's CPU backend,
//! `gpu` for its GPU backend. The functions here choose by device. Where no kernel of ours serves a shape, Burn's operation
//! does.

mod fallback;
mod gpu;
mod images;
mod losses;
mod pool;
mod update;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::module::{BatchNormTrainOutput, batch_norm_train, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use nolabel_cpu_kernels as cpu;
pub use nolabel_cpu_kernels::ConvGeometry;

pub use self::fallback::{count_fallback, take_fallbacks};
use self::gpu::GpuKernels;
pub use self::images::{STEP_NUMBERS, ViewConfig, WINDOW_NUMBERS, alternate, quarter_turns, view};
use self::losses::SHORTEST;
pub use self::losses::{CrossCorrelation, accuracy, cross_correlation, cross_entropy, negative_cosine, unit_rows};
pub use self::pool::{PoolConfig, max_pool, max_pool_2x2, mean_pool};
pub use self::update::{
    AdamStep, AnyRank, LarsStep, MomentumRule, SgdStep, SgdTensors, TrustRule, adam, ema, lars, sgd,
};

/// Configuration of a unit: convolution, batch norm, and optionally ReLU and 2x2 max pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitConfig {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Norm groups: row i of the batch is normalised with the rows of group i mod `groups`.
    pub groups: usize,
    /// Views, a divisor of `groups`: row i shows view i mod `views`, and the running statistics move once for each view in turn.
    pub views: usize,
    /// ReLU after the norm.
    pub relu: bool,
    /// Rows (and columns) of the windows of max pooling: 1 (no pooling) or 2.
    pub pool: usize,
    /// Added to the variance under the root.
    pub epsilon: f32,
    /// Weight of a batch in the running statistics.
    pub momentum: f32,
}

/// Parameters of a batch norm, `[c]` each.
#[derive(Clone, Debug)]
pub struct NormTensors {
    /// Scale.
    pub scale: Tensor<1>,
    /// Shift.
    pub shift: Tensor<1>,
    /// Running mean.
    pub running_mean: Tensor<1>,
    /// Running variance.
    pub running_var: Tensor<1>,
}

/// True for the CPU backend.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

/// True for a GPU, with or without autodiff.
pub fn is_gpu(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_))
}

/// Convolution: `y[n, o, p] = sum_i,q w[o, i, q] x[n, i, s p + d q - z] (+ bias[o])` over the channels i of o's group and the points q
/// of the filter, with stride s, dilation d and padding z.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in / groups, k, k']`, `bias`: `[out]` -> `[n, out, h', w']`,
/// `h' = (h + 2 z - d (k - 1) - 1) / s + 1`.
///
/// # Panics
/// If the filter is larger than the padded image.
pub fn convolve(x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<1>>, geometry: ConvGeometry) -> Tensor<4> {
    let device = x.device();
    if is_gpu(&device) && geometry.groups == 1 {
        let (x, w) = (x.into_dispatch(), w.into_dispatch());
        return Tensor::from_dispatch(match bias {
            Some(bias) => <Dispatch as GpuKernels>::convolution_with_bias(x, w, bias.into_dispatch(), geometry),
            None => <Dispatch as GpuKernels>::convolution(x, w, geometry),
        });
    }
    if !is_cpu(&device) {
        let ConvGeometry { stride, padding, dilation, groups } = geometry;
        count_fallback("convolution in groups", &x);
        return conv2d(x, w, bias, ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups));
    }
    let y = cpu::convolve(x, w, geometry);
    match bias {
        Some(bias) => y + bias.reshape([1, -1, 1, 1]),
        None => y,
    }
}

/// Linear layer: `y = x w^T (+ bias)`. `[n, in]`, `[out, in]`, `[out]` -> `[n, out]`.
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if is_gpu(&x.device()) {
        let [rows, _] = x.dims();
        let [output, _] = w.dims();
        return convolve(pixels(x), pixels(w), bias, ConvGeometry::POINTWISE).reshape([rows, output]);
    }
    let y = x.matmul(w.transpose());
    match bias {
        Some(bias) => y + bias.unsqueeze_dim(0),
        None => y,
    }
}

/// Rows as maps of one pixel: `[n, c]` -> `[n, c, 1, 1]`.
pub fn pixels(x: Tensor<2>) -> Tensor<4> {
    let [rows, columns] = x.dims();
    x.reshape([rows, columns, 1, 1])
}

/// Batch normalisation in training mode: `y = (x - mean) / sqrt(var + epsilon) * scale + shift` with each channel's mean and
/// biased variance over the batch. The gradient of `y` includes the dependence of both statistics on x; the returned statistics
/// carry no gradient.
///
/// `[n, c, s]`, `[c]`, `[c]` -> `y`: `[n, c, s]`, the batch means and the biased variances: `[c]`.
pub fn batch_norm(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> BatchNormTrainOutput<3> {
    if !is_cpu(&x.device()) {
        count_fallback("batch norm", &x);
        return batch_norm_train(x, scale, shift, epsilon);
    }
    cpu::batch_norm(x, scale, shift, epsilon)
}

/// True if [`unit()`] runs on this device: a GPU with autodiff, and a convolution without groups of channels.
pub fn has_unit(device: &Device, geometry: ConvGeometry) -> bool {
    device.is_autodiff() && is_gpu(device) && geometry.groups == 1
}

/// Unit in training mode: `y = pool(relu(batch norm(x * w)))`, as [`convolve`], [`batch_norm`] and [`max_pool_2x2`] in a row, and the new
/// running statistics: for each view in turn `r + momentum (s - r)`, with s the mean over its norm groups of the means and of the
/// unbiased variances. With a residual, `y = relu(batch norm(x * w) + residual)`.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in, k, k']` -> `[n, out, h' / pool, w' / pool]`, the dimensions of the residual, `[out]`, `[out]`.
///
/// # Panics
/// If [`has_unit`] is false, or if there is a residual and `config` has pooling or no ReLU.
pub fn unit(
    x: Tensor<4>,
    w: Tensor<4>,
    norm: NormTensors,
    residual: Option<Tensor<4>>,
    config: UnitConfig,
) -> (Tensor<4>, [Tensor<1>; 2]) {
    let [x, w] = [x, w].map(Tensor::into_dispatch);
    let NormTensors { scale, shift, running_mean, running_var } = norm;
    let [scale, shift, mean, var] = [scale, shift, running_mean, running_var].map(Tensor::into_dispatch);
    let (y, _, _, mean, var) = match residual.map(Tensor::into_dispatch) {
        Some(residual) => {
            assert!(config.relu && config.pool == 1, "a unit with a residual has ReLU and no pooling");
            <Dispatch as GpuKernels>::residual_unit(x, w, scale, shift, mean, var, residual, config)
        }
        None => <Dispatch as GpuKernels>::unit(x, w, scale, shift, mean, var, config),
    };
    (Tensor::from_dispatch(y), [mean, var].map(Tensor::from_dispatch))
}
