//! Mean and standard deviation that normalise an encoder's input.

use crate::error::{Error, Result};

/// Normalisation `(x - mean) / std` of pixels in 0 to 1, with one value a channel or one for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation.
    pub std: Vec<f64>,
}

impl Pixels {
    /// Mean and standard deviation over all pixels of the training images of the data set of this name; 0.5 and 0.25 for an
    /// unknown data set.
    ///
    /// For CIFAR-10 several code bases divide by (.2023, .1994, .2010), which is the mean over images of each image's deviation;
    /// these are the deviations over all pixels.
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
                    "encoder.{name} has {count} values, which is neither one for all nor one for each channel of the images ({channels})"
                )));
            }
        }
        Ok(())
    }
}
