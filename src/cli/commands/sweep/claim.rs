//! The runs of a sweep shared among processes, on one machine or on several with a shared folder: each claims a run before it
//! trains it.
//!
//! A claim is a file beside the run's folder, made by its owner in one piece. The owner counts up a number in it as a sign of
//! life. Others take a run over when that number stands still for a minute by their own clock, so that clocks need not agree; on
//! the same machine they see at once, by the lock on the file, that its owner is gone.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cli::output::exit::{Failure, Outcome, STOPPED};
use crate::cli::output::print;
use crate::error::Error;

/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(5);
/// Time without a sign of life after which a run is taken over.
const PATIENCE: Duration = Duration::from_secs(60);
/// Stands for the name of a machine that has none of its own.
const UNNAMED: &str = "unnamed";

/// A run that this process may train; given back when dropped.
pub(super) struct Claim {
    path: PathBuf,
    file: File,
    /// Ends the signs of life when dropped.
    stop: Option<Sender<()>>,
    beats: Option<JoinHandle<()>>,
}

/// The owner of a claim, as its file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    host: String,
    process: u32,
}

impl Owner {
    fn here() -> Self {
        Self::on(host())
    }

    fn on(host: Option<&str>) -> Self {
        Self { host: host.unwrap_or(UNNAMED).to_string(), process: std::process::id() }
    }

    fn of(content: &str) -> Option<Self> {
        let mut words = content.split_whitespace();
        Some(Self { host: words.next()?.to_string(), process: words.next()?.parse().ok()? })
    }

    fn line(&self, beat: u64) -> String {
        format!("{} {} {beat}\n", self.host, self.process)
    }
}

/// The name of this machine in one word; `None` where the system tells none, or the one that every machine has.
fn host() -> Option<&'static str> {
    static HOST: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let ask = || Some(String::from_utf8_lossy(&Command::new("hostname").output().ok()?.stdout).into_owned());
        let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(ask)?;
        let name: String = name.split_whitespace().collect();
        Some(name).filter(|name| !name.is_empty() && name != "localhost")
    };
    HOST.get_or_init(find).as_deref()
}

/// The claims of a sweep as this process sees them.
#[derive(Default)]
pub(super) struct Claims {
    /// The claims of others by their files.
    seen: HashMap<PathBuf, Seen>,
}

/// A claim of another process.
struct Seen {
    content: String,
    /// The time since which the content stands still.
    since: Instant,
    /// True if it changed while this process looked on.
    gave_sign: bool,
}

impl Claims {
    /// Claims the run whose folder is to lie at `run`; `None` where another process has it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn take(&mut self, run: &Path) -> Outcome<Option<Claim>> {
        let path = file_of(run);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::file(parent))?;
        }
        if let Some(claim) = Claim::make(&path)? {
            return Ok(Some(claim));
        }
        if !self.is_left(&path) {
            return Ok(None);
        }
        let left = self.seen.remove(&path).map(|seen| seen.content).unwrap_or_default();
        if remove(&path, &left)? { Claim::make(&path) } else { Ok(None) }
    }

    /// True if the owner of a run's claim gave a sign of life since this process first looked.
    pub(super) fn gave_sign(&self, run: &Path) -> bool {
        self.seen.get(&file_of(run)).is_some_and(|seen| seen.gave_sign)
    }

    /// True if the owner of a claim is gone.
    fn is_left(&mut self, path: &Path) -> bool {
        let Ok(content) = fs::read_to_string(path) else { return false };
        let is_ours = Owner::of(&content).is_some_and(|owner| host() == Some(owner.host.as_str()));
        let is_unlocked =
            || File::open(path).is_ok_and(|file| !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
        let first = || Seen { content: content.clone(), since: Instant::now(), gave_sign: false };
        let seen = self.seen.entry(path.to_path_buf()).or_insert_with(first);
        if seen.content != content {
            *seen = Seen { content, since: Instant::now(), gave_sign: true };
        }
        is_ours && is_unlocked() || seen.since.elapsed() >= PATIENCE
    }
}

/// The file of a run's claim.
fn file_of(run: &Path) -> PathBuf {
    let mut name = run.file_name().unwrap_or_default().to_os_string();
    name.push(".claim");
    run.with_file_name(name)
}

