//! What the page is doing, and which buttons that leaves.

/// The states of the page, as `data-state` of the status names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Engine, device or the first images are on their way.
    #[default]
    Loading,
    /// A run can start.
    Ready,
    /// Steps are being taken.
    Running,
    /// A run waits.
    Paused,
    /// A run has ended.
    Done,
    /// Something failed; a sentence says what.
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

    /// For people.
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

    /// Whether a run is under way, so that its settings are fixed.
    pub fn is_busy(self) -> bool {
        matches!(self, Phase::Running | Phase::Paused)
    }
}

/// What a button does to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a run or go on with a paused one.
    Start,
    /// Pause it.
    Pause,
    /// Take one step, setting up a run first where there is none.
    Step,
    /// Drop it.
    Reset,
}

impl Action {
    /// Whether there is something to do in `phase`; `able` says whether the engine could start a run at all.
    pub fn is_open(self, phase: Phase, able: bool) -> bool {
        match self {
            Action::Start | Action::Step => {
                able && matches!(phase, Phase::Ready | Phase::Paused | Phase::Done | Phase::Error)
            }
            Action::Pause => phase == Phase::Running,
            Action::Reset => able && matches!(phase, Phase::Running | Phase::Paused | Phase::Done | Phase::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_open_where_they_do_something() {
        let open = |phase, able| {
            [Action::Start, Action::Pause, Action::Step, Action::Reset].map(|action| action.is_open(phase, able))
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
