//! Patch positions sampled by gradient energy, so that patches show some structure.

use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Tensor, TensorData};

/// Added to every energy, which makes the positions of a flat image equally likely.
const FLOOR: f64 = 1e-8;

/// Samples a position for a square patch in each image, with a probability proportional to the mean squared gradient of brightness
/// in the patch, by inverting the cumulative distribution at the draw.
///
/// `images`: `[n, c, h, w]`; `side` of the patch in pixels; `draws`: n numbers in 0 to 1 -> first row and first column, `[n, 2]`, on
/// the device. Dosovitskiy et al. 2014, section 2.
pub fn positions_by_energy(images: Tensor<4>, side: usize, draws: &[f32]) -> Tensor<2> {
    let [n, _, h, w] = images.dims();
    assert!(side >= 2 && side <= h && side <= w, "positions_by_energy: a patch of two pixels or more must fit");
    let energy = energy(images.mean_dim(1));
    let window = AvgPoolOptions::new([side - 1; 2]).with_stride([1, 1]);
    let rows = h - side + 1;
    let columns = w - side + 1;
    let weights = avg_pool2d(energy, window).reshape([n, rows * columns]) + FLOOR;
    let position = drawn(weights, draws);
    let row = ((position.clone() + 0.5) / columns as f64).floor();
    let column = position - row.clone() * columns as f64;
    Tensor::cat(vec![row, column], 1)
}

/// Samples an index for each row with a probability proportional to the weights: the first index at which the cumulative share
/// exceeds the draw. `weights`: `[n, k]`, `draws`: n numbers in 0 to 1 -> `[n, 1]`.
pub(super) fn drawn(weights: Tensor<2>, draws: &[f32]) -> Tensor<2> {
    let [n, k] = weights.dims();
    assert_eq!(draws.len(), n, "drawn: one draw per row");
    let sums = weights.cumsum(1);
    let draws = Tensor::<2>::from_data(TensorData::new(draws.to_vec(), [n, 1]), &sums.device());
    let passed = sums.clone().lower_equal((draws * sums.clone().narrow(1, k - 1, 1)).expand(sums.dims()));
    passed.float().sum_dim(1).clamp_max((k - 1) as f64)
}

/// Squared gradient by forward differences: `[n, 1, h, w]` -> `[n, 1, h - 1, w - 1]`.
fn energy(gray: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = gray.dims();
    let corner = gray.clone().narrow(2, 0, h - 1).narrow(3, 0, w - 1);
    let across = gray.clone().narrow(2, 0, h - 1).narrow(3, 1, w - 1) - corner.clone();
    let down = gray.narrow(2, 1, h - 1).narrow(3, 0, w - 1) - corner;
    across.square() + down.square()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn positions(images: &Tensor<4>, side: usize, count: usize) -> Vec<[usize; 2]> {
        let many = images.clone().expand([count as i64, -1, -1, -1]);
        let draws: Vec<f32> = (0..count).map(|i| (i as f32 + 0.5) / count as f32).collect();
        let found: Vec<f32> = positions_by_energy(many, side, &draws).into_data().try_to_vec().expect("floats");
        found.chunks(2).map(|position| [position[0] as usize, position[1] as usize]).collect()
    }

    #[test]
    fn patches_are_sampled_in_proportion_to_their_energy() {
        // one edge, between columns 5 and 6
        let mut pixels = [0.0f32; 100];
        pixels.iter_mut().enumerate().for_each(|(index, pixel)| *pixel = f32::from(u8::from(index % 10 > 5)));
        let x = Tensor::<4>::from_data(TensorData::new(pixels.to_vec(), [1, 1, 10, 10]), &Device::flex());
        let found = positions(&x, 4, 700);
        // a patch of four columns contains the edge if it starts at column 3, 4 or 5
        assert!(found.iter().all(|[_, column]| (3..6).contains(column)), "{found:?}");
        for row in 0..7 {
            for column in 3..6 {
                let count = found.iter().filter(|position| **position == [row, column]).count();
                assert!((32..=35).contains(&count), "{count} of 700 at {row}, {column}: all 21 have the same energy");
            }
        }
    }

    #[test]
    fn positions_of_a_flat_image_are_equally_likely() {
        let flat = Tensor::<4>::ones([1, 3, 6, 5], &Device::flex());
        let found = positions(&flat, 4, 60);
        for row in 0..3 {
            for column in 0..2 {
                assert_eq!(found.iter().filter(|position| **position == [row, column]).count(), 10);
            }
        }
        // a patch as large as the image
        assert_eq!(positions(&Tensor::ones([1, 1, 5, 5], &Device::flex()), 5, 4), [[0, 0]; 4]);
    }
}
