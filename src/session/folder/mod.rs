//! A run on disk: `run.toml`, `events.jsonl`, `checkpoints/`, `eval.json` once it was evaluated, and the lock file `lock`,
//! held by the process that trains it. A checkpoint is either whole or absent, even after a power failure.

mod best;
mod checkpoints;
mod evaluation;
mod events;
mod record;
mod tail;
mod write;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

pub use best::{BestCheckpoint, Criterion};
pub use checkpoints::{Checkpoint, KEPT};
pub use evaluation::{Details, Evaluation, Tuned, Untrained};
pub use events::Log;
pub use record::{DataRecord, Record, Start};
pub use tail::{News, Tail};

use crate::error::{Error, Result};
use checkpoints::CHECKPOINTS;

/// The lock file.
const LOCK: &str = "lock";

/// The content of a folder that a run is to be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing, or an empty folder.
    Free,
    /// A run.
    Run,
    /// Something else, which must not be overwritten.
    Taken,
}

/// Inspects the folder at `path`.
pub fn place(path: &Path) -> Place {
    if path.join(record::FILE).is_file() {
        return Place::Run;
    }
    let only = |may: fn(&Path) -> bool| {
        fs::read_dir(path).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| may(&entry.path()))))
    };
    // left by a process that was killed before it wrote the record: nothing is lost
    let begun = || fs::metadata(path.join(LOCK)).is_ok_and(|lock| lock.is_file() && lock.len() == 0) && only(is_first);
    let free = fs::symlink_metadata(path).is_err() || only(|_| false) || begun();
    if free { Place::Free } else { Place::Taken }
}

/// True if the file is one that a run's folder holds before its record is written.
fn is_first(path: &Path) -> bool {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(LOCK | write::PARTIAL) => true,
        Some(CHECKPOINTS) => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
        _ => false,
    }
}

/// The folder of one run.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held while this process writes to the run.
    lock: Option<File>,
}

impl Folder {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    /// When the folder cannot be written, or TOML cannot hold the configuration.
    pub fn create(path: &Path, record: &Record) -> Result<Self> {
        let text = record.to_text()?;
        fs::create_dir_all(path).map_err(Error::file(path))?;
        let folder = Self { path: path.to_path_buf(), lock: Some(lock(path)?) };
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(Error::file(&checkpoints))?;
        write::whole(path, record::FILE, text.as_bytes())?;
        Ok(folder)
    }

    /// Replaces the record of a run that is resumed with another length.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn rewrite(&self, record: &Record) -> Result<()> {
        write::whole(&self.path, record::FILE, record.to_text()?.as_bytes())
    }

    /// Opens a run for reading.
    ///
    /// # Errors
    /// When there is no run at `path`, or its record cannot be read.
    pub fn open(path: &Path) -> Result<(Self, Record)> {
        let record = Record::read(path)?;
        Ok((Self { path: path.to_path_buf(), lock: None }, record))
    }

    /// Locks the run for writing until the value is dropped.
    ///
    /// # Errors
    /// When another process is writing to it.
    pub fn claim(&mut self) -> Result<()> {
        if self.lock.is_none() {
            self.lock = Some(lock(&self.path)?);
        }
        Ok(())
    }

    /// True if another process is writing to the run, or may be: on a file system without locks nobody can tell. Asking takes the
    /// lock for a moment, shared with others who ask; a process that begins in that moment finds it taken, so ask seldom.
    pub fn is_being_written(&self) -> bool {
        File::open(self.path.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_err())
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the run's events for appending.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn log(&self) -> Result<Log> {
        Log::open(&self.path)
    }
}

/// Takes the lock file: two processes that write to one run would undo each other's work.
fn lock(path: &Path) -> Result<File> {
    let path = path.join(LOCK);
    let file = File::create(&path).map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Run(format!(
            "another nolabel process is writing to {}; wait for it, or choose another folder",
            path.parent().unwrap_or(&path).display()
        ))),
        // some network file systems have no locks: then no other process can hold one either
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_only_where_nothing_would_be_lost() {
        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place(&here.path().join(name));
        assert_eq!(at("nothing"), Place::Free);
        fs::create_dir(here.path().join("empty")).expect("a folder");
        assert_eq!(at("empty"), Place::Free);
        fs::write(here.path().join("file"), "mine").expect("a file");
        assert_eq!(at("file"), Place::Taken);
        fs::create_dir(here.path().join("run")).expect("a folder");
        fs::write(here.path().join("run/notes"), "mine").expect("a file");
        assert_eq!(at("run"), Place::Taken);
        fs::write(here.path().join("run/run.toml"), "").expect("a file");
        assert_eq!(at("run"), Place::Run);
        // as a process leaves it that was killed before it wrote the record
        fs::create_dir_all(here.path().join("begun/checkpoints")).expect("a folder");
        assert_eq!(at("begun"), Place::Taken, "nobody holds or held it");
        for (name, text) in [("lock", ""), ("partial", "# What this")] {
            fs::write(here.path().join("begun").join(name), text).expect("a file");
        }
        assert_eq!(at("begun"), Place::Free);
        fs::write(here.path().join("begun/checkpoints/step-00000001.safetensors"), "mine").expect("a file");
        assert_eq!(at("begun"), Place::Taken);
    }

    #[test]
    fn one_writer_at_a_time() {
        let here = tempfile::tempdir().expect("a folder");
        let first = lock(here.path()).expect("nobody else");
        let refused = lock(here.path()).expect_err("the first holds it").to_string();
        assert!(refused.contains("another nolabel"), "{refused}");
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        assert!(folder.is_being_written());
        drop(first);
        assert!(!folder.is_being_written());
        lock(here.path()).expect("the first has gone");
    }
}
