//! Photometric ops that are not linear: solarise, posterise, sharpness, autocontrast (as in Pillow and torchvision).

use burn::tensor::{Device, Tensor, TensorData};

use super::colour::clipped;
use crate::kernel::{self, ConvGeometry};

/// Threshold above every pixel, for images that are not solarised.
pub const NEVER: f32 = 2.0;

/// One value an image, `[n, 1, 1, 1]`, which broadcasts over its pixels.
fn each(numbers: Vec<f32>, device: &Device) -> Tensor<4> {
    let n = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [n, 1, 1, 1]), device)
}

/// Solarise: `x` below the image's threshold, `1 - x` from it on; [`NEVER`] is the identity.
///
/// `images`: `[n, c, h, w]` in 0 to 1; `thresholds`: n numbers -> the same shape.
pub fn solarise(images: Tensor<4>, thresholds: &[f32]) -> Tensor<4> {
    assert_eq!(thresholds.len(), images.dims()[0], "solarise: one threshold per image");
    if thresholds.iter().all(|&threshold| threshold > 1.0) {
        return images;
    }
    let bright = images.clone().greater_equal(each(thresholds.to_vec(), &images.device())).float();
    let dark = bright.clone().neg() + 1.0;
    let inverted = images.clone().neg() + 1.0;
    images * dark + inverted * bright
}

/// Posterise to b bits: `min(floor(2^b x), 2^b - 1) / 2^b`; 0 bits are the identity.
///
/// `images`: `[n, c, h, w]` in 0 to 1; `bits`: n numbers -> the same shape.
pub fn posterise(images: Tensor<4>, bits: &[u32]) -> Tensor<4> {
    assert_eq!(bits.len(), images.dims()[0], "posterise: one number of bits per image");
    if bits.iter().all(|&bits| bits == 0) {
        return images;
    }
    let device = images.device();
    let levels: Vec<f32> = bits.iter().map(|&bits| 2f32.powi(bits as i32)).collect();
    let chosen = each(bits.iter().map(|&bits| if bits == 0 { 0.0 } else { 1.0 }).collect(), &device);
    let levels = each(levels, &device);
    let steps = (images.clone() * levels.clone()).floor();
    // only white (x = 1) gives 2^b, one level too high
    let steps = steps.clone() - steps.greater_equal(levels.clone()).float();
    let change = steps / levels - images.clone();
    images + change * chosen
}

/// Sharpness by a factor f: `f x + (1 - f) s(x)`, clipped to 0 to 1, with s the weighted mean over 3x3 pixels (5/13 at the centre, 1/13
/// around it). Border pixels stay. A factor of 1 is the identity.
///
/// `images`: `[n, c, h, w]` in 0 to 1; `factors`: n numbers -> the same shape.
pub fn sharpness(images: Tensor<4>, factors: &[f32]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(factors.len(), n, "sharpness: one factor per image");
    if h <= 2 || w <= 2 || factors.iter().all(|&factor| factor == 1.0) {
        return images;
    }
    let device = images.device();
    let mut taps = vec![1.0f32 / 13.0; 9];
    taps[4] = 5.0 / 13.0;
    let taps = Tensor::<4>::from_data(TensorData::new(taps, [1, 1, 3, 3]), &device);
    let planes = images.clone().reshape([n * c, 1, h, w]);
    let geometry = ConvGeometry { stride: 1, padding: 0, dilation: 1, groups: 1 };
    // not by Burn's convolution, which comes out wrong on some GPUs for images of one channel
    let soft = kernel::convolve(planes, taps, None, geometry).reshape([n, c, h - 2, w - 2]);
    let inner = images.clone().slice([0..n, 0..c, 1..h - 1, 1..w - 1]);
    let softer = each(factors.iter().map(|factor| 1.0 - factor).collect(), &device);
    let sharpened = clipped(inner.clone() + (soft - inner) * softer);
    images.slice_assign([0..n, 0..c, 1..h - 1, 1..w - 1], sharpened)
}

/// Autocontrast: stretches every channel of the chosen images to 0 to 1, `(x - min) / (max - min)`; a flat channel stays.
///
/// `images`: `[n, c, h, w]` in 0 to 1; `chosen`: n -> the same shape.
pub fn autocontrast(images: Tensor<4>, chosen: &[bool]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(chosen.len(), n, "autocontrast: one choice per image");
    if !chosen.contains(&true) {
        return images;
    }
    let pixels = images.clone().reshape([n, c, h * w]);
    let low = pixels.clone().min_dim(2).reshape([n, c, 1, 1]);
    let range = pixels.max_dim(2).reshape([n, c, 1, 1]) - low.clone();
    let works = range.clone().greater_elem(0.0).float();
    let chosen = each(chosen.iter().map(|&on| f32::from(u8::from(on))).collect(), &images.device()) * works.clone();
    // chosen channels with a range have the factor 1 / range and the shift of their minimum, all others 1 and 0
    let factor = chosen.clone() * ((range + (works.neg() + 1.0)).recip() - 1.0) + 1.0;
    clipped((images - low * chosen) * factor)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, assert_close, values};
    use super::*;
    use burn::tensor::Distribution;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Case {
        op: String,
        value: f32,
        expected: Vec<f32>,
    }

    fn noise() -> Tensor<4> {
        Tensor::random([2, 3, 5, 6], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn ops_agree_with_torchvision() {
        let fixture = Fixture::<Case>::read(include_str!("../../tests/fixtures/views/tone.json"));
        for case in &fixture.cases {
            let found = match case.op.as_str() {
                "solarise" => solarise(fixture.image(), &[case.value]),
                "posterise" => posterise(fixture.image(), &[case.value as u32]),
                "sharpness" => sharpness(fixture.image(), &[case.value]),
                "autocontrast" => autocontrast(fixture.image(), &[true]),
                other => panic!("no op `{other}`"),
            };
            assert_close(&values(found), &case.expected, 1e-5);
        }
    }

    #[test]
    fn an_image_that_is_not_chosen_stays() {
        let x = noise();
        let changed = [
            solarise(x.clone(), &[NEVER, 0.5]),
            posterise(x.clone(), &[0, 4]),
            sharpness(x.clone(), &[1.0, 0.1]),
            autocontrast(x.clone(), &[false, true]),
        ];
        for y in changed {
            assert_eq!(values(y.clone().narrow(0, 0, 1)), values(x.clone().narrow(0, 0, 1)));
            assert_ne!(values(y.narrow(0, 1, 1)), values(x.clone().narrow(0, 1, 1)));
        }
    }

    #[test]
    fn solarise_follows_its_formula() {
        let x = noise();
        let expected: Vec<f32> = values(x.clone()).iter().map(|&x| if x < 0.4 { x } else { 1.0 - x }).collect();
        assert_eq!(values(solarise(x, &[0.4; 2])), expected);
    }

    #[test]
    fn autocontrast_fills_the_range_of_every_channel() {
        let x = noise() * 0.5 + 0.2;
        let sharp = values(sharpness(x.clone(), &[1.9; 2]));
        assert!(sharp.iter().all(|value| (0.0..=1.0).contains(value)));
        for channel in values(autocontrast(x, &[true; 2])).chunks(30) {
            let (low, high) = channel.iter().fold((1f32, 0f32), |(low, high), &x| (low.min(x), high.max(x)));
            assert!(low.abs() < 1e-6 && (high - 1.0).abs() < 1e-6);
        }
    }
}
