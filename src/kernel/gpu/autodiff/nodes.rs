//! The operations as nodes of Burn's autodiff graph.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::Shape;

use crate::kernel::gpu::{GpuKernels, PlainGpuKernels};
use crate::kernel::{ConvGeometry, PoolConfig, UnitConfig};

type Tracked<B> = FloatTensor<Autodiff<B>>;

fn dims<B: GpuKernels + PlainGpuKernels, const D: usize>(x: &FloatTensor<B>) -> [usize; D] {
    x.shape().dims()
}

/// Rows and columns of a filter, `[out, in, k, k']`.
fn kernel<B: GpuKernels + PlainGpuKernels>(w: &FloatTensor<B>) -> [usize; 2] {
    let [_, _, rows, columns] = dims::<B, 4>(w);
    [rows, columns]
}

/// Registers the gradients of a convolution's input x and weights w, where they are asked for, out of the gradient g of its output.
fn register_convolution<B: GpuKernels + PlainGpuKernels>(
    gradients: &mut Gradients,
    parents: [Option<NodeId>; 2],
    [x, w]: [FloatTensor<B>; 2],
    g: FloatTensor<B>,
    geometry: ConvGeometry,
) {
    let [parent_x, parent_w] = parents;
    let kernel = kernel::<B>(&w);
    if let Some(id) = parent_x {
        gradients.register::<B>(id, B::input_gradient(w, g.clone(), dims::<B, 4>(&x), geometry));
    }
    if let Some(id) = parent_w {
        gradients.register::<B>(id, B::weight_gradient(x, g, kernel, geometry));
    }
}

/// Registers gradients where they are asked for.
fn register_all<B: GpuKernels + PlainGpuKernels, const N: usize>(
    gradients: &mut Gradients,
    parents: [Option<NodeId>; N],
    values: [FloatTensor<B>; N],
) {
    for (parent, value) in parents.into_iter().zip(values) {
        if let Some(id) = parent {
            gradients.register::<B>(id, value);
        }
    }
}

#[derive(Debug)]
struct ConvolutionNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 2> for ConvolutionNode {
    type State = (NodeId, NodeId, ConvGeometry);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let g = gradients.consume::<B>(&ops.node);
        let (x, w, geometry) = ops.state;
        let factors = [x, w].map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let parents = ops.parents.map(|node| node.map(|node| node.id));
        register_convolution::<B>(gradients, parents, factors, g, geometry);
    }
}

/// Forward pass; the graph keeps x and w for the two gradients.
pub(super) fn convolution<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: Tracked<B>,
    w: Tracked<B>,
    geometry: ConvGeometry,
) -> Tracked<B> {
    let y = B::convolution(x.primitive().clone(), w.primitive().clone(), geometry);
    match ConvolutionNode.prepare::<C>([x.node(), w.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&w), geometry);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct BiasedConvolutionNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 3> for BiasedConvolutionNode {
    type State = (NodeId, NodeId, ConvGeometry);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_x, parent_w, parent_bias] = ops.parents.map(|node| node.map(|node| node.id));
        let g = gradients.consume::<B>(&ops.node);
        let (x, w, geometry) = ops.state;
        let [x, w] = [x, w].map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let kernel = kernel::<B>(&w);
        if let Some(id) = parent_x {
            gradients.register::<B>(id, B::input_gradient(w, g.clone(), dims::<B, 4>(&x), geometry));
        }
        if parent_w.is_some() || parent_bias.is_some() {
            let (dw, db) = B::weight_and_bias_gradient(x, g, kernel, geometry);
            register_all::<B, 2>(gradients, [parent_w, parent_bias], [dw, db]);
        }
    }
}

/// Forward pass of x, w and bias; the graph keeps x and w for the three gradients.
pub(super) fn convolution_with_bias<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    parents: [Tracked<B>; 3],
    geometry: ConvGeometry,
) -> Tracked<B> {
    let [x, w, bias] = parents;
    let y = B::convolution_with_bias(x.primitive().clone(), w.primitive().clone(), bias.primitive().clone(), geometry);
    match BiasedConvolutionNode.prepare::<C>([x.node(), w.node(), bias.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&w), geometry);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct UnitNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 4> for UnitNode {
    type State = ([NodeId; 2], [FloatTensor<B>; 2], UnitConfig);

    fn backward(self, ops: Ops<Self::State, 4>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_x, parent_w, parent_scale, parent_shift] = ops.parents.map(|node| node.map(|node| node.id));
        let g = gradients.consume::<B>(&ops.node);
        let (nodes, [raw, coefficients], config) = ops.state;
        let factors = nodes.map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let (draw, dscale, dshift) = B::unit_gradient(raw, coefficients, g, config);
        register_convolution::<B>(gradients, [parent_x, parent_w], factors, draw, config.geometry);
        register_all::<B, 2>(gradients, [parent_scale, parent_shift], [dscale, dshift]);
    }
}

