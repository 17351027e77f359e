//! Where the browser keeps a run: a folder of its private file system for each, with the last two checkpoints and what the
//! run had said by then. One tab at a time has the shelf. What is found here is checked like any file from elsewhere.

mod folder;

use super::protocol::{Kept, LARGEST_CHECKPOINT, Story};
use crate::error::{Error, Result};
use crate::session::checkpoint;
use folder::{Folder, Held, Stored};

const ROOT: &str = "nolabel";
/// The file that the tab holds which keeps runs.
const LOCK: &str = "lock";
/// How often it is tried again to get hold of it, and after how many milliseconds: a page that is reloaded takes a while to
/// let go.
const TRIES: usize = 15;
const PAUSE: u32 = 200;
/// Checkpoints that are kept: one to go on from, and one for the case that it is damaged.
const GENERATIONS: usize = 2;

/// The shelf of this tab, or why it has none.
pub(super) struct Shelf(Result<Place>);

struct Place {
    root: Folder,
    _held: Held,
    /// The number of the run that is being kept; the next one gets a folder of its own.
    run: Option<usize>,
    kept: Option<Kept>,
}

/// A run as it was found.
pub(super) struct Found {
    pub(super) checkpoint: Vec<u8>,
    pub(super) story: Story,
    pub(super) spot: Spot,
    kept: Kept,
}

/// Where it lies: the number of the run, and the step.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    run: usize,
    step: usize,
}

impl Shelf {
    /// Opens the shelf and looks at what is there.
    pub(super) async fn open() -> Self {
        let mut shelf = Self(Place::open().await);
        if let Ok(place) = &mut shelf.0 {
            // what cannot be read cannot be gone on from
            place.kept = place.newest().await.ok().flatten().map(|found| found.kept);
        }
        shelf
    }

    /// The run that is kept.
    pub(super) fn kept(&self) -> Option<Kept> {
        self.0.as_ref().ok().and_then(|place| place.kept.clone())
    }

    /// Reads the run that is kept.
    ///
    /// # Errors
    /// When the browser refuses.
    pub(super) async fn newest(&self) -> Result<Option<Found>> {
        self.place()?.newest().await
    }

    /// What is saved from now on belongs to another run.
    pub(super) fn begin(&mut self) {
        if let Ok(place) = &mut self.0 {
            place.run = None;
        }
    }

    /// What is saved from now on belongs to the run that was found.
    ///
    /// # Errors
    /// When the browser refuses.
    pub(super) async fn go_on(&mut self, Spot { run, step }: Spot) -> Result<()> {
        let place = self.place_mut()?;
        place.run = Some(run);
        let folder = place.root.folder(&name_of(run)).await?;
        // later ones were damaged
        for later in steps(&folder).await?.into_iter().filter(|&later| later > step) {
            drop_step(&folder, later).await?;
        }
        Ok(())
    }

    /// Keeps a state of the run under way; lets go of older ones and of other runs.
    ///
    /// # Errors
    /// When the browser refuses or has no room. What was kept before still is.
    pub(super) async fn save(&mut self, checkpoint: &[u8], story: &Story, kept: Kept) -> Result<()> {
        let place = self.place_mut()?;
        let runs = place.runs().await?;
        let run = place.run.unwrap_or_else(|| runs.first().map_or(1, |last| last + 1));
        let (folder, step) = (place.root.folder(&name_of(run)).await?, kept.step);
        // the checkpoint last: without it the rest is nothing
        folder.write(&story_of(step), &story.to_lines()).await?;
        folder.write(&checkpoint_of(step), checkpoint).await?;
        place.run = Some(run);
        place.kept = Some(kept);
        for old in steps(&folder).await?.into_iter().skip(GENERATIONS) {
            drop_step(&folder, old).await?;
        }
        for other in runs.into_iter().filter(|&other| other != run) {
            place.root.remove(&name_of(other)).await?;
        }
        Ok(())
    }

    /// Keeps nothing any more, until the next state is saved.
    ///
    /// # Errors
    /// When the browser refuses.
    pub(super) async fn forget(&mut self) -> Result<()> {
        let place = self.place_mut()?;
        for run in place.runs().await? {
            place.root.remove(&name_of(run)).await?;
        }
        (place.run, place.kept) = (None, None);
        Ok(())
    }

    fn place(&self) -> Result<&Place> {
        self.0.as_ref().map_err(|error| Error::Run(error.to_string()))
    }

    fn place_mut(&mut self) -> Result<&mut Place> {
        self.0.as_mut().map_err(|error| Error::Run(error.to_string()))
    }
}

impl Place {
    async fn open() -> Result<Self> {
        let root = Folder::at_root(ROOT).await?;
        for _ in 0..TRIES {
            if let Some(held) = root.hold(LOCK).await? {
                return Ok(Self { root, _held: held, run: None, kept: None });
            }
            gloo::timers::future::TimeoutFuture::new(PAUSE).await;
        }
        Err(Error::Run("another tab of this page is keeping its own".into()))
    }

    /// The numbers of the runs there are, the newest first.
    async fn runs(&self) -> Result<Vec<usize>> {
        let names = self.root.names().await?;
        let mut runs: Vec<usize> = names.iter().filter_map(|name| name.strip_prefix("run-")?.parse().ok()).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// The newest run with a whole checkpoint, at the newest of them.
    async fn newest(&self) -> Result<Option<Found>> {
        for run in self.runs().await? {
            let folder = self.root.folder(&name_of(run)).await?;
            let mut damaged = false;
            for step in steps(&folder).await? {
                match read(&folder, Spot { run, step }, damaged).await {
                    Ok(found) => return Ok(Some(found)),
                    Err(_) => damaged = true,
                }
            }
        }
        Ok(None)
    }
}

async fn read(folder: &Folder, spot: Spot, damaged: bool) -> Result<Found> {
    let step = spot.step;
    let Stored { bytes, modified } = folder.read(&checkpoint_of(step), LARGEST_CHECKPOINT).await?;
    let header = checkpoint::header(&bytes)?;
    // without its story a run goes on just as well; only the curves begin anew
    let story = folder.read(&story_of(step), LARGEST_CHECKPOINT).await.ok();
    let story = story.map(|story| Story::from_lines(&story.bytes)).unwrap_or_default();
    let (method, data) = (header.config.method.clone(), header.config.data.clone());
    let (saved, finished) = (modified, header.is_finished());
    let kept = Kept { method, data, step: header.step, finished, saved, damaged };
    Ok(Found { checkpoint: bytes, story, spot, kept })
}

/// The steps of the checkpoints in a run's folder, the newest first.
async fn steps(folder: &Folder) -> Result<Vec<usize>> {
    let names = folder.names().await?;
    let step = |name: &String| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let mut steps: Vec<usize> = names.iter().filter_map(step).collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    Ok(steps)
}

async fn drop_step(folder: &Folder, step: usize) -> Result<()> {
    folder.remove(&checkpoint_of(step)).await?;
    // it may never have been written
    drop(folder.remove(&story_of(step)).await);
    Ok(())
}

fn name_of(run: usize) -> String {
    format!("run-{run}")
}

fn checkpoint_of(step: usize) -> String {
    format!("step-{step:08}.safetensors")
}

fn story_of(step: usize) -> String {
    format!("step-{step:08}.jsonl")
}
