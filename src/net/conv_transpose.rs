//! Transposed convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;

use super::Init;
use crate::kernel;

/// Transposed convolution layer with a square kernel: each input pixel adds its multiple of the kernel to the output.
#[derive(Module, Debug)]
pub struct ConvTranspose2d {
    /// `[in, out, k, k]`, as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
    /// Output padding: rows and columns added at the bottom and on the right.
    #[module(skip)]
    added: usize,
}

impl ConvTranspose2d {
    /// From one pixel to `side` x `side`, without bias.
    pub fn from_one_pixel(channels: [usize; 2], side: usize, init: &mut Init) -> Self {
        Self::init(channels, side, 1, [0, 0], init)
    }

    /// With a 4x4 kernel of stride 2 and without bias, from `from` pixels a side to `to`.
    ///
    /// # Panics
    /// If `to` is neither twice `from` nor one more.
    pub fn doubling(channels: [usize; 2], [from, to]: [usize; 2], init: &mut Init) -> Self {
        assert!(to == 2 * from || to == 2 * from + 1, "conv_transpose: {from} pixels cannot become {to}");
        Self::init(channels, 4, 2, [1, to - 2 * from], init)
    }

    /// Weights from U(-b, b) with b = 1 / sqrt(out k^2), PyTorch's default.
    fn init(channels: [usize; 2], kernel: usize, stride: usize, [padding, added]: [usize; 2], init: &mut Init) -> Self {
        let [input, output] = channels;
        let weight = init.uniform([input, output, kernel, kernel], 1.0 / ((output * kernel * kernel) as f64).sqrt());
        Self { weight, bias: None, stride, padding, added }
    }

    /// Redraws the kernel from N(0, std^2).
    pub fn gaussian(mut self, std: f64, init: &mut Init) -> Self {
        self.weight = init.normal(self.weight.dims(), std);
        self
    }

    /// With a bias of 0.
    pub fn with_bias(mut self, init: &mut Init) -> Self {
        let [_, output, ..] = self.weight.dims();
        self.bias = Some(init.constant([output], 0.0));
        self
    }

    /// `[n, in, h, w]` -> `[n, out, h', w']`, `h' = (h - 1) stride - 2 padding + k + added`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvTransposeOptions::new([self.stride; 2], [self.padding; 2], [self.added; 2], [1, 1], 1);
        kernel::count_fallback("transposed convolution", &x);
        conv_transpose2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, TensorData};

    fn init(device: &Device) -> Init {
        Init::new(stream(3, Purpose::Weights, 0), device)
    }

    #[test]
    fn an_input_pixel_adds_its_multiple_of_the_kernel() {
        let device = Device::flex();
        let layer = ConvTranspose2d::doubling([1, 1], [2, 5], &mut init(&device));
        let kernel: Vec<f32> = layer.weight.val().into_data().try_to_vec().expect("floats");
        let x = Tensor::<4>::from_data(TensorData::new(vec![0.0f32, 2.0, 0.0, 0.0], [1, 1, 2, 2]), &device);
        let y: Vec<f32> = layer.forward(x).into_data().try_to_vec().expect("floats");
        // input pixel (0, 1) puts the kernel's upper left corner at row -1, column 1
        for (row, column) in (0..5).flat_map(|row| (0..5).map(move |column| (row, column))) {
            let inside = row < 3 && (1..5).contains(&column);
            let expected = if inside { 2.0 * kernel[(row + 1) * 4 + column - 1] } else { 0.0 };
            assert!((y[row * 5 + column] - expected).abs() < 1e-6, "row {row}, column {column}");
        }
    }
}
