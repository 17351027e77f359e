//! Computation graph of an encoder, from which it is exported to other formats (ONNX).

use std::collections::HashMap;

use burn::module::{Module, ParamId};

use super::{Activation, BatchNorm, Conv2d, Pool, tensors};
use crate::kernel::ConvGeometry;

/// Operations of an encoder in inference mode, from its normalised input to its last map. Tensors are named as in
/// [`Encoder::state`](super::Encoder::state).
#[derive(Clone, Debug, PartialEq)]
pub struct ComputationGraph {
    /// Operations in the order of their execution.
    pub nodes: Vec<Node>,
    /// Named layers but the last, each with the index of the value that is its output.
    pub layers: Vec<(String, usize)>,
}

/// An operation and its inputs. Value 0 is the normalised input of the graph; value i + 1 is the output of node i.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Operation, with the names of its tensors.
    pub operation: Operation,
    /// Indices of its input values.
    pub inputs: Vec<usize>,
}

/// Kind of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Convolution with a square kernel.
    Conv(Convolution),
    /// Batch norm with running statistics.
    Norm {
        /// Name of the scale; none for a scale of 1.
        weight: Option<String>,
        /// Name of the shift; none for a shift of 0.
        bias: Option<String>,
        /// Name of the running mean.
        mean: String,
        /// Name of the running variance.
        variance: String,
    },
    /// Activation function.
    Activation(Activation),
    /// Pooling, never [`Pool::None`].
    Pool(Pool),
    /// Local response normalisation, see [`local_response_norm`](super::local_response_norm).
    Lrn,
    /// Sum of two values.
    Add,
    /// Range of channels.
    Slice {
        /// First channel.
        start: usize,
        /// Number of channels.
        count: usize,
    },
    /// Concatenation of two values along the channels.
    Concat,
}

impl Operation {
    /// Names of its tensors.
    pub fn tensors(&self) -> Vec<String> {
        match self.clone() {
            Operation::Conv(conv) => std::iter::once(conv.weight).chain(conv.bias).collect(),
            Operation::Norm { weight, bias, mean, variance } => {
                weight.into_iter().chain(bias).chain([mean, variance]).collect()
            }
            Operation::Activation(_) | Operation::Pool(_) | Operation::Lrn => Vec::new(),
            Operation::Add | Operation::Slice { .. } | Operation::Concat => Vec::new(),
        }
    }
}

/// Tensors and geometry of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// Name of the kernel.
    pub weight: String,
    /// Name of the bias, if it has one.
    pub bias: Option<String>,
    /// Stride, padding, dilation and groups.
    pub geometry: ConvGeometry,
}

/// Builds a graph node by node. Each method returns the index of its output value.
pub(super) struct GraphBuilder {
    names: HashMap<ParamId, String>,
    nodes: Vec<Node>,
    ends: Vec<usize>,
}

impl GraphBuilder {
    /// Builder for a network whose tensors have these names.
    pub(super) fn new(names: HashMap<ParamId, String>) -> Self {
        Self { names, nodes: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn push(&mut self, operation: Operation, inputs: Vec<usize>) -> usize {
        self.nodes.push(Node { operation, inputs });
        self.nodes.len()
    }

    pub(super) fn conv(&mut self, conv: &Conv2d, x: usize) -> usize {
        let weight = self.owned(conv, "weight");
        let bias = self.name(conv, "bias");
        self.push(Operation::Conv(Convolution { weight, bias, geometry: conv.geometry() }), vec![x])
    }

    pub(super) fn norm(&mut self, norm: &BatchNorm, x: usize) -> usize {
        let weight = self.name(norm, "weight");
        let bias = self.name(norm, "bias");
        let mean = self.owned(norm, "running_mean");
        let variance = self.owned(norm, "running_var");
        self.push(Operation::Norm { weight, bias, mean, variance }, vec![x])
    }

    /// Adds a convolution and its batch norm.
    pub(super) fn normed(&mut self, conv: &Conv2d, norm: &BatchNorm, x: usize) -> usize {
        let y = self.conv(conv, x);
        self.norm(norm, y)
    }

    pub(super) fn relu(&mut self, x: usize) -> usize {
        self.push(Operation::Activation(Activation::Relu), vec![x])
    }

    pub(super) fn pool(&mut self, pool: Pool, x: usize) -> usize {
        if pool == Pool::None { x } else { self.push(Operation::Pool(pool), vec![x]) }
    }

    /// Marks value `x` as the output of the next named layer.
    pub(super) fn layer(&mut self, x: usize) {
        self.ends.push(x);
    }

    /// Removes and returns the outputs of the layers marked so far.
    pub(super) fn take_layers(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ends)
    }

    /// Finished graph, with names for the marked layers.
    pub(super) fn finish(self, names: Vec<String>) -> ComputationGraph {
        ComputationGraph { nodes: self.nodes, layers: names.into_iter().zip(self.ends).collect() }
    }

    /// Name within the network of the tensor in `field` of a layer; none if the layer has no such tensor.
    fn name<M: Module>(&self, layer: &M, field: &str) -> Option<String> {
        let (id, _) = tensors::ids(layer).into_iter().find(|(_, name)| name == field)?;
        Some(self.names[&id].clone())
    }

    fn owned<M: Module>(&self, layer: &M, field: &str) -> String {
        self.name(layer, field).expect("layers of this type always have this tensor")
    }
}
