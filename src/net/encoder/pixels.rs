//! Pixels in 0 to 1 on their way into an encoder.

use burn::tensor::{Tensor, TensorData};

use crate::error::{Error, Result};

/// `(x - mean) / std`, per channel or with one value for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Subtracted.
    pub mean: Vec<f64>,
    /// Divides.
    pub std: Vec<f64>,
}

impl Pixels {
    /// Mean and deviation over all pixels of the training images of the data set of this name; 0.5 and 0.25 for one that
    /// is not known.
    ///
    /// For CIFAR-10 several code bases divide by (.2023, .1994, .2010), the mean of the deviations of single images; these
    /// are the deviations over all pixels.
    pub fn of(data: &str) -> Self {
        let (mean, std): (&[f64], &[f64]) = match data {
            "mnist" => (&[0.1307], &[0.3081]),
            "fashion-mnist" => (&[0.2860], &[0.3530]),
            "cifar-10" => (&[0.4914, 0.4822, 0.4465], &[0.2470, 0.2435, 0.2616]),
            "cifar-100" => (&[0.5071, 0.4866, 0.4409], &[0.2673, 0.2564, 0.2762]),
            "imagenet" => (&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
            _ => (&[0.5], &[0.25]),
        };
        Self { mean: mean.to_vec(), std: std.to_vec() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        if self.mean.is_empty() || !self.mean.iter().all(|mean| mean.is_finite()) {
            return wrong("encoder.input_mean must hold numbers: one a channel, or one for all");
        }
        if self.std.is_empty() || !self.std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return wrong("encoder.input_std must hold positive numbers: one a channel, or one for all");
        }
        Ok(())
    }

    pub(super) fn check_for(&self, channels: usize) -> Result<()> {
        for (name, values) in [("input_mean", &self.mean), ("input_std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                let count = values.len();
                return Err(Error::Config(format!(
                    "encoder.{name} has {count} values but the images have {channels} channels: give 1 or {channels}"
                )));
            }
        }
        Ok(())
    }

    /// `[n, c, h, w]` -> the same.
    pub(super) fn normalise(&self, images: Tensor<4>) -> Tensor<4> {
        let x = match self.mean.as_slice() {
            [0.0] => images,
            [mean] => images.sub_scalar(*mean),
            means => images.clone() - channelwise(means, &images),
        };
        match self.std.as_slice() {
            [1.0] => x,
            [std] => x.div_scalar(*std),
            stds => x.clone() / channelwise(stds, &x),
        }
    }
}

/// `[1, c, 1, 1]` where `like` is.
fn channelwise(values: &[f64], like: &Tensor<4>) -> Tensor<4> {
    let floats: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(floats, [1, values.len(), 1, 1]), &like.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn each_channel_has_its_own_mean_and_deviation() {
        let x = Tensor::<4>::from_data([[[[0.5f32]], [[0.5]], [[1.0]]]], &Device::flex());
        let pixels = Pixels { mean: vec![0.5, 0.25, 0.0], std: vec![0.1, 0.5, 2.0] };
        let y: Vec<f32> = pixels.normalise(x.clone()).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [0.0, 0.5, 0.5]);
        let one = Pixels { mean: vec![0.5], std: vec![0.25] };
        let y: Vec<f32> = one.normalise(x).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [0.0, 0.0, 2.0]);
    }
}
