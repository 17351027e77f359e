//! How a command ends when it does not end well.

use std::process::ExitCode;

use super::print;
use crate::error::Error;

/// What a command comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked for something impossible.
    Usage(String),
    /// It could not be done.
    Failed(String),
    /// The user stopped it, and was told so.
    Stopped,
}

/// The code for a command that was stopped, as shells give it.
pub(crate) const STOPPED: u8 = 130;

impl Failure {
    /// Says what is wrong; returns the code for the system.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Failure::Usage(sentence) => {
                print::err(&format!("error: {sentence}"));
                ExitCode::from(2)
            }
            Failure::Failed(sentence) => {
                print::err(&format!("error: {sentence}"));
                ExitCode::from(1)
            }
            Failure::Stopped => ExitCode::from(STOPPED),
        }
    }
}

/// Before a run is under way a bad configuration is the user's; what happens later is [`Failure::Failed`].
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Config(sentence) => Failure::Usage(sentence),
            other => Failure::Failed(other.to_string()),
        }
    }
}
