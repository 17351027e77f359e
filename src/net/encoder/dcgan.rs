//! Encoder of the context encoders' inpainting network, which is DCGAN's discriminator (Radford et al. 2016).

use crate::net::chain::{Chain, ConvNormAct, NamedLayer};
use crate::net::{Activation, Conv2d, Init, WeightInit};

/// Standard deviation of initial kernels, in the decoder and the discriminator too.
pub(in crate::net) const STD: f64 = 0.02;

/// 4x4 convolutions of stride 2 with channels w times `factors`, batch norm in all but the first, leaky ReLU.
///
/// The authors' code sets the biases of its convolutions to 0 after every step; these convolutions have none.
pub(super) fn dcgan(factors: &[usize], width: usize, channels: usize, init: &mut Init) -> Chain {
    let mut input = channels;
    let sections = factors.iter().enumerate().map(|(index, factor)| {
        let conv = Conv2d::init([input, factor * width], 4, 2, 1, init).redrawn(WeightInit::Gaussian(STD), init);
        input = factor * width;
        let link = match index {
            0 => ConvNormAct::plain(conv, Activation::Leaky),
            _ => ConvNormAct::normed(conv, Activation::Leaky, init),
        };
        NamedLayer::new(format!("conv{}", index + 1), vec![link])
    });
    Chain::new(sections.collect())
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, tensors};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn maps_shrink_to_four_pixels_at_the_intended_size() {
        let shapes = |kind, side| -> Vec<[usize; 2]> {
            let encoder = build(&EncoderConfig::published(kind, "cifar-10"), 3, &Device::flex());
            let maps = encoder.maps(Tensor::ones([1, 3, side, side], &Device::flex()));
            maps.iter().map(|map| [map.dims()[1], map.dims()[2]]).collect()
        };
        assert_eq!(shapes(EncoderKind::Dcgan, 128), [[64, 64], [64, 32], [128, 16], [256, 8], [512, 4]]);
        assert_eq!(shapes(EncoderKind::DcganCifar, 32), [[64, 16], [128, 8], [256, 4]]);
    }

    #[test]
    fn convolutions_have_no_biases() {
        let encoder = build(&EncoderConfig::published(EncoderKind::Dcgan, "cifar-10"), 3, &Device::flex());
        let vectors = tensors::gather(&encoder).into_iter().filter(|named| named.shape.len() == 1);
        assert!(vectors.map(|named| named.name).all(|name| name.contains(".norm.")), "a convolution has a bias");
    }
}
