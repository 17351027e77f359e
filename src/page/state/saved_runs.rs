//! Runs beyond the life of the page: continued or deleted in the browser's storage, saved to a file, opened from one.

use js_sys::Uint8Array;
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::File;

use super::store::PageState;
use super::url;
use crate::config::RunConfig;
use crate::format;
use crate::page::model::phase::Phase;
use crate::page::model::settings::Settings;
use crate::worker::protocol::{Command, FailureKind, LARGEST_CHECKPOINT, Menu, RunHistory, RunTag};

impl PageState {
    /// Continues the run saved last.
    pub fn resume_saved(self) {
        if let Some(id) = self.saved_run.with_untracked(|saved| saved.as_ref().map(|saved| saved.id)) {
            self.resume_kept(id);
        }
    }

    /// Continues a kept run.
    pub fn resume_kept(self, id: u64) {
        let tag = self.runs.with_untracked(|list| list.get(id).map(|run| run.kept.tag.clone()));
        self.expect_restored_run();
        self.show_run(tag.unwrap_or_else(|| RunTag { id, ..RunTag::default() }));
        self.send(&Command::ResumeKept { id });
    }

    /// Deletes the run saved last.
    pub fn delete_saved(self) {
        if let Some(id) = self.saved_run.with_untracked(|saved| saved.as_ref().map(|saved| saved.id)) {
            self.delete_run(id);
        }
    }

    /// Requests the run as a file.
    pub fn download(self) {
        if let Some(id) = self.downloadable() {
            self.send(&Command::Download { id });
        }
    }

    /// True if there is a run to download.
    pub fn can_download(self) -> bool {
        self.downloadable().is_some()
    }

    /// Id of the run to download: the one on show, or the one saved last if there is none.
    fn downloadable(self) -> Option<u64> {
        let shown = self.tag.with(|tag| tag.as_ref().map(|tag| tag.id));
        let can_start = self.can_start.get();
        let kept = |id: &u64| self.runs.with(|list| list.get(*id).is_some_and(|run| run.kept.has_checkpoint));
        match self.phase.get() {
            Phase::Running | Phase::Paused | Phase::Done => shown,
            Phase::Ready | Phase::Error if can_start => {
                let saved = || self.saved_run.with(|saved| saved.as_ref().map(|saved| saved.id));
                if shown.is_some() { shown.filter(kept) } else { saved() }
            }
            _ => None,
        }
    }

    /// Requests a report of the run on show.
    pub fn request_report(self) {
        self.send(&Command::Report { link: self.link_to_run() });
    }

    /// True if the engine has a run with a step to report.
    pub fn can_report(self) -> bool {
        let on_show = matches!(self.phase.get(), Phase::Running | Phase::Paused | Phase::Done);
        on_show && self.run.with(|run| run.step.is_some())
    }

    /// True if a file can be opened now.
    pub fn can_open(self) -> bool {
        self.can_start.get() && matches!(self.phase.get(), Phase::Ready | Phase::Done | Phase::Error)
    }

    /// Continues the run in a file.
    pub fn open(self, file: File) {
        if file.size() > LARGEST_CHECKPOINT as f64 {
            let size = format::megabytes(file.size());
            let limit = format::megabytes(LARGEST_CHECKPOINT as f64);
            let message = format!("{} has {size}; the page opens runs of at most {limit}.", file.name());
            return self.fail(&message, FailureKind::Run);
        }
        self.expect_restored_run();
        spawn_local(async move {
            match JsFuture::from(file.array_buffer()).await {
                Ok(buffer) => {
                    let pace = self.settings.with_untracked(|settings| settings.pace()).unwrap_or_default();
                    let history = RunHistory { pace, events: Vec::new() };
                    let tag = self.show_new_run();
                    self.send(&Command::Restore { tag, checkpoint: Uint8Array::new(&buffer).to_vec(), history });
                }
                Err(_) => {
                    let message = format!("{} could not be read. Choose it again.", file.name());
                    self.link.update_value(|link| link.pending = false);
                    self.fail(&message, FailureKind::Run);
                }
            }
        });
    }

    /// Waits for a run that brings its own settings.
    fn expect_restored_run(self) {
        self.clear_run();
        self.link.update_value(|link| {
            link.pending = true;
            link.adopt_settings = true;
            link.data.clear();
        });
        self.phase.set(Phase::Loading);
    }

    /// Takes the settings of a restored run over into the form and the address.
    pub(crate) fn adopt_run_settings(self) {
        let adopts = self.link.try_update_value(|link| std::mem::take(&mut link.adopt_settings)) == Some(true);
        let config = self.run.with_untracked(|run| Some(run.plan.as_ref()?.config.clone()));
        let Some(config) = config.filter(|_| adopts) else { return };
        self.link.update_value(|link| link.data.clone_from(&config.data));
        self.adopt_settings(&config);
    }

    /// Takes the settings of a run over into the form and the address.
    pub(crate) fn adopt_settings(self, config: &RunConfig) {
        self.settings.update(|settings| {
            settings.method.clone_from(&config.method);
            let card = self.menu.with_untracked(|menu| settings.card(menu).ok().cloned());
            card.iter().for_each(|card| settings.adopt(config, card));
        });
        self.write_address();
    }

    /// The link that repeats the run on show, or else the run that the settings describe.
    pub fn link_to_run(self) -> String {
        let config = self.run.with_untracked(|run| Some(run.plan.as_ref()?.config.clone()));
        let pairs = config.and_then(|config| {
            let find = |menu: &Menu| menu.methods.iter().find(|card| card.id == config.method).cloned();
            let card = self.menu.with_untracked(find)?;
            let preset = config.preset;
            Some(self.settings.with_untracked(|settings| Settings { preset, ..settings.clone() }.write(&config, &card)))
        });
        let here = || window().location().href().unwrap_or_default();
        pairs.and_then(|pairs| url::link(&pairs)).unwrap_or_else(here)
    }

    /// Tells the visitor if a file could not be saved.
    pub(crate) fn report_save(self, saved: Option<()>) {
        if saved.is_none() {
            self.fail("The browser does not let the page save files.", FailureKind::Run);
        }
    }
}
