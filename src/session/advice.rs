//! Warnings about settings that do not go together, given before the first step. Nothing is refused.

use crate::config::RunConfig;
use crate::data::Split;
use crate::method::StepPosition;
use crate::optim::{Cosine, Schedule, Steps, StepsThenLine};

/// Share of the base rate that a warm-up must reach within the run to give no warning.
const REACHED: f64 = 0.99;

/// One sentence for each combination of settings without its intended effect; `position` is that of the first step.
pub(super) fn advice(config: &RunConfig, position: &StepPosition, images: &Split, compares: bool) -> Vec<String> {
    let sentences = [
        short_warmup(config, position),
        late_steps(config, position),
        vanishing_weights(config),
        (compares && config.micro_batches > 1).then(|| {
            let micro_batch = config.batch / config.micro_batches;
            format!(
                "the loss compares the {micro_batch} images of a micro-batch with one another, not the {} of the batch",
                config.batch
            )
        }),
        images.is_uniform().then(|| {
            format!(
                "all {} training images are equal: there is nothing to tell apart, and nothing to learn",
                images.len()
            )
        }),
    ];
    sentences.into_iter().flatten().collect()
}

/// A warm-up that lasts longer than the run.
fn short_warmup(config: &RunConfig, position: &StepPosition) -> Option<String> {
    let Schedule::Cosine(Cosine { warmup_epochs, .. }) = config.schedule else { return None };
    let epochs = position.total as f64 / position.steps_per_epoch as f64;
    if warmup_epochs < epochs {
        return None;
    }
    let highest = config.schedule.rate(1.0, position.total.saturating_sub(1), position.total, position.steps_per_epoch);
    (highest < REACHED).then(|| {
        format!(
            "the warm-up of {warmup_epochs} epochs outlasts the run of {}: the learning rate reaches {} of optimizer.lr at most; \
             set schedule.warmup_epochs={} or train longer",
            rounded(epochs, 3),
            rounded(highest, 2),
            rounded(epochs / 10.0, 2)
        )
    })
}

/// A learning rate whose first step comes after the end of the run.
fn late_steps(config: &RunConfig, position: &StepPosition) -> Option<String> {
    let (Schedule::Steps(Steps { at_epochs, .. }) | Schedule::StepsThenLine(StepsThenLine { at_epochs, .. })) =
        &config.schedule
    else {
        return None;
    };
    let epochs = position.total as f64 / position.steps_per_epoch as f64;
    let first = at_epochs.iter().copied().fold(f64::INFINITY, f64::min);
    (first.is_finite() && first >= epochs).then(|| {
        format!(
            "the learning rate never falls: it would at epoch {first}, and the run has {}; set schedule.at_epochs=[{}] or train \
             longer",
            rounded(epochs, 3),
            rounded(epochs / 2.0, 2)
        )
    })
}

/// Rounds to `digits` significant digits, however small the number is, so that the value in the sentence works as a setting.
fn rounded(number: f64, digits: usize) -> f64 {
    let decimals = digits.saturating_sub(1);
    format!("{number:.decimals$e}").parse().unwrap_or(number)
}

/// Decoupled weight decay that removes whole weights in a step.
fn vanishing_weights(config: &RunConfig) -> Option<String> {
    let optimizer = &config.optimizer;
    let share = optimizer.lr * optimizer.weight_decay;
    (optimizer.kind == crate::optim::OptimizerKind::Adamw && share >= 1.0).then(|| {
        format!(
            "weight decay takes {share:.1} times the weights away at each step: lower optimizer.lr ({}) or \
             optimizer.weight_decay ({})",
            optimizer.lr, optimizer.weight_decay
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::optim::OptimizerConfig;

    fn config(schedule: Schedule) -> RunConfig {
        let optimizer = OptimizerConfig::adamw(1e-3, 1e-4);
        RunConfig { method: "any".into(), optimizer, schedule, ..RunConfig::default() }
    }

    fn said(config: &RunConfig, epochs: usize, pixels: Vec<u8>) -> Vec<String> {
        let images = Split::unlabelled(Size { channels: 1, height: 1, width: 2 }, pixels).expect("whole images");
        advice(config, &StepPosition { step: 0, total: 10 * epochs, steps_per_epoch: 10 }, &images, true)
    }

    #[test]
    fn a_warmup_longer_than_the_run_gives_a_warning() {
        let said = said(&config(Schedule::cosine(10.0)), 2, vec![0, 1, 2, 3]);
        assert_eq!(said.len(), 1);
        // step 19 of 100 steps of warm-up
        assert!(said[0].contains("reaches 0.19 of") && said[0].contains("schedule.warmup_epochs=0.2 "), "{said:?}");
    }

    #[test]
    fn what_a_warning_says_to_set_is_never_zero() {
        let short = StepPosition { step: 0, total: 2, steps_per_epoch: 112 };
        let warmup = short_warmup(&config(Schedule::cosine(10.0)), &short).expect("a warning");
        assert!(warmup.contains("the run of 0.0179: the learning rate reaches 0.00089 of"), "{warmup}");
        assert!(warmup.contains("set schedule.warmup_epochs=0.0018 or"), "{warmup}");
        let steps = Schedule::Steps(Steps { at_epochs: vec![30.0], factor: 0.1 });
        let fall = late_steps(&config(steps), &StepPosition { steps_per_epoch: 4000, ..short }).expect("a warning");
        assert!(fall.contains("the run has 0.0005; set schedule.at_epochs=[0.00025] or"), "{fall}");
    }

    #[test]
    fn a_rate_that_falls_after_the_end_gives_a_warning() {
        let schedule = Schedule::Steps(Steps { at_epochs: vec![30.0, 20.0], factor: 0.1 });
        assert!(said(&config(schedule.clone()), 20, vec![0, 1, 2, 3])[0].contains("at epoch 20, and the run has 20"));
        assert!(said(&config(schedule), 21, vec![0, 1, 2, 3]).is_empty());
    }

    #[test]
    fn settings_that_go_together_give_no_warning() {
        assert!(said(&config(Schedule::cosine(0.5)), 2, vec![0, 1, 2, 3]).is_empty());
        assert!(said(&config(Schedule::Constant), 1, vec![0, 1, 2, 3]).is_empty());
    }

    #[test]
    fn equal_images_and_split_batches_give_warnings() {
        let split = RunConfig { micro_batches: 8, ..config(Schedule::Constant) };
        let said = said(&split, 1, vec![7; 6]);
        assert!(
            said[0].contains("the 8 images of a micro-batch") && said[1].contains("all 3 training images are equal")
        );
    }

    #[test]
    fn weight_decay_of_whole_weights_gives_a_warning() {
        let mut heavy = config(Schedule::Constant);
        heavy.optimizer = OptimizerConfig::adamw(4.8, 0.5);
        assert!(said(&heavy, 1, vec![0, 1, 2, 3])[0].contains("takes 2.4 times the weights"));
    }
}
