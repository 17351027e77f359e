//! Squares cut out of images, and maps thinned out to fewer pixels.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use super::resample::{Filter, Window, resample};
use crate::rng::Rng;

/// Cuts a square of `size` pixels out of each image at a place drawn for it. Where images are smaller, their largest square
/// is enlarged to it; a size of 0 leaves them as they are.
///
/// `[n, c, h, w]` -> `[n, c, size, size]`.
pub fn cut(images: Tensor<4>, size: usize, rng: &mut Rng) -> Tensor<4> {
    let [n, _, height, width] = images.dims();
    if size == 0 || [height, width] == [size, size] {
        return images;
    }
    let side = size.min(height).min(width);
    let place = |rng: &mut Rng| {
        let (top, left) = (rng.random_range(0..=height - side), rng.random_range(0..=width - side));
        Window { top, left, height: side, width: side, mirrored: false }
    };
    let windows: Vec<_> = (0..n).map(|_| place(rng)).collect();
    resample(images, &windows, [size, size], Filter::Bilinear)
}

/// Keeps the pixel at `floor(i h / h')` of each row and likewise of each column: every fourth one from 176 to 44.
///
/// Colours must not be averaged on the way: the mean of different colours is a grayer one, and a network that is asked
/// for it learns to answer gray.
///
/// `[n, c, h, w]` -> `[n, c, size[0], size[1]]`.
pub fn thinned(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let ([_, _, height, width], device) = (maps.dims(), maps.device());
    maps.select(2, places(height, size[0], &device)).select(3, places(width, size[1], &device))
}

fn places(from: usize, to: usize, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i32> = (0..to).map(|i| (i * from / to) as i32).collect();
    Tensor::from_data(TensorData::new(places, [to]), device)
}

/// Brings whole maps to another size, bilinearly: `[n, c, h, w]` -> `[n, c, size[0], size[1]]`.
pub fn resized(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
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
    fn squares_are_pixels_of_the_image_at_places_of_their_own() {
        let found = values(cut(numbered(40, 8), 5, &mut stream(1, Purpose::Views, 0)));
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
    fn small_images_are_enlarged_and_those_that_fit_stay() {
        let mut rng = stream(1, Purpose::Views, 0);
        assert_eq!(cut(numbered(2, 8), 12, &mut rng).dims(), [2, 1, 12, 12]);
        for size in [0, 8] {
            assert_eq!(values(cut(numbered(2, 8), size, &mut rng)), values(numbered(2, 8)));
        }
    }

    #[test]
    fn thinning_takes_every_kth_pixel() {
        assert_eq!(values(thinned(numbered(1, 8), [2, 2])), [0.0, 4.0, 400.0, 404.0]);
        // a size that does not divide: rows 0, 2 and 5
        assert_eq!(values(thinned(numbered(1, 8), [3, 1])), [0.0, 200.0, 500.0]);
        assert_close(&values(resized(numbered(1, 8), [8, 8])), &values(numbered(1, 8)), 1e-4);
    }

    #[test]
    fn thinning_keeps_colours_that_a_mean_would_turn_gray() {
        // a board of green and magenta fields
        let field = |at: usize| (at / 8 + at % 8).is_multiple_of(2);
        let channel = |on: bool| (0..64).map(move |at| if field(at) == on { 0.8f32 } else { 0.2 });
        let pixels: Vec<f32> = channel(true).chain(channel(false)).chain(channel(true)).collect();
        let lab = to_lab(Tensor::from_data(TensorData::new(pixels, [1, 3, 8, 8]), &Device::flex())).narrow(1, 1, 2);
        let colour = |maps: Tensor<4>| maps.square().sum_dim(1).sqrt().mean().into_scalar::<f32>();
        let (kept, mean) = (colour(thinned(lab.clone(), [2, 2])), colour(resized(lab.clone(), [2, 2])));
        assert!(kept > 60.0 && mean < kept / 3.0, "nearest {kept}, mean {mean}");
    }
}
