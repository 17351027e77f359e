//! Dense prediction heads, with an output for every pixel.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Activation, Conv2d, ConvTranspose2d, Init};

/// Dense prediction head: a transposed convolution to twice the size and `width` channels, 3x3 convolutions of that width, each
/// followed by ReLU, and a 1x1 convolution. Colorization's last block is one.
#[derive(Module, Debug)]
pub struct PixelHead {
    up: Option<ConvTranspose2d>,
    convs: Vec<Conv2d>,
    last: Conv2d,
}

impl PixelHead {
    /// Head from maps of `input` channels to `output` values a pixel; with a width of 0 it is only the 1x1 convolution.
    pub fn init(input: usize, width: usize, convs: usize, output: usize, init: &mut Init) -> Self {
        if width == 0 {
            let last = Conv2d::init([input, output], 1, 1, 0, init).with_bias(init);
            return Self { up: None, convs: Vec::new(), last };
        }
        // the layer that takes 1 pixel to 2 takes any number to twice as many
        let up = ConvTranspose2d::doubling([input, width], [1, 2], init).with_bias(init);
        let conv = |init: &mut Init| Conv2d::init([width, width], 3, 1, 1, init).he_fan_out(init).with_bias(init);
        let convs = (0..convs).map(|_| conv(init)).collect();
        let last = Conv2d::init([width, output], 1, 1, 0, init).with_bias(init);
        Self { up: Some(up), convs, last }
    }

    /// `[n, input, h, w]` -> `[n, output, 2 h, 2 w]`, or `[n, output, h, w]` with a width of 0.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.up {
            Some(up) => Activation::Relu.forward(up.forward(x)),
            None => x,
        };
        let x = self.convs.iter().fold(x, |x, conv| Activation::Relu.forward(conv.forward(x)));
        self.last.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn init(device: &Device) -> Init {
        Init::new(stream(3, Purpose::Weights, 0), device)
    }

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn colorizations_last_block_doubles_the_map() {
        let head = PixelHead::init(512, 256, 2, 309, &mut init(&Device::flex().autodiff()));
        let conv = |input: usize, output: usize, kernel: usize| input * output * kernel * kernel + output;
        assert_eq!(tensors::count(&head), conv(512, 256, 4) + 2 * conv(256, 256, 3) + conv(256, 309, 1));
        let small = PixelHead::init(8, 4, 1, 5, &mut init(&Device::flex()));
        assert_eq!(small.forward(noise([1, 8, 3, 4])).dims(), [1, 5, 6, 8]);
        let flat = PixelHead::init(8, 0, 1, 5, &mut init(&Device::flex()));
        assert_eq!(flat.forward(noise([1, 8, 3, 4])).dims(), [1, 5, 3, 4]);
    }
}
