//! Warping of images by homographies.

use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{Device, Tensor, TensorData};

/// Padding beyond the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Constant brightness.
    Value(f32),
    /// Nearest pixel of the border.
    Edge,
}

/// Least denominator of a projected point, which keeps points at infinity finite and outside the image.
const HORIZON: f64 = 1e-6;

/// Warps each image by a homography M from output to input coordinates: `y[r, c] = x(M (c + 1/2, r + 1/2))`, bilinear between pixel
/// centres, `fill` outside. As in Pillow, a point is inside up to the outer border of the last pixel, and image and fill are
/// not blended.
///
/// `images`: `[n, c, h, w]`; `maps`: `[n, 3, 3]`, see [`super::Homography`] -> `[n, c, size[0], size[1]]`.
pub fn warp(images: Tensor<4>, maps: Tensor<3>, size: [usize; 2], fill: Fill) -> Tensor<4> {
    let [n, _, h, w] = images.dims();
    let [rows, columns] = size;
    // grid_sample_2d takes coordinates in -1 to 1 from border to border
    let unit = |position: Tensor<4>, side: usize| (position * (2.0 / side as f64) - 1.0).clamp(-3.0, 3.0);
    let [x, y] = destinations(maps, size);
    let x = unit(x, w);
    let y = unit(y, h);
    let options = GridSampleOptions::new(InterpolateMode::Bilinear).with_padding_mode(GridSamplePaddingMode::Border);
    let seen = images.grid_sample_2d(Tensor::cat(vec![x.clone(), y.clone()], 3), options);
    match fill {
        Fill::Edge => seen,
        Fill::Value(level) => {
            let inside = within(x) * within(y); // [n, rows, columns, 1]
            (seen - level) * inside.reshape([n, 1, rows, columns]) + level
        }
    }
}

/// Image of each pixel centre under the homographies `maps` `[n, 3, 3]`: x and y, each `[n, rows, columns, 1]`.
pub(super) fn destinations(maps: Tensor<3>, [rows, columns]: [usize; 2]) -> [Tensor<4>; 2] {
    let [n, ..] = maps.dims();
    let device = maps.device();
    let points = maps.matmul(centres([rows, columns], &device).expand([n, 3, rows * columns])); // [n, 3, rows * columns]
    let coordinate = |index: usize| points.clone().narrow(1, index, 1);
    let depth = coordinate(2);
    let depth = depth.clone() + depth.abs().lower_elem(HORIZON).float() * (2.0 * HORIZON);
    [0, 1].map(|index| (coordinate(index) / depth.clone()).reshape([n, rows, columns, 1]))
}

/// 1 for coordinates inside the image, in `[-1, 1)`, and 0 outside.
fn within(position: Tensor<4>) -> Tensor<4> {
    position.clone().greater_equal_elem(-1.0).float() * position.lower_elem(1.0).float()
}

/// Homogeneous coordinates (x, y, 1) of all pixel centres, row by row: `[1, 3, rows * columns]`.
fn centres([rows, columns]: [usize; 2], device: &Device) -> Tensor<3> {
    let count = rows * columns;
    let x = (0..count).map(|index| (index % columns) as f32 + 0.5);
    let y = (0..count).map(|index| (index / columns) as f32 + 0.5);
    let numbers: Vec<f32> = x.chain(y).chain(std::iter::repeat_n(1.0, count)).collect();
    Tensor::from_data(TensorData::new(numbers, [1, 3, count]), device)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::super::{Homography, rotate};
    use super::*;
    use burn::tensor::Distribution;

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    fn one(x: Tensor<4>, map: Homography, size: [usize; 2], fill: Fill) -> Tensor<4> {
        let [n, ..] = x.dims();
        warp(x, Homography::tensor(&vec![map; n], &Device::flex()), size, fill)
    }

    /// The definition, pixel by pixel.
    fn slowly(
        x: &[f32],
        [h, w]: [usize; 2],
        map: Homography,
        [rows, columns]: [usize; 2],
        fill: Option<f64>,
    ) -> Vec<f32> {
        let pixel = |r: f64, c: f64| {
            let index = r.clamp(0.0, h as f64 - 1.0) as usize * w + c.clamp(0.0, w as f64 - 1.0) as usize;
            f64::from(x[index])
        };
        let each = |index: usize| {
            let [u, v] = map.apply([(index % columns) as f64 + 0.5, (index / columns) as f64 + 0.5]);
            let outside = u < 0.0 || v < 0.0 || u >= w as f64 || v >= h as f64;
            if let (true, Some(level)) = (outside, fill) {
                return level as f32;
            }
            let [c, r] = [u - 0.5, v - 0.5];
            let [c0, r0] = [c.floor(), r.floor()];
            let [across, down] = [c - c0, r - r0];
            let upper = pixel(r0, c0) * (1.0 - across) + pixel(r0, c0 + 1.0) * across;
            let lower = pixel(r0 + 1.0, c0) * (1.0 - across) + pixel(r0 + 1.0, c0 + 1.0) * across;
            (upper * (1.0 - down) + lower * down) as f32
        };
        (0..rows * columns).map(each).collect()
    }

    #[test]
    fn warp_agrees_with_a_slow_loop() {
        let x = noise([1, 1, 9, 12]);
        let maps = [
            Homography([1.2, 0.3, -1.0, -0.2, 0.9, 2.0, 0.0, 0.0, 1.0]),
            Homography([0.9, -0.4, 2.0, 0.5, 1.1, -3.0, 0.02, -0.01, 1.0]),
        ];
        for map in maps {
            for (fill, level) in [(Fill::Edge, None), (Fill::Value(0.5), Some(0.5))] {
                let expected = slowly(&values(x.clone()), [9, 12], map, [7, 10], level);
                assert_close(&values(one(x.clone(), map, [7, 10], fill)), &expected, 1e-4);
            }
        }
    }

    #[test]
    fn the_identity_and_quarter_turns_are_exact() {
        let x = noise([2, 3, 8, 8]);
        let same = one(x.clone(), Homography::IDENTITY, [8, 8], Fill::Value(0.0));
        assert_close(&values(same), &values(x.clone()), 2e-6);
        // AET's rotation by 90 degrees: x_in = y, y_in = 8 - x
        let quarter = Homography([0.0, 1.0, 0.0, -1.0, 0.0, 8.0, 0.0, 0.0, 1.0]);
        assert_close(&values(one(x.clone(), quarter, [8, 8], Fill::Value(0.0))), &values(rotate(x, 3)), 2e-6);
    }

    #[test]
    fn a_flat_image_of_the_fills_brightness_stays_flat() {
        let flat = Tensor::<4>::ones([1, 1, 8, 8], &Device::flex()) * 0.5;
        let turn = Homography([0.7, 0.7, -1.0, -0.7, 0.7, 4.0, 0.0, 0.0, 1.0]);
        let gray = values(one(flat.clone(), turn, [8, 8], Fill::Value(0.5)));
        assert!(gray.iter().all(|x| (x - 0.5).abs() < 1e-6), "{gray:?}");
        let black = values(one(flat, turn, [8, 8], Fill::Value(0.0)));
        assert!(black.contains(&0.0), "another fill shows in the corners");
    }
}
