//! Failure of a command and its exit code.

use crate::error::Error;

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A command that did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Impossible arguments, in a sentence.
    Usage(String),
    /// Anything else that went wrong, in a sentence.
    Failed(String),
    /// Stopped by the user, who was told so.
    Stopped,
}

/// The code for a command that was stopped, as shells give it.
pub(crate) const STOPPED: u8 = 130;

impl Failure {
    /// The exit code: 2 for bad usage, 1 for failure, 130 where the user stopped the command.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            Failure::Stopped => STOPPED,
        }
    }

    /// The sentence for the user; `None` where it was said already.
    pub(crate) fn sentence(&self) -> Option<&str> {
        match self {
            Failure::Usage(sentence) | Failure::Failed(sentence) => Some(sentence),
            Failure::Stopped => None,
        }
    }
}

/// A bad configuration is bad usage; errors while a run trains are mapped to [`Failure::Failed`] by the training loop.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Config(sentence) => Failure::Usage(sentence),
            other => Failure::Failed(other.to_string()),
        }
    }
}
