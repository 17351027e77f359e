//! AlexNet (Krizhevsky et al. 2012) in the variants of several papers, up to the last pooling. The fully connected layers are
//! part of the methods' heads.

use super::staged::{Stage, Staged, Unit};
use crate::net::{Conv2d, Init, Pool, WeightInit};

/// Context prediction's AlexNet (Doersch et al. 2015, from the authors' code): 96, 256, 384, 384, 256 channels in one group; max
/// pooling and local response normalisation after the first two, batch norm without scale and shift in the last three;
/// poolings in ceil mode; Caffe's `xavier`.
pub(super) fn one_group(width: usize, channels: usize, init: &mut Init) -> Staged {
    let [w1, w2, w3, w5] = [96, 256, 384, 256].map(|published| share(published, width, 96));
    let mut conv = |channels, kernel, stride, padding| {
        Conv2d::init(channels, kernel, stride, padding, init).redrawn(WeightInit::Xavier, init)
    };
    let convs = [
        conv([channels, w1], 11, 4, 5),
        conv([w1, w2], 5, 1, 2),
        conv([w2, w3], 3, 1, 1),
        conv([w3, w3], 3, 1, 1),
        conv([w3, w5], 3, 1, 1),
    ];
    let stages = convs.into_iter().enumerate().map(|(index, conv)| match index {
        0 | 1 => Stage::new(vec![Unit::plain(conv, init)], Pool::Max3Ceil).with_lrn(),
        2 | 3 => Stage::new(vec![Unit::normed(conv, false, init)], Pool::None),
        _ => Stage::new(vec![Unit::normed(conv, false, init)], Pool::Max3Ceil),
    });
    Staged::of_convolutions(stages.collect())
}

/// Context-free network of jigsaw puzzles (Noroozi and Favaro 2016, from the authors' code): 96, 256, 384, 384, 256 channels, the
/// second, fourth and fifth in two groups, the first without padding at stride 2, where AlexNet has stride 4; no batch norm;
/// kernels from N(0, 0.01^2).
pub(super) fn cfn(width: usize, channels: usize, init: &mut Init) -> Staged {
    let [w1, w2, w3, w5] = [96, 256, 384, 256].map(|published| 2 * share(published / 2, width, 96));
    let mut conv = |channels, kernel, stride, padding, groups| {
        let conv = Conv2d::init(channels, kernel, stride, padding, init).in_groups(groups, init);
        conv.redrawn(WeightInit::Gaussian(0.01), init)
    };
    let convs = [
        conv([channels, w1], 11, 2, 0, 1),
        conv([w1, w2], 5, 1, 2, 2),
        conv([w2, w3], 3, 1, 1, 1),
        conv([w3, w3], 3, 1, 1, 2),
        conv([w3, w5], 3, 1, 1, 2),
    ];
    let stages = convs.into_iter().enumerate().map(|(index, conv)| {
        let units = vec![Unit::plain(conv, init)];
        match index {
            0 | 1 => Stage::new(units, Pool::Max3Ceil).with_lrn(),
            2 | 3 => Stage::new(units, Pool::None),
            _ => Stage::new(units, Pool::Max3Ceil),
        }
    });
    Staged::of_convolutions(stages.collect())
}

/// RotNet's AlexNet for ImageNet (Gidaris et al. 2018, from the authors' code): 64, 192, 384, 256, 256 channels, batch norm
/// in every layer, poolings without padding.
pub(super) fn batch_normed(width: usize, channels: usize, init: &mut Init) -> Staged {
    let widths = [64, 192, 384, 256, 256].map(|published| share(published, width, 64));
    let plan = [(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)];
    let mut input = channels;
    let stages = plan.into_iter().zip(widths).enumerate().map(|(index, ((kernel, stride, padding), output))| {
        let conv = Conv2d::init([input, output], kernel, stride, padding, init);
        input = output;
        let pool = if matches!(index, 0 | 1 | 4) { Pool::Max3Valid } else { Pool::None };
        Stage::new(vec![Unit::normed(conv, true, init).he_fan_out(init)], pool)
    });
    Staged::of_convolutions(stages.collect())
}

