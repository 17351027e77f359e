//! The runs kept in the browser: a folder each in its private file system (OPFS). The last runs keep their curves, the newest of
//! them their checkpoints too. One tab at a time holds the store, others may read it. Files read from it are checked like any
//! others.

mod folder;
mod run_folder;

use super::protocol::{KeptRun, RunHistory, RunTag, SavedRun};
use crate::error::{Error, Result};
use folder::{FileLock, Folder, is_full};
use run_folder::{NewState, RunFolder};

pub(super) use run_folder::SavedState;

const ROOT: &str = "nolabel";
/// Lock file, held by the one tab that may save runs.
const LOCK: &str = "lock";
/// Attempts to lock the file: a page that is reloaded takes a while to release it.
const ATTEMPTS: usize = 15;
/// Milliseconds between two attempts.
const RETRY_AFTER: u32 = 200;
/// Runs that keep their curves.
const RUNS: usize = 20;
/// Runs that keep a checkpoint: the newest, by the time of saving.
const WITH_CHECKPOINT: usize = 3;

/// The run store of this tab, or the reason why it has none.
pub(super) struct RunStore(Result<OpenStore>);

struct OpenStore {
    root: Folder,
    /// None if another tab holds the store.
    lock: Option<FileLock>,
    /// All runs, the latest saved first.
    kept: Vec<KeptRun>,
    saved: Option<SavedRun>,
    /// Titles of the runs deleted for want of room, until they are told.
    dropped: Vec<String>,
}

impl RunStore {
    /// Opens the store and lists the kept runs.
    pub(super) async fn open() -> Self {
        Self(OpenStore::open().await)
    }

    /// The newest saved state, if this tab may continue it.
    pub(super) fn saved_run(&self) -> Option<SavedRun> {
        self.0.as_ref().ok().filter(|open| open.lock.is_some()).and_then(|open| open.saved.clone())
    }

    /// Summaries of all kept runs.
    pub(super) fn kept(&self) -> &[KeptRun] {
        self.0.as_ref().map_or(&[], |open| &open.kept)
    }

    /// True if this tab may save, rename and delete runs.
    pub(super) fn is_writable(&self) -> bool {
        self.0.as_ref().is_ok_and(|open| open.lock.is_some())
    }

    /// Titles of the runs deleted for want of room since the last call.
    pub(super) fn take_dropped(&mut self) -> Vec<String> {
        self.0.as_mut().map(|open| std::mem::take(&mut open.dropped)).unwrap_or_default()
    }

    /// Reads the newest undamaged state of a run. None if there is none.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn state(&self, id: u64) -> Result<Option<SavedState>> {
        match self.get()?.existing(id).await {
            Ok(folder) => folder.newest(id).await,
            Err(_) => Ok(None),
        }
    }

    /// Reads the history of a run.
    ///
    /// # Errors
    /// If the browser refuses, or the run is gone.
    pub(super) async fn history(&self, id: u64) -> Result<RunHistory> {
        self.get()?.existing(id).await?.history().await
    }

    /// Saves a state of the current run, then deletes what is too old to be kept.
    ///
    /// # Errors
    /// If the browser refuses or the disk is full. Earlier states of the run are kept then.
    pub(super) async fn save(
        &mut self,
        tag: RunTag,
        checkpoint: &[u8],
        history: &RunHistory,
        saved: SavedRun,
    ) -> Result<()> {
        let open = self.get_writable()?;
        let summary = KeptRun::of(tag, &history.events, saved.saved, true)
            .ok_or_else(|| Error::Run("it has not started".into()))?;
        let state = NewState { checkpoint, history: history.to_lines(), summary: &summary };
        open.write(&state).await?;
        open.kept.retain(|run| run.tag.id != summary.tag.id);
        open.kept.insert(0, summary);
        open.saved = Some(saved);
        open.thin_out().await
    }

    /// Deletes a run.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn delete(&mut self, id: u64) -> Result<()> {
        let open = self.get_writable()?;
        open.delete(id).await?;
        if open.saved.as_ref().is_some_and(|saved| saved.id == id) {
            open.saved = open.newest().await;
        }
        Ok(())
    }

    /// Names a run, if it is kept.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn rename(&mut self, id: u64, name: &str) -> Result<()> {
        let open = self.get_writable()?;
        let Some(at) = open.kept.iter().position(|run| run.tag.id == id) else { return Ok(()) };
        let folder = open.existing(id).await?;
        let mut renamed = open.kept[at].clone();
        renamed.tag.name = name.into();
        folder.write_summary(&renamed).await?;
        open.kept[at] = renamed;
        Ok(())
    }

    fn get(&self) -> Result<&OpenStore> {
        self.0.as_ref().map_err(|error| Error::Run(error.to_string()))
    }

    fn get_writable(&mut self) -> Result<&mut OpenStore> {
        let open = self.0.as_mut().map_err(|error| Error::Run(error.to_string()))?;
        if open.lock.is_none() {
            return Err(Error::Run("another tab of this page saves its own".into()));
        }
        Ok(open)
    }
}

