//! Patches at fractional positions of images, and patches at reduced resolution.

use burn::tensor::{Int, Tensor};

use super::resample::{Filter, Span, weights};

/// Rectangle of an image in pixels, which need not be whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patch {
    /// First row.
    pub top: f64,
    /// First column.
    pub left: f64,
    /// Rows.
    pub height: f64,
    /// Columns.
    pub width: f64,
}

impl Patch {
    /// Square patch.
    pub fn square(top: f64, left: f64, side: f64) -> Self {
        Self { top, left, height: side, width: side }
    }
}

/// Cuts patches out of each image and resizes them to `size` pixels a side, bilinear with antialiasing.
///
/// Cutting at (t, l) from an image resized by a factor s equals cutting at (t / s, l / s) from the image itself, because pixels
/// around the patch contribute in both cases. Patches of `size` at whole pixels are exact copies.
///
/// `images`: `[n, c, h, w]`; `patches`: a list for each image, of any length -> `[m, c, size, size]` with m patches in all, those of
/// image 0 first.
pub fn cut_patches(images: Tensor<4>, patches: &[Vec<Patch>], size: usize) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(patches.len(), n, "cut_patches: one list per image");
    let device = images.device();
    let most = patches.iter().map(Vec::len).max().unwrap_or(0);
    // lists are padded to one length, and the padding is dropped at the end
    let filled = |list: &Vec<Patch>| {
        let blank = Patch::square(0.0, 0.0, size as f64);
        list.iter().copied().chain(std::iter::repeat(blank)).take(most).collect::<Vec<_>>()
    };
    let all: Vec<Patch> = patches.iter().flat_map(filled).collect();
    let spans = |start: fn(&Patch) -> f64, length: fn(&Patch) -> f64, side: usize| {
        let span = |patch| Span { start: start(patch), length: length(patch), inside: 0..side, mirrored: false };
        all.iter().map(span).collect::<Vec<_>>()
    };
    let rows = weights(&spans(|p| p.top, |p| p.height, h), h, size, Filter::Bilinear, &device);
    let columns = weights(&spans(|p| p.left, |p| p.width, w), w, size, Filter::Bilinear, &device);
    let strips = rows.reshape([n, 1, most * size, h]).matmul(images); // [n, c, most * size, w]
    let strips = strips.reshape([n, c, most, size, w]).swap_dims(1, 2).reshape([n * most, c, size, w]);
    let found = strips.matmul(columns.swap_dims(1, 2).unsqueeze_dim(1)); // [n * most, c, size, size]
    let real = |(image, list): (usize, &Vec<Patch>)| (0..list.len()).map(move |index| (image * most + index) as i32);
    let real: Vec<i32> = patches.iter().enumerate().flat_map(real).collect();
    if real.len() == n * most { found } else { found.select(0, Tensor::<1, Int>::from_ints(real.as_slice(), &device)) }
}

/// Reduces the resolution of each patch: bilinear downsampling to `sides` pixels a side and upsampling back.
///
/// `patches`: `[m, c, s, s]`; `sides`: m numbers from 1 to s, where s is the identity -> the same shape.
pub fn coarsen(patches: Tensor<4>, sides: &[usize]) -> Tensor<4> {
    let [m, _, size, width] = patches.dims();
    assert!(sides.len() == m && size == width, "coarsen: square patches, one side each");
    if sides.iter().all(|&side| side == size) {
        return patches;
    }
    let device = patches.device();
    // rows beyond the smaller patch have no source pixel and stay 0
    let down = |&side: &usize| {
        let length = (size * size) as f64 / side as f64;
        Span { start: 0.0, length, inside: 0..size, mirrored: false }
    };
    let up = |&side: &usize| Span { start: 0.0, length: side as f64, inside: 0..side, mirrored: false };
    let down = weights(&sides.iter().map(down).collect::<Vec<_>>(), size, size, Filter::Bilinear, &device);
    let up = weights(&sides.iter().map(up).collect::<Vec<_>>(), size, size, Filter::Bilinear, &device);
    let both = up.matmul(down).unsqueeze_dim::<4>(1); // [m, 1, s, s]
    both.clone().matmul(patches).matmul(both.swap_dims(2, 3))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::super::resample::{Window, resample};
    use super::*;
    use burn::tensor::{Device, Distribution};

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn patches_at_whole_pixels_are_copies() {
        let x = noise([2, 3, 9, 11]);
        let lists =
            [vec![Patch::square(1.0, 2.0, 4.0), Patch::square(5.0, 7.0, 4.0)], vec![Patch::square(0.0, 6.0, 4.0)]];
        let found = cut_patches(x.clone(), &lists, 4);
        assert_eq!(found.dims(), [3, 3, 4, 4]);
        for (index, [image, top, left]) in [[0, 1, 2], [0, 5, 7], [1, 0, 6]].into_iter().enumerate() {
            let expected = x.clone().slice([image..image + 1, 0..3, top..top + 4, left..left + 4]);
            assert_eq!(values(found.clone().narrow(0, index, 1)), values(expected));
        }
    }

    #[test]
    fn a_patch_equals_that_of_the_resized_image() {
        let x = noise([1, 1, 30, 24]);
        for [height, width] in [[20, 16], [45, 36]] {
            let whole = Window { top: 0, left: 0, height: 30, width: 24, mirrored: false };
            let resized = resample(x.clone(), &[whole], [height, width], Filter::Bilinear);
            let expected = resized.slice([0..1, 0..1, 5..11, 8..14]);
            let scale = 30.0 / height as f64;
            let patch = Patch::square(5.0 * scale, 8.0 * scale, 6.0 * scale);
            assert_close(&values(cut_patches(x.clone(), &[vec![patch]], 6)), &values(expected), 1e-5);
        }
    }

    #[test]
    fn coarse_patches_are_resampled_down_and_up() {
        let x = noise([3, 2, 12, 12]);
        let found = coarsen(x.clone(), &[12, 5, 1]);
        assert_eq!(values(found.clone().narrow(0, 0, 1)), values(x.clone().narrow(0, 0, 1)));
        let window = |side| Window { top: 0, left: 0, height: side, width: side, mirrored: false };
        let small = resample(x.clone().narrow(0, 1, 1), &[window(12)], [5, 5], Filter::Bilinear);
        let again = resample(small, &[window(5)], [12, 12], Filter::Bilinear);
        assert_close(&values(found.clone().narrow(0, 1, 1)), &values(again), 1e-5);
        let mut one: Vec<f32> = values(found.slice([2..3, 0..1]));
        one.dedup_by(|a, b| (*a - *b).abs() < 1e-5);
        assert_eq!(one.len(), 1, "a patch reduced to one pixel has one value");
    }
}
