//! Random crops, resizing and subsampling.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use super::resample::{Filter, Window, resample};
use crate::rng::Rng;

/// Random crop of `size` x `size` pixels at a position drawn for each image. If images are smaller, their largest square is
/// enlarged to `size`. A size of 0 returns images unchanged.
///
/// `[n, c, h, w]` -> `[n, c, size, size]`.
pub fn random_crop(images: Tensor<4>, size: usize, rng: &mut Rng) -> Tensor<4> {
    let [n, _, height, width] = images.dims();
    if size == 0 || [height, width] == [size, size] {
        return images;
    }
    let side = size.min(height).min(width);
    let window = |rng: &mut Rng| {
        let top = rng.random_range(0..=height - side);
        let left = rng.random_range(0..=width - side);
        Window { top, left, height: side, width: side, mirrored: false }
    };
    let windows: Vec<_> = (0..n).map(|_| window(rng)).collect();
    resample(images, &windows, [size, size], Filter::Bilinear)
}

/// Nearest-neighbour subsampling: keeps rows `floor(i h / h')` and columns likewise, every fourth one from 176 to 44 pixels.
///
/// For colour targets: the mean of different colours is grayer than each of them, and a network trained on means learns to predict
/// gray.
///
/// `[n, c, h, w]` -> `[n, c, size[0], size[1]]`.
pub fn subsample(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = maps.dims();
    let device = maps.device();
    maps.select(2, indices(height, size[0], &device)).select(3, indices(width, size[1], &device))
}

fn indices(from: usize, to: usize, device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i32> = (0..to).map(|i| (i * from / to) as i32).collect();
    Tensor::from_data(TensorData::new(indices, [to]), device)
}

/// Bilinear resizing with antialiasing: `[n, c, h, w]` -> `[n, c, size[0], size[1]]`.
pub fn resize(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [n, _, height, width] = maps.dims();
    let whole = Window { top: 0, left: 0, height, width, mirrored: false };
    resample(maps, &vec![whole; n], size, Filter::Bilinear)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::super::lab::to_lab;
    use super::*;
    use crate::rng::{Purpose, stream};

    /// Pixel (r, c) has the value 100 r + c.
    fn numbered(n: usize, side: usize) -> Tensor<4> {
        let pixels: Vec<f32> = (0..n * side * side).map(|at| (at / side % side * 100 + at % side) as f32).collect();
        Tensor::from_data(TensorData::new(pixels, [n, 1, side, side]), &Device::flex())
    }

    #[test]
    fn a_random_crop_copies_pixels_at_a_position_of_its_own() {
        let found = values(random_crop(numbered(40, 8), 5, &mut stream(1, Purpose::Views, 0)));
        let mut corners = std::collections::BTreeSet::new();
        for square in found.chunks(25) {
            let first = square[0];
            let expected: Vec<f32> = (0..25).map(|at| first + (at / 5 * 100 + at % 5) as f32).collect();
            assert_eq!(square, expected);
            corners.insert(first as i32);
        }
        assert!(corners.len() > 10 && corners.iter().all(|corner| corner / 100 <= 3 && corner % 100 <= 3));
    }

    #[test]
    fn images_smaller_than_the_crop_are_enlarged() {
        let mut rng = stream(1, Purpose::Views, 0);
        assert_eq!(random_crop(numbered(2, 8), 12, &mut rng).dims(), [2, 1, 12, 12]);
        for size in [0, 8] {
            assert_eq!(values(random_crop(numbered(2, 8), size, &mut rng)), values(numbered(2, 8)));
        }
    }

    #[test]
    fn subsampling_keeps_every_kth_pixel() {
        assert_eq!(values(subsample(numbered(1, 8), [2, 2])), [0.0, 4.0, 400.0, 404.0]);
        // 3 does not divide 8: rows 0, 2 and 5
        assert_eq!(values(subsample(numbered(1, 8), [3, 1])), [0.0, 200.0, 500.0]);
        assert_close(&values(resize(numbered(1, 8), [8, 8])), &values(numbered(1, 8)), 1e-4);
    }

    #[test]
    fn subsampling_keeps_colours_that_a_mean_turns_gray() {
        // a checkerboard of green and magenta
        let field = |at: usize| (at / 8 + at % 8).is_multiple_of(2);
        let channel = |on: bool| (0..64).map(move |at| if field(at) == on { 0.8f32 } else { 0.2 });
        let pixels: Vec<f32> = channel(true).chain(channel(false)).chain(channel(true)).collect();
        let lab = to_lab(Tensor::from_data(TensorData::new(pixels, [1, 3, 8, 8]), &Device::flex())).narrow(1, 1, 2);
        let colour = |maps: Tensor<4>| maps.square().sum_dim(1).sqrt().mean().into_scalar::<f32>();
        let kept = colour(subsample(lab.clone(), [2, 2]));
        let mean = colour(resize(lab.clone(), [2, 2]));
        assert!(kept > 60.0 && mean < kept / 3.0, "nearest {kept}, mean {mean}");
    }
}