/// Forward pass of x, w, scale and shift; the graph keeps x, w, the convolution's output and the coefficients. Only the first output
/// has a gradient.
#[allow(clippy::type_complexity, reason = "the outputs of the operation")]
pub(super) fn unit<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    parents: [Tracked<B>; 4],
    running: [Tracked<B>; 2],
    config: UnitConfig,
) -> (Tracked<B>, Tracked<B>, Tracked<B>, Tracked<B>, Tracked<B>) {
    let [x, w, scale, shift] = &parents;
    let [mean, var] = running.map(Tracked::<B>::into_primitive);
    let of = |parent: &Tracked<B>| parent.primitive().clone();
    let (y, raw, coefficients, mean, var) = B::unit(of(x), of(w), of(scale), of(shift), mean, var, config);
    let nodes = [x.node(), w.node(), scale.node(), shift.node()];
    let y = match UnitNode.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let nodes = [node.checkpoint(x), node.checkpoint(w)];
            node.finish((nodes, [raw.clone(), coefficients.clone()], config), y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    };
    let constant = Tracked::<B>::new;
    (y, constant(raw), constant(coefficients), constant(mean), constant(var))
}

#[derive(Debug)]
struct ResidualUnitNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 5> for ResidualUnitNode {
    type State = ([NodeId; 2], [FloatTensor<B>; 3], UnitConfig);

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_x, parent_w, parent_scale, parent_shift, parent_residual] =
            ops.parents.map(|node| node.map(|node| node.id));
        let g = gradients.consume::<B>(&ops.node);
        let (nodes, [raw, coefficients, y], config) = ops.state;
        let factors = nodes.map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let (draw, dscale, dshift, dresidual) = B::residual_unit_gradient(raw, coefficients, y, g, config);
        register_convolution::<B>(gradients, [parent_x, parent_w], factors, draw, config.geometry);
        let affine = [parent_scale, parent_shift, parent_residual];
        register_all::<B, 3>(gradients, affine, [dscale, dshift, dresidual]);
    }
}

/// [`unit()`] of x, w, scale, shift and residual; the graph keeps the output too, whose sign is ReLU's mask.
#[allow(clippy::type_complexity, reason = "the outputs of the operation")]
pub(super) fn residual_unit<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    parents: [Tracked<B>; 5],
    running: [Tracked<B>; 2],
    config: UnitConfig,
) -> (Tracked<B>, Tracked<B>, Tracked<B>, Tracked<B>, Tracked<B>) {
    let [x, w, scale, shift, residual] = &parents;
    let [mean, var] = running.map(Tracked::<B>::into_primitive);
    let of = |parent: &Tracked<B>| parent.primitive().clone();
    let (y, raw, coefficients, mean, var) =
        B::residual_unit(of(x), of(w), of(scale), of(shift), mean, var, of(residual), config);
    let nodes = [x.node(), w.node(), scale.node(), shift.node(), residual.node()];
    let y = match ResidualUnitNode.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let nodes = [node.checkpoint(x), node.checkpoint(w)];
            node.finish((nodes, [raw.clone(), coefficients.clone(), y.clone()], config), y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    };
    let constant = Tracked::<B>::new;
    (y, constant(raw), constant(coefficients), constant(mean), constant(var))
}

#[derive(Debug)]
struct MaxPoolNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 1> for MaxPoolNode {
    type State = (FloatTensor<B>, [usize; 4], PoolConfig);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [parent] = ops.parents;
        let g = gradients.consume::<B>(&ops.node);
        let (winners, dims, config) = ops.state;
        if let Some(node) = parent {
            gradients.register::<B>(node.id, B::max_pool_gradient(winners, g, dims, config));
        }
    }
}

/// Forward pass; the graph keeps the places of the maxima. Only the first output has a gradient.
pub(super) fn max_pool<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: Tracked<B>,
    config: PoolConfig,
) -> (Tracked<B>, Tracked<B>) {
    let dims = dims::<B, 4>(x.primitive());
    let (y, winners) = B::max_pool(x.primitive().clone(), config);
    let y = match MaxPoolNode.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(node) => node.finish((winners.clone(), dims, config), y),
        OpsKind::UnTracked(node) => node.finish(y),
    };
    (y, Tracked::<B>::new(winners))
}

#[derive(Debug)]
struct MeanPoolNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 1> for MeanPoolNode {
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [parent] = ops.parents;
        let g = gradients.consume::<B>(&ops.node);
        if let Some(node) = parent {
            gradients.register::<B>(node.id, B::mean_pool_gradient(g, ops.state));
        }
    }
}

/// Forward pass; the gradient needs the dimensions of x only.
pub(super) fn mean_pool<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(x: Tracked<B>) -> Tracked<B> {
    let dims = dims::<B, 4>(x.primitive());
    let y = B::mean_pool(x.primitive().clone());
    match MeanPoolNode.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(node) => node.finish(dims, y),
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

/// A loss of one tensor whose gradient is known from the forward pass.
#[derive(Debug)]
struct LossNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 1> for LossNode {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [parent] = ops.parents;
        let g = gradients.consume::<B>(&ops.node);
        if let Some(node) = parent {
            let g = B::float_reshape(g, Shape::new([1, 1]));
            gradients.register::<B>(node.id, B::float_mul(ops.state, g));
        }
    }
}

