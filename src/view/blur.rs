//! Gaussian blur with a standard deviation of its own for each image, as two matrix products per image.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Approximation of the Gaussian.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// Gaussian sampled at whole pixels, `2r + 1` of them with `r = floor(side / inverse_share / 2)`. SimCLR and BYOL take a tenth
    /// of the side (inverse share 10; 23 pixels at 224). Padding reflects the image; in their code it is black.
    Explicit {
        /// Side of the image over width of the kernel.
        inverse_share: usize,
    },
    /// Three box blurs of fractional width, as in Pillow. Padding repeats the border pixel.
    Pillow,
}

/// Padding beyond the border: reflection, or repetition of the border pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    Mirrors,
    Repeats,
}

/// Gaussian blur with a standard deviation in pixels for each image; 0 leaves an image bit for bit.
///
/// `y_i = K_i x_i K_i'^T` for every channel, K a band matrix whose rows are the kernel. `images`: `[n, c, h, w]`;
/// `sigmas`: n numbers -> the same shape.
pub fn blur(images: Tensor<4>, sigmas: &[f32], kernel: Kernel) -> Tensor<4> {
    let [n, _, height, width] = images.dims();
    assert_eq!(sigmas.len(), n, "blur: one sigma per image");
    if sigmas.iter().all(|&sigma| sigma == 0.0) {
        return images;
    }
    let device = images.device();
    let matrix = |side: usize| kernel.matrix(sigmas, side, &device).unsqueeze_dim::<4>(1); // [n, 1, side, side]
    let down = matrix(height);
    let across = if width == height { down.clone() } else { matrix(width) };
    down.matmul(images).matmul(across.swap_dims(2, 3))
}

impl Kernel {
    /// Matrix of the blur along one axis, for each image: `[n, side, side]`.
    fn matrix(self, sigmas: &[f32], side: usize, device: &Device) -> Tensor<3> {
        match self {
            Kernel::Explicit { inverse_share } => {
                let radius = (side / inverse_share.max(1) / 2).min(side - 1);
                let rows: Vec<_> = sigmas.iter().map(|&sigma| gaussian(f64::from(sigma), radius)).collect();
                band(&rows, side, Border::Mirrors, device)
            }
            Kernel::Pillow => {
                let widest = sigmas.iter().map(|&sigma| box_radius(f64::from(sigma))).fold(0.0, f64::max);
                let radius = widest.floor() as usize + 1;
                let rows: Vec<_> =
                    sigmas.iter().map(|&sigma| box_kernel(box_radius(f64::from(sigma)), radius)).collect();
                let once = band(&rows, side, Border::Repeats, device);
                once.clone().matmul(once.clone()).matmul(once)
            }
        }
    }
}

/// Gaussian kernel `exp(-j^2 / 2 sigma^2)` for j from -radius to radius, divided by its sum.
fn gaussian(sigma: f64, radius: usize) -> Vec<f64> {
    let value = |j: f64| if j == 0.0 { 1.0 } else { (-j * j / (2.0 * sigma * sigma)).exp() };
    scaled((-(radius as i64)..=radius as i64).map(|j| value(j as f64)).collect())
}

/// Half width R of a box filter, without the middle pixel, such that three passes have the variance of the Gaussian, as in Pillow
/// (Gwosdek et al. 2011).
fn box_radius(sigma: f64) -> f64 {
    let variance = sigma * sigma / 3.0;
    let whole = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
    let next = whole + 1.0;
    whole + (2.0 * whole + 1.0) * (whole * next - 3.0 * variance) / (6.0 * (variance - next * next))
}

/// Box kernel of fractional half width R: 1 up to floor(R), the fraction one pixel further, then 0; divided by its sum.
fn box_kernel(half: f64, radius: usize) -> Vec<f64> {
    scaled((-(radius as i64)..=radius as i64).map(|j| (half + 1.0 - j.abs() as f64).clamp(0.0, 1.0)).collect())
}

fn scaled(values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|value| value / sum).collect()
}

