//! Crop and resize, as two matrix products per image.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::colour::clipped;

/// Interpolation filter. For downsampling the kernel is widened by the scale (antialiasing), as in Pillow and torchvision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Bilinear: a triangle of radius 1.
    Bilinear,
    /// Bicubic: Keys' cubic with a = -1/2, of radius 2; results are clipped to 0 to 1.
    Bicubic,
}

/// Crop window: a rectangle of an image in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Flip the result horizontally.
    pub mirrored: bool,
}

/// Position given to source pixels outside the window, beyond the radius of every kernel.
const AWAY: f64 = 1e6;

/// Crops a window out of each image and resizes it.
///
/// `y_i = R_i x_i C_i^T` for every channel, with `R_i[o, p] = k((p + 1/2 - c_o) / s) / sum_p`, where
/// `c_o = top + (o + 1/2) height / size`, `s = max(1, height / size)`, k the filter's kernel and p inside the window; C likewise.
/// The matrices are computed on the device from a few numbers per image.
///
/// `images`: `[n, c, h, w]`; `windows`: n -> `[n, c, size[0], size[1]]`.
pub fn resample(images: Tensor<4>, windows: &[Window], size: [usize; 2], filter: Filter) -> Tensor<4> {
    let [n, _, height, width] = images.dims();
    assert_eq!(windows.len(), n, "resample: one window per image");
    let down: Vec<_> = windows.iter().map(|w| Span::whole(w.top, w.height, false)).collect();
    let across: Vec<_> = windows.iter().map(|w| Span::whole(w.left, w.width, w.mirrored)).collect();
    let device = images.device();
    let rows = weights(&down, height, size[0], filter, &device).unsqueeze_dim::<4>(1); // [n, 1, out, h]
    let columns = weights(&across, width, size[1], filter, &device).unsqueeze_dim::<4>(1); // [n, 1, out, w]
    let resampled = rows.matmul(images).matmul(columns.swap_dims(2, 3));
    match filter {
        Filter::Bilinear => resampled,
        Filter::Bicubic => clipped(resampled),
    }
}

/// Crops a square out of each image and resizes it bilinearly, like [`resample`], with windows computed on the device: `starts` (first
/// row and first column) and `sides` in pixels, which need not be whole, are `[n, 1]` each.
pub(super) fn resample_squares(
    images: Tensor<4>,
    starts: [Tensor<2>; 2],
    sides: Tensor<2>,
    size: [usize; 2],
) -> Tensor<4> {
    let [.., height, width] = images.dims();
    let device = images.device();
    let sides = sides.unsqueeze_dim::<3>(2); // [n, 1, 1]
    let middles = |count: usize, shape: [usize; 3]| {
        let values: Vec<f32> = (0..count).map(|at| at as f32 + 0.5).collect();
        Tensor::<3>::from_data(TensorData::new(values, shape), &device)
    };
    let along = |start: Tensor<2>, input: usize, output: usize| {
        let scale = sides.clone() / output as f64;
        let centres = middles(output, [1, output, 1]) * scale.clone() + start.unsqueeze_dim::<3>(2); // [n, output, 1]
        let distances = (middles(input, [1, 1, input]) - centres).abs();
        let weights = Filter::Bilinear.kernel(distances / scale.clamp_min(1.0));
        summing_to_one(weights).unsqueeze_dim::<4>(1) // [n, 1, output, input]
    };
    let [top, left] = starts;
    let rows = along(top, height, size[0]);
    let columns = along(left, width, size[1]);
    rows.matmul(images).matmul(columns.swap_dims(2, 3))
}

/// Extent of a window along one axis, in pixels that need not be whole.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub start: f64,
    pub length: f64,
    /// Source pixels that contribute.
    pub inside: Range<usize>,
    pub mirrored: bool,
}

impl Span {
    /// Extent of whole pixels, to which no pixel outside contributes.
    fn whole(start: usize, length: usize, mirrored: bool) -> Self {
        Self { start: start as f64, length: length as f64, inside: start..start + length, mirrored }
    }
}

/// Smallest sum that weights are divided by; a row without any source pixel stays 0.
const TINY: f64 = 1e-6;