/// Channels of a layer in a network of first layer `width`, where the published network has `published` channels there and
/// `first` in its first layer.
pub(super) fn share(published: usize, width: usize, first: usize) -> usize {
    (published * width / first).max(1)
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, tensors};
    use burn::tensor::{Device, Tensor};

    fn shapes(kind: EncoderKind, side: usize) -> Vec<[usize; 3]> {
        let encoder = build(&EncoderConfig::published(kind, "imagenet"), 3, &Device::flex());
        let maps = encoder.maps(Tensor::zeros([1, 3, side, side], &Device::flex()));
        let last = maps.last().expect("a map").dims();
        assert_eq!(encoder.last_map_size([side, side]), [last[1], last[2], last[3]]);
        maps.iter().map(|map| [map.dims()[1], map.dims()[2], map.dims()[3]]).collect()
    }

    #[test]
    fn maps_have_the_published_sizes() {
        let context = [[96, 12, 12], [256, 6, 6], [384, 6, 6], [384, 6, 6], [256, 3, 3]];
        assert_eq!(shapes(EncoderKind::OneGroupAlexnet, 96), context);
        let cfn = [[96, 13, 13], [256, 6, 6], [384, 6, 6], [384, 6, 6], [256, 3, 3]];
        assert_eq!(shapes(EncoderKind::Cfn, 64), cfn);
        let rotnet = [[64, 27, 27], [192, 13, 13], [384, 13, 13], [256, 13, 13], [256, 6, 6]];
        assert_eq!(shapes(EncoderKind::AlexnetBn, 224), rotnet);
    }

    #[test]
    fn parameter_counts_agree_with_the_published_plans() {
        let count = |kind| {
            let config = EncoderConfig::published(kind, "imagenet");
            tensors::count(&build(&config, 3, &Device::flex().autodiff()))
        };
        let conv = |input: usize, output: usize, kernel: usize| input * output * kernel * kernel;
        let c1 = conv(3, 96, 11);
        let c3 = conv(256, 384, 3);
        // biases only where no batch norm follows
        let context = c1 + 96 + conv(96, 256, 5) + 256 + c3 + conv(384, 384, 3) + conv(384, 256, 3);
        assert_eq!(count(EncoderKind::OneGroupAlexnet), context);
        let cfn = c1 + conv(48, 256, 5) + c3 + conv(192, 384, 3) + conv(192, 256, 3) + 96 + 256 + 384 + 384 + 256;
        assert_eq!(count(EncoderKind::Cfn), cfn);
        let weights = conv(3, 64, 11) + conv(64, 192, 5) + conv(192, 384, 3) + conv(384, 256, 3) + conv(256, 256, 3);
        assert_eq!(count(EncoderKind::AlexnetBn), weights + 2 * (64 + 192 + 384 + 256 + 256));
    }

    #[test]
    fn initial_weights_have_the_papers_deviations() {
        let deviation = |kind, name: &str| {
            let config = EncoderConfig::published(kind, "imagenet");
            let named = tensors::gather(&build(&config, 3, &Device::flex()));
            let found = named.into_iter().find(|named| named.name == name).expect(name);
            let values: Vec<f32> = found.values.into_data().try_to_vec().expect("floats");
            (values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let name = "body.stages.2.units.0.conv.weight";
        assert!((deviation(EncoderKind::Cfn, name) - 0.01).abs() < 1e-4);
        // uniform with bound sqrt(3 / fan in) has the standard deviation 1 / sqrt(256 * 9)
        assert!((deviation(EncoderKind::OneGroupAlexnet, name) * 48.0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn layers_are_named_after_their_convolutions() {
        let config = EncoderConfig { width: 4, ..EncoderConfig::published(EncoderKind::AlexnetBn, "imagenet") };
        let encoder = build(&config, 3, &Device::flex());
        assert_eq!(encoder.layer_names(), ["conv1", "conv2", "conv3", "conv4", "conv5", "gap"]);
        assert_eq!(encoder.width(), 16);
    }
}
