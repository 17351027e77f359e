//! Network in Network (Lin et al. 2014), as in RotNet's CIFAR code.

use super::staged::{Stage, Staged, Unit};
use crate::net::{Init, Pool};

/// Four stages of three convolutions with batch norm and ReLU, the last two of each stage 1x1 (Gidaris et al. 2018, from the
/// authors' code; width 192).
pub(super) fn nin(width: usize, channels: usize, init: &mut Init) -> Staged {
    let first = [width, (width * 5 / 6).max(1), (width / 2).max(1)];
    let plan =
        [(first, 5, Pool::Max3), ([width; 3], 5, Pool::Avg3), ([width; 3], 3, Pool::None), ([width; 3], 3, Pool::None)];
    let mut input = channels;
    let mut stages = Vec::with_capacity(plan.len());
    for (widths, kernel, pool) in plan {
        let mut units = Vec::with_capacity(widths.len());
        for (output, kernel) in widths.into_iter().zip([kernel, 1, 1]) {
            units.push(Unit::init([input, output], kernel, init).he_fan_out(init));
            input = output;
        }
        stages.push(Stage::new(units, pool));
    }
    Staged::new(stages)
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind, tensors};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn nin_follows_rotnets_plan() {
        let encoder = build(&EncoderConfig::published(EncoderKind::Nin, "gray"), 1, &Device::flex());
        let shapes: Vec<_> =
            encoder.maps(Tensor::ones([1, 1, 32, 32], &Device::flex())).iter().map(|m| m.dims()).collect();
        assert_eq!(shapes, [[1, 96, 16, 16], [1, 192, 8, 8], [1, 192, 8, 8], [1, 192, 8, 8]]);
        let named = tensors::gather(&encoder);
        let second =
            named.iter().find(|named| named.name == "body.stages.0.units.1.conv.weight").expect("a second unit");
        assert_eq!(second.shape, [160, 192, 1, 1]);
    }
}
