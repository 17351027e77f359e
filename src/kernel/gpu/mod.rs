//! GPU kernels in CubeCL: one source for Vulkan (SPIR-V), Metal, DX12 and WebGPU (WGSL).
//!
//! Burn's GPU backend runs a convolution's gradients and batch norm as many launches and, for each of them, times several
//! candidates (autotune). Here a unit (convolution, batch norm, ReLU, max pooling) takes three launches forward and five
//! backward without autotune: tile sizes follow from the number of channels.
//!
//! Maps lie in memory as NHWC, with the strides of NCHW tensors, so that a unit takes the output of another as it is. A kernel has at
//! most seven buffers: WebGPU guarantees eight, and CubeCL takes one for lengths and scalars.

#![allow(
    clippy::assign_op_pattern,
    clippy::collapsible_if,
    clippy::manual_is_multiple_of,
    reason = "kernels are written in CubeCL's part of Rust, which has no `is_multiple_of`; an `if` on a value known when a kernel is \
              compiled must not be joined with one on a value of its run"
)]

mod autodiff;
mod batch_norm;
mod classes;
mod columns;
mod convolution;
mod cosine;
mod cube;
mod ema;
mod geometry;
mod lars;
mod layout;
mod matmul;
mod max_pool;
mod mean_pool;
mod reduce;
mod rows;
mod turns;
mod unit;
mod unit_rows;
mod update;
mod view;
mod weight_gradient;

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

use super::{AdamStep, ConvGeometry, LarsStep, PoolConfig, SgdStep, UnitConfig, ViewConfig};

/// Shape of a convolution's output.
fn convolved(x: &Shape, w: &Shape, geometry: &ConvGeometry) -> Shape {
    Shape::new([x[0], w[0], geometry.output_side(x[2], w[2]), geometry.output_side(x[3], w[3])])
}

/// Operations added to Burn's GPU backend, lazy under Fusion, with and without autodiff.
#[backend_extension(Cube, Fusion, Autodiff)]
pub(super) trait GpuKernels: Backend {
    #[fusion(dtype = x, shape = convolved(x, w, geometry))]
    fn convolution(x: FloatTensor<Self>, w: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self>;

    #[fusion(dtype = x, shape = convolved(x, w, geometry))]
    fn convolution_with_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: ConvGeometry,
    ) -> FloatTensor<Self>;

