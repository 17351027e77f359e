//! Failures as the page shows them, with a remedy.

use crate::format;
use crate::worker::protocol::FailureKind;

/// A remedy, offered as a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Switch to the CPU.
    UseCpu,
    /// Continue the run on the CPU from its last checkpoint.
    ContinueOnCpu {
        /// Step of the checkpoint.
        step: usize,
    },
    /// Load the data again.
    TryAgain,
    /// Start a new worker.
    RestartEngine,
}

impl Remedy {
    /// Label of its button.
    pub fn words(self) -> String {
        match self {
            Remedy::UseCpu => "Use the CPU".into(),
            Remedy::ContinueOnCpu { step } => format!("Continue on the CPU from step {}", format::thousands(step)),
            Remedy::TryAgain => "Try again".into(),
            Remedy::RestartEngine => "Start the engine again".into(),
        }
    }
}

/// A failure as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A sentence that says what is wrong and what to do.
    pub message: String,
    /// Extent of the failure.
    pub kind: FailureKind,
    /// The remedy, if one is needed.
    pub remedy: Option<Remedy>,
}

impl Failure {
    /// A failure with its remedy. `checkpoint` is the step of the run's last checkpoint; `testing_gpu` tells that the engine
    /// was testing a GPU, which may be the cause.
    pub fn new(message: &str, kind: FailureKind, checkpoint: Option<usize>, testing_gpu: bool) -> Self {
        let remedy = match kind {
            FailureKind::Run => None,
            FailureKind::Device => Some(Remedy::UseCpu),
            FailureKind::DeviceLost => Some(checkpoint.map_or(Remedy::UseCpu, |step| Remedy::ContinueOnCpu { step })),
            FailureKind::Data => Some(Remedy::TryAgain),
            FailureKind::Engine if testing_gpu => Some(Remedy::UseCpu),
            FailureKind::Engine => Some(Remedy::RestartEngine),
        };
        let mut message = format::title(message);
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        Self { message, kind, remedy }
    }

    /// True if the engine that reported it has stopped.
    pub fn needs_new_engine(&self) -> bool {
        matches!(self.kind, FailureKind::DeviceLost | FailureKind::Engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_gpu_offers_to_go_on_from_the_saved_step() {
        let failure = Failure::new("the GPU stopped answering", FailureKind::DeviceLost, Some(1200), false);
        assert_eq!(failure.message, "The GPU stopped answering.");
        assert_eq!(failure.remedy.expect("a way out").words(), "Continue on the CPU from step 1,200");
        let remedy = |kind, saved, choosing| Failure::new("Wrong.", kind, saved, choosing).remedy;
        assert_eq!(remedy(FailureKind::DeviceLost, None, false), Some(Remedy::UseCpu));
        assert_eq!(remedy(FailureKind::Run, Some(3), false), None);
        assert_eq!(remedy(FailureKind::Engine, None, false), Some(Remedy::RestartEngine));
        assert_eq!(remedy(FailureKind::Engine, None, true), Some(Remedy::UseCpu));
    }
}
