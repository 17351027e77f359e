//! The folder of a run: a summary, and for each kept state a checkpoint and the history up to it.

use super::folder::{Folder, StoredFile};
use crate::error::Result;
use crate::session::checkpoint;
use crate::worker::protocol::{KeptRun, LARGEST_CHECKPOINT, RunHistory, RunTag, SavedRun};

const SUMMARY: &str = "summary.json";
/// Checkpoints per run: the newest, and the one before in case the newest is damaged.
const GENERATIONS: usize = 2;
/// Endings of the two files of a state.
const CHECKPOINT: &str = ".safetensors";
const HISTORY: &str = ".jsonl";

/// Folder of a run.
pub(super) struct RunFolder(pub(super) Folder);

/// A saved state of a run, read from the store.
pub(in crate::worker) struct SavedState {
    pub(in crate::worker) checkpoint: Vec<u8>,
    pub(in crate::worker) history: RunHistory,
    pub(in crate::worker) saved: SavedRun,
}

/// A state to be written.
pub(super) struct NewState<'a> {
    pub(super) checkpoint: &'a [u8],
    pub(super) history: Vec<u8>,
    pub(super) summary: &'a KeptRun,
}

impl RunFolder {
    /// Writes a state, then deletes older ones, and later ones that the run has gone back from.
    pub(super) async fn write(&self, state: &NewState<'_>) -> Result<()> {
        let step = state.summary.step;
        // the checkpoint is written after the history: a state counts only with it
        self.0.write(&file(step, HISTORY), &state.history).await?;
        self.0.write(&file(step, CHECKPOINT), state.checkpoint).await?;
        self.write_summary(state.summary).await?;
        let (later, mut earlier): (Vec<usize>, Vec<usize>) =
            self.steps(CHECKPOINT).await?.into_iter().partition(|&other| other > step);
        let old = earlier.split_off(GENERATIONS.min(earlier.len()));
        for step in later.into_iter().chain(old) {
            self.0.remove(&file(step, CHECKPOINT)).await?;
            // the history may be missing
            drop(self.0.remove(&file(step, HISTORY)).await);
        }
        Ok(())
    }

    /// Deletes all checkpoints, and all histories but the newest.
    pub(super) async fn drop_checkpoints(&self) -> Result<()> {
        for step in self.steps(CHECKPOINT).await? {
            self.0.remove(&file(step, CHECKPOINT)).await?;
        }
        for step in self.steps(HISTORY).await?.into_iter().skip(1) {
            self.0.remove(&file(step, HISTORY)).await?;
        }
        Ok(())
    }

    /// Writes the summary.
    pub(super) async fn write_summary(&self, summary: &KeptRun) -> Result<()> {
        let text = serde_json::to_vec(summary).expect("a summary has only string keys");
        self.0.write(SUMMARY, &text).await
    }

    /// The summary. One that is missing or damaged is made anew, with `number`, from the newest history.
    pub(super) async fn summary(&self, id: u64, number: usize) -> Option<KeptRun> {
        let stored = self.0.read(SUMMARY, LARGEST_CHECKPOINT).await.ok();
        let read: Option<KeptRun> = stored.and_then(|file| serde_json::from_slice(&file.bytes).ok());
        let has_checkpoint = !self.steps(CHECKPOINT).await.ok()?.is_empty();
        if let Some(summary) = read {
            return Some(KeptRun { has_checkpoint, ..summary });
        }
        let step = *self.steps(HISTORY).await.ok()?.first()?;
        let StoredFile { bytes, modified } = self.0.read(&file(step, HISTORY), LARGEST_CHECKPOINT).await.ok()?;
        let tag = RunTag { id, number, name: String::new() };
        KeptRun::of(tag, &RunHistory::from_lines(&bytes).events, modified, has_checkpoint)
    }

    /// The newest history.
    pub(super) async fn history(&self) -> Result<RunHistory> {
        match self.steps(HISTORY).await?.first() {
            Some(step) => self.history_at(*step).await,
            None => Ok(RunHistory::default()),
        }
    }

    /// The newest undamaged state.
    pub(super) async fn newest(&self, id: u64) -> Result<Option<SavedState>> {
        let mut damaged = false;
        for step in self.steps(CHECKPOINT).await? {
            match self.read(id, step, damaged).await {
                Ok(state) => return Ok(Some(state)),
                Err(_) => damaged = true,
            }
        }
        Ok(None)
    }

    /// Bytes of all files.
    pub(super) async fn size(&self) -> f64 {
        let mut size = 0.0;
        for name in self.0.names().await.unwrap_or_default() {
            size += self.0.size(&name).await.unwrap_or(0.0);
        }
        size
    }

    async fn read(&self, id: u64, step: usize, damaged: bool) -> Result<SavedState> {
        let StoredFile { bytes, modified } = self.0.read(&file(step, CHECKPOINT), LARGEST_CHECKPOINT).await?;
        let header = checkpoint::header(&bytes)?;
        // a run without its history continues too; only its curves start anew
        let history = self.history_at(step).await.unwrap_or_default();
        let saved = SavedRun {
            id,
            method: header.config.method.clone(),
            data: header.config.data.clone(),
            step: header.step,
            finished: header.is_finished(),
            saved: modified,
            damaged,
        };
        Ok(SavedState { checkpoint: bytes, history, saved })
    }

    async fn history_at(&self, step: usize) -> Result<RunHistory> {
        let stored = self.0.read(&file(step, HISTORY), LARGEST_CHECKPOINT).await?;
        Ok(RunHistory::from_lines(&stored.bytes))
    }

    /// Steps of the files with this ending, the newest first.
    async fn steps(&self, ending: &str) -> Result<Vec<usize>> {
        let names = self.0.names().await?;
        let step = |name: &String| name.strip_prefix("step-")?.strip_suffix(ending)?.parse().ok();
        let mut steps: Vec<usize> = names.iter().filter_map(step).collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        Ok(steps)
    }
}

fn file(step: usize, ending: &str) -> String {
    format!("step-{step:08}{ending}")
}
