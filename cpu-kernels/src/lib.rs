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
//! bytes a pixel: beside the faster convolutions that was a fifth of a step.
//!
//! They are a crate of their own because they are compiled for speed in the browser's program, and everything else for size.

mod autodiff;
mod batch_norm;
mod convolution;
mod geometry;
mod im2col;
mod matmul;
mod max_pool;
mod parallel;
#[cfg(test)]
mod test_support;
mod winograd;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{Bytes, DType, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

pub use self::geometry::ConvGeometry;
pub use self::matmul::{Matrix, Number, matmul};

/// Operations added to Burn's CPU backend, with and without autodiff.
#[backend_extension(Flex, Autodiff)]
trait CpuKernels: Backend {
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

impl CpuKernels for Flex {
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

impl<C: CheckpointStrategy> CpuKernels for Autodiff<Flex, C> {
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

/// Convolution without bias of tensors on the CPU backend, with and without autodiff: the formula of `nolabel::kernel::convolve`.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in / groups, k, k']` -> `[n, out, h', w']`.
pub fn convolve(x: Tensor<4>, w: Tensor<4>, geometry: ConvGeometry) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as CpuKernels>::convolution(x.into_dispatch(), w.into_dispatch(), geometry))
}

/// Max pooling over 2x2 windows with stride 2. A last odd row or column is dropped. The gradient goes to the first maximum of a window.
///
/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
pub fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as CpuKernels>::max_pool_2x2(x.into_dispatch()))
}

/// Batch normalisation in training mode: `y = (x - mean) / sqrt(var + epsilon) * scale + shift` with each channel's mean and
/// biased variance over the batch, which carry no gradient.
///
/// `[n, c, s]`, `[c]`, `[c]` -> `y`: `[n, c, s]`, mean and variance: `[c]`.
pub fn batch_norm(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> BatchNormTrainOutput<3> {
    let [_, channels, _] = x.dims();
    let moments = <Dispatch as CpuKernels>::moments(x.clone().into_dispatch());
    let scale = scale.into_dispatch();
    let shift = shift.into_dispatch();
    let y = <Dispatch as CpuKernels>::normalised(x.into_dispatch(), scale, shift, moments.clone(), epsilon);
    let moments = Tensor::<2>::from_dispatch(moments);
    let [mean, variance] = [0, 1].map(|row| moments.clone().narrow(0, row, 1).reshape([channels]));
    BatchNormTrainOutput { output: Tensor::from_dispatch(y), mean, variance }
}

/// Contiguous tensor of the CPU backend out of its values in row-major order.
fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape.to_vec())), DType::F32)
}
