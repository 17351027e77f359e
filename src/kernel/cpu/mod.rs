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

mod autodiff;
mod batch_norm;
mod convolution;
mod im2col;
mod max_pool;
mod parallel;
mod winograd;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

use super::ConvGeometry;

/// Operations added to Burn's CPU backend, with and without autodiff.
#[backend_extension(Flex, Autodiff)]
pub(super) trait CpuKernels: Backend {
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

/// Contiguous tensor of the CPU backend out of its values in row-major order.
fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape.to_vec())), DType::F32)
}
