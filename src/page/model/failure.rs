//! What went wrong, and what the visitor can do about it.

use crate::worker::protocol::Failure;

/// A way out, offered as a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Choose the CPU.
    UseCpu,
    /// Go on with the run on the CPU from the last state that was saved.
    ContinueOnCpu {
        /// Steps it had taken.
        step: usize,
    },
    /// Fetch what is missing again.
    TryAgain,
    /// Replace the worker.
    RestartEngine,
}

impl Remedy {
    /// What its button says.
    pub fn words(self) -> String {
        match self {
            Remedy::UseCpu => "Use the CPU".into(),
            Remedy::ContinueOnCpu { step } => format!("Continue on the CPU from step {}", super::words::count(step)),
            Remedy::TryAgain => "Try again".into(),
            Remedy::RestartEngine => "Start the engine again".into(),
        }
    }
}

/// A failure as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// A sentence that says what is wrong and, where we know it, what to do.
    pub message: String,
    /// What is left.
    pub what: Failure,
    /// The way out, where one is needed.
    pub remedy: Option<Remedy>,
}

impl Trouble {
    /// `saved` is the step of the run's last saved state; `choosing` whether the engine was testing a GPU, which may have
    /// been too much for it.
    pub fn new(message: &str, what: Failure, saved: Option<usize>, choosing: bool) -> Self {
        let remedy = match what {
            Failure::Run => None,
            Failure::Device => Some(Remedy::UseCpu),
            Failure::DeviceLost => Some(saved.map_or(Remedy::UseCpu, |step| Remedy::ContinueOnCpu { step })),
            Failure::Data => Some(Remedy::TryAgain),
            Failure::Engine if choosing => Some(Remedy::UseCpu),
            Failure::Engine => Some(Remedy::RestartEngine),
        };
        let mut message = super::words::title(message);
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        Self { message, what, remedy }
    }

    /// Whether the engine that told of it is of no more use.
    pub fn needs_new_engine(&self) -> bool {
        matches!(self.what, Failure::DeviceLost | Failure::Engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_gpu_offers_to_go_on_from_the_saved_step() {
        let trouble = Trouble::new("the GPU stopped answering", Failure::DeviceLost, Some(1200), false);
        assert_eq!(trouble.message, "The GPU stopped answering.");
        assert_eq!(trouble.remedy.expect("a way out").words(), "Continue on the CPU from step 1,200");
        let remedy = |what, saved, choosing| Trouble::new("Wrong.", what, saved, choosing).remedy;
        assert_eq!(remedy(Failure::DeviceLost, None, false), Some(Remedy::UseCpu));
        assert_eq!(remedy(Failure::Run, Some(3), false), None);
        assert_eq!(remedy(Failure::Engine, None, false), Some(Remedy::RestartEngine));
        assert_eq!(remedy(Failure::Engine, None, true), Some(Remedy::UseCpu));
    }
}