/// Removes a claim whose content is still `left`; false where another process was faster.
fn remove(path: &Path, left: &str) -> Outcome<bool> {
    // renamed first: of several processes only one succeeds
    let aside = path.with_extension(format!("claim-{}-{}", Owner::here().host, std::process::id()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        renamed => renamed.map_err(Error::file(path))?,
    }
    let is_left = fs::read_to_string(&aside).is_ok_and(|content| content == left);
    if is_left {
        fs::remove_file(&aside).map_err(Error::file(&aside))?;
    } else {
        // a new owner's: put back
        fs::rename(&aside, path).map_err(Error::file(&aside))?;
    }
    Ok(is_left)
}

impl Claim {
    fn make(path: &Path) -> Outcome<Option<Self>> {
        let mut open = OpenOptions::new();
        let mut file = match open.read(true).write(true).create_new(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(Error::file(path)(error).into()),
        };
        // before the owner is named: an unlocked claim of this machine is one whose owner is gone. Some file systems have no
        // locks; there only the signs of life count
        let _ = file.try_lock();
        let owner = Owner::here();
        file.write_all(owner.line(0).as_bytes()).map_err(Error::file(path))?;
        let beating = file.try_clone().map_err(Error::file(path))?;
        let (stop, stopped) = channel();
        let place = path.to_path_buf();
        let beats = thread::spawn(move || {
            let mut beat = 0;
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                beat += 1;
                give_sign(&beating, &place, &owner, beat);
            }
        });
        Ok(Some(Self { path: path.to_path_buf(), file, stop: Some(stop), beats: Some(beats) }))
    }
}

/// Counts up the number in a claim. A process that was suspended for so long that another took the run over must not write to it.
fn give_sign(mut file: &File, path: &Path, owner: &Owner, beat: u64) {
    let content = fs::read_to_string(path).ok();
    if content.as_deref().and_then(Owner::of).is_some_and(|known| known != *owner) {
        print::err(&format!("error: {} was taken over by another process while this one stood still", path.display()));
        std::process::exit(i32::from(STOPPED));
    }
    // a disk that is full for a moment costs a sign, not the run
    let _ = file.rewind().and_then(|()| file.write_all(owner.line(beat).as_bytes()));
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.beats.take().into_iter().for_each(|beats| drop(beats.join()));
        let mut content = String::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_string(&mut content));
        let is_own = fs::read_to_string(&self.path).is_ok_and(|there| there == content);
        if read.is_ok() && is_own {
            // where it stays, others take the run over
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The failure of a run that another process holds.
pub(super) fn taken(run: &Path) -> Failure {
    let path = file_of(run).display().to_string();
    let owner = fs::read_to_string(file_of(run)).ok().as_deref().and_then(Owner::of);
    let by = owner.map_or(String::new(), |owner| format!(" on {}, process {}", owner.host, owner.process));
    Failure::Failed(format!("another process trains this run{by}; {path} is its claim"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_owner_at_a_time() {
        let here = tempfile::tempdir().expect("a folder");
        let run = here.path().join("runs/rotation-1");
        let mut claims = Claims::default();
        let first = claims.take(&run).expect("a folder").expect("free");
        assert!(claims.take(&run).expect("readable").is_none());
        assert!(
            matches!(taken(&run), Failure::Failed(sentence) if sentence.contains(&format!("process {}", std::process::id())))
        );
        assert!(claims.take(&here.path().join("runs/rotation-2")).expect("a folder").is_some(), "another run");
        drop(first);
        assert!(!file_of(&run).exists(), "given back");
        assert!(claims.take(&run).expect("a folder").is_some());
    }

    #[test]
    fn a_claim_without_signs_of_life_is_taken_over() {
        let here = tempfile::tempdir().expect("a folder");
        let run = here.path().join("run");
        let path = file_of(&run);
        let mut claims = Claims::default();
        fs::write(&path, Owner::here().line(7)).expect("a file");
        assert!(claims.take(&run).expect("a folder").is_some(), "of this machine, and nobody holds it");
        let other = Owner { host: "another".into(), process: 1 };
        fs::write(&path, other.line(3)).expect("a file");
        assert!(claims.take(&run).expect("readable").is_none(), "its owner may live");
        let long_ago = Instant::now().checked_sub(PATIENCE).expect("the machine runs for a minute");
        assert!(!claims.gave_sign(&run));
        let before = |beat| Seen { content: other.line(beat), since: long_ago, gave_sign: false };
        claims.seen.insert(path.clone(), before(2));
        assert!(claims.take(&run).expect("readable").is_none() && claims.gave_sign(&run));
        claims.seen.insert(path.clone(), before(3));
        assert!(claims.take(&run).expect("a folder").is_some());
        assert_eq!(fs::read_dir(here.path()).expect("a folder").count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_machine_without_a_name_knows_its_own_claims() {
        for host in [None, Some("node7")] {
            let owner = Owner::on(host);
            assert_eq!(Owner::of(&owner.line(5)), Some(owner));
        }
    }

    #[test]
    fn a_claim_that_changed_hands_is_put_back() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("run.claim");
        fs::write(&path, "new 1 0\n").expect("a file");
        assert!(!remove(&path, "old 1 9\n").expect("a file"));
        assert_eq!(fs::read_to_string(&path).expect("a file"), "new 1 0\n");
        assert!(remove(&path, "new 1 0\n").expect("a file") && !remove(&path, "").expect("none is no error"));
    }
}
