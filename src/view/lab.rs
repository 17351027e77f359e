//! CIE Lab colours under daylight (D65): lightness L (0 to 100), a (green to red) and b (blue to yellow).
//!
//! L holds the brightness of a pixel and a and b only its colour, so that a task can show one and ask for the other. The constants
//! are those of scikit-image and of the colorization code.

use burn::tensor::{Device, Tensor, TensorData};

/// Matrix from linear RGB to XYZ.
const TO_XYZ: [[f64; 3]; 3] =
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]];
/// Matrix from XYZ to linear RGB.
const FROM_XYZ: [[f64; 3]; 3] =
    [[3.240479, -1.537150, -0.498535], [-0.969256, 1.875992, 0.041556], [0.055648, -0.204043, 1.057311]];
/// XYZ of white.
const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];
/// Share of white below which f is linear instead of a cube root.
const DARK: f64 = 0.008856;
const SLOPE: f64 = 7.787;
const FOOT: f64 = 16.0 / 116.0;

/// Conversion from sRGB to Lab: `L = 116 f(Y) - 16, a = 500 (f(X / Xw) - f(Y)), b = 200 (f(Y) - f(Z / Zw))` with
/// `f(t) = t^(1/3)` above 0.008856 and `7.787 t + 16/116` below. Gray pixels have a and b of about 0.
///
/// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3 -> `[n, 3, h, w]`.
pub fn to_lab(images: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    let rgb = if c == 1 { images.expand([n, 3, h, w]) } else { images };
    let share = |row: usize, column: usize| TO_XYZ[row][column] / WHITE[row];
    let f = roots(mixed(linear(rgb), share)); // [n, 3, h, w]
    let [x, y, z] = channels(f);
    let lightness = y.clone() * 116.0 - 16.0;
    Tensor::cat(vec![lightness, (x - y.clone()) * 500.0, (y - z) * 200.0], 1)
}

/// Lightness L: `[n, c, h, w]` in 0 to 1, c = 1 or 3 -> `[n, 1, h, w]`.
pub fn lightness(images: Tensor<4>) -> Tensor<4> {
    let [_, c, _, _] = images.dims();
    let light = linear(images);
    let y = if c == 1 { light } else { channels(mixed(light, |_, column| TO_XYZ[1][column]))[0].clone() };
    roots(y) * 116.0 - 16.0
}

/// Conversion from Lab to sRGB: `[n, 3, h, w]` -> the same shape, in 0 to 1. Channels of colours outside the gamut are clipped.
pub fn from_lab(lab: Tensor<4>) -> Tensor<4> {
    let [l, a, b] = channels(lab);
    let y = (l + 16.0) / 116.0;
    let f = Tensor::cat(vec![y.clone() + a / 500.0, y.clone(), y - b / 200.0], 1);
    let cubes = f.clone() * f.clone() * f.clone();
    let line = (f.clone() - FOOT) / SLOPE;
    let xyz = line.mask_where(f.greater_elem(DARK.cbrt()), cubes);
    let light = mixed(xyz, |row, column| FROM_XYZ[row][column] * WHITE[column]).clamp(0.0, 1.0);
    let curve = light.clone().powf_scalar(1.0 / 2.4) * 1.055 - 0.055;
    (light.clone() * 12.92).mask_where(light.greater_elem(0.0031308), curve).clamp(0.0, 1.0)
}

