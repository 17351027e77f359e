//! The page's response to the engine's messages. Curves and pictures are redrawn at most once an animation frame.

use leptos::prelude::*;

use super::file_download::save;
use super::store::PageState;
use crate::page::model::failure::Failure;
use crate::page::model::phase::{Action, Phase};
use crate::page::model::run_state::RunState;
use crate::session::event::Event;
use crate::session::picture::Picture;
use crate::worker::protocol::{Command, FailureKind, Menu, Reply, RunHistory};

impl PageState {
    /// Applies one message of the engine.
    pub(crate) fn on_reply(self, reply: Reply) {
        match reply {
            Reply::Fetching { loaded, total } => self.load_progress.update(|progress| {
                progress.engine_bytes = loaded;
                progress.engine_total = total;
            }),
            Reply::Awake { menu } => self.on_awake(menu),
            Reply::Device(readout) => {
                self.load_progress.update(|progress| progress.device = true);
                self.readout.set(Some(readout));
            }
            Reply::LoadingData { title, images, total } => self.load_progress.update(|progress| {
                progress.dataset = title;
                progress.images = images;
                progress.total_images = total;
            }),
            Reply::Ready => self.on_ready(),
            Reply::Probing => self.probing.set(true),
            Reply::Exam(progress) if self.is_live() => self.examining.set(progress),
            Reply::Exam(_) => {}
            Reply::History(events) => self.on_history(events),
            Reply::Event(event) => self.on_event(*event),
            Reply::Picture(picture) => self.on_picture(picture),
            Reply::Running(running) => self.on_running(running),
            Reply::Checkpoint { step, checkpoint } if self.is_live() => {
                self.link.update_value(|link| link.checkpoint = Some((step, checkpoint)));
            }
            Reply::Checkpoint { .. } => {}
            // until the requested run begins, reports on saving are about the run before it
            Reply::SavedRun(_) | Reply::NotSaved { .. } if self.link.with_value(|link| link.pending) => {}
            Reply::Kept { runs, writable } => self.on_kept(runs, writable),
            Reply::KeptEvents { id, events, last } => self.on_kept_events(id, events, last),
            Reply::KeptNotice { message } => self.runs_notice.set(Some(message)),
            Reply::SavedRun(saved) => {
                let is_saved = saved.is_some();
                self.saved_run.set(saved);
                self.save_error.set(None);
                self.resume_after_restart(is_saved);
            }
            Reply::NotSaved { message } => {
                self.save_error.set(Some(message));
                self.resume_after_restart(false);
            }
            Reply::File { name, bytes } => self.report_save(save(&name, &bytes)),
            Reply::Failed { message, kind } => self.on_failure(&message, kind),
        }
    }

    /// Continues the saved run if the engine was started anew for it, or else takes the old one off the page.
    fn resume_after_restart(self, is_saved: bool) {
        match self.link.try_update_value(|link| std::mem::take(&mut link.to_resume)) {
            Some(true) if is_saved => self.resume_saved(),
            Some(true) => self.clear_run(),
            _ => {}
        }
    }

    fn is_live(self) -> bool {
        self.link.with_value(|link| link.live)
    }

    /// Shows the picture, or holds it back under reduced motion. That of step 0 is a sample of the data.
    fn on_picture(self, picture: Picture) {
        if picture.step == 0 {
            self.link.update_value(|link| link.sample = Some(picture.clone()));
        }
        if self.is_live() || picture.step == 0 {
            let calm = self.phase.get_untracked() == Phase::Running && prefers_calm();
            let now = js_sys::Date::now();
            let shown = self.link.try_update_value(|link| link.picture_pace.offer(picture, now, calm)).flatten();
            self.show(shown);
        }
    }

    /// Shows the picture that was held back, now that the run stands still.
    fn show_last_picture(self) {
        self.show(self.link.try_update_value(|link| link.picture_pace.release()).flatten());
    }

    fn show(self, picture: Option<Picture>) {
        if picture.is_some() {
            self.picture.set(picture);
        }
    }

