//! Learning rates as plain functions of the step: Burn's own schedulers refuse rates above 1, which several recipes use.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the learning rate moves over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It does not.
    Constant,
    /// Linear warm-up, then half a cosine down to `end_factor` times the base rate (Loshchilov and Hutter 2017).
    Cosine {
        /// Epochs of warm-up.
        warmup_epochs: f64,
        /// The first rate of the warm-up as a share of the base rate.
        #[serde(default)]
        start_factor: f64,
        /// The last rate as a share of the base rate.
        end_factor: f64,
        /// Whether the rate moves only between epochs and stays the same within each.
        #[serde(default)]
        per_epoch: bool,
    },
    /// Multiplied by `factor` at the start of each of the named epochs.
    Steps {
        /// Epochs, counted from 0.
        at_epochs: Vec<f64>,
        /// The factor.
        factor: f64,
    },
    /// As `Steps`, and from one epoch on in a line down to the end of the run.
    StepsThenLine {
        /// Epochs, counted from 0.
        at_epochs: Vec<f64>,
        /// The factor.
        factor: f64,
        /// Where the line starts.
        from_epoch: f64,
        /// The last rate as a share of the base rate.
        end_factor: f64,
    },
}

/// The linear rule: `base * batch / 256`, the batch counted in images, not views (Goyal et al. 2017).
pub fn scaled_rate(base: f64, batch: usize) -> f64 {
    base * batch as f64 / 256.0
}

impl Schedule {
    /// A cosine to 0 that moves at every step, after so many epochs of warm-up from 0.
    pub fn cosine(warmup_epochs: f64) -> Self {
        Schedule::Cosine { warmup_epochs, start_factor: 0.0, end_factor: 0.0, per_epoch: false }
    }

    /// A cosine to 0 that moves between epochs only, without warm-up, as in the code of MoCo v2 and SimSiam.
    pub fn cosine_per_epoch() -> Self {
        Schedule::Cosine { warmup_epochs: 0.0, start_factor: 0.0, end_factor: 0.0, per_epoch: true }
    }

    /// What a schedule can be called.
    pub const KINDS: [&str; 4] = ["constant", "cosine", "steps", "steps-then-line"];

    /// The schedule of this name for a run of so many epochs, with values that may do: a tenth of the rate after half of them and
    /// another after three quarters.
    pub fn of_kind(kind: &str, epochs: f64) -> Option<Self> {
        let (at_epochs, factor) = (vec![epochs / 2.0, epochs * 0.75], 0.1);
        match kind {
            "constant" => Some(Schedule::Constant),
            "cosine" => Some(Self::cosine(0.0)),
            "steps" => Some(Schedule::Steps { at_epochs, factor }),
            "steps-then-line" => {
                Some(Schedule::StepsThenLine { at_epochs, factor, from_epoch: epochs * 0.75, end_factor: 0.0 })
            }
            _ => None,
        }
    }

    /// What it is called.
    pub fn kind(&self) -> &'static str {
        let place = match self {
            Schedule::Constant => 0,
            Schedule::Cosine { .. } => 1,
            Schedule::Steps { .. } => 2,
            Schedule::StepsThenLine { .. } => 3,
        };
        Self::KINDS[place]
    }

    /// Refuses rates below 0 and times before the run.
    pub fn check(&self) -> Result<()> {
        let not_negative = |name: &str, values: &[f64]| {
            if values.iter().all(|value| value.is_finite() && *value >= 0.0) {
                return Ok(());
            }
            Err(Error::Config(format!("schedule.{name} must not be negative")))
        };
        match self {
            Schedule::Constant => Ok(()),
            Schedule::Cosine { warmup_epochs, start_factor, end_factor, .. } => {
                not_negative("warmup_epochs", &[*warmup_epochs])?;
                not_negative("start_factor", &[*start_factor])?;
                not_negative("end_factor", &[*end_factor])
            }
            Schedule::Steps { at_epochs, factor } => {
                not_negative("at_epochs", at_epochs)?;
                not_negative("factor", &[*factor])
            }
            Schedule::StepsThenLine { at_epochs, factor, from_epoch, end_factor } => {
                not_negative("at_epochs", at_epochs)?;
                not_negative("factor", &[*factor])?;
                not_negative("from_epoch", &[*from_epoch])?;
                not_negative("end_factor", &[*end_factor])
            }
        }
    }

    /// The rate of step `t` (from 0) of `total`.
    ///
    /// Cosine: `start + (base - start) t / W` for `t < W`, then `end + (base - end) (1 + cos(pi (t - W) / (total - W))) / 2`;
    /// per epoch, `t` is the first step of its epoch.
    pub fn rate(&self, base: f64, t: usize, total: usize, steps_per_epoch: usize) -> f64 {
        let (total, per_epoch) = (total as f64, steps_per_epoch.max(1) as f64);
        match self {
            Schedule::Constant => base,
            Schedule::Cosine { warmup_epochs, start_factor, end_factor, per_epoch: stairs } => {
                let t = if *stairs { (t as f64 / per_epoch).floor() * per_epoch } else { t as f64 };
                let warmup = warmup_epochs * per_epoch;
                if t < warmup {
                    let start = base * start_factor;
                    return start + (base - start) * t / warmup;
                }
                let end = base * end_factor;
                let share = ((t - warmup) / (total - warmup).max(1.0)).min(1.0);
                end + (base - end) * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0
            }
            Schedule::Steps { at_epochs, factor } => stepped(base, t as f64 / per_epoch, at_epochs, *factor),
            Schedule::StepsThenLine { at_epochs, factor, from_epoch, end_factor } => {
                let (start, end) = (from_epoch * per_epoch, base * end_factor);
                let level = stepped(base, t as f64 / per_epoch, at_epochs, *factor);
                let share = ((t as f64 - start) / (total - start).max(1.0)).clamp(0.0, 1.0);
                level + (end - level) * share
            }
        }
    }
}

