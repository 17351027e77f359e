//! What the engine says, and what becomes of it. Curves and pictures are redrawn once an animation frame at most.

use leptos::prelude::*;

use super::store::PageState;
use crate::page::model::failure::Trouble;
use crate::page::model::phase::{Action, Phase};
use crate::page::model::run_state::Record;
use crate::session::event::Event;
use crate::session::picture::Picture;
use crate::worker::protocol::{Command, Failure, Menu, Reply, Story};

impl PageState {
    /// Takes in one message of the engine.
    pub(crate) fn hear(self, reply: Reply) {
        match reply {
            Reply::Fetching { loaded, total } => self.loading.update(|loading| loading.engine = (loaded, total)),
            Reply::Awake { menu } => self.wake(menu),
            Reply::Device(readout) => {
                self.loading.update(|loading| loading.device = true);
                self.readout.set(Some(readout));
            }
            Reply::Loading { what, images, total } => self.loading.update(|loading| {
                loading.data = what;
                loading.images = (images, total);
            }),
            Reply::Ready => self.be_ready(),
            Reply::Examining => self.examining.set(true),
            Reply::Past(events) => self.hear_past(events),
            Reply::Event(event) => self.hear_event(*event),
            Reply::Picture(picture) => self.hear_picture(picture),
            Reply::Running(running) => self.hear_running(running),
            Reply::Saved { step, checkpoint } if self.is_live() => {
                self.line.update_value(|line| line.saved = Some((step, checkpoint)));
            }
            Reply::Saved { .. } => {}
            // until the new run begins, what is said of kept ones is of another
            Reply::Kept(_) | Reply::Unkept { .. } if self.line.with_value(|line| line.pending) => {}
            Reply::Kept(kept) => {
                self.kept.set(kept);
                self.unkept.set(None);
            }
            Reply::Unkept { message } => self.unkept.set(Some(message)),
            Reply::File { name, bytes } => self.hand_out(&name, &bytes),
            Reply::Failed { message, what } => self.hear_failure(&message, what),
        }
    }

    fn is_live(self) -> bool {
        self.line.with_value(|line| line.live)
    }

    /// A picture of step 0 shows some of the data.
    fn hear_picture(self, picture: Picture) {
        if picture.step == 0 {
            self.line.update_value(|line| line.sample = Some(picture.clone()));
        }
        if self.is_live() || picture.step == 0 {
            self.picture.set(Some(picture));
        }
    }

    fn wake(self, menu: Menu) {
        self.menu.set(menu);
        self.loading.update(|loading| loading.awake = true);
        self.prepare();
        if let Some(checkpoint) = self.line.try_update_value(|line| line.restore.take()).flatten() {
            self.line.update_value(|line| line.pending = true);
            let looks = self.settings.with_untracked(|settings| settings.looks()).unwrap_or_default();
            let events = self.record.with_untracked(|record| record.log().to_vec());
            self.record.set(Record::default());
            self.send(&Command::Restore { checkpoint, story: Story { looks, events } });
        }
    }

    /// What a run said before it went on comes before its start.
    fn hear_past(self, events: Vec<Event>) {
        if self.line.with_value(|line| line.pending && line.stale == 0) {
            self.record.update_untracked(|record| events.into_iter().for_each(|event| record.hear(event)));
        }
    }

    fn be_ready(self) {
        self.able.set(true);
        // a run that goes on from a saved state starts by itself
        if self.phase.get_untracked() != Phase::Loading || self.line.with_value(|line| line.pending) {
            return;
        }
        self.phase.set(Phase::Ready);
        let auto = self.settings.try_update(|settings| std::mem::take(&mut settings.autostart));
        if auto == Some(true) {
            let misread = self.misread.get_untracked();
            match misread.first() {
                None => self.act(Action::Start),
                Some(first) => self.trouble_with_link(first),
            }
        }
    }

    /// A link that was to start a run and cannot: scripts wait for `done` or `error`.
    fn trouble_with_link(self, message: &str) {
        self.trouble.set(Some(Trouble::new(message, Failure::Run, None, false)));
        self.misread.set(Vec::new());
        self.phase.set(Phase::Error);
    }

    fn hear_event(self, event: Event) {
        if matches!(event, Event::Started(_)) {
            self.line.update_value(|line| {
                line.live = line.stale == 0;
                line.pending = line.pending && !line.live;
                line.stale = line.stale.saturating_sub(1);
            });
        }
        if !self.is_live() {
            return;
        }
        self.examining.set(false);
        let done = matches!(event, Event::Done(_));
        let begun = matches!(event, Event::Started(_));
        let often = matches!(event, Event::Step(_));
        self.record.update_untracked(|record| record.hear(event));
        if often {
            self.redraw_soon();
        } else {
            self.record.notify();
        }
        if begun {
            // what was told before is of another run
            self.kept.set(None);
            self.follow_run();
        }
        if done {
            self.phase.set(Phase::Done);
        }
    }

    fn redraw_soon(self) {
        let due = self.line.try_update_value(|line| std::mem::replace(&mut line.frame_due, true));
        if due == Some(false) {
            request_animation_frame(move || {
                self.line.update_value(|line| line.frame_due = false);
                self.record.notify();
            });
        }
    }

    fn hear_running(self, running: bool) {
        if self.is_live() && self.phase.get_untracked() != Phase::Done {
            self.phase.set(if running { Phase::Running } else { Phase::Paused });
        }
    }

    fn hear_failure(self, message: &str, what: Failure) {
        // a broken engine may be noticed more than once; the first to say so knows best
        let known = self.trouble.with_untracked(|trouble| trouble.as_ref().is_some_and(Trouble::needs_new_engine));
        if known && matches!(what, Failure::Engine | Failure::DeviceLost) {
            return;
        }
        // an attempt that was given up meanwhile
        if what == Failure::Run && self.line.with_value(|line| line.stale > 0) {
            return self.line.update_value(|line| line.stale -= 1);
        }
        self.line.update_value(|line| line.pending = false);
        self.fail(message, what);
    }
}
