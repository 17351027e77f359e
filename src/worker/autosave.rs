//! Keeping the run beyond this page's life: on the shelf, in the page's own memory, as a file.

use super::engine::Engine;
use super::page;
use super::protocol::Reply;
use super::run_store::Shelf;
use crate::error::{Error, Result};
use crate::platform;
use crate::session::checkpoint::{self, Header};

impl Engine {
    /// Tells the page which run is kept, if there is a choice whether to go on with it.
    pub(super) fn tell_kept(&self) {
        if let Some(shelf) = self.shelf.as_ref().filter(|_| self.is_idle()) {
            page::post(&Reply::Kept(shelf.kept()));
        }
    }

    /// Saves the run if it is time to. That it cannot be kept is no reason not to train it.
    pub(super) async fn save(&mut self) {
        let Some(run) = self.run.as_mut().filter(|run| run.is_to_be_saved()) else { return };
        if self.shelf.is_none() && !run.is_on_gpu() {
            return;
        }
        let since = platform::now();
        let checkpoint = match run.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.give_up(&error),
        };
        if let Some(shelf) = &mut self.shelf {
            let saved = shelf.save(&checkpoint, &run.story(), run.label()).await;
            page::post(&answer(shelf, saved));
        }
        if run.is_on_gpu() {
            page::post(&Reply::Saved { step: run.step(), checkpoint });
        }
        run.set_saved(since);
    }

    /// Goes on with the run that is kept.
    pub(super) async fn go_on(&mut self) -> Result<()> {
        let gone = || Error::Run("There is no kept run any more. Start a new one.".into());
        let found = match &self.shelf {
            Some(shelf) => shelf.newest().await?.ok_or_else(gone)?,
            None => return Err(gone()),
        };
        self.restore(found.checkpoint, found.story).await?;
        if let Some(shelf) = &mut self.shelf {
            let taken = shelf.go_on(found.spot).await;
            page::post(&answer(shelf, taken));
        }
        Ok(())
    }

    /// Keeps no run any more.
    pub(super) async fn forget(&mut self) {
        if let Some(shelf) = &mut self.shelf {
            let forgotten = shelf.forget().await;
            page::post(&answer(shelf, forgotten));
        }
    }

    /// Hands the run out as a file: the one under way, or else the one that is kept.
    pub(super) async fn download(&self) -> Result<()> {
        let kept = async || match &self.shelf {
            Some(shelf) => shelf.newest().await.map(|found| found.map(|found| found.checkpoint)),
            None => Ok(None),
        };
        let bytes = match &self.run {
            Some(run) => Some(run.checkpoint().await?),
            None => kept().await?,
        };
        let bytes = bytes.ok_or_else(|| Error::Run("There is no run to download. Start one.".into()))?;
        let Header { config, step, .. } = checkpoint::header(&bytes)?;
        let name = format!("{}-{}-{}-step-{step:08}.safetensors", config.method, config.data, config.seed);
        page::post(&Reply::File { name, bytes });
        Ok(())
    }
}

/// What the page is told once the shelf has been asked for something.
fn answer(shelf: &Shelf, done: Result<()>) -> Reply {
    match done {
        Ok(()) => Reply::Kept(shelf.kept()),
        Err(error) => Reply::Unkept {
            message: format!(
                "The browser does not keep this run: {error}. It goes on all the same; download it to keep it."
            ),
        },
    }
}