/// Forward pass; the graph keeps the gradient with respect to the logits, which the forward pass computes too. Only the first
/// output has a gradient.
pub(super) fn cross_entropy<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    logits: Tracked<B>,
    labels: IntTensor<Autodiff<B>>,
) -> (Tracked<B>, Tracked<B>) {
    let (loss, gradient) = B::cross_entropy(logits.primitive().clone(), labels);
    loss_of::<B, C>(&logits, loss, gradient)
}

/// Forward pass; the graph keeps the gradient with respect to p, as for the cross-entropy. z is a constant.
pub(super) fn negative_cosine<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    p: Tracked<B>,
    z: Tracked<B>,
) -> (Tracked<B>, Tracked<B>) {
    let (loss, gradient) = B::negative_cosine(p.primitive().clone(), z.into_primitive());
    loss_of::<B, C>(&p, loss, gradient)
}

/// A loss whose gradient with respect to x is known.
pub(super) fn loss_of<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: &Tracked<B>,
    loss: FloatTensor<B>,
    gradient: FloatTensor<B>,
) -> (Tracked<B>, Tracked<B>) {
    let loss = match LossNode.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(node) => node.finish(gradient.clone(), loss),
        OpsKind::UnTracked(node) => node.finish(loss),
    };
    (loss, Tracked::<B>::new(gradient))
}

/// A matrix divided by something of its own: rows by their lengths, or columns by their deviations.
#[derive(Debug)]
struct DividedNode;

/// Gradient with respect to the matrix, from the output, the inverse divisors and the gradient of the output.
type DividedGradient<B> = fn(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 1> for DividedNode {
    type State = ([FloatTensor<B>; 2], DividedGradient<B>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [parent] = ops.parents;
        let g = gradients.consume::<B>(&ops.node);
        if let Some(node) = parent {
            let ([y, inverse], gradient) = ops.state;
            gradients.register::<B>(node.id, gradient(y, inverse, g));
        }
    }
}

/// Output y and inverse divisors as tensors with autodiff; the graph keeps both. Only y has a gradient.
fn divided<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: &Tracked<B>,
    y: FloatTensor<B>,
    inverse: FloatTensor<B>,
    gradient: DividedGradient<B>,
) -> (Tracked<B>, Tracked<B>) {
    let tracked = match DividedNode.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(node) => node.finish(([y.clone(), inverse.clone()], gradient), y),
        OpsKind::UnTracked(node) => node.finish(y),
    };
    (tracked, Tracked::<B>::new(inverse))
}

/// Forward pass of columns brought to mean 0 and deviation 1.
pub(super) fn standardise<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: Tracked<B>,
    epsilon: f32,
) -> (Tracked<B>, Tracked<B>) {
    let (y, inverse) = B::standardise(x.primitive().clone(), epsilon);
    divided::<B, C>(&x, y, inverse, B::standardise_gradient)
}

/// Forward pass of rows brought to length 1.
pub(super) fn unit_rows<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    x: Tracked<B>,
) -> (Tracked<B>, Tracked<B>) {
    let (y, inverse) = B::unit_rows(x.primitive().clone());
    divided::<B, C>(&x, y, inverse, B::unit_rows_gradient)
}

#[derive(Debug)]
struct ColumnProductsNode;

impl<B: GpuKernels + PlainGpuKernels> Backward<B, 2> for ColumnProductsNode {
    type State = [NodeId; 2];

    /// With the gradient G: `b G^T` for a, `a G` for b.
    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_a, parent_b] = ops.parents;
        let g = pixels::<B>(gradients.consume::<B>(&ops.node));
        let [a, b] = ops.state.map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let [n, columns_a] = dims::<B, 2>(&a);
        let [_, columns_b] = dims::<B, 2>(&b);
        if let Some(node) = parent_a {
            let da = B::convolution(pixels::<B>(b), g.clone(), ConvGeometry::POINTWISE);
            gradients.register::<B>(node.id, B::float_reshape(da, Shape::new([n, columns_a])));
        }
        if let Some(node) = parent_b {
            let db = B::input_gradient(g, pixels::<B>(a), [n, columns_b, 1, 1], ConvGeometry::POINTWISE);
            gradients.register::<B>(node.id, B::float_reshape(db, Shape::new([n, columns_b])));
        }
    }
}

/// `[n, c]` -> `[n, c, 1, 1]`.
fn pixels<B: GpuKernels + PlainGpuKernels>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [rows, columns] = dims::<B, 2>(&x);
    B::float_reshape(x, Shape::new([rows, columns, 1, 1]))
}

/// Forward pass of a and b; the graph keeps both.
pub(super) fn column_products<B: GpuKernels + PlainGpuKernels, C: CheckpointStrategy>(
    a: Tracked<B>,
    b: Tracked<B>,
) -> Tracked<B> {
    let y = B::column_products(a.primitive().clone(), b.primitive().clone());
    match ColumnProductsNode.prepare::<C>([a.node(), b.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = [node.checkpoint(&a), node.checkpoint(&b)];
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}
