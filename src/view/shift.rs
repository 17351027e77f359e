//! Shifts and mirrorings by whole pixels.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// Mirrors each image left to right with probability one half: `[n, c, h, w]` -> the same.
pub fn flip_some(images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
    let [n, ..] = images.dims();
    let chosen: Vec<bool> = (0..n).map(|_| rng.random::<bool>()).collect();
    flip(images, &chosen)
}

/// Mirrors the chosen images left to right: `[n, c, h, w]` -> the same.
pub fn flip(images: Tensor<4>, chosen: &[bool]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(chosen.len(), n, "flip: one choice an image");
    let mask = Tensor::<1, Bool>::from_data(TensorData::new(chosen.to_vec(), [n]), &images.device());
    let mask = mask.reshape([n, 1, 1, 1]).expand([n, c, h, w]);
    images.clone().mask_where(mask, images.flip([3]))
}

/// Pads each side with `padding` black pixels and cuts the old size out at a place drawn for each image, as CIFAR
/// recipes do: `[n, c, h, w]` -> the same.
pub fn crop_shifted(images: Tensor<4>, padding: usize, rng: &mut Rng) -> Tensor<4> {
    if padding == 0 {
        return images;
    }
    let [n, _, h, w] = images.dims();
    let mut shift =
        || (0..n).map(|_| rng.random_range(0..=2 * padding) as isize - padding as isize).collect::<Vec<_>>();
    let (down, across) = (shift(), shift());
    let device = images.device();
    moved(moved(images, 2, &down, h, &device), 3, &across, w, &device)
}

/// Moves each image along `dim` by its own number of pixels, black coming in: a gather along one axis, then a mask.
fn moved(images: Tensor<4>, dim: usize, shifts: &[isize], length: usize, device: &Device) -> Tensor<4> {
    let dims = images.dims();
    let (mut source, mut inside) = (Vec::new(), Vec::new());
    for &shift in shifts {
        for position in 0..length as isize {
            let from = position + shift;
            source.push(from.clamp(0, length as isize - 1) as i32);
            inside.push(if (0..length as isize).contains(&from) { 1.0f32 } else { 0.0 });
        }
    }
    let mut shape = [shifts.len(), 1, 1, 1];
    shape[dim] = length;
    let source = Tensor::<4, burn::tensor::Int>::from_data(TensorData::new(source, shape), device).expand(dims);
    let inside = Tensor::<4>::from_data(TensorData::new(inside, shape), device);
    images.gather(dim, source) * inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn ramp(n: usize) -> Tensor<4> {
        let values: Vec<f32> = (0..n * 9).map(|i| 1.0 + i as f32).collect();
        Tensor::from_data(TensorData::new(values, [n, 1, 3, 3]), &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn every_image_is_itself_or_its_mirror_and_both_occur() {
        let x = ramp(64);
        let (plain, mirror) = (values(x.clone()), values(x.clone().flip([3])));
        let y = values(flip_some(x, &mut stream(1, Purpose::Views, 0)));
        let mut mirrored = 0;
        for image in 0..64 {
            let range = image * 9..(image + 1) * 9;
            let is_mirror = y[range.clone()] == mirror[range.clone()];
            assert!(is_mirror || y[range.clone()] == plain[range]);
            mirrored += usize::from(is_mirror);
        }
        assert!((16..=48).contains(&mirrored), "{mirrored} of 64 mirrored");
    }

    #[test]
    fn a_crop_shows_the_padded_image_at_some_offset() {
        let x = ramp(40);
        let source = values(x.clone());
        let y = values(crop_shifted(x, 1, &mut stream(1, Purpose::Views, 0)));
        let at = |image: usize, r: isize, c: isize| {
            let inside = (0..3).contains(&r) && (0..3).contains(&c);
            if inside { source[image * 9 + (3 * r + c) as usize] } else { 0.0 }
        };
        let mut offsets = std::collections::BTreeSet::new();
        for image in 0..40 {
            let found = (-1..=1)
                .flat_map(|dr| (-1..=1).map(move |dc| (dr, dc)))
                .find(|&(dr, dc)| (0..9).all(|i| y[image * 9 + i as usize] == at(image, i / 3 + dr, i % 3 + dc)));
            offsets.insert(found.unwrap_or_else(|| panic!("image {image} is no shift of its source")));
        }
        assert!(offsets.len() >= 7, "only {} of 9 offsets occurred", offsets.len());
    }
}
