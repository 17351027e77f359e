//! Plain stacks of 5x5 convolutions, the networks of Exemplar-CNN.

use super::alexnet::share;
use super::staged::{Stage, Staged, Unit};
use crate::net::{Conv2d, Init, Pool};

/// 5x5 convolutions of padding 2 with ReLU and without norm; 2x2 max pooling after the first two (Dosovitskiy et al. 2014, section
/// 3). The fully connected layer is part of the method's head. `published` are the paper's channels, scaled to a first layer of
/// `width`.
pub(super) fn plain(published: &[usize], width: usize, channels: usize, init: &mut Init) -> Staged {
    let mut input = channels;
    let stages = published.iter().enumerate().map(|(index, &output)| {
        let output = share(output, width, published[0]);
        let conv = Conv2d::init([input, output], 5, 1, 2, init);
        input = output;
        Stage::new(vec![Unit::plain(conv, init)], if index < 2 { Pool::Max2 } else { Pool::None })
    });
    Staged::of_convolutions(stages.collect())
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, tensors};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn the_three_nets_follow_the_papers_plans() {
        let cases = [
            (EncoderKind::PlainSmall, vec![[64, 16, 16], [64, 8, 8]]),
            (EncoderKind::PlainMedium, vec![[64, 16, 16], [128, 8, 8], [256, 8, 8]]),
            (EncoderKind::PlainLarge, vec![[92, 16, 16], [256, 8, 8], [512, 8, 8]]),
        ];
        for (kind, expected) in cases {
            let encoder = build(&EncoderConfig::published(kind, "cifar-10"), 3, &Device::flex().autodiff());
            let x = Tensor::<4>::zeros([1, 3, 32, 32], &Device::flex().autodiff());
            let maps = encoder.maps(x).into_iter().map(|map| [map.dims()[1], map.dims()[2], map.dims()[3]]);
            assert_eq!(maps.collect::<Vec<_>>(), expected);
            let inputs = std::iter::once(3).chain(expected.iter().map(|map| map[0]));
            let weights: usize = inputs.zip(&expected).map(|(input, map)| (input * 25 + 1) * map[0]).sum();
            assert_eq!(tensors::count(&encoder), weights, "{kind:?}: no norms, one bias a channel");
        }
    }
}
