//! Discriminator of an adversarial loss.

use burn::module::Module;
use burn::tensor::Tensor;

use super::chain::ConvNormAct;
use super::encoder::dcgan::STD;
use super::inpainting_decoder::sides;
use super::{Activation, Conv2d, Init, WeightInit};

/// Discriminator of context encoders, which is DCGAN's: 4x4 convolutions of stride 2 down to four or three pixels a side, with w,
/// 2w, 4w, 8w, 8w, ... channels, batch norm in all but the first, leaky ReLU; then a convolution over the whole map to one
/// logit. As in the encoder, convolutions have no biases.
#[derive(Module, Debug)]
pub struct Discriminator {
    links: Vec<ConvNormAct>,
    last: Conv2d,
}

impl Discriminator {
    /// Discriminator for images of `channels` channels and `side` pixels a side (64 pixels at width 64 in the authors' code).
    pub fn init([channels, side]: [usize; 2], width: usize, init: &mut Init) -> Self {
        let sides = sides(side);
        let mut input = channels;
        let mut links = Vec::new();
        for level in 0..sides.len() - 1 {
            let output = width << level.min(3);
            let conv = Conv2d::init([input, output], 4, 2, 1, init).redrawn(WeightInit::Gaussian(STD), init);
            links.push(match level {
                0 => ConvNormAct::plain(conv, Activation::Leaky),
                _ => ConvNormAct::normed(conv, Activation::Leaky, init),
            });
            input = output;
        }
        Self { links, last: Conv2d::init([input, 1], sides[0], 1, 0, init).redrawn(WeightInit::Gaussian(STD), init) }
    }

    /// Logit of each image being real: `[n, c, side, side]` -> `[n]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<1> {
        let maps = self.links.iter().fold(images, |x, link| link.forward(x));
        let logits = self.last.forward(maps); // [n, 1, 1, 1]
        let [n, ..] = logits.dims();
        logits.reshape([n])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    #[test]
    fn kernels_have_the_published_widths_at_any_side() {
        let build = |side, width| {
            let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex());
            Discriminator::init([3, side], width, &mut init)
        };
        let shapes: Vec<_> = tensors::gather(&build(64, 64)).into_iter().map(|named| named.shape).collect();
        let kernels: Vec<_> = shapes.into_iter().filter(|shape| shape.len() == 4).collect();
        assert_eq!(kernels, [[64, 3, 4, 4], [128, 64, 4, 4], [256, 128, 4, 4], [512, 256, 4, 4], [1, 512, 4, 4]]);
        for side in [14, 16, 28, 32] {
            assert_eq!(build(side, 2).forward(Tensor::ones([2, 3, side, side], &Device::flex())).dims(), [2]);
        }
    }
}
