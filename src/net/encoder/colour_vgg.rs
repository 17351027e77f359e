//! The network of colorization, without its last block, which belongs to the task.

use crate::net::chain::{Activation, Chain, Link, Section};
use crate::net::{Conv2d, Init};

/// Seven blocks of 3x3 convolutions with w, 2w, 4w, 8w, 8w, 8w, 8w channels; the last of the first three blocks stands at
/// every second pixel, those of the fifth and sixth reach over 5x5; ReLU after each convolution and, at the end of each
/// block, batch norm without scale and shift (Zhang, Isola and Efros 2016, from the authors' code; width 64).
pub(super) fn colour_vgg(width: usize, channels: usize, init: &mut Init) -> Chain {
    // channels over w, convolutions, whether it halves, dilation
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
        let links = (1..=count).map(|place| {
            let stride = if halves && place == count { 2 } else { 1 };
            let conv = Conv2d::init([input, factor * width], 3, stride, dilation, init).with_dilation(dilation);
            input = factor * width;
            Link::plain(conv.he_fan_out(init).with_bias(init), Activation::Relu)
        });
        let links = links.collect();
        Section::new(format!("conv{}", number + 1), links).closed(init)
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
    fn it_has_the_parameters_of_the_plan() {
        let encoder = build(&EncoderConfig::published(EncoderKind::ColourVgg, "gray"), 1, &Device::flex().autodiff());
        let conv = |input: usize, output: usize| 9 * input * output + output;
        let first = conv(1, 64) + conv(64, 64) + conv(64, 128) + conv(128, 128) + conv(128, 256) + 2 * conv(256, 256);
        assert_eq!(tensors::count(&encoder), first + conv(256, 512) + 11 * conv(512, 512));
    }

    #[test]
    fn dilation_widens_what_a_pixel_sees() {
        let config = EncoderConfig { width: 4, ..EncoderConfig::published(EncoderKind::ColourVgg, "gray") };
        let encoder = build(&config, 1, &Device::flex());
        let x = Tensor::<4>::random([1, 1, 384, 384], burn::tensor::Distribution::Normal(0.0, 1.0), &Device::flex());
        // how far the middle of the last map moves when the input changes so many pixels of that map to its left
        let moved = |distance: usize| -> f32 {
            let middle = |x: Tensor<4>| encoder.maps(x).remove(6).narrow(2, 24, 1).narrow(3, 24, 1);
            let left = (24 - distance) * 8;
            let changed = x
                .clone()
                .slice_assign([0..1, 0..1, 192..200, left..left + 8], Tensor::zeros([1, 1, 8, 8], &x.device()));
            (middle(x.clone()) - middle(changed)).abs().max().into_scalar()
        };
        // the first three blocks reach not quite 3 pixels of the map to each side, the others 3 + 6 + 6 + 3; undilated 12. Pixels of
        // a tile share its rounding.
        assert!(moved(17) > 1e-3 && moved(22) < 1e-5, "{} {}", moved(17), moved(22));
    }
}
