//! Normalisation of each patch by its own pixels, because brightness and contrast would give away which patches are neighbours.

use burn::tensor::{Device, Tensor, TensorData};

use crate::options::words;

/// Least deviation that a patch is divided by, one of 255 levels.
const FLATTEST: f64 = 1.0 / 255.0;

words! {
    /// Statistic that is made equal for all patches.
    pub enum PatchNormalisation {
        /// None.
        Keep = "keep",
        /// Mean of each channel.
        Mean = "mean",
        /// Mean and standard deviation of each channel.
        Deviation = "deviation",
        /// Root mean square over all channels, without subtracting a mean.
        Power = "power",
    }
}

/// Normalises each patch to the data set's mean and deviation: `mean + (x - m)`, `mean + std (x - m) / s` or `mean + std x / r` with m
/// the patch's mean, s its standard deviation and r its root mean square. An encoder that subtracts `mean` and divides by `std`
/// then reads the normalised patch.
///
/// `patches`: `[m, c, h, w]`; `mean`, `std`: one value a channel or one for all -> the same shape.
pub fn normalise_patches(
    patches: Tensor<4>,
    normalise_patches: PatchNormalisation,
    mean: &[f64],
    std: &[f64],
) -> Tensor<4> {
    let [m, c, h, w] = patches.dims();
    let device = patches.device();
    let mean = channels(mean, c, &device);
    let std = channels(std, c, &device);
    let over_pixels = |x: Tensor<4>| x.reshape([m, c, h * w]).mean_dim(2).reshape([m, c, 1, 1]);
    match normalise_patches {
        PatchNormalisation::Keep => patches,
        PatchNormalisation::Mean => patches.clone() - over_pixels(patches) + mean,
        PatchNormalisation::Deviation => {
            let centred = patches.clone() - over_pixels(patches);
            let own = over_pixels(centred.clone().square()).sqrt().clamp_min(FLATTEST);
            centred / own * std + mean
        }
        PatchNormalisation::Power => {
            let power = over_pixels(patches.clone().square()).mean_dim(1); // [m, 1, 1, 1]
            patches / power.sqrt().clamp_min(FLATTEST) * std + mean
        }
    }
}

/// One value a channel: `[1, c, 1, 1]`.
fn channels(values: &[f64], c: usize, device: &Device) -> Tensor<4> {
    assert!(values.len() == 1 || values.len() == c, "normalise_patches: one value a channel or one for all");
    let each = (0..c).map(|channel| values[channel % values.len()] as f32);
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
    fn every_patch_gets_mean_and_deviation_of_the_data() {
        let [mean, both] = [PatchNormalisation::Mean, PatchNormalisation::Deviation]
            .map(|kind| normalise_patches(patches(), kind, &MEAN, &STD));
        for (index, pixels) in values(mean).chunks(36).enumerate() {
            assert!((moments(pixels)[0] - MEAN[index % 3]).abs() < 1e-6);
        }
        for (index, pixels) in values(both).chunks(36).enumerate() {
            let [mean, deviation] = moments(pixels);
            assert!((mean - MEAN[index % 3]).abs() < 1e-5 && (deviation - STD[index % 3]).abs() < 1e-5);
        }
    }

    #[test]
    fn power_scales_a_patch_without_centring_it() {
        let x = patches();
        let y = normalise_patches(x.clone(), PatchNormalisation::Power, &[0.0], &[50.0]);
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
        for kind in [PatchNormalisation::Mean, PatchNormalisation::Deviation] {
            assert_close(&values(normalise_patches(flat.clone(), kind, &[0.5], &[0.25])), &[0.5; 16], 1e-6);
        }
        let black = normalise_patches(flat * 0.0, PatchNormalisation::Power, &[0.5], &[0.25]);
        assert_close(&values(black), &[0.5; 16], 1e-6);
    }
}
