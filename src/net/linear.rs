//! Fully connected layer.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Init, WeightInit};
use crate::kernel;

/// Fully connected layer: `y = x W^T + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`, as in PyTorch.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Weights from U(-b, b) with b = 1 / sqrt(in), PyTorch's default; a bias of 0 with `bias`.
    pub fn init(input: usize, output: usize, bias: bool, init: &mut Init) -> Self {
        let weight = init.uniform([output, input], 1.0 / (input as f64).sqrt());
        let bias = bias.then(|| init.constant([output], 0.0));
        Self { weight, bias }
    }

    /// Redraws the bias from U(-b, b) with b = 1 / sqrt(in), the default of PyTorch's `nn.Linear`. Without a bias nothing
    /// changes.
    pub fn with_uniform_bias(mut self, init: &mut Init) -> Self {
        let [output, input] = self.weight.dims();
        self.bias = self.bias.map(|_| init.uniform([output], 1.0 / (input as f64).sqrt()));
        self
    }

    /// Redraws the weights by another initialisation and sets the bias to 0.
    pub fn redrawn(self, start: WeightInit, init: &mut Init) -> Self {
        let [output, input] = self.weight.dims();
        let weight = start.draw([output, input], input, init);
        Self { weight, bias: self.bias.map(|_| init.constant([output], 0.0)) }
    }

    /// `[n, in]` -> `[n, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernel::linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }
}
