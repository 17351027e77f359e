//! Decoder of context encoders, for inpainting.

use burn::module::Module;
use burn::tensor::Tensor;

use super::channelwise_fc::ChannelwiseFc;
use super::encoder::dcgan::STD;
use super::{Activation, BatchNorm, Conv2d, ConvTranspose2d, Init, WeightInit};

/// Most rows and columns of the smallest map, from which the decoder upsamples.
const START: usize = 4;

/// Sizes of an [`InpaintingDecoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InpaintingDecoderConfig {
    /// Channels and pixels a side of the encoder's last map.
    pub maps: [usize; 2],
    /// Width of the bottleneck between encoder and decoder; 0 for a channel-wise layer instead.
    pub bottleneck: usize,
    /// Channels before the last layer; each layer below has twice as many, up to eight times.
    pub width: usize,
    /// Channels and pixels a side of the predicted image.
    pub output: [usize; 2],
}

/// Layers between the encoder's last map and the decoder's first.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has one bridge")]
enum Bridge {
    /// Dense bottleneck: a convolution over the whole map to one vector, batch norm, leaky ReLU, a transposed convolution.
    Dense(Dense),
    /// Channel-wise fully connected layer, then a 1x1 convolution that mixes the channels.
    Apart(Apart),
}

#[derive(Module, Debug)]
struct Dense {
    squeeze: Conv2d,
    norm: BatchNorm,
    unfold: ConvTranspose2d,
}

#[derive(Module, Debug)]
struct Apart {
    pixels: ChannelwiseFc,
    channels: Conv2d,
}

/// Transposed convolution and batch norm.
#[derive(Module, Debug)]
struct Rise {
    deconv: ConvTranspose2d,
    norm: BatchNorm,
}

/// Decoder of a context encoder: a bottleneck or channel-wise layer, transposed convolutions that double the size, each with
/// batch norm and ReLU, and a last one with tanh (Pathak et al. 2016, from the authors' code).
#[derive(Module, Debug)]
pub struct InpaintingDecoder {
    bridge: Bridge,
    norm: BatchNorm,
    rises: Vec<Rise>,
    last: ConvTranspose2d,
}

impl InpaintingDecoderConfig {
    /// Builds the decoder: kernels from N(0, 0.02^2), the channel-wise layer by PyTorch's default. As in the encoder,
    /// convolutions have no biases.
    ///
    /// # Panics
    /// If the output has fewer than 8 pixels a side.
    pub fn init(&self, init: &mut Init) -> InpaintingDecoder {
        let [channels, side] = self.output;
        let sides = sides(side);
        let [.., before, _] = sides[..] else { panic!("the output has at least {} pixels a side", 2 * START) };
        let width = |level: usize| self.width << (sides.len() - 2 - level).min(3);
        let bridge = self.bridge(width(0), sides[0], init);
        let norm = BatchNorm::init(width(0), true, init);
        let rises = (1..sides.len() - 1).map(|level| {
            let deconv =
                ConvTranspose2d::doubling([width(level - 1), width(level)], [sides[level - 1], sides[level]], init);
            Rise { deconv: deconv.gaussian(STD, init), norm: BatchNorm::init(width(level), true, init) }
        });
        let rises = rises.collect();
        let last = ConvTranspose2d::doubling([self.width, channels], [before, side], init).gaussian(STD, init);
        InpaintingDecoder { bridge, norm, rises, last }
    }

    fn bridge(&self, width: usize, start: usize, init: &mut Init) -> Bridge {
        let [channels, side] = self.maps;
        if self.bottleneck == 0 {
            let pixels = ChannelwiseFc::init(channels, [side, start], init);
            let channels = Conv2d::init([channels, width], 1, 1, 0, init).redrawn(WeightInit::Gaussian(STD), init);
            return Bridge::Apart(Apart { pixels, channels });
        }
        let squeeze =
            Conv2d::init([channels, self.bottleneck], side, 1, 0, init).redrawn(WeightInit::Gaussian(STD), init);
        let norm = BatchNorm::init(self.bottleneck, true, init);
        let unfold = ConvTranspose2d::from_one_pixel([self.bottleneck, width], start, init).gaussian(STD, init);
        Bridge::Dense(Dense { squeeze, norm, unfold })
    }
}

/// Pixels a side of all maps up to `side`, the smallest first; each is twice the one before or one more.
pub(super) fn sides(side: usize) -> Vec<usize> {
    let mut sides = vec![side];
    while let Some(&first) = sides.first().filter(|&&first| first > START) {
        sides.insert(0, first / 2);
    }
    sides
}

impl InpaintingDecoder {
    /// `[n, c, m, m]` -> `[n, channels, side, side]`, in -1 to 1.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let x = match &self.bridge {
            Bridge::Dense(Dense { squeeze, norm, unfold }) => {
                unfold.forward(Activation::Leaky.forward(norm.forward(squeeze.forward(maps))))
            }
            Bridge::Apart(Apart { pixels, channels }) => channels.forward(pixels.forward(maps)),
        };
        let x = Activation::Relu.forward(self.norm.forward(x));
        let x =
            self.rises.iter().fold(x, |x, rise| Activation::Relu.forward(rise.norm.forward(rise.deconv.forward(x))));
        self.last.forward(x).tanh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn init(device: &Device) -> Init {
        Init::new(stream(3, Purpose::Weights, 0), device)
    }

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn sides_double_from_four_or_three_pixels() {
        assert_eq!(sides(64), [4, 8, 16, 32, 64]);
        assert_eq!(sides(28), [3, 7, 14, 28]);
        for (maps, side) in [([8, 4], 32), ([8, 3], 28), ([5, 7], 14)] {
            for bottleneck in [0, 6] {
                let plan = InpaintingDecoderConfig { maps, bottleneck, width: 2, output: [3, side] };
                let predicted = plan.init(&mut init(&Device::flex())).forward(noise([2, maps[0], maps[1], maps[1]]));
                assert_eq!(predicted.dims(), [2, 3, side, side]);
                let largest: f32 = predicted.abs().max().into_scalar();
                assert!(largest <= 1.0, "{largest}");
            }
        }
    }

    #[test]
    fn the_published_decoder_has_the_published_widths() {
        let plan = InpaintingDecoderConfig { maps: [512, 4], bottleneck: 4000, width: 64, output: [3, 64] };
        let decoder = plan.init(&mut init(&Device::flex()));
        let shapes: Vec<_> = decoder.rises.iter().map(|rise| rise.deconv.weight.dims()).collect();
        assert_eq!(shapes, [[512, 256, 4, 4], [256, 128, 4, 4], [128, 64, 4, 4]]);
        assert_eq!(decoder.last.weight.dims(), [64, 3, 4, 4]);
        let Bridge::Dense(Dense { squeeze, unfold, .. }) = &decoder.bridge else { panic!("a dense bridge") };
        assert_eq!((squeeze.weight.dims(), unfold.weight.dims()), ([4000, 512, 4, 4], [4000, 512, 4, 4]));
    }
}
