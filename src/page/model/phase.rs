//! Phases of the page, and the buttons that are open in each.

/// Phase of the page: `data-state` of its status line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Engine, device or the first images are not ready yet.
    #[default]
    Loading,
    /// A run can start.
    Ready,
    /// A run is training.
    Running,
    /// A run is paused.
    Paused,
    /// A run has ended.
    Done,
    /// Something failed; the message says what.
    Error,
}

impl Phase {
    /// The value of `data-state`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Loading => "loading",
            Phase::Ready => "ready",
            Phase::Running => "running",
            Phase::Paused => "paused",
            Phase::Done => "done",
            Phase::Error => "error",
        }
    }

    /// The phase in a word, as the page shows it.
    pub fn words(self) -> &'static str {
        match self {
            Phase::Loading => "Loading",
            Phase::Ready => "Ready",
            Phase::Running => "Training",
            Phase::Paused => "Paused",
            Phase::Done => "Done",
            Phase::Error => "Stopped",
        }
    }

    /// True if a run is in progress, so that its settings are fixed.
    pub fn is_busy(self) -> bool {
        matches!(self, Phase::Running | Phase::Paused)
    }
}

/// The action of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a run or continue a paused one.
    Start,
    /// Pause the run.
    Pause,
    /// Take one step, of a new run if there is none.
    Step,
    /// Drop the run.
    Reset,
}

impl Action {
    /// True if the action applies in `phase`; `can_start` tells that the engine can start a run.
    pub fn is_open(self, phase: Phase, can_start: bool) -> bool {
        match self {
            Action::Start | Action::Step => {
                can_start && matches!(phase, Phase::Ready | Phase::Paused | Phase::Done | Phase::Error)
            }
            Action::Pause => phase == Phase::Running,
            Action::Reset => can_start && matches!(phase, Phase::Running | Phase::Paused | Phase::Done | Phase::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_open_where_they_do_something() {
        let open = |phase, can_start| {
            [Action::Start, Action::Pause, Action::Step, Action::Reset].map(|action| action.is_open(phase, can_start))
        };
        assert_eq!(open(Phase::Loading, false), [false; 4]);
        assert_eq!(open(Phase::Ready, true), [true, false, true, false]);
        assert_eq!(open(Phase::Running, true), [false, true, false, true]);
        assert_eq!(open(Phase::Paused, true), [true, false, true, true]);
        assert_eq!(open(Phase::Done, true), [true, false, true, true]);
        assert_eq!(open(Phase::Error, true), [true, false, true, true]);
        assert_eq!(open(Phase::Error, false), [false; 4]);
    }
}
