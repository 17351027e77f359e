//! Encoder of the small presets: four blocks that two CPU cores train in minutes.

use super::staged::{Stage, Staged, Unit};
use crate::net::{Init, Pool};

/// Four 3x3 convolutions of w, 2w, 4w, 4w channels with batch norm and ReLU, 2x2 max pooling after the first three.
pub(super) fn small(width: usize, channels: usize, init: &mut Init) -> Staged {
    let widths = [channels, width, 2 * width, 4 * width, 4 * width];
    let pools = [Pool::Max2, Pool::Max2, Pool::Max2, Pool::None];
    let stages = pools.into_iter().enumerate().map(|(index, pool)| {
        let units = vec![Unit::init([widths[index], widths[index + 1]], 3, init)];
        Stage::new(units, pool)
    });
    Staged::new(stages.collect())
}

#[cfg(test)]
mod tests {
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, tensors};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn layers_have_the_widths_of_the_design() {
        let encoder = build(&EncoderConfig::small(32), 1, &Device::flex());
        let x = Tensor::<4>::ones([2, 1, 28, 28], &Device::flex());
        let shapes: Vec<_> = encoder.maps(x.clone()).iter().map(|map| map.dims()).collect();
        assert_eq!(shapes, [[2, 32, 14, 14], [2, 64, 7, 7], [2, 128, 3, 3], [2, 128, 3, 3]]);
        let widths: Vec<_> = encoder.layers(x, 3).iter().map(|layer| layer.dims()[1]).collect();
        assert_eq!(widths, [288, 576, 1152, 1152, 128]);
        assert_eq!(encoder.layer_names(), ["block1", "block2", "block3", "block4", "gap"]);
        assert_eq!(encoder.width(), 128);
    }

    #[test]
    fn names_of_tensors_stay_those_of_saved_checkpoints() {
        let encoder = build(&EncoderConfig::small(2), 1, &Device::flex());
        let names: Vec<_> = tensors::gather(&encoder).into_iter().map(|named| named.name).collect();
        assert_eq!(names.len(), 4 * 5);
        assert_eq!(names[0], "body.stages.0.units.0.conv.weight");
        assert_eq!(names[4], "body.stages.0.units.0.norm.running_var");
    }
}
