//! The run saved in the browser: a folder in its private file system (OPFS) with the last two checkpoints and the history at
//! each. One tab at a time holds the store. Files read from it are checked like any others.

mod folder;

use super::protocol::{LARGEST_CHECKPOINT, RunHistory, SavedRun};
use crate::error::{Error, Result};
use crate::session::checkpoint;
use folder::{FileLock, Folder, StoredFile};

const ROOT: &str = "nolabel";
/// Lock file, held by the one tab that may save runs.
const LOCK: &str = "lock";
/// Attempts to lock the file: a page that is reloaded takes a while to release it.
const ATTEMPTS: usize = 15;
/// Milliseconds between two attempts.
const RETRY_AFTER: u32 = 200;
/// Checkpoints per run: the newest, and the one before in case the newest is damaged.
const GENERATIONS: usize = 2;

/// The run store of this tab, or the reason why it has none.
pub(super) struct RunStore(Result<OpenStore>);

struct OpenStore {
    root: Folder,
    _lock: FileLock,
    /// Number of the run that checkpoints belong to. None for a run that has not been saved yet.
    run: Option<usize>,
    saved: Option<SavedRun>,
}

/// A saved state of a run, read from the store.
pub(super) struct SavedState {
    pub(super) checkpoint: Vec<u8>,
    pub(super) history: RunHistory,
    pub(super) place: Place,
    saved: SavedRun,
}

/// Place of a state in the store: the number of the run, and the step.
#[derive(Clone, Copy)]
pub(super) struct Place {
    run: usize,
    step: usize,
}

impl RunStore {
    /// Opens the store and reads the saved run, if there is one.
    pub(super) async fn open() -> Self {
        let mut store = Self(OpenStore::open().await);
        if let Ok(open) = &mut store.0 {
            // an unreadable run counts as none
            open.saved = open.newest().await.ok().flatten().map(|state| state.saved);
        }
        store
    }

    /// The saved run.
    pub(super) fn saved_run(&self) -> Option<SavedRun> {
        self.0.as_ref().ok().and_then(|open| open.saved.clone())
    }

    /// Reads the newest state of the saved run.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn newest(&self) -> Result<Option<SavedState>> {
        self.get()?.newest().await
    }

    /// Starts a new run: checkpoints from now on belong to it.
    pub(super) fn start_run(&mut self) {
        if let Ok(open) = &mut self.0 {
            open.run = None;
        }
    }

    /// Continues a saved run: checkpoints from now on belong to it.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn resume(&mut self, Place { run, step }: Place) -> Result<()> {
        let open = self.get_mut()?;
        open.run = Some(run);
        let folder = open.root.folder(&run_folder(run)).await?;
        // later checkpoints are damaged
        for later in steps(&folder).await?.into_iter().filter(|&later| later > step) {
            delete_state(&folder, later).await?;
        }
        Ok(())
    }

    /// Saves a state of the current run, then deletes older states and other runs.
    ///
    /// # Errors
    /// If the browser refuses or the disk is full. Earlier states are kept then.
    pub(super) async fn save(&mut self, checkpoint: &[u8], history: &RunHistory, saved: SavedRun) -> Result<()> {
        let open = self.get_mut()?;
        let runs = open.runs().await?;
        let run = open.run.unwrap_or_else(|| runs.first().map_or(1, |last| last + 1));
        let folder = open.root.folder(&run_folder(run)).await?;
        let step = saved.step;
        // the checkpoint is written last: a state counts only with it
        folder.write(&history_file(step), &history.to_lines()).await?;
        folder.write(&checkpoint_file(step), checkpoint).await?;
        open.run = Some(run);
        open.saved = Some(saved);
        for old in steps(&folder).await?.into_iter().skip(GENERATIONS) {
            delete_state(&folder, old).await?;
        }
        for other in runs.into_iter().filter(|&other| other != run) {
            open.root.remove(&run_folder(other)).await?;
        }
        Ok(())
    }

    /// Deletes all saved runs.
    ///
    /// # Errors
    /// If the browser refuses.
    pub(super) async fn delete_all(&mut self) -> Result<()> {
        let open = self.get_mut()?;
        for run in open.runs().await? {
            open.root.remove(&run_folder(run)).await?;
        }
        open.run = None;
        open.saved = None;
        Ok(())
    }

    fn get(&self) -> Result<&OpenStore> {
        self.0.as_ref().map_err(|error| Error::Run(error.to_string()))
    }

    fn get_mut(&mut self) -> Result<&mut OpenStore> {
        self.0.as_mut().map_err(|error| Error::Run(error.to_string()))
    }
}

impl OpenStore {
    async fn open() -> Result<Self> {
        let root = Folder::at_root(ROOT).await?;
        for _ in 0..ATTEMPTS {
            if let Some(lock) = root.lock(LOCK).await? {
                return Ok(Self { root, _lock: lock, run: None, saved: None });
            }
            gloo::timers::future::TimeoutFuture::new(RETRY_AFTER).await;
        }
        Err(Error::Run("another tab of this page saves its own".into()))
    }

    /// Numbers of the saved runs, the newest first.
    async fn runs(&self) -> Result<Vec<usize>> {
        let names = self.root.names().await?;
        let mut runs: Vec<usize> = names.iter().filter_map(|name| name.strip_prefix("run-")?.parse().ok()).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// The newest undamaged state of the newest run that has one.
    async fn newest(&self) -> Result<Option<SavedState>> {
        for run in self.runs().await? {
            let folder = self.root.folder(&run_folder(run)).await?;
            let mut damaged = false;
            for step in steps(&folder).await? {
                match read(&folder, Place { run, step }, damaged).await {
                    Ok(state) => return Ok(Some(state)),
                    Err(_) => damaged = true,
                }
            }
        }
        Ok(None)
    }
}

async fn read(folder: &Folder, place: Place, damaged: bool) -> Result<SavedState> {
    let StoredFile { bytes, modified } = folder.read(&checkpoint_file(place.step), LARGEST_CHECKPOINT).await?;
    let header = checkpoint::header(&bytes)?;
    // a run without its history continues too; only its curves start anew
    let history = folder.read(&history_file(place.step), LARGEST_CHECKPOINT).await.ok();
    let history = history.map(|file| RunHistory::from_lines(&file.bytes)).unwrap_or_default();
    let saved = SavedRun {
        method: header.config.method.clone(),
        data: header.config.data.clone(),
        step: header.step,
        finished: header.is_finished(),
        saved: modified,
        damaged,
    };
    Ok(SavedState { checkpoint: bytes, history, place, saved })
}

/// Steps of the checkpoints in a run's folder, the newest first.
async fn steps(folder: &Folder) -> Result<Vec<usize>> {
    let names = folder.names().await?;
    let step = |name: &String| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let mut steps: Vec<usize> = names.iter().filter_map(step).collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    Ok(steps)
}

async fn delete_state(folder: &Folder, step: usize) -> Result<()> {
    folder.remove(&checkpoint_file(step)).await?;
    // the history may be missing
    drop(folder.remove(&history_file(step)).await);
    Ok(())
}

fn run_folder(run: usize) -> String {
    format!("run-{run}")
}

fn checkpoint_file(step: usize) -> String {
    format!("step-{step:08}.safetensors")
}

fn history_file(step: usize) -> String {
    format!("step-{step:08}.jsonl")
}
