//! Learning rates as plain functions of the step: Burn's own schedulers refuse rates above 1, which several recipes use.

use serde::{Deserialize, Serialize};

/// How the learning rate moves over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It does not.
    Constant,
    /// Linear warm-up from 0, then half a cosine down to `end_factor` times the base rate (Loshchilov and Hutter 2017).
    Cosine {
        /// Epochs of warm-up.
        warmup_epochs: f64,
        /// The last rate as a share of the base rate.
        end_factor: f64,
    },
    /// Multiplied by `factor` at the start of each of the named epochs.
    Steps {
        /// Epochs, counted from 0.
        at_epochs: Vec<f64>,
        /// The factor.
        factor: f64,
    },
}

impl Schedule {
    /// The rate of step `t` (from 0) of `total`.
    ///
    /// Cosine: `base t / W` for `t < W`, then `end + (base - end) (1 + cos(pi (t - W) / (total - W))) / 2`.
    pub fn rate(&self, base: f64, t: usize, total: usize, steps_per_epoch: usize) -> f64 {
        let (t, total, per_epoch) = (t as f64, total as f64, steps_per_epoch.max(1) as f64);
        match self {
            Schedule::Constant => base,
            Schedule::Cosine { warmup_epochs, end_factor } => {
                let warmup = warmup_epochs * per_epoch;
                if t < warmup {
                    return base * t / warmup;
                }
                let end = base * end_factor;
                let share = ((t - warmup) / (total - warmup).max(1.0)).min(1.0);
                end + (base - end) * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0
            }
            Schedule::Steps { at_epochs, factor } => {
                let passed = at_epochs.iter().filter(|&&epoch| t >= epoch * per_epoch).count();
                base * factor.powi(passed as i32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_warms_up_and_ends_where_it_should() {
        let schedule = Schedule::Cosine { warmup_epochs: 2.0, end_factor: 0.001 };
        let rate = |t| schedule.rate(4.8, t, 100, 5);
        assert_eq!(rate(0), 0.0);
        assert!((rate(5) - 2.4).abs() < 1e-12);
        assert!((rate(10) - 4.8).abs() < 1e-12);
        // half way between warm-up and end the cosine is 0: the mean of base and end
        assert!((rate(55) - (4.8 + 0.0048) / 2.0).abs() < 1e-12);
        assert!((rate(100) - 0.0048).abs() < 1e-12);
    }

    #[test]
    fn steps_fall_at_the_named_epochs() {
        let schedule = Schedule::Steps { at_epochs: vec![60.0, 120.0, 160.0], factor: 0.2 };
        let rate = |epoch: usize| schedule.rate(0.1, epoch * 10, 2000, 10);
        for (epoch, expected) in [(0, 0.1), (59, 0.1), (60, 0.02), (120, 0.004), (160, 0.0008), (199, 0.0008)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
        }
    }
}
