//! Shifts and horizontal flips, as products with selection matrices.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// Random horizontal flip with probability 1/2: `[n, c, h, w]` -> the same shape.
pub fn random_flip(images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
    let [n, ..] = images.dims();
    let chosen: Vec<bool> = (0..n).map(|_| rng.random::<bool>()).collect();
    flip(images, &chosen)
}

/// Horizontal flip of the chosen images: `[n, c, h, w]` -> the same shape.
pub fn flip(images: Tensor<4>, chosen: &[bool]) -> Tensor<4> {
    let [n, _, _, w] = images.dims();
    assert_eq!(chosen.len(), n, "flip: one choice per image");
    let columns = selection_matrices(
        chosen,
        w,
        |&mirrored, out| if mirrored { w as isize - 1 - out } else { out },
        &images.device(),
    );
    images.matmul(columns.swap_dims(2, 3))
}

/// Random shift, the padded random crop of CIFAR recipes: pads each side with `padding` black pixels and crops the original size at a
/// position drawn for each image: `[n, c, h, w]` -> the same shape.
pub fn random_shift(images: Tensor<4>, padding: usize, rng: &mut Rng) -> Tensor<4> {
    if padding == 0 {
        return images;
    }
    let [n, _, h, w] = images.dims();
    let mut shift =
        || (0..n).map(|_| rng.random_range(0..=2 * padding) as isize - padding as isize).collect::<Vec<_>>();
    let down = shift();
    let across = shift();
    let device = images.device();
    let matrix = |shifts: &[isize], side: usize| selection_matrices(shifts, side, |shift, out| out + shift, &device);
    matrix(&down, h).matmul(images).matmul(matrix(&across, w).swap_dims(2, 3))
}

/// Selection matrix of each image: row `out` is 1 at the pixel `source(image, out)`, and all 0 if that is outside:
/// `[n, 1, side, side]`.
fn selection_matrices<T>(images: &[T], side: usize, source: impl Fn(&T, isize) -> isize, device: &Device) -> Tensor<4> {
    let sources =
        images.iter().flat_map(|image| (0..side as isize).map(|out| source(image, out) as f32).collect::<Vec<_>>());
    let sources =
        Tensor::<4>::from_data(TensorData::new(sources.collect::<Vec<_>>(), [images.len(), 1, side, 1]), device);
    let pixels = (0..side).map(|pixel| pixel as f32).collect::<Vec<_>>();
    let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 1, side]), device);
    // for whole numbers, 1 - |difference| is positive only if they are equal
    ((pixels - sources).abs().neg() + 1.0).clamp_min(0.0)
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
    fn about_half_of_the_images_are_flipped() {
        let x = ramp(64);
        let plain = values(x.clone());
        let mirror = values(x.clone().flip([3]));
        let y = values(random_flip(x, &mut stream(1, Purpose::Views, 0)));
        let mut mirrored = 0;
        for image in 0..64 {
            let range = image * 9..(image + 1) * 9;
            let is_mirror = y[range.clone()] == mirror[range.clone()];
            assert!(is_mirror || y[range.clone()] == plain[range]);
            mirrored += usize::from(is_mirror);
        }
        assert!((16..=48).contains(&mirrored), "{mirrored} of 64 flipped");
    }

    #[test]
    fn a_shifted_image_is_the_padded_one_at_an_offset() {
        let x = ramp(40);
        let source = values(x.clone());
        let y = values(random_shift(x, 1, &mut stream(1, Purpose::Views, 0)));
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
