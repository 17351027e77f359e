//! Kernels of our own for the CPU, natively and in the browser: where training spends its time there.
//!
//! A convolution is a product of two matrices once the values under the filter are written out as columns. Burn's CPU
//! backend does that for the value; for the gradient of the weights it convolves with a filter as large as the image, which
//! reads the whole gradient again for every channel. Here the value and both gradients are products over the same columns,
//! for as many images at once as fit into a core's cache. Filters of 3x3 points take a quarter of the products: `winograd` has
//! them.
//!
//! Batch normalisation reads what it normalises twice, and writes it once. Composed of Burn's operations, which work with one
//! thread, it took a quarter of a step of SimSiam on two cores.
//!
//! The largest of 2x2 pixels is a walk over two rows. Burn's pooling works out afresh for each pixel which windows it lies
//! in, and keeps an index of eight bytes of it: with the convolutions gone faster, that was a fifth of a step.

mod autodiff;
mod batch_norm;
mod convolution;
mod im2col;
mod matmul;
mod max_pool;
mod parallel;
mod winograd;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

/// How a filter moves over rows and columns, and who sees whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pixels from one position to the next.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
    /// Pixels from one point of the filter to the next.
    pub dilation: usize,
    /// Parts of the channels that do not see each other.
    pub groups: usize,
}

/// What the backend must offer.
#[backend_extension(Flex, Autodiff)]
trait Kernels: Backend {
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    fn max_of_cells(x: FloatTensor<Self>) -> FloatTensor<Self>;

    fn moments(x: FloatTensor<Self>) -> FloatTensor<Self>;

    fn normalised(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn convolution(x: FlexTensor, w: FlexTensor, window: Window) -> FlexTensor {
        convolution::value(&x, &w, window)
    }

    fn max_of_cells(x: FlexTensor) -> FlexTensor {
        max_pool::value(&x)
    }

    fn moments(x: FlexTensor) -> FlexTensor {
        batch_norm::moments(&x)
    }

    fn normalised(
        x: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        moments: FlexTensor,
        epsilon: f64,
    ) -> FlexTensor {
        batch_norm::value(&x, &scale, &shift, &moments, epsilon)
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        autodiff::convolution::<C>(x, w, window)
    }

    fn max_of_cells(x: FloatTensor<Self>) -> FloatTensor<Self> {
        autodiff::max_of_cells::<C>(x)
    }

    fn moments(x: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(batch_norm::moments(x.primitive()))
    }

    fn normalised(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        autodiff::normalised::<C>([x, scale, shift], moments, epsilon)
    }
}

/// Whether there are kernels for this device.
pub fn has(device: &Device) -> bool {
    *device == Device::flex()
}

/// `y[n, o, p] = sum_i,q w[o, i, q] x[n, i, s p + d q - z]` over the channels i of o's group and the points q of the filter, with
/// stride s, dilation d and z zeros around the image.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in / groups, k, k']` -> `[n, out, h', w']`,
/// `h' = (h + 2 z - d (k - 1) - 1) / s + 1`.
///
/// # Panics
/// Where [`has`] is false of the tensors' device, and where the filter does not fit.
pub fn convolve(x: Tensor<4>, w: Tensor<4>, window: Window) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::convolution(x.into_dispatch(), w.into_dispatch(), window))
}

/// `y[n, c, i, j] = max_{a,b in 0..2} x[n, c, 2 i + a, 2 j + b]`; a last odd row or column is dropped. The gradient goes to the
/// first of the largest.
///
/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
///
/// # Panics
/// Where [`has`] is false of the tensor's device.
pub fn max_of_cells(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::max_of_cells(x.into_dispatch()))
}

/// `y = (x - mean) / sqrt(var + epsilon) * scale + shift` with the mean and the biased variance of each channel over the batch,
/// which are given too. The gradient takes into account that both depend on x; what is given of them has none.
///
/// `[n, c, s]`, `[c]`, `[c]` -> `[n, c, s]`, and means and variances `[2, c]`.
///
/// # Panics
/// Where [`has`] is false of the tensors' device.
pub fn batch_norm(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> (Tensor<3>, Tensor<2>) {
    let moments = <Dispatch as Kernels>::moments(x.clone().into_dispatch());
    let (scale, shift) = (scale.into_dispatch(), shift.into_dispatch());
    let y = <Dispatch as Kernels>::normalised(x.into_dispatch(), scale, shift, moments.clone(), epsilon);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(moments))
}

/// A contiguous tensor of the CPU backend.
fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape.to_vec())), DType::F32)
}