impl OpenStore {
    async fn open() -> Result<Self> {
        let root = Folder::at_root(ROOT).await?;
        let mut lock = root.lock(LOCK).await?;
        for _ in 1..ATTEMPTS {
            if lock.is_some() {
                break;
            }
            gloo::timers::future::TimeoutFuture::new(RETRY_AFTER).await;
            lock = root.lock(LOCK).await?;
        }
        let mut store = Self { root, lock, kept: Vec::new(), saved: None, dropped: Vec::new() };
        for id in store.ids().await? {
            let Ok(folder) = store.existing(id).await else { continue };
            // an unreadable run counts as none
            store.kept.extend(folder.summary(id, store.kept.len() + 1).await);
        }
        store.kept.sort_by(|a, b| b.saved.total_cmp(&a.saved));
        store.saved = store.newest().await;
        Ok(store)
    }

    /// Writes a state. Deletes the oldest of the other runs as long as there is no room, up to the size of the state: where that
    /// makes no room, more would not either.
    async fn write(&mut self, state: &NewState<'_>) -> Result<()> {
        let id = state.summary.tag.id;
        let folder = RunFolder(self.root.folder(&name(id)).await?);
        let needed = (state.checkpoint.len() + state.history.len()) as f64;
        let mut freed = 0.0;
        while let Err(error) = folder.write(state).await {
            let oldest = self.kept.iter().rev().map(|run| &run.tag).find(|tag| tag.id != id).cloned();
            let Some(oldest) = oldest.filter(|_| is_full(&error) && freed <= needed) else { return Err(error) };
            freed += self.existing(oldest.id).await?.size().await;
            self.delete(oldest.id).await?;
            self.dropped.push(oldest.title());
        }
        Ok(())
    }

    /// Deletes the runs beyond [`RUNS`], and the checkpoints of those beyond [`WITH_CHECKPOINT`].
    async fn thin_out(&mut self) -> Result<()> {
        while let Some(run) = self.kept.get(RUNS) {
            self.delete(run.tag.id).await?;
        }
        let old = self.kept.iter().filter(|run| run.has_checkpoint).skip(WITH_CHECKPOINT);
        for id in old.map(|run| run.tag.id).collect::<Vec<_>>() {
            let folder = self.existing(id).await?;
            folder.drop_checkpoints().await?;
            self.kept.iter_mut().filter(|run| run.tag.id == id).for_each(|run| run.has_checkpoint = false);
        }
        Ok(())
    }

    async fn delete(&mut self, id: u64) -> Result<()> {
        self.root.remove(&name(id)).await?;
        self.kept.retain(|run| run.tag.id != id);
        Ok(())
    }

    /// Ids of all runs, the oldest first.
    async fn ids(&self) -> Result<Vec<u64>> {
        let names = self.root.names().await?;
        let mut ids: Vec<u64> = names.iter().filter_map(|name| name.strip_prefix("run-")?.parse().ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The newest undamaged state of the latest run that has one.
    async fn newest(&self) -> Option<SavedRun> {
        for run in self.kept.iter().filter(|run| run.has_checkpoint) {
            let Ok(folder) = self.existing(run.tag.id).await else { continue };
            if let Ok(Some(state)) = folder.newest(run.tag.id).await {
                return Some(state.saved);
            }
        }
        None
    }

    async fn existing(&self, id: u64) -> Result<RunFolder> {
        self.root.existing(&name(id)).await.map(RunFolder)
    }
}

fn name(id: u64) -> String {
    format!("run-{id}")
}
