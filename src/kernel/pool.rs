//! Pooling.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use nolabel_cpu_kernels as cpu;

use super::gpu::GpuKernels;
use super::{is_cpu, is_gpu};

/// Configuration of max pooling over square windows.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct PoolConfig {
    /// Rows (and columns) of a window.
    pub window: usize,
    /// Rows (and columns) from one window to the next.
    pub stride: usize,
    /// Rows (and columns) around the map that windows may reach into; they never hold the maximum.
    pub padding: usize,
    /// Ceil mode: the last window may reach over the border.
    pub ceil: bool,
    /// ReLU of the maxima.
    pub relu: bool,
}

impl PoolConfig {
    /// Windows of 2x2 that lie side by side; a last odd row or column is dropped.
    pub const HALVING: Self = Self { window: 2, stride: 2, padding: 0, ceil: false, relu: false };

    /// Rows (or columns) of the output, for a map with `side` of them; 0 if no window fits.
    pub fn output_side(&self, side: usize) -> usize {
        let Self { window, stride, padding, ceil, relu: _ } = *self;
        let Some(free) = (side + 2 * padding).checked_sub(window) else { return usize::from(ceil && side > 0) };
        let windows = if ceil { free.div_ceil(stride) + 1 } else { free / stride + 1 };
        // as in PyTorch, no window starts beyond the map and its padding at the start
        if ceil && (windows - 1) * stride >= side + padding { windows - 1 } else { windows }
    }
}

/// Max pooling: `y[n, c, i, j]` is the maximum over the pixels of window i, j that lie in the map. The gradient goes to the maximum, on
/// a GPU and in [`max_pool_2x2`] to the first one where several pixels tie.
///
/// `[n, c, h, w]` -> `[n, c, h', w']`, h' and w' by [`PoolConfig::output_side`].
pub fn max_pool(x: Tensor<4>, config: PoolConfig) -> Tensor<4> {
    let PoolConfig { window, stride, padding, ceil, relu: with_relu } = config;
    let device = x.device();
    if is_gpu(&device) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::max_pool(x.into_dispatch(), config).0);
    }
    let is_halving = PoolConfig { relu: false, ..config } == PoolConfig::HALVING;
    let y = if is_halving && is_cpu(&device) {
        cpu::max_pool_2x2(x)
    } else {
        let options = MaxPoolOptions::new([window; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
        max_pool2d(x, options.with_ceil_mode(ceil))
    };
    if with_relu { relu(y) } else { y }
}

/// Max pooling over 2x2 windows with stride 2: `y[n, c, i, j] = max_{a,b in 0..2} x[n, c, 2 i + a, 2 j + b]`. A last odd row or
/// column is dropped.
///
/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
pub fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    max_pool(x, PoolConfig::HALVING)
}

/// Mean over all pixels: `[n, c, h, w]` -> `[n, c]`.
pub fn mean_pool(x: Tensor<4>) -> Tensor<2> {
    if is_gpu(&x.device()) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::mean_pool(x.into_dispatch()));
    }
    adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
}
