//! Brightness and contrast of patches, each by its own pixels: what is bright beside what is dark would tell where a patch
//! was.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// A patch flatter than one step of 255 is not stretched.
const FLATTEST: f64 = 1.0 / 255.0;

/// What is made the same for all patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing.
    Keep,
    /// The mean of each channel.
    Mean,
    /// Mean and deviation of each channel.
    Deviation,
    /// The root of the mean square over all channels; patches are taken as they are, without a mean to subtract.
    Power,
}

/// Gives each patch the brightness and contrast of the data set: with z the patch less its mean, divided by its deviation,
/// or divided by the root of its mean square, the result is `mean + z`, `mean + std z` or `mean + std z`. An encoder that
/// subtracts `mean` and divides by `std` then reads z itself, times one factor.
///
/// `patches`: `[m, c, h, w]`; `mean`, `std`: one number a channel or one for all -> the same shape.
pub fn level(patches: Tensor<4>, level: Level, mean: &[f64], std: &[f64]) -> Tensor<4> {
    let [m, c, h, w] = patches.dims();
    let device = patches.device();
    let (mean, std) = (channels(mean, c, &device), channels(std, c, &device));
    let over_pixels = |x: Tensor<4>| x.reshape([m, c, h * w]).mean_dim(2).reshape([m, c, 1, 1]);
    match level {
        Level::Keep => patches,
        Level::Mean => patches.clone() - over_pixels(patches) + mean,
        Level::Deviation => {
            let centred = patches.clone() - over_pixels(patches);
            let own = over_pixels(centred.clone().square()).sqrt().clamp_min(FLATTEST);
            centred / own * std + mean
        }
        Level::Power => {
            let power = over_pixels(patches.clone().square()).mean_dim(1); // [m, 1, 1, 1]
            patches / power.sqrt().clamp_min(FLATTEST) * std + mean
        }
    }
}

/// `[1, c, 1, 1]`.
fn channels(numbers: &[f64], c: usize, device: &Device) -> Tensor<4> {
    assert!(numbers.len() == 1 || numbers.len() == c, "level: one number a channel or one for all");
    let each = (0..c).map(|channel| numbers[channel % numbers.len()] as f32);
    Tensor::from_data(TensorData::new(each.collect::<Vec<_>>(), [1, c, 1, 1]), device)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    const MEAN: [f64; 3] = [0.4, 0.5, 0.6];
    const STD: [f64; 3] = [0.2, 0.3, 0.1];

    fn moments(pixels: &[f32]) -> [f64; 2] {
        let mean = pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / pixels.len() as f64;
        let variance = pixels.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
        [mean, variance.sqrt()]
    }

    fn patches() -> Tensor<4> {
        let x = Tensor::<4>::random([2, 3, 6, 6], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let gain = Tensor::<4>::from_data([[[[0.2f32]]], [[[0.9]]]], &Device::flex());
        x * gain
    }

    #[test]
    fn every_patch_ends_with_the_moments_of_the_data() {
        let (mean, both) =
            (level(patches(), Level::Mean, &MEAN, &STD), level(patches(), Level::Deviation, &MEAN, &STD));
        for (index, pixels) in values(mean).chunks(36).enumerate() {
            assert!((moments(pixels)[0] - MEAN[index % 3]).abs() < 1e-6);
        }
        for (index, pixels) in values(both).chunks(36).enumerate() {
            let [mean, deviation] = moments(pixels);
            assert!((mean - MEAN[index % 3]).abs() < 1e-5 && (deviation - STD[index % 3]).abs() < 1e-5);
        }
    }

    #[test]
    fn power_is_one_number_a_patch_and_does_not_centre() {
        let x = patches();
        let y = level(x.clone(), Level::Power, &[0.0], &[50.0]);
        for (found, source) in values(y).chunks(108).zip(values(x).chunks(108)) {
            let power = |pixels: &[f32]| (pixels.iter().map(|x| x * x).sum::<f32>() / 108.0).sqrt();
            assert!((power(found) - 50.0).abs() < 1e-3);
            let factor = 50.0 / power(source);
            assert!(found.iter().zip(source).all(|(y, x)| (y - factor * x).abs() < 1e-3));
        }
    }

    #[test]
    fn a_flat_patch_stays_flat_and_finite() {
        let flat = Tensor::<4>::ones([1, 1, 4, 4], &Device::flex()) * 0.3;
        for kind in [Level::Mean, Level::Deviation] {
            assert_close(&values(level(flat.clone(), kind, &[0.5], &[0.25])), &[0.5; 16], 1e-6);
        }
        let black = level(flat * 0.0, Level::Power, &[0.5], &[0.25]);
        assert_close(&values(black), &[0.5; 16], 1e-6);
    }
}
