//! Colorization's VGG-like network, without its last block, which is part of the method's head.

use crate::net::chain::{Chain, ConvNormAct, NamedLayer};
use crate::net::{Activation, Conv2d, Init};

/// Seven blocks of 3x3 convolutions with w, 2w, 4w, 8w, 8w, 8w, 8w channels. The last convolution of each of the first three
/// blocks has stride 2, those of the fifth and sixth block have dilation 2. ReLU after each convolution, batch norm without scale
/// and shift at the end of each block (Zhang, Isola and Efros 2016, from the authors' code; width 64).
pub(super) fn colour_vgg(width: usize, channels: usize, init: &mut Init) -> Chain {
    // channels as a multiple of w, number of convolutions, stride 2 at the end, dilation
    let plan = [
        (1, 2, true, 1),
        (2, 2, true, 1),
        (4, 3, true, 1),
        (8, 3, false, 1),
        (8, 3, false, 2),
        (8, 3, false, 2),
        (8, 3, false, 1),
    ];
    let mut input = channels;
    let sections = plan.into_iter().enumerate().map(|(number, (factor, count, halves, dilation))| {
        let links = (1..=count).map(|index| {
            let stride = if halves && index == count { 2 } else { 1 };
            let conv = Conv2d::init([input, factor * width], 3, stride, dilation, init).with_dilation(dilation);
            input = factor * width;
            ConvNormAct::plain(conv.he_fan_out(init).with_bias(init), Activation::Relu)
        });
        let links = links.collect();
        NamedLayer::new(format!("conv{}", number + 1), links).closed(init)
    });
    Chain::new(sections.collect())
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, tensors};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn blocks_follow_the_published_plan() {
        let config = EncoderConfig { width: 4, ..EncoderConfig::published(EncoderKind::ColourVgg, "gray") };
        let encoder = build(&config, 1, &Device::flex());
        let maps = encoder.maps(Tensor::ones([1, 1, 48, 48], &Device::flex()));
        let shapes: Vec<_> = maps.iter().map(|map| [map.dims()[1], map.dims()[2]]).collect();
        assert_eq!(shapes, [[4, 24], [8, 12], [16, 6], [32, 6], [32, 6], [32, 6], [32, 6]]);
        assert_eq!(encoder.layer_names()[6], "conv7");
    }

    #[test]
    fn parameter_count_agrees_with_the_published_plan() {
        let encoder = build(&EncoderConfig::published(EncoderKind::ColourVgg, "gray"), 1, &Device::flex().autodiff());
        let conv = |input: usize, output: usize| 9 * input * output + output;
        let first = conv(1, 64) + conv(64, 64) + conv(64, 128) + conv(128, 128) + conv(128, 256) + 2 * conv(256, 256);
        assert_eq!(tensors::count(&encoder), first + conv(256, 512) + 11 * conv(512, 512));
    }

    #[test]
    fn dilation_widens_the_receptive_field() {
        let config = EncoderConfig { width: 4, ..EncoderConfig::published(EncoderKind::ColourVgg, "gray") };
        let encoder = build(&config, 1, &Device::flex());
        let x = Tensor::<4>::random([1, 1, 384, 384], burn::tensor::Distribution::Normal(0.0, 1.0), &Device::flex());
        // change in the middle of the last map when the input changes `distance` pixels of that map to its left
        let moved = |distance: usize| -> f32 {
            let middle = |x: Tensor<4>| encoder.maps(x).remove(6).narrow(2, 24, 1).narrow(3, 24, 1);
            let left = (24 - distance) * 8;
            let changed = x
                .clone()
                .slice_assign([0..1, 0..1, 192..200, left..left + 8], Tensor::zeros([1, 1, 8, 8], &x.device()));
            (middle(x.clone()) - middle(changed)).abs().max().into_scalar()
        };
        // the receptive field reaches almost 3 pixels of the map to each side in the first three blocks, then 3 + 6 + 6 + 3; without
        // dilation it would be 12. Outputs of one Winograd tile share its rounding, hence the tolerance.
        assert!(moved(17) > 1e-3 && moved(22) < 1e-5, "{} {}", moved(17), moved(22));
    }
}
