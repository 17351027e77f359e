//! Saving runs: in the browser's storage, in the page's memory in case the GPU is lost, as a file.

use super::engine::Engine;
use super::page;
use super::protocol::Reply;
use super::run::HISTORY_CHUNK;
use super::run_store::RunStore;
use crate::error::{Error, Result};
use crate::platform;
use crate::session::checkpoint::{self, Header};

impl Engine {
    /// Sends the saved run to the page while there is no other one.
    pub(super) fn announce_saved_run(&self) {
        if let Some(store) = self.run_store.as_ref().filter(|_| self.is_idle()) {
            page::post(&Reply::SavedRun(store.saved_run()));
        }
    }

    /// Sends the list of kept runs to the page.
    pub(super) fn announce_kept_runs(&self) {
        if let Some(store) = &self.run_store {
            page::post(&Reply::Kept { runs: store.kept().to_vec(), writable: store.is_writable() });
        }
    }

    /// Saves the run if it is due. A failure to save does not stop the training.
    pub(super) async fn autosave(&mut self) {
        let Some(run) = self.run.as_mut().filter(|run| run.is_save_due()) else { return };
        if self.run_store.is_none() && !run.is_on_gpu() {
            return;
        }
        let start = platform::now();
        let checkpoint = match run.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.abort_run(&error),
        };
        if let Some(store) = &mut self.run_store {
            let saved = store.save(run.tag().clone(), &checkpoint, &run.history(), run.saved_run()).await;
            page::post(&report(store, saved));
            let dropped = store.take_dropped();
            if !dropped.is_empty() {
                page::post(&Reply::KeptNotice { message: no_room(&dropped) });
            }
        }
        if run.is_on_gpu() {
            page::post(&Reply::Checkpoint { step: run.step(), checkpoint });
        }
        run.set_saved(start);
        self.announce_kept_runs();
    }

    /// Continues a kept run.
    pub(super) async fn resume_kept(&mut self, id: u64) -> Result<()> {
        let gone = || Error::Run("The run is not kept in this browser any more. Start a new one.".into());
        let store = self.run_store.as_ref().ok_or_else(gone)?;
        let state = store.state(id).await?.ok_or_else(gone)?;
        let tag = store.kept().iter().find(|run| run.tag.id == id).map(|run| run.tag.clone()).ok_or_else(gone)?;
        self.restore(tag, state.checkpoint, state.history).await?;
        page::post(&Reply::SavedRun(Some(state.saved)));
        Ok(())
    }

    /// Sends the events of a kept run, none if it cannot be read.
    pub(super) async fn read_kept(&self, id: u64) {
        let read = match &self.run_store {
            Some(store) => store.history(id).await.ok(),
            None => None,
        };
        let events = read.unwrap_or_default().events;
        let mut chunks = events.chunks(HISTORY_CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            page::post(&Reply::KeptEvents { id, events: chunk.to_vec(), last: chunks.peek().is_none() });
        }
        if events.is_empty() {
            page::post(&Reply::KeptEvents { id, events: Vec::new(), last: true });
        }
    }

    /// Deletes a kept run.
    pub(super) async fn delete_kept(&mut self, id: u64) {
        if let Some(store) = &mut self.run_store {
            let deleted = store.delete(id).await;
            tell(deleted, "deleted");
        }
        self.announce_kept_runs();
        self.announce_saved_run();
    }

    /// Names a run, current or kept.
    pub(super) async fn rename(&mut self, id: u64, name: String) {
        if let Some(store) = &mut self.run_store {
            let renamed = store.rename(id, &name).await;
            tell(renamed, "renamed");
        }
        self.run.iter_mut().for_each(|run| run.rename(id, &name));
        self.announce_kept_runs();
    }

    /// Sends a run as a file, current or kept.
    pub(super) async fn download(&self, id: u64) -> Result<()> {
        let kept = async || match &self.run_store {
            Some(store) => store.state(id).await.map(|state| state.map(|state| state.checkpoint)),
            None => Ok(None),
        };
        let bytes = match self.run.as_ref().filter(|run| run.tag().id == id) {
            Some(run) => Some(run.checkpoint().await?),
            None => kept().await?,
        };
        let bytes = bytes.ok_or_else(|| Error::Run("There is no checkpoint of this run. Start it anew.".into()))?;
        let Header { config, step, .. } = checkpoint::header(&bytes)?;
        let name = format!("{}-{}-{}-step-{step:08}.safetensors", config.method, config.data, config.seed);
        page::post(&Reply::File { name, bytes });
        Ok(())
    }
}

/// The notice that runs were deleted for want of room.
fn no_room(titles: &[String]) -> String {
    let verb = if titles.len() == 1 { "was" } else { "were" };
    format!(
        "This browser had no more room for this site: {} {verb} deleted, so that the run under way can be saved. Runs saved to \
         files are safe from this.",
        titles.join(", ")
    )
}

/// Tells the page why a kept run could not be changed.
fn tell(outcome: Result<()>, what: &str) {
    if let Err(error) = outcome {
        let reason = error.to_string();
        let message = format!("The run was not {what}: {}.", reason.trim_end_matches('.'));
        page::post(&Reply::KeptNotice { message });
    }
}

/// The reply after an operation on the run store.
fn report(store: &RunStore, outcome: Result<()>) -> Reply {
    match outcome {
        Ok(()) => Reply::SavedRun(store.saved_run()),
        Err(error) => Reply::NotSaved {
            message: format!(
                "This run is not saved in the browser: {}. Training continues; save the run to a file to keep it.",
                // browsers end their sentences, we do not
                error.to_string().trim_end_matches('.')
            ),
        },
    }
}
