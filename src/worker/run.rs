//! One run under way: what is done next, and what of it the page gets to see.

use super::protocol::{Looks, Reply};
use super::{pace, page};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device::{Kind, Selected};
use crate::error::Result;
use crate::platform;
use crate::session::event::{Event, Started};
use crate::session::{Progress, Session};

/// Seconds between two pictures: more often nobody can look.
const PICTURE_EVERY: f64 = 0.3;
/// Seconds between two copies of the run, kept by the page for the case that the GPU is lost.
const SAVE_EVERY: f64 = 30.0;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Running,
    /// Until a step beyond this one is taken.
    Stepping(usize),
    Paused,
    /// At its end, or failed.
    Over,
}

/// What a piece of work came to.
pub(super) enum Work {
    /// Something was done; this is for the page.
    Went(Vec<Reply>),
    /// The images of the next step have not arrived.
    Waits,
}

/// A session with its clocks.
pub(super) struct Run {
    session: Session,
    kind: Kind,
    mode: Mode,
    starved: bool,
    drawn: f64,
    saved: f64,
}

impl Run {
    pub(super) async fn fresh(config: RunConfig, looks: Looks, data: Dataset, selected: &Selected) -> Result<Self> {
        let kind = selected.readout.kind;
        let session = Session::new(config, data, selected, pace::of(kind, looks)).await?;
        Ok(Self::of(session, kind))
    }

    pub(super) async fn restored(checkpoint: &[u8], data: Dataset, selected: &Selected) -> Result<Self> {
        let kind = selected.readout.kind;
        let session = Session::restore(checkpoint, data, selected, pace::of(kind, Looks::default())).await?;
        Ok(Self::of(session, kind))
    }

    fn of(session: Session, kind: Kind) -> Self {
        Self { session, kind, mode: Mode::Paused, starved: false, drawn: f64::NEG_INFINITY, saved: platform::now() }
    }

    pub(super) fn started(&self) -> Started {
        self.session.started()
    }

    pub(super) fn data_mut(&mut self) -> &mut Dataset {
        self.session.data_mut()
    }

    /// Whether there is work that can be done now.
    pub(super) fn is_busy(&self) -> bool {
        !self.starved && matches!(self.mode, Mode::Running | Mode::Stepping(_))
    }

    /// Each change answers with what the page shall be told: running or not.
    pub(super) fn pause(&mut self) -> Option<bool> {
        self.change(Mode::Paused, false)
    }

    pub(super) fn resume(&mut self) -> Option<bool> {
        self.change(Mode::Running, true)
    }

    pub(super) fn single(&mut self) -> Option<bool> {
        self.session.read_next();
        self.change(Mode::Stepping(self.session.step()), false).filter(|_| false)
    }

    fn change(&mut self, mode: Mode, running: bool) -> Option<bool> {
        if self.mode == Mode::Over {
            return None;
        }
        self.mode = mode;
        Some(running)
    }

    pub(super) fn stop(&mut self) {
        self.mode = Mode::Over;
    }

    /// Sleeps until images arrive.
    pub(super) fn wait(&mut self) {
        self.starved = true;
    }

    pub(super) fn wake(&mut self) {
        self.starved = false;
    }

    /// One unit of work.
    pub(super) async fn work(&mut self) -> Result<Work> {
        let before = self.session.step();
        if self.session.is_about_to_probe() {
            page::post(&Reply::Examining);
        }
        let events = match self.session.advance().await? {
            Progress::Events(events) => events,
            Progress::WaitingForData => return Ok(Work::Waits),
            Progress::Finished => {
                self.mode = Mode::Over;
                return Ok(Work::Went(Vec::new()));
            }
        };
        let over = events.iter().any(|event| matches!(event, Event::Done(_)));
        let mut replies: Vec<Reply> = events.into_iter().map(|event| Reply::Event(Box::new(event))).collect();
        let stepped = self.session.step() > before;
        if matches!(self.mode, Mode::Stepping(from) if self.session.step() > from) {
            self.mode = Mode::Paused;
            replies.push(Reply::Running(false));
        }
        if over {
            self.mode = Mode::Over;
        }
        if stepped {
            self.look(&mut replies).await?;
        }
        Ok(Work::Went(replies))
    }

    /// Draws and saves when it is time to; a paused run is always drawn.
    async fn look(&mut self, replies: &mut Vec<Reply>) -> Result<()> {
        let now = platform::now();
        if self.mode != Mode::Running || now - self.drawn >= PICTURE_EVERY {
            self.drawn = now;
            replies.push(Reply::Picture(self.session.picture().await?));
        }
        if self.kind != Kind::Cpu && now - self.saved >= SAVE_EVERY {
            self.saved = now;
            replies.push(Reply::Saved { step: self.session.step(), checkpoint: self.session.checkpoint().await? });
        }
        Ok(())
    }
}