    fn on_awake(self, menu: Menu) {
        self.menu.set(menu);
        self.load_progress.update(|progress| progress.awake = true);
        self.prepare();
        if let Some(checkpoint) = self.link.try_update_value(|link| link.to_restore.take()).flatten() {
            self.link.update_value(|link| link.pending = true);
            let pace = self.settings.with_untracked(|settings| settings.pace()).unwrap_or_default();
            let events = self.run.with_untracked(|run| run.log().to_vec());
            let tag = self.tag.get_untracked().unwrap_or_default();
            self.run.set(RunState::default());
            self.send(&Command::Restore { tag, checkpoint, history: RunHistory { pace, events } });
        }
    }

    /// Applies the earlier events of a continued run, which arrive before its start.
    fn on_history(self, events: Vec<Event>) {
        if self.link.with_value(|link| link.pending && link.dropped == 0) {
            self.run.update_untracked(|run| events.into_iter().for_each(|event| run.apply(event)));
        }
    }

    fn on_ready(self) {
        self.can_start.set(true);
        // a run restored from a checkpoint starts by itself
        if self.phase.get_untracked() != Phase::Loading || self.link.with_value(|link| link.pending) {
            return;
        }
        self.phase.set(Phase::Ready);
        let auto = self.settings.try_update(|settings| std::mem::take(&mut settings.autostart));
        if auto == Some(true) {
            let errors = self.link_errors.get_untracked();
            match errors.first() {
                None => self.act(Action::Start),
                Some(first) => self.refuse_autostart(first),
            }
        }
    }

    /// Reports an autostart link with errors as a failure: scripts wait for `done` or `error`.
    fn refuse_autostart(self, message: &str) {
        self.failure.set(Some(Failure::new(message, FailureKind::Run, None, false)));
        self.link_errors.set(Vec::new());
        self.phase.set(Phase::Error);
    }

    fn on_event(self, event: Event) {
        let started = matches!(event, Event::Started(_));
        if started {
            self.link.update_value(|link| {
                link.live = link.dropped == 0;
                link.pending = link.pending && !link.live;
                link.dropped = link.dropped.saturating_sub(1);
            });
        }
        if !self.is_live() {
            return;
        }
        self.probing.set(false);
        let done = matches!(event, Event::Done(_));
        if matches!(event, Event::Exam(_)) {
            self.examining.set(None);
        }
        let frequent = matches!(event, Event::Step(_));
        self.run.update_untracked(|run| run.apply(event));
        if frequent {
            self.redraw_soon();
        } else {
            self.run.notify();
        }
        if started {
            // the last report was about another run
            self.saved_run.set(None);
            self.adopt_run_settings();
        }
        if done {
            self.phase.set(Phase::Done);
            self.show_last_picture();
        }
    }

    fn redraw_soon(self) {
        let due = self.link.try_update_value(|link| std::mem::replace(&mut link.frame_due, true));
        if due == Some(false) {
            request_animation_frame(move || {
                self.link.update_value(|link| link.frame_due = false);
                self.run.notify();
            });
        }
    }

    fn on_running(self, running: bool) {
        if self.is_live() && self.phase.get_untracked() != Phase::Done {
            self.phase.set(if running { Phase::Running } else { Phase::Paused });
            if !running {
                self.show_last_picture();
            }
        }
    }

    fn on_failure(self, message: &str, kind: FailureKind) {
        // a stopped engine may be reported several times; the first report is the most precise
        let known = self.failure.with_untracked(|failure| failure.as_ref().is_some_and(Failure::needs_new_engine));
        if known && matches!(kind, FailureKind::Engine | FailureKind::DeviceLost) {
            return;
        }
        // the failure of a request that was dropped meanwhile
        if kind == FailureKind::Run && self.link.with_value(|link| link.dropped > 0) {
            return self.link.update_value(|link| link.dropped -= 1);
        }
        self.link.update_value(|link| link.pending = false);
        self.fail(message, kind);
    }
}

/// True if the visitor asked the system for less motion.
fn prefers_calm() -> bool {
    let query = window().match_media("(prefers-reduced-motion: reduce)").ok().flatten();
    query.is_some_and(|query| query.matches())
}