/// Interpolation matrices along one axis, from `input` to `output` pixels: `[n, output, input]`. Rows sum to 1, or to 0 if no source
/// pixel contributes.
pub(super) fn weights(spans: &[Span], input: usize, output: usize, filter: Filter, device: &Device) -> Tensor<3> {
    let mut positions = Vec::new();
    let mut centres = Vec::new();
    for span in spans {
        let scale = span.length / output as f64;
        let stretch = scale.max(1.0);
        let position = |p: usize| if span.inside.contains(&p) { (p as f64 + 0.5) / stretch } else { AWAY };
        positions.extend((0..input).map(|p| position(p) as f32));
        let source = |o: usize| if span.mirrored { output - 1 - o } else { o };
        let centre = |o: usize| (span.start + (source(o) as f64 + 0.5) * scale) / stretch;
        centres.extend((0..output).map(|o| centre(o) as f32));
    }
    let positions = Tensor::<3>::from_data(TensorData::new(positions, [spans.len(), 1, input]), device);
    let centres = Tensor::<3>::from_data(TensorData::new(centres, [spans.len(), output, 1]), device);
    summing_to_one(filter.kernel((positions - centres).abs()))
}

fn summing_to_one(weights: Tensor<3>) -> Tensor<3> {
    weights.clone() / weights.sum_dim(2).clamp_min(TINY)
}

impl Filter {
    /// Kernel at distances `t >= 0`; 0 from its radius on.
    fn kernel(self, t: Tensor<3>) -> Tensor<3> {
        match self {
            Filter::Bilinear => (t.neg() + 1.0).clamp_min(0.0),
            // 3/2 t^3 - 5/2 t^2 + 1 up to 1 and -1/2 t^3 + 5/2 t^2 - 4 t + 2 from 1 to 2; both are 0 at the clamped ends
            Filter::Bicubic => {
                let near = t.clone().clamp_max(1.0);
                let far = t.clamp(1.0, 2.0);
                let inner = (near.clone() * 1.5 - 2.5) * near.clone() * near + 1.0;
                let outer = ((far.clone() * -0.5 + 2.5) * far.clone() - 4.0) * far + 2.0;
                inner + outer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, assert_close, values};
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Case {
        filter: Filter,
        window: [usize; 4],
        size: [usize; 2],
        expected: Vec<f32>,
    }

    fn window([top, left, height, width]: [usize; 4]) -> Window {
        Window { top, left, height, width, mirrored: false }
    }

    #[test]
    fn agrees_with_torchvisions_resized_crop() {
        let fixture = Fixture::<Case>::read(include_str!("../../tests/fixtures/views/resample.json"));
        for case in &fixture.cases {
            let found = values(resample(fixture.image(), &[window(case.window)], case.size, case.filter));
            let expected: Vec<f32> = case.expected.iter().map(|x| x.clamp(0.0, 1.0)).collect();
            assert_close(&found, &expected, 1e-5);
        }
    }

    #[test]
    fn the_whole_image_at_its_own_size_is_itself() {
        let x = Tensor::<4>::random([2, 3, 7, 9], burn::tensor::Distribution::Uniform(0.0, 1.0), &Device::flex());
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let y = resample(x.clone(), &[window([0, 0, 7, 9]); 2], [7, 9], filter);
            assert_eq!(values(y), values(x.clone()));
        }
    }

    #[test]
    fn each_image_has_its_own_window_and_flip() {
        let x = Tensor::<4>::random([2, 1, 6, 6], burn::tensor::Distribution::Uniform(0.0, 1.0), &Device::flex());
        let windows = [window([0, 0, 6, 6]), Window { mirrored: true, ..window([1, 2, 4, 3]) }];
        let together = resample(x.clone(), &windows, [5, 5], Filter::Bilinear);
        let first = resample(x.clone().narrow(0, 0, 1), &windows[..1], [5, 5], Filter::Bilinear);
        let second = resample(x.narrow(0, 1, 1), &[window([1, 2, 4, 3])], [5, 5], Filter::Bilinear).flip([3]);
        assert_close(&values(together), &values(Tensor::cat(vec![first, second], 0)), 1e-6);
    }

    #[test]
    fn pixels_outside_the_window_do_not_contribute() {
        let mut pixels = [9.0f32; 64];
        (2..6).for_each(|r| (1..5).for_each(|c| pixels[8 * r + c] = 0.5));
        let x = Tensor::<4>::from_data(TensorData::new(pixels.to_vec(), [1, 1, 8, 8]), &Device::flex());
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for size in [2, 4, 11] {
                let y = values(resample(x.clone(), &[window([2, 1, 4, 4])], [size, size], filter));
                assert!(y.iter().all(|value| (value - 0.5).abs() < 1e-5), "{filter:?} to {size}: {y:?}");
            }
        }
    }
}
