//! Runs beyond the life of the page: continued or deleted in the browser's storage, saved to a file, opened from one.

use js_sys::Uint8Array;
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::File;

use super::store::PageState;
use crate::format;
use crate::page::model::phase::Phase;
use crate::worker::protocol::{Command, FailureKind, LARGEST_CHECKPOINT, RunHistory};

impl PageState {
    /// Continues the run saved in the browser.
    pub fn resume_saved(self) {
        self.expect_restored_run();
        self.send(&Command::ResumeSaved);
    }

    /// Deletes the run saved in the browser.
    pub fn delete_saved(self) {
        self.send(&Command::DeleteSaved);
    }

    /// Requests the run as a file.
    pub fn download(self) {
        if self.can_download() {
            self.send(&Command::Download);
        }
    }

    /// True if there is a run to download: the current or the saved one.
    pub fn can_download(self) -> bool {
        let can_start = self.can_start.get();
        match self.phase.get() {
            Phase::Running | Phase::Paused | Phase::Done => true,
            Phase::Ready | Phase::Error => can_start && self.saved_run.with(Option::is_some),
            Phase::Loading => false,
        }
    }

    /// Requests a report of the run on show.
    pub fn request_report(self) {
        let link = window().location().href().unwrap_or_default();
        self.send(&Command::Report { link });
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
                    self.send(&Command::Restore { checkpoint: Uint8Array::new(&buffer).to_vec(), history });
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
        self.settings.update(|settings| {
            settings.method.clone_from(&config.method);
            let card = self.menu.with_untracked(|menu| settings.card(menu).ok().cloned());
            card.iter().for_each(|card| settings.adopt(&config, card));
        });
        self.write_address();
    }

    /// Tells the visitor if a file could not be saved.
    pub(crate) fn report_save(self, saved: Option<()>) {
        if saved.is_none() {
            self.fail("The browser does not let the page save files.", FailureKind::Run);
        }
    }
}
