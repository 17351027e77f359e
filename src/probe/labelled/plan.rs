//! The plan of training a classifier with labels.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::optim::{OptimizerConfig, Schedule};
use crate::view::{Filter, Op, Recipe, ViewKind};

/// Pixels to a side from which crops are as small as in the papers.
const LARGE: usize = 96;

/// Training of a classifier: SGD with momentum 0.9 on random crops, half of them mirrored, with a learning rate that falls to 0
/// by a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledPlan {
    /// Length of the training.
    pub length: Length,
    /// Batch size, one view of each image; smaller where there are fewer images.
    pub batch: usize,
    /// Learning rates. Of several, validation accuracy chooses one.
    pub rates: Vec<f64>,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// The smallest crop, as a share of the image's area.
    pub min_area: f64,
    /// Seed of the order of images, their views and the classifier's first weights.
    pub seed: u64,
}

/// Length of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// A number of steps.
    Steps(usize),
    /// A number of epochs, in full batches.
    Epochs(usize),
}

impl LabelledPlan {
    /// The linear protocol of MoCo, SimSiam, SwAV and Barlow Twins, shortened, for images of `side` pixels a side: a linear
    /// layer on frozen features, 1,000 steps, no weight decay. Their rates go from 0.3 to 30, because features may have any
    /// scale; here a batch norm without scale and shift brings them to one, as in Zhang, Isola and Efros 2016 and He et al.
    /// 2022 (MAE), so that the same few rates serve trained and untrained encoders and pixels.
    pub fn linear(side: usize) -> Self {
        let rates = vec![0.01, 0.03, 0.1, 0.3];
        Self { rates, length: Length::Steps(1000), weight_decay: 0.0, ..Self::network(side) }
    }

    /// A whole network: 500 steps of 128 images at rate 0.05.
    pub fn network(side: usize) -> Self {
        Self {
            length: Length::Steps(500),
            batch: 128,
            rates: vec![0.05],
            weight_decay: 1e-4,
            min_area: if side < LARGE { 0.3 } else { 0.08 },
            seed: 0,
        }
    }

    /// The plan of a supervised control: as many steps, with the same batch size, as the run that it is compared with.
    pub fn as_long(side: usize, steps: usize, batch: usize) -> Self {
        Self { length: Length::Steps(steps.max(1)), batch: batch.max(2), ..Self::network(side) }
    }

    /// Number of steps for this number of training images.
    pub fn steps(&self, images: usize) -> usize {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs * (images / self.batch_of(images)),
        }
    }

    /// Batch size for this number of training images.
    pub fn batch_of(&self, images: usize) -> usize {
        self.batch.min(images).max(1)
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// When there is such a value.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        let positive = |value: &f64| value.is_finite() && *value > 0.0;
        match self {
            Self { length: Length::Steps(0) | Length::Epochs(0), .. } => wrong("training with labels takes a step"),
            Self { batch: 0 | 1, .. } => wrong("training with labels takes at least 2 images a step"),
            Self { rates, .. } if rates.is_empty() || !rates.iter().all(positive) => {
                wrong("learning rates must be positive numbers, at least one")
            }
            Self { weight_decay, .. } if !(weight_decay.is_finite() && *weight_decay >= 0.0) => {
                wrong("weight decay must not be negative")
            }
            Self { min_area, .. } if !(positive(min_area) && *min_area <= 1.0) => {
                wrong("min_area must be above 0 and at most 1")
            }
            _ => Ok(()),
        }
    }

    /// The recipe of one square view of each image, `side` pixels to a side.
    pub(super) fn recipe(&self, side: usize) -> Recipe {
        let area = [self.min_area, 1.0];
        let aspect = [3.0 / 4.0, 4.0 / 3.0];
        let ops = vec![Op::Crop { area, aspect, filter: Filter::Bilinear }, Op::Flip { p: 0.5 }];
        let source = "linear evaluation in the code of MoCo, SimSiam and Barlow Twins".to_string();
        Recipe { name: "labelled".to_string(), source, kinds: vec![ViewKind { count: 1, size: side, ops }] }
    }

    pub(super) fn optimizer(&self, rate: f64) -> OptimizerConfig {
        OptimizerConfig::sgd(rate, self.weight_decay)
    }

    /// The rate of step `step` (from 0) of `total`.
    pub(super) fn rate(base: f64, step: usize, total: usize) -> f64 {
        Schedule::cosine(0.0).rate(base, step, total, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_full_batches() {
        let plan = LabelledPlan { length: Length::Epochs(3), batch: 32, ..LabelledPlan::linear(28) };
        assert_eq!((plan.steps(100), plan.batch_of(100)), (9, 32));
        assert_eq!((plan.steps(20), plan.batch_of(20)), (3, 20), "one batch of all there are");
        assert_eq!(LabelledPlan::linear(28).steps(7), 1000);
        assert_eq!((LabelledPlan::rate(0.4, 0, 10), LabelledPlan::rate(0.4, 10, 10)), (0.4, 0.0));
        assert!((LabelledPlan::rate(0.4, 5, 10) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn plans_read_back_and_nonsense_is_refused() {
        let fine = LabelledPlan { length: Length::Epochs(90), ..LabelledPlan::linear(224) };
        fine.check().expect("a plan of a paper's length");
        assert_eq!(fine.min_area, 0.08);
        fine.recipe(224).check().expect("a possible recipe");
        let text = serde_json::to_string(&fine).expect("plain data");
        assert_eq!(serde_json::from_str::<LabelledPlan>(&text).expect("the same data"), fine);
        let wrong = [
            LabelledPlan { length: Length::Steps(0), ..fine.clone() },
            LabelledPlan { batch: 1, ..fine.clone() },
            LabelledPlan { rates: vec![], ..fine.clone() },
            LabelledPlan { rates: vec![0.1, f64::NAN], ..fine.clone() },
            LabelledPlan { weight_decay: -0.1, ..fine.clone() },
            LabelledPlan { min_area: 0.0, ..fine.clone() },
        ];
        assert!(wrong.iter().all(|plan| plan.check().is_err()));
    }
}
