//! The current run: its next unit of work, and the replies that come of it.

use super::protocol::{ReadbackPace, Reply, RunHistory, RunTag, SavedRun};
use super::{pace, page};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device::{Kind, Selected};
use crate::error::Result;
use crate::methods::find;
use crate::platform;
use crate::report::RunReport;
use crate::session::event::Event;
use crate::session::event_log::EventLog;
use crate::session::{Progress, Session, checkpoint};

/// Seconds between two pictures, about as often as a person can follow.
const PICTURE_EVERY: f64 = 0.3;
/// Seconds between two saves.
const SAVE_EVERY: f64 = 10.0;
/// Shortest training between two saves, as a multiple of the time that a save takes.
const SAVE_SHARE: f64 = 20.0;
/// Events in one message of a continued run's history, few enough not to block the page.
pub(super) const HISTORY_CHUNK: usize = 500;

/// Mode of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Running,
    /// Running until a step after this one is taken.
    Stepping(usize),
    Paused,
    /// Finished or failed.
    Ended,
}

/// Outcome of a unit of work.
pub(super) enum Work {
    /// It is done, with these replies for the page.
    Done(Vec<Reply>),
    /// The images of the next step have not arrived.
    WaitingForData,
}

/// A session with the times of its pictures and saves.
pub(super) struct Run {
    tag: RunTag,
    session: Session,
    kind: Kind,
    pace: ReadbackPace,
    events: EventLog,
    mode: Mode,
    waiting_for_data: bool,
    drawn_at: f64,
    last_save: LastSave,
}

/// The latest save.
struct LastSave {
    step: Option<usize>,
    /// Time of it, in seconds of [`platform::now`].
    at: f64,
    /// Seconds that it took.
    took: f64,
}

impl Run {
    pub(super) async fn fresh(
        tag: RunTag,
        config: RunConfig,
        pace: ReadbackPace,
        data: Dataset,
        selected: &Selected,
    ) -> Result<Self> {
        let kind = selected.readout.kind;
        let entry = find(&config.method)?;
        let session = Session::new(entry, config, data, selected, pace::of(kind, pace)).await?;
        Ok(Self::of(tag, session, kind, pace, EventLog::default()))
    }

    /// A run continued from a checkpoint. A finished run that was never probed is probed first.
    pub(super) async fn restored(
        tag: RunTag,
        checkpoint: &[u8],
        history: RunHistory,
        data: Dataset,
        selected: &Selected,
    ) -> Result<Self> {
        let kind = selected.readout.kind;
        let RunHistory { pace, events } = history;
        let entry = find(&checkpoint::header(checkpoint)?.config.method)?;
        let mut session = Session::restore(entry, checkpoint, data, selected, pace::of(kind, pace)).await?;
        let step = session.step();
        let probed = events.iter().any(|event| matches!(event, Event::Probe(probe) if probe.step == step));
        if session.is_finished() && !probed {
            session.probe_next();
        }
        let mut log = EventLog::default();
        events.into_iter().for_each(|event| log.hear(event));
        log.rewind(step, session.is_about_to_probe());
        log.events().iter().for_each(|event| session.recall(event));
        Ok(Self::of(tag, session, kind, pace, log))
    }

    fn of(tag: RunTag, session: Session, kind: Kind, pace: ReadbackPace, events: EventLog) -> Self {
        Self {
            tag,
            session,
            kind,
            pace,
            events,
            mode: Mode::Paused,
            waiting_for_data: false,
            drawn_at: f64::NEG_INFINITY,
            last_save: LastSave { step: None, at: platform::now(), took: 0.0 },
        }
    }

    /// Replies at the start: the history of a continued run, then the start event.
    pub(super) fn opening_replies(&mut self) -> Vec<Reply> {
        let history = self.events.events().chunks(HISTORY_CHUNK).map(|chunk| Reply::History(chunk.to_vec()));
        let mut replies: Vec<Reply> = history.collect();
        replies.push(self.log(Event::Started(self.session.started())));
        replies
    }

    /// Logs an event and makes it a reply.
    pub(super) fn log(&mut self, event: Event) -> Reply {
        self.events.hear(event.clone());
        Reply::Event(Box::new(event))
    }

