//! Training while the tab is hidden: a sentence for the visitor's return.

use crate::format;

/// Time in milliseconds for which the tab must have been hidden to be worth a sentence.
const WORTH_MENTION: f64 = 5000.0;

/// Moment at which the tab was hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenSince {
    /// Steps of the run at that moment.
    pub step: usize,
    /// Time in milliseconds.
    pub time: f64,
}

impl HiddenSince {
    /// Sentence for the return at `step` and `time` (milliseconds); none if the tab was hidden for a moment only.
    pub fn sentence(self, step: usize, time: f64) -> Option<String> {
        let hidden = time - self.time;
        if hidden < WORTH_MENTION {
            return None;
        }
        let lasted = format::duration(hidden / 1000.0);
        Some(match step.saturating_sub(self.step) {
            0 => format!("This tab was hidden for {lasted}. The browser let no step be taken meanwhile."),
            steps => {
                let steps = format::count(steps, "step");
                format!("This tab was hidden for {lasted}; training went on and took {steps} meanwhile.")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_is_told_how_far_training_went() {
        let since = HiddenSince { step: 120, time: 1000.0 };
        assert_eq!(since.sentence(130, 3000.0), None, "two seconds");
        let told = since.sentence(3400, 62_000.0).expect("a minute is worth it");
        assert_eq!(told, "This tab was hidden for 1 min 1 s; training went on and took 3,280 steps meanwhile.");
        let told = since.sentence(121, 62_000.0).expect("a minute is worth it");
        assert!(told.ends_with("took 1 step meanwhile."), "{told}");
        let stopped = since.sentence(120, 62_000.0).expect("a minute is worth it");
        assert!(stopped.contains("no step"), "{stopped}");
    }
}
