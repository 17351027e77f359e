//! CPU kernels for convolution, batch normalisation and max pooling, natively and in the browser. Training on the CPU spends
//! most of its time in these three.
//!
//! Convolution is im2col and a matrix product. Burn's CPU backend does the same in the forward pass, but computes the weight
//! gradient as a convolution with a filter as large as the image, which reads the whole output gradient again for every input
//! channel. Here the forward pass and both gradients are matrix products over the same im2col matrix, for a block of images
//! that fits into a core's cache. 3x3 filters of stride 1 take Winograd's transforms (`winograd`), a quarter of the
//! multiplications.
//!
//! Batch normalisation reads its input twice and writes its output once. Composed of Burn's operations, which run on one
//! thread, it took a quarter of a SimSiam step on two cores.
//!
//! 2x2 max pooling reads two rows at a time. Burn's pooling searches the windows of each pixel anew and keeps an index of eight
//! bytes a pixel: once the convolutions were faster, that was a fifth of a step.

mod autodiff;
mod batch_norm;
mod convolution;
mod im2col;
mod max_pool;
mod parallel;
mod winograd;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

/// Stride, padding, dilation and groups of a convolution, the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Pixels from one position of the filter to the next.
    pub stride: usize,
    /// Zero pixels added on each side of the image.
    pub padding: usize,
    /// Pixels from one point of the filter to the next.
    pub dilation: usize,
    /// Groups of channels: outputs of a group read the inputs of that group only.
    pub groups: usize,
}

/// Operations added to Burn's CPU backend, with and without autodiff.
#[backend_extension(Flex, Autodiff)]
trait Kernels: Backend {
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self>;

    fn max_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self>;

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
    fn convolution(x: FlexTensor, w: FlexTensor, geometry: ConvGeometry) -> FlexTensor {
        convolution::forward(&x, &w, geometry)
    }

    fn max_pool_2x2(x: FlexTensor) -> FlexTensor {
        max_pool::forward(&x)
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
        batch_norm::forward(&x, &scale, &shift, &moments, epsilon)
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        autodiff::convolution::<C>(x, w, geometry)
    }

    fn max_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        autodiff::max_pool_2x2::<C>(x)
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

/// True if these kernels run on this device, which is the CPU backend.
pub fn is_supported(device: &Device) -> bool {
    *device == Device::flex()
}

/// Convolution: `y[n, o, p] = sum_i,q w[o, i, q] x[n, i, s p + d q - z]` over the channels i of o's group and the points q of the
/// filter, with stride s, dilation d and padding z.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in / groups, k, k']` -> `[n, out, h', w']`,
/// `h' = (h + 2 z - d (k - 1) - 1) / s + 1`.
///
/// # Panics
/// If the device is not supported (see [`is_supported`]) or the filter is larger than the padded image.
pub fn convolve(x: Tensor<4>, w: Tensor<4>, geometry: ConvGeometry) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::convolution(x.into_dispatch(), w.into_dispatch(), geometry))
}

/// Max pooling over 2x2 windows with stride 2: `y[n, c, i, j] = max_{a,b in 0..2} x[n, c, 2 i + a, 2 j + b]`. A last odd row or
/// column is dropped. The gradient goes to the maximum, to the first one where several pixels tie.
///
/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
///
/// # Panics
/// If the device is not supported (see [`is_supported`]).
pub fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::max_pool_2x2(x.into_dispatch()))
}

/// Batch normalisation in training mode: `y = (x - mean) / sqrt(var + epsilon) * scale + shift` with each channel's mean and
/// biased variance over the batch. The gradient of `y` includes the dependence of both statistics on x; the returned statistics
/// carry no gradient.
///
/// `[n, c, s]`, `[c]`, `[c]` -> `y`: `[n, c, s]` and the batch statistics (row 0 the means, row 1 the variances): `[2, c]`.
///
/// # Panics
/// If the device is not supported (see [`is_supported`]).
pub fn batch_norm(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> (Tensor<3>, Tensor<2>) {
    let moments = <Dispatch as Kernels>::moments(x.clone().into_dispatch());
    let scale = scale.into_dispatch();
    let shift = shift.into_dispatch();
    let y = <Dispatch as Kernels>::normalised(x.into_dispatch(), scale, shift, moments.clone(), epsilon);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(moments))
}

/// Contiguous tensor of the CPU backend out of its values in row-major order.
fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape.to_vec())), DType::F32)
}
