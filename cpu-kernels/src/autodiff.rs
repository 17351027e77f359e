//! The kernels as nodes of Burn's autodiff graph.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn_flex::FlexTensor;

use super::{ConvGeometry, batch_norm, convolution, max_pool};

type Tracked = FloatTensor<Autodiff<Flex>>;

#[derive(Debug)]
struct ConvolutionNode;

impl Backward<Flex, 2> for ConvolutionNode {
    type State = (NodeId, NodeId, ConvGeometry);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_x, parent_w] = ops.parents;
        let g = gradients.consume::<Flex>(&ops.node);
        let (x, w, geometry) = ops.state;
        let [x, w] = [x, w].map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
        if let Some(node) = parent_x {
            gradients.register::<Flex>(node.id, convolution::input_gradient(&x, &w, &g, geometry));
        }
        if let Some(node) = parent_w {
            gradients.register::<Flex>(node.id, convolution::weight_gradient(&x, &w, &g, geometry));
        }
    }
}

/// Forward pass; the graph keeps x and w for the two gradients.
pub(super) fn convolution<C: CheckpointStrategy>(x: Tracked, w: Tracked, geometry: ConvGeometry) -> Tracked {
    let y = convolution::forward(x.primitive(), w.primitive(), geometry);
    match ConvolutionNode.prepare::<C>([x.node(), w.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&w), geometry);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct MaxPoolNode;

impl Backward<Flex, 1> for MaxPoolNode {
    type State = NodeId;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent] = ops.parents;
        let g = gradients.consume::<Flex>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FlexTensor>(ops.state);
        if let Some(node) = parent {
            gradients.register::<Flex>(node.id, max_pool::gradient(&x, &g));
        }
    }
}

/// Forward pass; the graph keeps x, from which the gradient finds the maxima again.
pub(super) fn max_pool_2x2<C: CheckpointStrategy>(x: Tracked) -> Tracked {
    let y = max_pool::forward(x.primitive());
    match MaxPoolNode.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = node.checkpoint(&x);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct BatchNormNode;

impl Backward<Flex, 3> for BatchNormNode {
    type State = (NodeId, NodeId, FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let parents = ops.parents;
        let g = gradients.consume::<Flex>(&ops.node);
        let (x, scale, moments, epsilon) = ops.state;
        let [x, scale] = [x, scale].map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
        let gradients_of_parents = batch_norm::gradients(&x, &scale, &moments, &g, epsilon);
        for (parent, gradient) in parents.into_iter().zip(gradients_of_parents) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// Forward pass; the graph keeps x, scale and the batch statistics for the gradients of x, scale and shift.
pub(super) fn normalised<C: CheckpointStrategy>(parents: [Tracked; 3], moments: Tracked, epsilon: f64) -> Tracked {
    let [x, scale, shift] = parents;
    let moments = moments.into_primitive();
    let y = batch_norm::forward(x.primitive(), scale.primitive(), shift.primitive(), &moments, epsilon);
    match BatchNormNode.prepare::<C>([x.node(), scale.node(), shift.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&scale), moments, epsilon);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}
