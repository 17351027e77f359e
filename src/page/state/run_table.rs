//! The runs of this browser: kept, named, compared, shown again, deleted.

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::store::PageState;
use crate::page::model::comparison::ChartPart;
use crate::page::model::failure::Failure;
use crate::page::model::phase::{Action, Phase};
use crate::page::model::plot::Plot;
use crate::page::model::run_list::{RunList, RunLog};
use crate::page::model::run_state::RunState;
use crate::session::event::Event;
use crate::worker::protocol::{Command, KeptRun, RunTag};

/// Key of the compared runs in the browser's storage.
const COMPARED: &str = "compared";
/// Characters of a name at most.
pub const LONGEST_NAME: usize = 40;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "storage"])]
    async fn persist() -> Result<JsValue, JsValue>;
}

/// The list before the engine has sent the stored runs.
pub(super) fn list() -> RunList {
    let kept = window().local_storage().ok().flatten().and_then(|storage| storage.get_item(COMPARED).ok().flatten());
    let ids = kept.unwrap_or_default();
    RunList::new(ids.split(',').filter_map(|id| id.parse().ok()).collect())
}

impl PageState {
    /// Takes over the engine's list of stored runs.
    pub(crate) fn on_kept(self, runs: Vec<KeptRun>, writable: bool) {
        let shown = self.shown_id();
        self.runs.update(|list| {
            list.set_stored(runs, writable);
            list.forget_missing(shown);
            if self.link.with_value(|link| link.readers.is_empty()) {
                list.free();
            }
        });
        self.read_compared();
        self.finish_reading();
    }

    /// Takes over events of a stored run.
    pub(crate) fn on_kept_events(self, id: u64, events: Vec<Event>, last: bool) {
        self.runs.update_untracked(|list| list.read(id, events, last));
        if last {
            self.runs.notify();
            if self.link.try_update_value(|link| link.to_show.take_if(|wanted| *wanted == id)).flatten().is_some() {
                self.show_kept(id);
            }
            self.finish_reading();
        }
    }

    /// Identity of a new run, which becomes the one on show and is compared with the runs before it.
    pub(crate) fn show_new_run(self) -> RunTag {
        let before = self.tag.get_untracked();
        let number = self.runs.with_untracked(|list| list.next_number(before.as_ref()));
        let tag = RunTag { id: js_sys::Date::now() as u64, number, name: String::new() };
        self.show_run(tag.clone());
        spawn_local(async {
            // the browser may refuse, and then deletes runs where the disk is full
            drop(persist().await);
        });
        tag
    }

    /// Makes a run the one on show and compares it.
    pub(crate) fn show_run(self, tag: RunTag) {
        self.compare(tag.id, true);
        self.tag.set(Some(tag));
    }

    /// Keeps the run on show in the list: another takes its place.
    pub(crate) fn keep_shown(self) {
        let Some(tag) = self.tag.get_untracked() else { return };
        let listed = self.runs.try_update(|list| {
            self.run.with_untracked(|run| list.keep(&tag, run, js_sys::Date::now()));
            list.get(tag.id).is_some()
        });
        self.tag.set(None);
        if listed != Some(true) {
            self.compare(tag.id, false);
        }
    }

    /// A chart of the run on show with the curves of the compared runs.
    pub fn compared(self, chart: Plot, part: ChartPart<'_>) -> Plot {
        self.comparison.with(|comparison| comparison.draw(chart, part))
    }

    /// Puts a run into the charts, or takes it out.
    pub fn compare(self, id: u64, compared: bool) {
        self.runs.update(|list| list.compare(id, compared));
        let ids = self.runs.with_untracked(|list| list.compared().iter().map(u64::to_string).collect::<Vec<_>>());
        if let Some(storage) = window().local_storage().ok().flatten() {
            // without storage the choice lasts until the page closes
            drop(storage.set_item(COMPARED, &ids.join(",")));
        }
        self.read_compared();
    }

    /// Names a run.
    pub fn rename_run(self, id: u64, name: &str) {
        let name: String = name.trim().chars().take(LONGEST_NAME).collect();
        self.runs.update(|list| list.rename(id, &name));
        if self.shown_id() == Some(id) {
            self.tag.update(|tag| tag.iter_mut().for_each(|tag| tag.name.clone_from(&name)));
        }
        if self.runs.with_untracked(|list| list.is_writable) {
            self.send(&Command::Rename { id, name });
        }
    }

