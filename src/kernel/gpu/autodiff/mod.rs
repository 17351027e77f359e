//! The operations on tensors with autodiff. Those with a gradient are nodes of the graph; the results of the others are
//! constants.

mod nodes;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::{GpuKernels, PlainGpuKernels};
use crate::kernel::{ConvGeometry, PoolConfig, UnitConfig, ViewConfig};

impl<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy> GpuKernels for Autodiff<B, C> {
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        nodes::convolution::<B, C>(x, w, geometry)
    }

    fn convolution_with_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: ConvGeometry,
    ) -> FloatTensor<Self> {
        nodes::convolution_with_bias::<B, C>([x, w, bias], geometry)
    }

    fn unit(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        nodes::unit::<B, C>([x, w, scale, shift], [running_mean, running_var], config)
    }

    fn residual_unit(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        nodes::residual_unit::<B, C>([x, w, scale, shift, residual], [running_mean, running_var], config)
    }

    fn max_pool(x: FloatTensor<Self>, config: PoolConfig) -> (FloatTensor<Self>, FloatTensor<Self>) {
        nodes::max_pool::<B, C>(x, config)
    }

    fn mean_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        nodes::mean_pool::<B, C>(x)
    }

    fn cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        nodes::cross_entropy::<B, C>(logits, labels)
    }

    fn column_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        nodes::column_products::<B, C>(a, b)
    }

    fn standardise(x: FloatTensor<Self>, epsilon: f32) -> (FloatTensor<Self>, FloatTensor<Self>) {
        nodes::standardise::<B, C>(x, epsilon)
    }

    fn unit_rows(x: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        nodes::unit_rows::<B, C>(x)
    }

    fn redundancy(
        c: FloatTensor<Self>,
        n: f32,
        lambda: f32,
        scale: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (loss, diagonal, correlation, gradient) = B::redundancy(c.primitive().clone(), n, lambda, scale);
        let (loss, gradient) = nodes::loss_of::<B, C>(&c, loss, gradient);
        let constant = FloatTensor::<Self>::new;
        (loss, constant(diagonal), constant(correlation), gradient)
    }

    fn negative_cosine(p: FloatTensor<Self>, z: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        nodes::negative_cosine::<B, C>(p, z)
    }

    fn accuracy(logits: FloatTensor<Self>, labels: IntTensor<Self>, rounding: f32) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::accuracy(logits.into_primitive(), labels, rounding))
    }

    fn view(images: FloatTensor<Self>, numbers: FloatTensor<Self>, config: ViewConfig) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::view(images.into_primitive(), numbers.into_primitive(), config))
    }

    fn quarter_turns(images: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::quarter_turns(images.into_primitive()))
    }

    fn alternate(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::alternate(one.into_primitive(), other.into_primitive()))
    }
}