/// Band matrix of a convolution with padding: `K_i[o, p]` is the sum of the weights j of kernel i for which pixel o + j is p after
/// padding: `[n, side, side]`.
///
/// The positions are the same for every image, so all matrices are one product of the kernels with a table of counts.
fn band(kernels: &[Vec<f64>], side: usize, border: Border, device: &Device) -> Tensor<3> {
    let taps = kernels[0].len();
    let mut table = vec![0f32; taps * side * side];
    for tap in 0..taps {
        for out in 0..side {
            let pixel = border.inside(out as i64 + tap as i64 - (taps / 2) as i64, side as i64);
            table[(tap * side + out) * side + pixel] += 1.0;
        }
    }
    let values: Vec<f32> = kernels.iter().flatten().map(|&value| value as f32).collect();
    let kernels_of = Tensor::<2>::from_data(TensorData::new(values, [kernels.len(), taps]), device);
    let table = Tensor::<2>::from_data(TensorData::new(table, [taps, side * side]), device);
    kernels_of.matmul(table).reshape([kernels.len(), side, side])
}

impl Border {
    /// Pixel of the image that the padding shows at `position`.
    fn inside(self, position: i64, side: i64) -> usize {
        let last = side - 1;
        let position = match self {
            Border::Repeats => position,
            Border::Mirrors if position > last => 2 * last - position,
            Border::Mirrors => position.abs(),
        };
        position.clamp(0, last) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    #[derive(Deserialize)]
    struct Case {
        kernel: String,
        width: usize,
        sigma: f32,
        expected: Vec<f32>,
    }

    /// Explicit blur with a kernel of `width` pixels on both axes, whatever the size of the image.
    fn explicit(images: Tensor<4>, sigma: f32, width: usize) -> Tensor<4> {
        let [_, _, h, w] = images.dims();
        let kernel = [gaussian(f64::from(sigma), width / 2)];
        let matrix = |side| band(&kernel, side, Border::Mirrors, &Device::flex()).unsqueeze_dim::<4>(1);
        matrix(h).matmul(images).matmul(matrix(w).swap_dims(2, 3))
    }

    #[test]
    fn agrees_with_torchvision_and_with_pillow() {
        let fixture = Fixture::<Case>::read(include_str!("../../tests/fixtures/views/blur.json"));
        for case in &fixture.cases {
            let three_boxes = || blur(fixture.image(), &[case.sigma], Kernel::Pillow);
            let (found, tolerance) = match case.kernel.as_str() {
                "gaussian" => (explicit(fixture.image(), case.sigma, case.width), 1e-5),
                "boxes" => (three_boxes(), 1e-5),
                // Pillow rounds to bytes after each of its six passes, by at most half a level each
                _ => (three_boxes(), 3.01 / 255.0),
            };
            assert_close(&values(found), &case.expected, tolerance);
        }
    }

    #[test]
    fn the_kernel_width_is_proportional_to_the_side() {
        let taps = |side: usize| 2 * (side / 10 / 2) + 1;
        assert_eq!((taps(224), taps(32)), (23, 3));
        let x = Tensor::<4>::random([1, 1, 32, 32], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let found = blur(x.clone(), &[1.5], Kernel::Explicit { inverse_share: 10 });
        assert_close(&values(found), &values(explicit(x, 1.5, 3)), 1e-6);
    }

    #[test]
    fn flat_images_stay_and_sigma_0_is_the_identity() {
        let flat = Tensor::<4>::full([2, 3, 8, 11], 0.3, &Device::flex());
        let x = Tensor::<4>::random([2, 3, 8, 11], Distribution::Uniform(0.0, 1.0), &Device::flex());
        for kernel in [Kernel::Explicit { inverse_share: 2 }, Kernel::Pillow] {
            assert_close(&values(blur(flat.clone(), &[0.4, 2.0], kernel)), &values(flat.clone()), 1e-6);
            // a second image is blurred, so that the first one goes through the matrices too
            let y = blur(x.clone(), &[0.0, 1.0], kernel);
            assert_eq!(values(y.clone().narrow(0, 0, 1)), values(x.clone().narrow(0, 0, 1)));
            assert_ne!(values(y.narrow(0, 1, 1)), values(x.clone().narrow(0, 1, 1)));
        }
    }

    #[test]
    fn three_boxes_have_the_variance_of_the_gaussian() {
        for sigma in [0.1, 0.5, 1.0, 2.0, 3.7] {
            let half = box_radius(sigma);
            let kernel = box_kernel(half, half.floor() as usize + 1);
            let centre = (kernel.len() / 2) as f64;
            let variance: f64 = kernel.iter().enumerate().map(|(j, value)| value * (j as f64 - centre).powi(2)).sum();
            assert!((3.0 * variance - sigma * sigma).abs() < 1e-9, "{variance} at {sigma}");
        }
    }
}
