//! The operations on Burn's GPU backend.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::batch_norm::Affine;
use super::{
    GpuKernels, PlainGpuKernels, classes, columns, convolution, cosine, ema, lars, layout, max_pool, mean_pool, rows,
    turns, unit, unit_rows, update, view, weight_gradient,
};
use crate::kernel::{AdamStep, ConvGeometry, LarsStep, PoolConfig, SgdStep, UnitConfig, ViewConfig};

impl GpuKernels for CubeBackend {
    fn convolution(x: CubeTensor, w: CubeTensor, geometry: ConvGeometry) -> CubeTensor {
        convolution::forward(x, w, None, geometry)
    }

    fn convolution_with_bias(x: CubeTensor, w: CubeTensor, bias: CubeTensor, geometry: ConvGeometry) -> CubeTensor {
        convolution::forward(x, w, Some(bias), geometry)
    }

    fn unit(
        x: CubeTensor,
        w: CubeTensor,
        scale: CubeTensor,
        shift: CubeTensor,
        running_mean: CubeTensor,
        running_var: CubeTensor,
        config: UnitConfig,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        unit::forward(x, w, Affine { scale, shift, running_mean, running_var }, None, config).into()
    }

    fn residual_unit(
        x: CubeTensor,
        w: CubeTensor,
        scale: CubeTensor,
        shift: CubeTensor,
        running_mean: CubeTensor,
        running_var: CubeTensor,
        residual: CubeTensor,
        config: UnitConfig,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        unit::forward(x, w, Affine { scale, shift, running_mean, running_var }, Some(residual), config).into()
    }

    fn max_pool(x: CubeTensor, config: PoolConfig) -> (CubeTensor, CubeTensor) {
        max_pool::forward(x, config)
    }

    fn mean_pool(x: CubeTensor) -> CubeTensor {
        mean_pool::forward(x)
    }

    fn cross_entropy(logits: CubeTensor, labels: CubeTensor) -> (CubeTensor, CubeTensor) {
        classes::cross_entropy(logits, labels)
    }

    fn column_products(a: CubeTensor, b: CubeTensor) -> CubeTensor {
        let products = weight_gradient::weights(layout::pixels(b), layout::pixels(a), [1, 1], ConvGeometry::POINTWISE);
        layout::rows(products)
    }

    fn standardise(x: CubeTensor, epsilon: f32) -> (CubeTensor, CubeTensor) {
        columns::standardise(x, epsilon)
    }

    fn unit_rows(x: CubeTensor) -> (CubeTensor, CubeTensor) {
        unit_rows::forward(x)
    }

    fn redundancy(c: CubeTensor, n: f32, lambda: f32, scale: f32) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        columns::redundancy(c, n, lambda, scale).into()
    }

    fn negative_cosine(p: CubeTensor, z: CubeTensor) -> (CubeTensor, CubeTensor) {
        cosine::negative_cosine(p, z)
    }

    fn accuracy(logits: CubeTensor, labels: CubeTensor, rounding: f32) -> CubeTensor {
        classes::accuracy(logits, labels, rounding)
    }

    fn view(images: CubeTensor, numbers: CubeTensor, config: ViewConfig) -> CubeTensor {
        view::forward(images, numbers, config)
    }

    fn quarter_turns(images: CubeTensor) -> CubeTensor {
        turns::forward(images)
    }

    fn alternate(one: CubeTensor, other: CubeTensor) -> CubeTensor {
        rows::alternate(one, other)
    }
}

impl PlainGpuKernels for CubeBackend {
    fn input_gradient(w: CubeTensor, g: CubeTensor, dims: [usize; 4], geometry: ConvGeometry) -> CubeTensor {
        convolution::input_gradient(w, g, dims, geometry)
    }

    fn weight_gradient(x: CubeTensor, g: CubeTensor, kernel: [usize; 2], geometry: ConvGeometry) -> CubeTensor {
        weight_gradient::weights(x, g, kernel, geometry)
    }

    fn weight_and_bias_gradient(
        x: CubeTensor,
        g: CubeTensor,
        kernel: [usize; 2],
        geometry: ConvGeometry,
    ) -> (CubeTensor, CubeTensor) {
        weight_gradient::weights_and_bias(x, g, kernel, geometry)
    }

    fn unit_gradient(
        raw: CubeTensor,
        coefficients: CubeTensor,
        g: CubeTensor,
        config: UnitConfig,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        unit::backward(raw, coefficients, g, config)
    }

    fn residual_unit_gradient(
        raw: CubeTensor,
        coefficients: CubeTensor,
        y: CubeTensor,
        g: CubeTensor,
        config: UnitConfig,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        unit::residual_backward(raw, coefficients, y, g, config).into()
    }

    fn max_pool_gradient(winners: CubeTensor, g: CubeTensor, dims: [usize; 4], config: PoolConfig) -> CubeTensor {
        max_pool::backward(winners, g, dims, config)
    }

    fn mean_pool_gradient(g: CubeTensor, dims: [usize; 4]) -> CubeTensor {
        mean_pool::backward(g, dims)
    }

    fn standardise_gradient(y: CubeTensor, inverse: CubeTensor, g: CubeTensor) -> CubeTensor {
        columns::standardise_gradient(y, inverse, g)
    }

    fn unit_rows_gradient(y: CubeTensor, inverse: CubeTensor, g: CubeTensor) -> CubeTensor {
        unit_rows::backward(y, inverse, g)
    }

    fn ema(target: CubeTensor, source: CubeTensor, m: f32) -> CubeTensor {
        ema::single(target, source, m)
    }

    fn ema_of_three(
        target1: CubeTensor,
        source1: CubeTensor,
        target2: CubeTensor,
        source2: CubeTensor,
        target3: CubeTensor,
        source3: CubeTensor,
        m: f32,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        ema::three([target1, target2, target3], [source1, source2, source3], m).into()
    }

    fn lars(w: CubeTensor, g: CubeTensor, b: CubeTensor, step: LarsStep) -> (CubeTensor, CubeTensor) {
        lars::update(w, g, b, step)
    }

    fn sgd(w: CubeTensor, g: CubeTensor, b: CubeTensor, step: SgdStep) -> (CubeTensor, CubeTensor) {
        update::single(w, g, b, step)
    }

    fn adam(
        w: CubeTensor,
        g: CubeTensor,
        m: CubeTensor,
        v: CubeTensor,
        step: AdamStep,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        update::adam(w, g, [m, v], step).into()
    }

    fn sgd_pair(
        w1: CubeTensor,
        g1: CubeTensor,
        b1: CubeTensor,
        w2: CubeTensor,
        g2: CubeTensor,
        b2: CubeTensor,
        steps: [SgdStep; 2],
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        update::pair([w1, g1, b1], [w2, g2, b2], steps).into()
    }
}
