//! Units of work of a session, and their results.

use super::event::Event;

/// The result of one call of [`Session::advance`](super::Session::advance).
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Work was done. A step whose loss was not read back gives no event.
    Events(Vec<Event>),
    /// The images of the next step have not arrived.
    WaitingForData,
    /// Nothing is left to do: [`Event::Done`] was given before.
    Finished,
}

/// The next unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Probes of the encoder before its first step. They come after that step, so that a visitor need not wait for them to see
    /// one; the encoder of before is kept anyway.
    FirstProbe,
    Probe,
    Train,
    HeldOut,
    Finish,
    Nothing,
}