/// [`to_lab`] of one colour, in double precision on the host.
pub(super) fn lab_of(rgb: [f64; 3]) -> [f64; 3] {
    let light = rgb.map(|x| if x > 0.04045 { ((x + 0.055) / 1.055).powf(2.4) } else { x / 12.92 });
    let share = |row: usize| (0..3).map(|column| TO_XYZ[row][column] * light[column]).sum::<f64>() / WHITE[row];
    let f = |t: f64| if t > DARK { t.cbrt() } else { SLOPE * t + FOOT };
    let [x, y, z] = [0, 1, 2].map(|row| f(share(row)));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Conversion from sRGB to linear RGB, the inverse gamma curve.
fn linear(x: Tensor<4>) -> Tensor<4> {
    let curve = ((x.clone() + 0.055) / 1.055).powf_scalar(2.4);
    (x.clone() / 12.92).mask_where(x.greater_elem(0.04045), curve)
}

/// The function f of [`to_lab`].
fn roots(t: Tensor<4>) -> Tensor<4> {
    let curve = t.clone().clamp_min(DARK).powf_scalar(1.0 / 3.0);
    (t.clone() * SLOPE + FOOT).mask_where(t.greater_elem(DARK), curve)
}

/// Product of a 3x3 matrix with the channels of every pixel.
fn mixed(x: Tensor<4>, entry: impl Fn(usize, usize) -> f64) -> Tensor<4> {
    let [n, _, h, w] = x.dims();
    let device = x.device();
    matrix(entry, &device).matmul(x.reshape([n, 3, h * w])).reshape([n, 3, h, w])
}

fn matrix(entry: impl Fn(usize, usize) -> f64, device: &Device) -> Tensor<3> {
    let entries: Vec<f32> = (0..9).map(|index| entry(index / 3, index % 3) as f32).collect();
    Tensor::from_data(TensorData::new(entries, [1, 3, 3]), device)
}

fn channels(x: Tensor<4>) -> [Tensor<4>; 3] {
    [0, 1, 2].map(|channel| x.clone().narrow(1, channel, 1))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    fn pixel(rgb: [f32; 3]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(rgb.to_vec(), [1, 3, 1, 1]), &Device::flex())
    }

    /// sRGB colours and their Lab values by scikit-image.
    const KNOWN: [([f32; 3], [f32; 3]); 4] = [
        ([1.0, 0.0, 0.0], [53.2406, 80.0923, 67.2028]),
        ([0.0, 1.0, 0.0], [87.7351, -86.183, 83.1797]),
        ([0.0, 0.0, 1.0], [32.2957, 79.1856, -107.8573]),
        ([128.0 / 255.0, 128.0 / 255.0, 128.0 / 255.0], [53.585, -0.0015, 0.0028]),
    ];

    #[test]
    fn known_colours_have_scikit_images_lab_values() {
        for (rgb, lab) in KNOWN {
            assert_close(&values(to_lab(pixel(rgb))), &lab, 2e-4);
            let exact = lab_of(rgb.map(f64::from)).map(|x| x as f32);
            assert_close(&exact, &lab, 1e-4);
            assert_close(&values(from_lab(to_lab(pixel(rgb)))), &rgb, 2e-4);
        }
    }

    #[test]
    fn from_lab_undoes_to_lab() {
        let x = Tensor::<4>::random([2, 3, 16, 16], Distribution::Uniform(0.0, 1.0), &Device::flex());
        assert_close(&values(from_lab(to_lab(x.clone()))), &values(x.clone()), 5e-4);
        // dark colours use the linear parts of both curves
        let dark = x * 0.03;
        assert_close(&values(from_lab(to_lab(dark.clone()))), &values(dark), 5e-4);
    }

    #[test]
    fn lightness_is_lab_channel_0_and_gray_has_no_colour() {
        let x = Tensor::<4>::random([2, 3, 8, 8], Distribution::Uniform(0.0, 1.0), &Device::flex());
        assert_close(&values(lightness(x.clone())), &values(to_lab(x.clone()).narrow(1, 0, 1)), 1e-4);
        let gray = x.narrow(1, 0, 1);
        let lab = to_lab(gray.clone());
        assert_close(&values(lightness(gray)), &values(lab.clone().narrow(1, 0, 1)), 1e-4);
        let colour: f32 = lab.narrow(1, 1, 2).abs().max().into_scalar();
        assert!(colour < 0.01, "{colour}");
    }

    #[test]
    fn black_and_white_have_lightness_0_and_100() {
        assert_close(&values(to_lab(pixel([0.0; 3]))), &[0.0; 3], 1e-4);
        assert_close(&values(to_lab(pixel([1.0; 3]))), &[100.0, 0.0, 0.0], 1e-2);
    }
}
