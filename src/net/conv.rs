//! Two-dimensional convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use super::Init;

/// `y[n, o] = sum_i x[n, i] * w[o, i] (+ b[o])`, cross-correlated over rows and columns.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in / groups, k, k]`, as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// `[out]`; none before a batch norm, which would cancel it.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl Conv2d {
    /// A square kernel without bias, drawn from U(-b, b) with b = 1 / sqrt(fan in): PyTorch's default.
    pub fn init(channels: [usize; 2], kernel: usize, stride: usize, padding: usize, init: &mut Init) -> Self {
        let [input, output] = channels;
        let bound = 1.0 / ((input * kernel * kernel) as f64).sqrt();
        let weight = init.uniform([output, input, kernel, kernel], bound);
        Self { weight, bias: None, stride, padding }
    }

    /// Redraws the kernel from N(0, 2 / (k^2 out)) (He et al. 2015, with fan out), as RotNet's code does.
    pub fn he_fan_out(mut self, init: &mut Init) -> Self {
        let [output, _, height, width] = self.weight.dims();
        let std = (2.0 / (height * width * output) as f64).sqrt();
        self.weight = init.normal(self.weight.dims(), std);
        self
    }

    /// `[n, in, h, w]` -> `[n, out, h', w']`, `h' = (h + 2 padding - k) / stride + 1`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}
