//! One run under way: what is done next, and what of it the page gets to see.

use super::protocol::{Kept, ReadbackPace, Reply, Story};
use super::{pace, page};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device::{Kind, Selected};
use crate::error::Result;
use crate::platform;
use crate::session::event::Event;
use crate::session::event_log::Past;
use crate::session::{Progress, Session};

/// Seconds between two pictures: more often nobody can look.
const PICTURE_EVERY: f64 = 0.3;
/// Seconds between two saved states.
const SAVE_EVERY: f64 = 10.0;
/// How many times as long as it takes to save one is trained at least before the next.
const SAVE_SHARE: f64 = 20.0;
/// Events that the page is told at once when a run goes on: it shall not stand still over them.
const TOLD_AT_ONCE: usize = 500;

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
    looks: ReadbackPace,
    past: Past,
    mode: Mode,
    starved: bool,
    drawn: f64,
    saved: Saved,
}

/// The latest saved state: of which step, when, and how many seconds it took.
struct Saved {
    step: Option<usize>,
    at: f64,
    took: f64,
}

impl Run {
    pub(super) async fn fresh(
        config: RunConfig,
        looks: ReadbackPace,
        data: Dataset,
        selected: &Selected,
    ) -> Result<Self> {
        let kind = selected.readout.kind;
        let session = Session::new(config, data, selected, pace::of(kind, looks)).await?;
        Ok(Self::of(session, kind, looks, Past::default()))
    }

    /// Goes on with a checkpoint. A finished run that was never probed is probed.
    pub(super) async fn restored(checkpoint: &[u8], story: Story, data: Dataset, selected: &Selected) -> Result<Self> {
        let (kind, Story { looks, events }) = (selected.readout.kind, story);
        let mut session = Session::restore(checkpoint, data, selected, pace::of(kind, looks)).await?;
        let step = session.step();
        let probed = events.iter().any(|event| matches!(event, Event::Probe(probe) if probe.step == step));
        if session.is_finished() && !probed {
            session.probe_next();
        }
        let mut past = Past::default();
        events.into_iter().for_each(|event| past.hear(event));
        past.rewind(step, session.is_about_to_probe());
        past.events().iter().for_each(|event| session.recall(event));
        Ok(Self::of(session, kind, looks, past))
    }

    fn of(session: Session, kind: Kind, looks: ReadbackPace, past: Past) -> Self {
        let saved = Saved { step: None, at: platform::now(), took: 0.0 };
        let (mode, starved, drawn) = (Mode::Paused, false, f64::NEG_INFINITY);
        Self { session, kind, looks, past, mode, starved, drawn, saved }
    }

    /// What there is to say at its start: all that it said before, and the plan.
    pub(super) fn introduce(&mut self) -> Vec<Reply> {
        let told = self.past.events().chunks(TOLD_AT_ONCE).map(|some| Reply::Past(some.to_vec()));
        let mut replies: Vec<Reply> = told.collect();
        replies.push(self.tell(Event::Started(self.session.started())));
        replies
    }

    /// An event for the page, which is remembered.
    fn tell(&mut self, event: Event) -> Reply {
        self.past.hear(event.clone());
        Reply::Event(Box::new(event))
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
        let mut replies: Vec<Reply> = events.into_iter().map(|event| self.tell(event)).collect();
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

    /// Draws when it is time to; a paused run is always drawn.
    async fn look(&mut self, replies: &mut Vec<Reply>) -> Result<()> {
        let now = platform::now();
        if self.mode != Mode::Running || now - self.drawn >= PICTURE_EVERY {
            self.drawn = now;
            replies.push(Reply::Picture(self.session.picture().await?));
        }
        Ok(())
    }

    /// Whether it is time to save its state: at every pause and at the end, and often enough in between.
    pub(super) fn is_to_be_saved(&self) -> bool {
        if self.saved.step.unwrap_or_default() == self.session.step() {
            return false;
        }
        let waited = platform::now() - self.saved.at;
        self.mode != Mode::Running || waited >= SAVE_EVERY.max(SAVE_SHARE * self.saved.took)
    }

    /// Remembers that its state was saved, which began at the moment `since`.
    pub(super) fn set_saved(&mut self, since: f64) {
        let at = platform::now();
        self.saved = Saved { step: Some(self.session.step()), at, took: at - since };
    }

    /// Whether it could lose its device.
    pub(super) fn is_on_gpu(&self) -> bool {
        self.kind != Kind::Cpu
    }

    pub(super) fn step(&self) -> usize {
        self.session.step()
    }

    pub(super) async fn checkpoint(&self) -> Result<Vec<u8>> {
        self.session.checkpoint().await
    }

    /// What is kept beside its checkpoint.
    pub(super) fn story(&self) -> Story {
        Story { looks: self.looks, events: self.past.events().to_vec() }
    }

    /// How the page names it once it is kept.
    pub(super) fn label(&self) -> Kept {
        let config = self.session.config();
        let (method, data) = (config.method.clone(), config.data.clone());
        let (step, finished) = (self.session.step(), self.session.is_finished());
        Kept { method, data, step, finished, saved: js_sys::Date::now(), damaged: false }
    }
}
