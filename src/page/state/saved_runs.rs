//! Runs that outlive the page: taken up again, forgotten, saved as a file, opened out of one.

use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, File, HtmlAnchorElement, Url};

use super::store::PageState;
use crate::page::model::phase::Phase;
use crate::page::model::words;
use crate::worker::protocol::{Command, Failure, LARGEST_CHECKPOINT, Story};

/// How long a downloaded file stays in memory for the browser to read.
const READ_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

impl PageState {
    /// Goes on with the run that the browser keeps.
    pub fn go_on(self) {
        self.expect_run();
        self.send(&Command::GoOn);
    }

    /// Has the browser keep it no longer.
    pub fn forget(self) {
        self.send(&Command::Forget);
    }

    /// Asks for the run as a file.
    pub fn download(self) {
        if self.has_file() {
            self.send(&Command::Download);
        }
    }

    /// Whether there is a run to download: the one on show, or one that is kept.
    pub fn has_file(self) -> bool {
        let able = self.able.get();
        match self.phase.get() {
            Phase::Running | Phase::Paused | Phase::Done => true,
            Phase::Ready | Phase::Error => able && self.kept.with(Option::is_some),
            Phase::Loading => false,
        }
    }

    /// Whether a file can be opened now.
    pub fn can_open(self) -> bool {
        self.able.get() && matches!(self.phase.get(), Phase::Ready | Phase::Done | Phase::Error)
    }

    /// Goes on with the run in a file.
    pub fn open(self, file: File) {
        if file.size() > LARGEST_CHECKPOINT as f64 {
            let (size, most) = (words::megabytes(file.size()), words::megabytes(LARGEST_CHECKPOINT as f64));
            let message = format!("{} has {size}; the page opens runs of at most {most}.", file.name());
            return self.fail(&message, Failure::Run);
        }
        self.expect_run();
        spawn_local(async move {
            match JsFuture::from(file.array_buffer()).await {
                Ok(buffer) => {
                    let looks = self.settings.with_untracked(|settings| settings.looks()).unwrap_or_default();
                    let (checkpoint, events) = (Uint8Array::new(&buffer).to_vec(), Vec::new());
                    self.send(&Command::Restore { checkpoint, story: Story { looks, events } });
                }
                Err(_) => {
                    let message = format!("{} could not be read. Choose it again.", file.name());
                    self.line.update_value(|line| line.pending = false);
                    self.fail(&message, Failure::Run);
                }
            }
        });
    }

    /// Waits for a run whose settings are not known yet.
    fn expect_run(self) {
        self.clear();
        self.line.update_value(|line| {
            line.pending = true;
            line.follow = true;
            line.data.clear();
        });
        self.phase.set(Phase::Loading);
    }

    /// Has the settings agree with a run that came with its own.
    pub(crate) fn follow_run(self) {
        let plan = self.record.with_untracked(|record| record.plan.clone());
        let follows = self.line.try_update_value(|line| std::mem::take(&mut line.follow)) == Some(true);
        let Some(config) = plan.map(|plan| plan.config).filter(|_| follows) else { return };
        self.line.update_value(|line| line.data.clone_from(&config.data));
        self.settings.update(|settings| {
            settings.method.clone_from(&config.method);
            self.menu
                .with_untracked(|menu| settings.card(menu).cloned())
                .iter()
                .for_each(|card| settings.follow(&config, card));
        });
        self.write_address();
    }

    /// Gives a file to the visitor.
    pub(crate) fn hand_out(self, name: &str, bytes: &[u8]) {
        if save(name, bytes).is_none() {
            self.fail("The browser does not let the page save files.", Failure::Run);
        }
    }
}

/// Presses a link to the bytes, as a visitor would.
fn save(name: &str, bytes: &[u8]) -> Option<()> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence(&parts).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.unchecked_into();
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // a link that cannot be taken back is forgotten with the page
    set_timeout(move || drop(Url::revoke_object_url(&address)), READ_WITHIN);
    Some(())
}
