//! Saving the run: in the browser's storage, in the page's memory in case the GPU is lost, as a file.

use super::engine::Engine;
use super::page;
use super::protocol::Reply;
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
            let saved = store.save(&checkpoint, &run.history(), run.saved_run()).await;
            page::post(&report(store, saved));
        }
        if run.is_on_gpu() {
            page::post(&Reply::Checkpoint { step: run.step(), checkpoint });
        }
        run.set_saved(start);
    }

    /// Continues the saved run.
    pub(super) async fn resume_saved(&mut self) -> Result<()> {
        let none = || Error::Run("There is no saved run any more. Start a new one.".into());
        let state = match &self.run_store {
            Some(store) => store.newest().await?.ok_or_else(none)?,
            None => return Err(none()),
        };
        self.restore(state.checkpoint, state.history).await?;
        if let Some(store) = &mut self.run_store {
            let resumed = store.resume(state.place).await;
            page::post(&report(store, resumed));
        }
        Ok(())
    }

    /// Deletes the saved run.
    pub(super) async fn delete_saved(&mut self) {
        if let Some(store) = &mut self.run_store {
            let deleted = store.delete_all().await;
            page::post(&report(store, deleted));
        }
    }

    /// Sends the run as a file: the current one, or the saved one if there is none.
    pub(super) async fn download(&self) -> Result<()> {
        let saved = async || match &self.run_store {
            Some(store) => store.newest().await.map(|state| state.map(|state| state.checkpoint)),
            None => Ok(None),
        };
        let bytes = match &self.run {
            Some(run) => Some(run.checkpoint().await?),
            None => saved().await?,
        };
        let bytes = bytes.ok_or_else(|| Error::Run("There is no run to download. Start one.".into()))?;
        let Header { config, step, .. } = checkpoint::header(&bytes)?;
        let name = format!("{}-{}-{}-step-{step:08}.safetensors", config.method, config.data, config.seed);
        page::post(&Reply::File { name, bytes });
        Ok(())
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
