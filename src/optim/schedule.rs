//! Learning-rate schedules as pure functions of the step. Burn's own schedulers reject rates above 1, which several recipes use.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::options::{Declared, OptionValue, Options, options, words};

/// Learning-rate schedule of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Constant learning rate.
    #[default]
    Constant,
    /// Linear warm-up, then cosine decay to `end_factor` times the base rate (Loshchilov and Hutter 2017).
    Cosine(Cosine),
    /// Step decay: multiplied by `factor` at the start of each of `at_epochs`.
    Steps(Steps),
    /// Step decay, then linear decay from `from_epoch` to the end of the run.
    StepsThenLine(StepsThenLine),
}

words! {
    /// Names of the schedules.
    pub enum ScheduleKind {
        /// [`Schedule::Constant`].
        Constant = "constant",
        /// [`Schedule::Cosine`].
        Cosine = "cosine",
        /// [`Schedule::Steps`].
        Steps = "steps",
        /// [`Schedule::StepsThenLine`].
        StepsThenLine = "steps-then-line",
    }
}

options! {
    /// Constants of [`Schedule::Cosine`].
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Cosine {
        /// Epochs of warm-up.
        warmup_epochs: f64 = 0.0, in 0.0.., unit "epochs";
        /// Learning rate at the start of the warm-up, as a factor of the base rate.
        #[serde(default)]
        start_factor: f64 = 0.0, in 0.0..;
        /// Learning rate at the end, as a factor of the base rate.
        end_factor: f64 = 0.0, in 0.0..;
        /// Update the rate once an epoch, not at every step.
        #[serde(default)]
        per_epoch: bool = false;
    }
}

options! {
    /// Constants of [`Schedule::Steps`].
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Steps {
        /// Epochs of the decays, counted from 0.
        at_epochs: Vec<f64> = Vec::new(), in 0.0.., unit "epochs";
        /// Factor of each decay.
        factor: f64 = 0.1, in 0.0..;
    }
}

options! {
    /// Constants of [`Schedule::StepsThenLine`].
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct StepsThenLine {
        /// Epochs of the decays, counted from 0.
        at_epochs: Vec<f64> = Vec::new(), in 0.0.., unit "epochs";
        /// Factor of each decay.
        factor: f64 = 0.1, in 0.0..;
        /// First epoch of the linear decay.
        from_epoch: f64 = 0.0, in 0.0.., unit "epochs";
        /// Learning rate at the end, as a factor of the base rate.
        end_factor: f64 = 0.0, in 0.0..;
    }
}

/// Linear scaling rule of the learning rate: `base * batch / 256`, with the batch counted in images, not views (Goyal et al. 2017).
pub fn scaled_rate(base: f64, batch: usize) -> f64 {
    base * batch as f64 / 256.0
}

impl Schedule {
    /// Cosine decay to 0, updated at every step, after `warmup_epochs` of linear warm-up from 0.
    pub fn cosine(warmup_epochs: f64) -> Self {
        Schedule::Cosine(Cosine { warmup_epochs, ..Cosine::default() })
    }

    /// Cosine decay to 0, updated once an epoch, without warm-up.
    pub fn cosine_per_epoch() -> Self {
        Schedule::Cosine(Cosine { per_epoch: true, ..Cosine::default() })
    }

    /// Schedule of this kind with default values for a run of `epochs`: decays by 0.1 after a half and three quarters of them.
    pub fn of_kind(kind: ScheduleKind, epochs: f64) -> Self {
        let at_epochs = vec![epochs / 2.0, epochs * 0.75];
        match kind {
            ScheduleKind::Constant => Schedule::Constant,
            ScheduleKind::Cosine => Self::cosine(0.0),
            ScheduleKind::Steps => Schedule::Steps(Steps { at_epochs, ..Steps::default() }),
            ScheduleKind::StepsThenLine => {
                let from_epoch = epochs * 0.75;
                Schedule::StepsThenLine(StepsThenLine { at_epochs, from_epoch, ..StepsThenLine::default() })
            }
        }
    }

    /// Kind of the schedule.
    pub fn kind(&self) -> ScheduleKind {
        match self {
            Schedule::Constant => ScheduleKind::Constant,
            Schedule::Cosine(_) => ScheduleKind::Cosine,
            Schedule::Steps(_) => ScheduleKind::Steps,
            Schedule::StepsThenLine(_) => ScheduleKind::StepsThenLine,
        }
    }

    /// Declarations of the settings of a schedule of this kind, without their prefix.
    pub fn declared(kind: ScheduleKind) -> Vec<Declared> {
        let mut declared = vec![Declared::new("kind", "Schedule of the learning rate.", ScheduleKind::range())];
        declared.extend(match kind {
            ScheduleKind::Constant => Vec::new(),
            ScheduleKind::Cosine => Cosine::declared(),
            ScheduleKind::Steps => Steps::declared(),
            ScheduleKind::StepsThenLine => StepsThenLine::declared(),
        });
        declared
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) that names the setting, if a factor or an epoch is negative.
    pub fn check(&self) -> Result<()> {
        let prefix = "schedule.";
        match self {
            Schedule::Constant => Ok(()),
            Schedule::Cosine(cosine) => cosine.check_ranges(prefix),
            Schedule::Steps(steps) => steps.check_ranges(prefix),
            Schedule::StepsThenLine(steps) => steps.check_ranges(prefix),
        }
    }

