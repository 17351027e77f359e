//! Views of images, compared with their formulas.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Outputs, drawn, flat};
use crate::kernel::{self, ViewConfig};

/// Images, channels, and rows (and columns).
const SHAPE: [usize; 4] = [2, 3, 5, 5];
/// Factor and summand of the colour step.
const COLOUR: [f32; 2] = [0.5, 0.1];

/// All operations on images.
pub(super) fn all(device: &Device) -> Outputs {
    let one = drawn(40, SHAPE, device).abs();
    let other = drawn(41, SHAPE, device).abs();
    vec![
        ("a view", flat(mirrored(one.clone(), device))),
        ("two batches in turn", flat(kernel::alternate(one.clone(), other))),
        ("quarter turns", flat(turned(one))),
    ]
}

/// The whole image, mirrored and darkened.
fn mirrored(images: Tensor<4>, device: &Device) -> Tensor<4> {
    let [factor, summand] = COLOUR;
    if !kernel::is_gpu(device) {
        return images.flip([3]) * factor + summand;
    }
    let [count, _, height, width] = SHAPE;
    let config = ViewConfig { size: [height, width], bicubic: false, steps: 1 };
    let window = [0.0, 0.0, height as f32, width as f32, 1.0];
    // no gray, no mean pixel, no clipping, no change of hue, and no brightness that is inverted
    let step = [factor, 0.0, 0.0, 0.0, summand, 0.0, 0.0, 2.0];
    let numbers = [window.as_slice(), &step].concat().repeat(count);
    let numbers = Tensor::from_data(TensorData::new(numbers, [count, config.numbers()]), device);
    kernel::view(images, numbers, config)
}

fn turned(images: Tensor<4>) -> Tensor<4> {
    if kernel::is_gpu(&images.device()) {
        return kernel::quarter_turns(images);
    }
    let across = images.clone().swap_dims(2, 3);
    let turns = [images.clone(), across.clone().flip([2]), images.flip([2, 3]), across.flip([3])];
    Tensor::cat(turns.to_vec(), 0)
}