    pub(super) fn data_mut(&mut self) -> &mut Dataset {
        self.session.data_mut()
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// True if there is work that can be done now: an examination even while the run is paused or has ended.
    pub(super) fn is_busy(&self) -> bool {
        let works = matches!(self.mode, Mode::Running | Mode::Stepping(_)) || self.session.exam_progress().is_some();
        !self.waiting_for_data && works
    }

    /// Makes an examination the next work.
    pub(super) fn examine(&mut self) {
        self.session.exam_next();
    }

    /// Ends the examination without a result. Returns true if there was one.
    pub(super) fn skip_exam(&mut self) -> bool {
        self.waiting_for_data = false;
        self.session.skip_exam()
    }

    /// Pauses the run. This and the next two return the new state of [`Reply::Running`], if the page needs to know it.
    pub(super) fn pause(&mut self) -> Option<bool> {
        self.change(Mode::Paused, false)
    }

    pub(super) fn resume(&mut self) -> Option<bool> {
        self.change(Mode::Running, true)
    }

    pub(super) fn step_once(&mut self) -> Option<bool> {
        self.session.read_next();
        self.change(Mode::Stepping(self.session.step()), false).filter(|_| false)
    }

    fn change(&mut self, mode: Mode, running: bool) -> Option<bool> {
        if self.mode == Mode::Ended {
            return None;
        }
        self.mode = mode;
        Some(running)
    }

    pub(super) fn stop(&mut self) {
        self.session.skip_exam();
        self.mode = Mode::Ended;
    }

    /// Waits until images arrive.
    pub(super) fn wait_for_data(&mut self) {
        self.waiting_for_data = true;
    }

    pub(super) fn data_arrived(&mut self) {
        self.waiting_for_data = false;
    }

    /// Does one unit of work.
    pub(super) async fn advance(&mut self) -> Result<Work> {
        let before = self.session.step();
        if let Some(progress) = self.session.exam_progress() {
            page::post(&Reply::Exam(Some(progress)));
        } else if self.session.is_about_to_probe() {
            page::post(&Reply::Probing);
        }
        let events = match self.session.advance().await? {
            Progress::Events(events) => events,
            Progress::WaitingForData => return Ok(Work::WaitingForData),
            Progress::Finished => {
                self.mode = Mode::Ended;
                return Ok(Work::Done(Vec::new()));
            }
        };
        let ended = events.iter().any(|event| matches!(event, Event::Done(_)));
        if ended || events.iter().any(|event| matches!(event, Event::Exam(_))) {
            // a save at the same step lacks these events
            self.last_save.step = None;
        }
        let mut replies: Vec<Reply> = events.into_iter().map(|event| self.log(event)).collect();
        let stepped = self.session.step() > before;
        if matches!(self.mode, Mode::Stepping(from) if self.session.step() > from) {
            self.mode = Mode::Paused;
            replies.push(Reply::Running(false));
        }
        if ended {
            self.mode = Mode::Ended;
        }
        if stepped {
            self.draw(&mut replies).await?;
        }
        Ok(Work::Done(replies))
    }

    /// Adds a picture if one is due. Single steps are always drawn.
    async fn draw(&mut self, replies: &mut Vec<Reply>) -> Result<()> {
        let now = platform::now();
        if self.mode != Mode::Running || now - self.drawn_at >= PICTURE_EVERY {
            self.drawn_at = now;
            replies.push(Reply::Picture(self.session.picture().await?));
        }
        Ok(())
    }

    /// True if a save is due: at every pause, at the end, and every [`SAVE_EVERY`] seconds in between.
    pub(super) fn is_save_due(&self) -> bool {
        if self.last_save.step.unwrap_or_default() == self.session.step() {
            return false;
        }
        let waited = platform::now() - self.last_save.at;
        self.mode != Mode::Running || waited >= SAVE_EVERY.max(SAVE_SHARE * self.last_save.took)
    }

    /// Records a save that began at `start`, in seconds of [`platform::now`].
    pub(super) fn set_saved(&mut self, start: f64) {
        let at = platform::now();
        self.last_save = LastSave { step: Some(self.session.step()), at, took: at - start };
    }

    /// A report of the run as a file; `link` is the address of the page that repeats it.
    pub(super) async fn report(&self, link: &str) -> Result<Reply> {
        let info = find(&self.session.config().method)?.info();
        let picture = self.session.picture().await?;
        let started = self.session.started();
        let report = RunReport { info, started: &started, events: self.events.events(), picture: &picture, link };
        let RunConfig { method, data, seed, .. } = &started.config;
        let name = format!("{method}-{data}-{seed}-report.html");
        Ok(Reply::File { name, bytes: report.html().into_bytes() })
    }

    /// True if the run could lose its device.
    pub(super) fn is_on_gpu(&self) -> bool {
        self.kind != Kind::Cpu
    }

    /// Identity of the run.
    pub(super) fn tag(&self) -> &RunTag {
        &self.tag
    }

    /// Takes the name if it is this run's.
    pub(super) fn rename(&mut self, id: u64, name: &str) {
        if self.tag.id == id {
            self.tag.name = name.into();
        }
    }

    pub(super) fn step(&self) -> usize {
        self.session.step()
    }

    pub(super) async fn checkpoint(&self) -> Result<Vec<u8>> {
        self.session.checkpoint().await
    }

    /// Pace and events, to be saved next to the checkpoint.
    pub(super) fn history(&self) -> RunHistory {
        RunHistory { pace: self.pace, events: self.events.events().to_vec() }
    }

    /// Description of the run as saved now.
    pub(super) fn saved_run(&self) -> SavedRun {
        let config = self.session.config();
        SavedRun {
            id: self.tag.id,
            method: config.method.clone(),
            data: config.data.clone(),
            step: self.session.step(),
            finished: self.session.is_finished(),
            saved: js_sys::Date::now(),
            damaged: false,
        }
    }
}
