//! Segmentation heads, which predict a binary mask.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::{Conv2d, Init, Linear, PixelHead};
use crate::view::resize;

/// Sizes of a [`MaskHead`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskHeadConfig {
    /// Channels, rows and columns of the encoder's last map.
    pub maps: [usize; 3],
    /// Channels within the head.
    pub width: usize,
    /// Width of the bottleneck before the fully connected layer to all pixels; 0 predicts each pixel from its neighbourhood by
    /// convolutions.
    pub bottleneck: usize,
    /// Rows and columns of the mask.
    pub side: usize,
}

/// Head from maps to the logits of a mask.
#[derive(Module, Debug)]
pub struct MaskHead {
    draw: Draw,
    #[module(skip)]
    side: usize,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a run holds one of them, and a box is no module")]
enum Draw {
    Whole(Whole),
    Local(PixelHead),
}

/// DeepMask's head (Pinheiro, Collobert and Dollar 2015, section 3.1) as Pathak et al. 2017 use it: a 1x1 convolution, ReLU, and
/// two linear layers without an activation between them, through which every pixel depends on the whole map.
#[derive(Module, Debug)]
struct Whole {
    squeeze: Conv2d,
    bottleneck: Linear,
    pixels: Linear,
}

impl MaskHeadConfig {
    /// Builds the head.
    pub fn init(&self, init: &mut Init) -> MaskHead {
        let Self { maps: [channels, h, w], width, bottleneck, side } = *self;
        let draw = if bottleneck == 0 {
            Draw::Local(PixelHead::init(channels, width, 1, 1, init))
        } else {
            Draw::Whole(Whole {
                squeeze: Conv2d::init([channels, width], 1, 1, 0, init).he_fan_out(init).with_bias(init),
                bottleneck: Linear::init(width * h * w, bottleneck, true, init),
                pixels: Linear::init(bottleneck, side * side, true, init),
            })
        };
        MaskHead { draw, side }
    }
}

impl MaskHead {
    /// Logits of the mask: `[n, c, h, w]` -> `[n, 1, side, side]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let side = self.side;
        match &self.draw {
            Draw::Local(head) => resize(head.forward(maps), [side, side]),
            Draw::Whole(Whole { squeeze, bottleneck, pixels }) => {
                let [n, ..] = maps.dims();
                let x = relu(squeeze.forward(maps)).flatten::<2>(1, 3);
                pixels.forward(bottleneck.forward(x)).reshape([n, 1, side, side])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn head(bottleneck: usize) -> MaskHead {
        let mut init = Init::new(stream(3, Purpose::Weights, 0), &Device::flex().autodiff());
        MaskHeadConfig { maps: [8, 6, 5], width: 4, bottleneck, side: 24 }.init(&mut init)
    }

    #[test]
    fn masks_and_layers_have_the_configured_sizes() {
        let maps = Tensor::<4>::random([2, 8, 6, 5], Distribution::Normal(0.0, 1.0), &Device::flex());
        for bottleneck in [0, 7] {
            assert_eq!(head(bottleneck).valid().forward(maps.clone()).dims(), [2, 1, 24, 24]);
        }
        let linear = |input: usize, output: usize| input * output + output;
        assert_eq!(tensors::count(&head(7)), linear(8, 4) + linear(4 * 30, 7) + linear(7, 576));
    }

    #[test]
    fn only_a_bottleneck_lets_far_pixels_matter() {
        let device = Device::flex();
        let maps = Tensor::<4>::random([1, 8, 6, 5], Distribution::Normal(0.0, 1.0), &device);
        let corner = Tensor::<4>::ones([1, 8, 1, 1], &device) * 5.0;
        let other = maps.clone().slice_assign([0..1, 0..8, 5..6, 4..5], corner);
        for (bottleneck, matters) in [(0, false), (7, true)] {
            let head = head(bottleneck).valid();
            let top = |maps: &Tensor<4>| head.forward(maps.clone()).narrow(2, 0, 8).narrow(3, 0, 8);
            let change: f32 = (top(&maps) - top(&other)).abs().max().into_scalar();
            assert_eq!(change > 0.0, matters, "{bottleneck}: {change}");
        }
    }
}
