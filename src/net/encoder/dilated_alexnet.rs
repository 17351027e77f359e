//! Dilated AlexNet of colorization and split-brain autoencoders.

use crate::net::chain::{Chain, ConvNormAct, NamedLayer};
use crate::net::{Activation, Conv2d, Init, Pool};

/// AlexNet with batch norm in place of local response normalisation, poolings of padding 1, the last of which has stride 1, and
/// fully connected layers as convolutions, the first of them 6x6 with dilation 2: 180 pixels give maps of 12 (Zhang, Isola and
/// Efros 2017). Channels 96, 256, 384, 384, 256, then 4096 twice; in one group.
///
/// The paper does not give the padding of the first layer; a padding of 5 gives its maps of 12 pixels.
pub(super) fn dilated_alexnet(width: usize, channels: usize, init: &mut Init) -> Chain {
    let [w1, w2, w3, w5, w6] = [96, 256, 384, 256, 4096].map(|published| (published * width / 96).max(1));
    // name, channels, kernel, stride, padding, dilation, pooling
    let plan = [
        ("conv1", w1, 11, 4, 5, 1, Pool::Max3),
        ("conv2", w2, 5, 1, 2, 1, Pool::Max3),
        ("conv3", w3, 3, 1, 1, 1, Pool::None),
        ("conv4", w3, 3, 1, 1, 1, Pool::None),
        ("conv5", w5, 3, 1, 1, 1, Pool::Max3Same),
        ("fc6", w6, 6, 1, 5, 2, Pool::None),
        ("fc7", w6, 1, 1, 0, 1, Pool::None),
    ];
    let mut input = channels;
    let sections = plan.into_iter().map(|(name, output, kernel, stride, padding, dilation, pool)| {
        let conv = Conv2d::init([input, output], kernel, stride, padding, init).with_dilation(dilation);
        input = output;
        let link = ConvNormAct::normed(conv.he_fan_out(init), Activation::Relu, init);
        NamedLayer::new(name, vec![link]).pooled(pool)
    });
    Chain::new(sections.collect())
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, Input};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn images_of_180_pixels_give_maps_of_12() {
        let config = EncoderConfig {
            input: Input::Lab,
            input_mean: vec![50.0, 0.0, 0.0],
            input_std: vec![1.0],
            ..EncoderConfig::published(EncoderKind::DilatedAlexnet, "imagenet")
        };
        // narrow, except for the one check of the full width
        let encoder = build(&EncoderConfig { width: 12, ..config.clone() }, 3, &Device::flex());
        let maps = encoder.maps(Tensor::ones([1, 3, 180, 180], &Device::flex()));
        let shapes: Vec<_> = maps.iter().map(|map| [map.dims()[1], map.dims()[2]]).collect();
        assert_eq!(shapes, [[12, 23], [32, 12], [48, 12], [48, 12], [32, 12], [512, 12], [512, 12]]);
        assert_eq!(build(&config, 3, &Device::flex()).width(), 4096);
        assert_eq!(encoder.layer_names(), ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "gap"]);
    }
}
