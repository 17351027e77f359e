//! What a network computes, as a list of operations: what other programs' formats are written from.

use std::collections::HashMap;

use burn::module::{Module, ParamId};

use super::chain::Activation;
use super::{BatchNorm, Conv2d, Pool, tensors};

/// What an encoder computes in inference mode of what it reads, up to its last map. The tensors that operations need are
/// named as in [`Encoder::state`](super::Encoder::state).
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// In the order they are taken.
    pub steps: Vec<Step>,
    /// The named layers but the last, each with the value that is its output.
    pub layers: Vec<(String, usize)>,
}

/// One operation. Value 0 is what is read, normalised; value i + 1 is what step i makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// To which values.
    pub inputs: Vec<usize>,
}

/// What is done to values.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A convolution with a square kernel.
    Conv(Convolution),
    /// Batch norm with running statistics.
    Norm {
        /// The scale's name; 1 without.
        weight: Option<String>,
        /// The shift's name; 0 without.
        bias: Option<String>,
        /// The running mean's.
        mean: String,
        /// The running variance's.
        variance: String,
    },
    /// What is not linear.
    Activation(Activation),
    /// A pooling that does something.
    Pool(Pool),
    /// Local response normalisation, see [`local_response`](super::local_response).
    Response,
    /// The sum of two values.
    Add,
    /// Some of the channels.
    Channels {
        /// The first.
        start: usize,
        /// How many.
        count: usize,
    },
    /// The channels of one value, then those of another.
    Join,
}

impl Operation {
    /// The names of the tensors it needs.
    pub fn tensors(&self) -> Vec<String> {
        match self.clone() {
            Operation::Conv(conv) => std::iter::once(conv.weight).chain(conv.bias).collect(),
            Operation::Norm { weight, bias, mean, variance } => {
                weight.into_iter().chain(bias).chain([mean, variance]).collect()
            }
            Operation::Activation(_) | Operation::Pool(_) | Operation::Response => Vec::new(),
            Operation::Add | Operation::Channels { .. } | Operation::Join => Vec::new(),
        }
    }
}

/// A convolution's tensors and geometry.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// The kernel's name.
    pub weight: String,
    /// The bias's, where there is one.
    pub bias: Option<String>,
    /// Pixels between two positions.
    pub stride: usize,
    /// Zeros put around the image.
    pub padding: usize,
    /// Pixels between two points of the kernel.
    pub dilation: usize,
    /// Parts that do not see each other's channels.
    pub groups: usize,
}

/// Writes down what is done, one operation after the other. Each method returns the number of the value it makes.
pub(super) struct Writer {
    names: HashMap<ParamId, String>,
    steps: Vec<Step>,
    ends: Vec<usize>,
}

impl Writer {
    /// For a network whose tensors have these names.
    pub(super) fn new(names: HashMap<ParamId, String>) -> Self {
        Self { names, steps: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn step(&mut self, operation: Operation, inputs: Vec<usize>) -> usize {
        self.steps.push(Step { operation, inputs });
        self.steps.len()
    }

    pub(super) fn conv(&mut self, conv: &Conv2d, x: usize) -> usize {
        let (weight, bias) = (self.owned(conv, "weight"), self.name(conv, "bias"));
        let conv = conv.outline(weight, bias);
        self.step(Operation::Conv(conv), vec![x])
    }

    pub(super) fn norm(&mut self, norm: &BatchNorm, x: usize) -> usize {
        let (weight, bias) = (self.name(norm, "weight"), self.name(norm, "bias"));
        let (mean, variance) = (self.owned(norm, "running_mean"), self.owned(norm, "running_var"));
        self.step(Operation::Norm { weight, bias, mean, variance }, vec![x])
    }

    /// A convolution and its batch norm.
    pub(super) fn normed(&mut self, conv: &Conv2d, norm: &BatchNorm, x: usize) -> usize {
        let y = self.conv(conv, x);
        self.norm(norm, y)
    }

    pub(super) fn relu(&mut self, x: usize) -> usize {
        self.step(Operation::Activation(Activation::Relu), vec![x])
    }

    pub(super) fn pool(&mut self, pool: Pool, x: usize) -> usize {
        if pool == Pool::None { x } else { self.step(Operation::Pool(pool), vec![x]) }
    }

    /// Ends a named layer.
    pub(super) fn layer(&mut self, x: usize) {
        self.ends.push(x);
    }

    /// The layers that have ended so far, which are then forgotten.
    pub(super) fn take_layers(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ends)
    }

    /// The whole, with names for the layers.
    pub(super) fn finish(self, names: Vec<String>) -> Outline {
        Outline { steps: self.steps, layers: names.into_iter().zip(self.ends).collect() }
    }

    /// The name within the network of a layer's tensor.
    fn name<M: Module>(&self, layer: &M, field: &str) -> Option<String> {
        let (id, _) = tensors::ids(layer).into_iter().find(|(_, name)| name == field)?;
        Some(self.names[&id].clone())
    }

    fn owned<M: Module>(&self, layer: &M, field: &str) -> String {
        self.name(layer, field).expect("every such layer has this tensor")
    }
}