    /// Output, output of the convolution, `[groups, 4, c]` coefficients, new running mean and variance.
    #[fusion(meta = unit_specs)]
    #[allow(clippy::type_complexity, reason = "the macro takes tuples of tensors only")]
    fn unit(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// [`GpuKernels::unit`] with a residual that is added before ReLU.
    #[fusion(meta = residual_unit_specs)]
    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "the macro takes tensors one by one")]
    fn residual_unit(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Maxima, and their places in the windows for the backward pass.
    #[fusion(meta = pool_specs)]
    fn max_pool(x: FloatTensor<Self>, config: PoolConfig) -> (FloatTensor<Self>, FloatTensor<Self>);

    #[fusion(dtype = x, shape = Shape::new([x[0], x[1]]))]
    fn mean_pool(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Mean loss and its gradient with respect to the logits.
    #[fusion(meta = |logits, _labels| (TensorSpec::new(Shape::new([1]), logits.dtype), logits.clone()))]
    fn cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Loss and its gradient with respect to p; z is a constant.
    #[fusion(meta = |p, _z| (TensorSpec::new(Shape::new([1]), p.dtype), p.clone()))]
    fn negative_cosine(p: FloatTensor<Self>, z: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// `a^T b`.
    #[fusion(dtype = a, shape = Shape::new([a[1], b[1]]))]
    fn column_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Standardised columns and their inverse deviations.
    #[fusion(meta = |x, _epsilon| (x.clone(), TensorSpec::new(Shape::new([x.shape[1]]), x.dtype)))]
    fn standardise(x: FloatTensor<Self>, epsilon: f32) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Unit rows and the inverse of each divisor.
    #[fusion(meta = |x| (x.clone(), TensorSpec::new(Shape::new([x.shape[0]]), x.dtype)))]
    fn unit_rows(x: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Loss, mean of the diagonal, correlation, and the gradient of the loss with respect to c.
    #[fusion(meta = redundancy_specs)]
    #[allow(clippy::type_complexity, reason = "the macro takes tuples of tensors only")]
    fn redundancy(
        c: FloatTensor<Self>,
        n: f32,
        lambda: f32,
        scale: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Without gradient.
    #[fusion(dtype = logits, shape = Shape::new([1]))]
    fn accuracy(logits: FloatTensor<Self>, labels: IntTensor<Self>, rounding: f32) -> FloatTensor<Self>;

    /// Without gradient.
    #[fusion(dtype = images, shape = Shape::new([images[0], images[1], config.size[0], config.size[1]]))]
    fn view(images: FloatTensor<Self>, numbers: FloatTensor<Self>, config: ViewConfig) -> FloatTensor<Self>;

    /// Without gradient.
    #[fusion(dtype = images, shape = Shape::new([4 * images[0], images[1], images[2], images[3]]))]
    fn quarter_turns(images: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Without gradient.
    #[fusion(dtype = one, shape = Shape::new([2 * one[0], one[1], one[2], one[3]]))]
    fn alternate(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Operations on tensors without autodiff, which gradients and optimisers call. They too are operations of the backend, so that
/// they pass through Fusion.
#[backend_extension(Cube, Fusion)]
pub(super) trait PlainGpuKernels: Backend {
    #[fusion(dtype = g, shape = Shape::new(*dims))]
    fn input_gradient(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        dims: [usize; 4],
        geometry: ConvGeometry,
    ) -> FloatTensor<Self>;

    #[fusion(dtype = g, shape = Shape::new([g[1], x[1], kernel[0], kernel[1]]))]
    fn weight_gradient(
        x: FloatTensor<Self>,
        g: FloatTensor<Self>,
        kernel: [usize; 2],
        geometry: ConvGeometry,
    ) -> FloatTensor<Self>;

    /// Gradients of the weights and of the bias.
    #[fusion(meta = weight_and_bias_specs)]
    fn weight_and_bias_gradient(
        x: FloatTensor<Self>,
        g: FloatTensor<Self>,
        kernel: [usize; 2],
        geometry: ConvGeometry,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of the convolution's output, scale and shift.
    #[fusion(meta = unit_gradient_specs)]
    fn unit_gradient(
        raw: FloatTensor<Self>,
        coefficients: FloatTensor<Self>,
        g: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of the convolution's output, scale, shift and residual.
    #[fusion(meta = residual_unit_gradient_specs)]
    #[allow(clippy::type_complexity, reason = "the macro takes tuples of tensors only")]
    fn residual_unit_gradient(
        raw: FloatTensor<Self>,
        coefficients: FloatTensor<Self>,
        y: FloatTensor<Self>,
        g: FloatTensor<Self>,
        config: UnitConfig,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    #[fusion(dtype = g, shape = Shape::new(*dims))]
    fn max_pool_gradient(
        winners: FloatTensor<Self>,
        g: FloatTensor<Self>,
        dims: [usize; 4],
        config: PoolConfig,
    ) -> FloatTensor<Self>;

    #[fusion(dtype = g, shape = Shape::new(*dims))]
    fn mean_pool_gradient(g: FloatTensor<Self>, dims: [usize; 4]) -> FloatTensor<Self>;

    #[fusion(dtype = g, shape = g)]
    fn standardise_gradient(
        y: FloatTensor<Self>,
        inverse: FloatTensor<Self>,
        g: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    #[fusion(dtype = g, shape = g)]
    fn unit_rows_gradient(y: FloatTensor<Self>, inverse: FloatTensor<Self>, g: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `m target + (1 - m) source`.
    #[fusion(meta = |target, _source, _m| target.clone())]
    fn ema(target: FloatTensor<Self>, source: FloatTensor<Self>, m: f32) -> FloatTensor<Self>;

    /// [`PlainGpuKernels::ema`] of three targets.
    #[fusion(meta = three_targets)]
    #[allow(clippy::too_many_arguments, reason = "the macro takes tensors one by one")]
    fn ema_of_three(
        target1: FloatTensor<Self>,
        source1: FloatTensor<Self>,
        target2: FloatTensor<Self>,
        source2: FloatTensor<Self>,
        target3: FloatTensor<Self>,
        source3: FloatTensor<Self>,
        m: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// New weights and momentum.
    #[fusion(meta = |w, _g, b, _step| (w.clone(), b.clone()))]
    fn lars(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        b: FloatTensor<Self>,
        step: LarsStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// New weights and momentum.
    #[fusion(meta = |w, _g, b, _step| (w.clone(), b.clone()))]
    fn sgd(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        b: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// New weights and moments.
    #[fusion(meta = |w, _g, m, v, _step| (w.clone(), m.clone(), v.clone()))]
    fn adam(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// New weights and momentum of two parameters.
    #[fusion(meta = sgd_pair_specs)]
    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "the macro takes tensors one by one")]
    fn sgd_pair(
        w1: FloatTensor<Self>,
        g1: FloatTensor<Self>,
        b1: FloatTensor<Self>,
        w2: FloatTensor<Self>,
        g2: FloatTensor<Self>,
        b2: FloatTensor<Self>,
        steps: [SgdStep; 2],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

#[allow(clippy::too_many_arguments, reason = "the arguments of the operation")]
fn three_targets(
    target1: &TensorSpec,
    _: &TensorSpec,
    target2: &TensorSpec,
    _: &TensorSpec,
    target3: &TensorSpec,
    _: &TensorSpec,
    _: &f32,
) -> (TensorSpec, TensorSpec, TensorSpec) {
    (target1.clone(), target2.clone(), target3.clone())
}

#[allow(clippy::too_many_arguments, reason = "the arguments of the operation")]
fn sgd_pair_specs(
    w1: &TensorSpec,
    _: &TensorSpec,
    b1: &TensorSpec,
    w2: &TensorSpec,
    _: &TensorSpec,
    b2: &TensorSpec,
    _: &[SgdStep; 2],
) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    (w1.clone(), b1.clone(), w2.clone(), b2.clone())
}

fn redundancy_specs(c: &TensorSpec, _: &f32, _: &f32, _: &f32) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    let number = TensorSpec::new(Shape::new([1]), c.dtype);
    (number.clone(), number, c.clone(), c.clone())
}

fn weight_and_bias_specs(
    x: &TensorSpec,
    g: &TensorSpec,
    kernel: &[usize; 2],
    _: &ConvGeometry,
) -> (TensorSpec, TensorSpec) {
    let [makes, channels] = [g.shape[1], x.shape[1]];
    let spec = |shape: Shape| TensorSpec::new(shape, g.dtype);
    (spec(Shape::new([makes, channels, kernel[0], kernel[1]])), spec(Shape::new([makes])))
}

fn unit_specs(
    x: &TensorSpec,
    w: &TensorSpec,
    _: &TensorSpec,
    _: &TensorSpec,
    running_mean: &TensorSpec,
    running_var: &TensorSpec,
    config: &UnitConfig,
) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    let raw = convolved(&x.shape, &w.shape, &config.geometry);
    let y = Shape::new([raw[0], raw[1], raw[2] / config.pool, raw[3] / config.pool]);
    let coefficients = Shape::new([config.groups, 4, raw[1]]);
    let spec = |shape: Shape| TensorSpec::new(shape, x.dtype);
    (spec(y), spec(raw), spec(coefficients), running_mean.clone(), running_var.clone())
}

fn pool_specs(x: &TensorSpec, config: &PoolConfig) -> (TensorSpec, TensorSpec) {
    let [rows, columns] = [x.shape[2], x.shape[3]].map(|side| config.output_side(side));
    let y = TensorSpec::new(Shape::new([x.shape[0], x.shape[1], rows, columns]), x.dtype);
    (y.clone(), y)
}

fn unit_gradient_specs(
    raw: &TensorSpec,
    _: &TensorSpec,
    _: &TensorSpec,
    _: &UnitConfig,
) -> (TensorSpec, TensorSpec, TensorSpec) {
    let vector = TensorSpec::new(Shape::new([raw.shape[1]]), raw.dtype);
    (raw.clone(), vector.clone(), vector)
}

#[allow(clippy::too_many_arguments, reason = "the arguments of the operation")]
fn residual_unit_specs(
    x: &TensorSpec,
    w: &TensorSpec,
    scale: &TensorSpec,
    shift: &TensorSpec,
    running_mean: &TensorSpec,
    running_var: &TensorSpec,
    _: &TensorSpec,
    config: &UnitConfig,
) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    unit_specs(x, w, scale, shift, running_mean, running_var, config)
}

fn residual_unit_gradient_specs(
    raw: &TensorSpec,
    coefficients: &TensorSpec,
    y: &TensorSpec,
    g: &TensorSpec,
    config: &UnitConfig,
) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    let (draw, dscale, dshift) = unit_gradient_specs(raw, coefficients, g, config);
    (draw, dscale, dshift, y.clone())
}
