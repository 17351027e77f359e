//! The kernels as nodes of the graph that gradients flow back through.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn_flex::FlexTensor;

use super::{Window, batch_norm, convolution as convolve, max_pool};

type Tracked = FloatTensor<Autodiff<Flex>>;

#[derive(Debug)]
struct Convolved;

impl Backward<Flex, 2> for Convolved {
    type State = (NodeId, NodeId, Window);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [parent_x, parent_w] = ops.parents;
        let g = gradients.consume::<Flex>(&ops.node);
        let (x, w, window) = ops.state;
        let [x, w] = [x, w].map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
        if let Some(node) = parent_x {
            gradients.register::<Flex>(node.id, convolve::of_data(&x, &w, &g, window));
        }
        if let Some(node) = parent_w {
            gradients.register::<Flex>(node.id, convolve::of_weights(&x, &w, &g, window));
        }
    }
}

/// The value, remembered with what its gradient takes.
pub(super) fn convolution<C: CheckpointStrategy>(x: Tracked, w: Tracked, window: Window) -> Tracked {
    let y = convolve::value(x.primitive(), w.primitive(), window);
    match Convolved.prepare::<C>([x.node(), w.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&w), window);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct Pooled;

impl Backward<Flex, 1> for Pooled {
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

/// The value, remembered with what its gradient takes.
pub(super) fn max_of_cells<C: CheckpointStrategy>(x: Tracked) -> Tracked {
    let y = max_pool::value(x.primitive());
    match Pooled.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = node.checkpoint(&x);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

#[derive(Debug)]
struct Normalised;

impl Backward<Flex, 3> for Normalised {
    type State = (NodeId, NodeId, FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let parents = ops.parents;
        let g = gradients.consume::<Flex>(&ops.node);
        let (x, scale, moments, epsilon) = ops.state;
        let [x, scale] = [x, scale].map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
        let found = batch_norm::gradients(&x, &scale, &moments, &g, epsilon);
        for (parent, gradient) in parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// The value, remembered with what its gradients take: x, scale and shift have one.
pub(super) fn normalised<C: CheckpointStrategy>(parents: [Tracked; 3], moments: Tracked, epsilon: f64) -> Tracked {
    let [x, scale, shift] = parents;
    let moments = moments.into_primitive();
    let y = batch_norm::value(x.primitive(), scale.primitive(), shift.primitive(), &moments, epsilon);
    match Normalised.prepare::<C>([x.node(), scale.node(), shift.node()]).compute_bound().stateful() {
        OpsKind::Tracked(mut node) => {
            let state = (node.checkpoint(&x), node.checkpoint(&scale), moments, epsilon);
            node.finish(state, y)
        }
        OpsKind::UnTracked(node) => node.finish(y),
    }
}
