//! A network that tells painted pictures from real ones.

use burn::module::Module;
use burn::tensor::Tensor;

use super::chain::{Activation, Link};
use super::encoder::dcgan::STD;
use super::inpainting_decoder::sides;
use super::{Conv2d, Init, Start};

/// The discriminator of context encoders, which is DCGAN's: 4x4 convolutions at every second pixel down to four pixels or
/// three, with w, 2w, 4w, 8w, 8w, ... channels, batch norm in all but the first, leaky ReLU; then one number for the whole
/// map. As in the encoder, convolutions have no biases.
#[derive(Module, Debug)]
pub struct Discriminator {
    links: Vec<Link>,
    last: Conv2d,
}

impl Discriminator {
    /// For pictures of `channels` channels and `side` pixels a side (64 at width 64 in the authors' code).
    pub fn init([channels, side]: [usize; 2], width: usize, init: &mut Init) -> Self {
        let sides = sides(side);
        let (mut input, mut links) = (channels, Vec::new());
        for level in 0..sides.len() - 1 {
            let output = width << level.min(3);
            let conv = Conv2d::init([input, output], 4, 2, 1, init).redrawn(Start::Gaussian(STD), init);
            links.push(match level {
                0 => Link::plain(conv, Activation::Leaky),
                _ => Link::normed(conv, Activation::Leaky, init),
            });
            input = output;
        }
        Self { links, last: Conv2d::init([input, 1], sides[0], 1, 0, init).redrawn(Start::Gaussian(STD), init) }
    }

    /// How real each picture looks, as a logit: `[n, c, side, side]` -> `[n]`.
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<1> {
        let maps = self.links.iter().fold(pictures, |x, link| link.forward(x));
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
    fn it_has_the_published_widths_and_fits_any_side() {
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