    /// Learning rate of step `t` (from 0) of `total`, for the base rate `base`.
    ///
    /// Cosine with W steps of warm-up: `start + (base - start) t / W` for `t < W`, then `end + (base - end) (1 + cos(pi (t - W) /
    /// (total - W))) / 2`; with `per_epoch`, t is the first step of its epoch.
    pub fn rate(&self, base: f64, t: usize, total: usize, steps_per_epoch: usize) -> f64 {
        let total = total as f64;
        let per_epoch = steps_per_epoch.max(1) as f64;
        match self {
            Schedule::Constant => base,
            Schedule::Cosine(Cosine { warmup_epochs, start_factor, end_factor, per_epoch: stairs }) => {
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
            Schedule::Steps(Steps { at_epochs, factor }) => stepped(base, t as f64 / per_epoch, at_epochs, *factor),
            Schedule::StepsThenLine(StepsThenLine { at_epochs, factor, from_epoch, end_factor }) => {
                let start = from_epoch * per_epoch;
                let end = base * end_factor;
                let level = stepped(base, t as f64 / per_epoch, at_epochs, *factor);
                let share = ((t as f64 - start) / (total - start).max(1.0)).clamp(0.0, 1.0);
                level + (end - level) * share
            }
        }
    }
}

/// Learning rate at `epoch` after a decay by `factor` at each of `at_epochs` that has passed.
fn stepped(base: f64, epoch: f64, at_epochs: &[f64], factor: f64) -> f64 {
    base * factor.powi(at_epochs.iter().filter(|&&at| epoch >= at).count() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_warms_up_and_decays_to_its_end() {
        let schedule =
            Schedule::Cosine(Cosine { warmup_epochs: 2.0, start_factor: 0.0, end_factor: 0.001, per_epoch: false });
        let rate = |t| schedule.rate(4.8, t, 100, 5);
        assert_eq!(rate(0), 0.0);
        assert!((rate(5) - 2.4).abs() < 1e-12);
        assert!((rate(10) - 4.8).abs() < 1e-12);
        // half way between warm-up and end: the mean of base and end
        assert!((rate(55) - (4.8 + 0.0048) / 2.0).abs() < 1e-12);
        assert!((rate(100) - 0.0048).abs() < 1e-12);
    }

    #[test]
    fn a_warm_up_may_start_above_zero() {
        // SwAV's schedule
        let schedule =
            Schedule::Cosine(Cosine { warmup_epochs: 10.0, start_factor: 0.0625, end_factor: 0.001, per_epoch: false });
        let rate = |t| schedule.rate(4.8, t, 400, 4);
        assert!((rate(0) - 0.3).abs() < 1e-12 && (rate(20) - 2.55).abs() < 1e-12 && (rate(40) - 4.8).abs() < 1e-12);
    }

    #[test]
    fn a_rate_per_epoch_is_constant_within_an_epoch() {
        let rate = |t| Schedule::cosine_per_epoch().rate(0.1, t, 100, 10);
        assert_eq!((rate(0), rate(9)), (0.1, 0.1));
        // epoch 5 of 10, in the middle of the cosine
        assert!((rate(50) - 0.05).abs() < 1e-12 && (rate(59) - 0.05).abs() < 1e-12);
        let last = 0.05 * (1.0 + (0.9 * std::f64::consts::PI).cos());
        assert!((rate(99) - last).abs() < 1e-12);
    }

    #[test]
    fn an_error_names_the_negative_setting() {
        Schedule::cosine(10.0).check().expect("a usual schedule");
        let wrong =
            Schedule::Cosine(Cosine { warmup_epochs: 1.0, start_factor: 0.0, end_factor: -0.1, per_epoch: false });
        assert!(wrong.check().expect_err("must be refused").to_string().contains("schedule.end_factor"));
        let wrong = Schedule::Steps(Steps { at_epochs: vec![60.0, f64::NAN], factor: 0.1 });
        assert!(wrong.check().expect_err("must be refused").to_string().contains("schedule.at_epochs"));
    }

    #[test]
    fn the_linear_scaling_rule_is_relative_to_256_images() {
        assert!((scaled_rate(0.3, 4096) - 4.8).abs() < 1e-12 && scaled_rate(0.05, 256) == 0.05);
    }

    #[test]
    fn step_decay_applies_at_its_epochs() {
        let schedule = Schedule::Steps(Steps { at_epochs: vec![60.0, 120.0, 160.0], factor: 0.2 });
        let rate = |epoch: usize| schedule.rate(0.1, epoch * 10, 2000, 10);
        for (epoch, expected) in [(0, 0.1), (59, 0.1), (60, 0.02), (120, 0.004), (160, 0.0008), (199, 0.0008)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
        }
    }

    #[test]
    fn linear_decay_follows_step_decay() {
        // AET on CIFAR-10: a linear decay by 3e-7 an epoch from epoch 1000 on
        let at_epochs = vec![240.0, 480.0, 640.0, 800.0];
        let schedule =
            Schedule::StepsThenLine(StepsThenLine { at_epochs, factor: 0.2, from_epoch: 1000.0, end_factor: 1e-4 });
        let rate = |epoch: usize| schedule.rate(0.1, epoch * 10, 15_000, 10);
        for (epoch, expected) in [(239, 0.1), (240, 0.02), (800, 1.6e-4), (1000, 1.6e-4), (1200, 1e-4), (1500, 1e-5)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
        }
    }
}