    /// Deletes a run. The one under way cannot be deleted.
    pub fn delete_run(self, id: u64) {
        if self.is_under_way(id) {
            return;
        }
        if self.shown_id() == Some(id) {
            self.leave_run();
        }
        let stored = self.runs.with_untracked(|list| list.get(id).is_some_and(|run| run.stored));
        if stored {
            self.send(&Command::DeleteKept { id });
        } else {
            self.runs.update(|list| list.remove(id));
        }
        self.compare(id, false);
    }

    /// Shows a run again: its curves, its tables, its settings.
    pub fn open_run(self, id: u64) {
        if !self.can_open() || self.shown_id() == Some(id) {
            return;
        }
        let read = self.runs.with_untracked(|list| list.get(id).is_some_and(|run| run.state.is_some()));
        if read {
            self.show_kept(id);
        } else {
            self.link.update_value(|link| link.to_show = Some(id));
            self.send(&Command::ReadKept { id });
        }
    }

    /// True if the engine trains this run, holds it paused or is about to continue it.
    pub fn is_under_way(self, id: u64) -> bool {
        let phase = self.phase.get();
        (phase.is_busy() || phase == Phase::Loading)
            && self.tag.with(|tag| tag.as_ref().is_some_and(|tag| tag.id == id))
    }

    /// Calls `then` with the logs of all runs, the oldest first, once their events have been read.
    pub(crate) fn with_all_runs(self, then: impl FnOnce(&[RunLog<'_>]) + 'static) {
        let unread = self.runs.with_untracked(|list| list.all_unread(self.shown_id()));
        self.link.update_value(|link| link.readers.push(Box::new(then)));
        unread.iter().for_each(|id| self.send(&Command::ReadKept { id: *id }));
        self.finish_reading();
    }

    /// Calls those that wait for all runs, if all have been read or no engine is left to read them.
    fn finish_reading(self) {
        let gone = self.failure.with_untracked(|failure| failure.as_ref().is_some_and(Failure::needs_new_engine));
        let missing = self.runs.with_untracked(|list| !list.all_unread(self.shown_id()).is_empty());
        let idle = self.link.with_value(|link| link.readers.is_empty());
        if idle || (missing && !gone) {
            return;
        }
        let readers = self.link.try_update_value(|link| std::mem::take(&mut link.readers)).unwrap_or_default();
        let tag = self.tag.get_untracked();
        self.run.with_untracked(|run| {
            let shown = tag.as_ref().filter(|_| !run.log().is_empty());
            let shown = shown.map(|tag| RunLog { tag, events: run.log() });
            self.runs.with_untracked(|list| {
                let logs = list.logs(shown);
                readers.into_iter().for_each(|then| then(&logs));
            });
        });
        self.runs.update_untracked(RunList::free);
    }

    fn read_compared(self) {
        let unread = self.runs.with_untracked(|list| list.unread(self.shown_id()));
        unread.into_iter().for_each(|id| self.send(&Command::ReadKept { id }));
    }

    fn show_kept(self, id: u64) {
        if !self.can_open() {
            return;
        }
        let listed = self.runs.with_untracked(|list| {
            let run = list.get(id)?;
            Some((run.kept.tag.clone(), run.state.clone()?))
        });
        let Some((tag, state)) = listed else { return };
        self.leave_run();
        if let Some(plan) = &state.plan {
            self.adopt_settings(&plan.config);
            self.load_wanted_data();
        }
        self.run.set(RunState::clone(&state));
        self.show_run(tag);
    }

    /// Takes the run off the page, and off the engine if it can hear.
    fn leave_run(self) {
        if Action::Reset.is_open(self.phase.get_untracked(), self.can_start.get_untracked()) {
            self.act(Action::Reset);
        } else {
            self.clear_run();
        }
    }

    pub(crate) fn shown_id(self) -> Option<u64> {
        self.tag.with_untracked(|tag| tag.as_ref().map(|tag| tag.id))
    }

    /// True for a kept run on show that the engine does not hold.
    pub fn shows_kept_run(self) -> bool {
        self.phase.get() == Phase::Ready && self.run.with(|run| run.plan.is_some())
    }
}