/// The rate after the steps at the named epochs that have passed.
fn stepped(base: f64, epoch: f64, at_epochs: &[f64], factor: f64) -> f64 {
    base * factor.powi(at_epochs.iter().filter(|&&at| epoch >= at).count() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_warms_up_and_ends_where_it_should() {
        let schedule = Schedule::Cosine { warmup_epochs: 2.0, start_factor: 0.0, end_factor: 0.001, per_epoch: false };
        let rate = |t| schedule.rate(4.8, t, 100, 5);
        assert_eq!(rate(0), 0.0);
        assert!((rate(5) - 2.4).abs() < 1e-12);
        assert!((rate(10) - 4.8).abs() < 1e-12);
        // half way between warm-up and end the cosine is 0: the mean of base and end
        assert!((rate(55) - (4.8 + 0.0048) / 2.0).abs() < 1e-12);
        assert!((rate(100) - 0.0048).abs() < 1e-12);
    }

    #[test]
    fn swavs_warm_up_starts_above_zero() {
        let schedule =
            Schedule::Cosine { warmup_epochs: 10.0, start_factor: 0.0625, end_factor: 0.001, per_epoch: false };
        let rate = |t| schedule.rate(4.8, t, 400, 4);
        assert!((rate(0) - 0.3).abs() < 1e-12 && (rate(20) - 2.55).abs() < 1e-12 && (rate(40) - 4.8).abs() < 1e-12);
    }

    #[test]
    fn stairs_stay_level_within_an_epoch() {
        let rate = |t| Schedule::cosine_per_epoch().rate(0.1, t, 100, 10);
        assert_eq!((rate(0), rate(9)), (0.1, 0.1));
        // epoch 5 of 10: the middle of the cosine
        assert!((rate(50) - 0.05).abs() < 1e-12 && (rate(59) - 0.05).abs() < 1e-12);
        let last = 0.05 * (1.0 + (0.9 * std::f64::consts::PI).cos());
        assert!((rate(99) - last).abs() < 1e-12);
    }

    #[test]
    fn negative_settings_are_refused_by_name() {
        Schedule::cosine(10.0).check().expect("a usual schedule");
        let wrong = Schedule::Cosine { warmup_epochs: 1.0, start_factor: 0.0, end_factor: -0.1, per_epoch: false };
        assert!(wrong.check().expect_err("must be refused").to_string().contains("schedule.end_factor"));
        let wrong = Schedule::Steps { at_epochs: vec![60.0, f64::NAN], factor: 0.1 };
        assert!(wrong.check().expect_err("must be refused").to_string().contains("schedule.at_epochs"));
    }

    #[test]
    fn the_linear_rule_counts_images() {
        assert!((scaled_rate(0.3, 4096) - 4.8).abs() < 1e-12 && scaled_rate(0.05, 256) == 0.05);
    }

    #[test]
    fn steps_fall_at_the_named_epochs() {
        let schedule = Schedule::Steps { at_epochs: vec![60.0, 120.0, 160.0], factor: 0.2 };
        let rate = |epoch: usize| schedule.rate(0.1, epoch * 10, 2000, 10);
        for (epoch, expected) in [(0, 0.1), (59, 0.1), (60, 0.02), (120, 0.004), (160, 0.0008), (199, 0.0008)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
        }
    }

    #[test]
    fn a_line_ends_the_steps() {
        // AET on CIFAR-10: from epoch 1000 on, 3e-7 less every epoch
        let at_epochs = vec![240.0, 480.0, 640.0, 800.0];
        let schedule = Schedule::StepsThenLine { at_epochs, factor: 0.2, from_epoch: 1000.0, end_factor: 1e-4 };
        let rate = |epoch: usize| schedule.rate(0.1, epoch * 10, 15_000, 10);
        for (epoch, expected) in [(239, 0.1), (240, 0.02), (800, 1.6e-4), (1000, 1.6e-4), (1200, 1e-4), (1500, 1e-5)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
        }
    }
}
