//! `checkpoints/`: the latest checkpoints of a run and, on request, the best.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Folder, write};
use crate::digest;
use crate::error::{Error, Result};
use crate::session::checkpoint::{self, Header};

pub(super) const CHECKPOINTS: &str = "checkpoints";
/// Checkpoints that are kept unless said otherwise: one to resume from, and one in case that one is damaged.
pub const KEPT: usize = 2;
const SUFFIX: &str = ".safetensors";
/// The best checkpoint, where `--keep-best` asks for it.
pub(super) const BEST: &str = "best.safetensors";

/// A checkpoint that was read and found whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its metadata.
    pub header: Header,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// Newer files that are damaged, each with the reason.
    pub damaged: Vec<(PathBuf, String)>,
}

impl Checkpoint {
    /// SHA-256 of the file, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        digest::sha256(&self.bytes)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When it cannot be read, is not whole, or is of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::file(path))?;
        let header = checkpoint::header(&bytes).map_err(|error| match error {
            Error::Version(sentence) => Error::Version(format!("{}: {sentence}", path.display())),
            other => other,
        })?;
        Ok(Self { header, bytes, damaged: Vec::new() })
    }
}

impl Folder {
    /// Writes a checkpoint and deletes all but the last `kept`; returns its path within the run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, step: usize, bytes: &[u8], kept: usize) -> Result<String> {
        let folder = self.path().join(CHECKPOINTS);
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let name = format!("step-{step:08}{SUFFIX}");
        write::whole(&folder, &name, bytes)?;
        for (_, path) in self.checkpoints()?.into_iter().skip(kept.max(1)) {
            fs::remove_file(&path).map_err(Error::file(&path))?;
        }
        Ok(format!("{CHECKPOINTS}/{name}"))
    }

    /// Writes the best checkpoint in place of the one before; returns its path within the run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_best(&self, bytes: &[u8]) -> Result<String> {
        let folder = self.path().join(CHECKPOINTS);
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        write::whole(&folder, BEST, bytes)?;
        Ok(format!("{CHECKPOINTS}/{BEST}"))
    }

    /// The best checkpoint, where one is kept.
    pub fn best(&self) -> Option<PathBuf> {
        Some(self.path().join(CHECKPOINTS).join(BEST)).filter(|path| path.is_file())
    }

    /// The newest checkpoint that is whole; nothing where none was ever written.
    ///
    /// # Errors
    /// When there are some and none is whole, when the newest is one of another version, or may not be read.
    pub fn newest(&self) -> Result<Option<Checkpoint>> {
        let mut damaged = Vec::new();
        for (_, path) in self.checkpoints()? {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(Checkpoint { damaged, ..checkpoint })),
                // a process that trains the run has deleted it since
                Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                // not damaged as far as can be told: an older one is no substitute
                Err(error @ Error::Version(_)) => return Err(error),
                Err(Error::File { path, source }) if source.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Error::File { path, source });
                }
                Err(error) => damaged.push((path, error.to_string())),
            }
        }
        match damaged.first() {
            None => Ok(None),
            Some((path, wrong)) => Err(Error::Checkpoint(format!(
                "{} cannot be used, nor can an earlier one: {wrong}; there is nothing to continue from, so start the run again \
             in another folder",
                path.display()
            ))),
        }
    }

    /// The checkpoint whose file has this digest, if it is there and whole.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn with_digest(&self, sha256: &str) -> Result<Option<Checkpoint>> {
        let numbered = self.checkpoints()?.into_iter().map(|(_, path)| path);
        for path in numbered.chain(self.best()) {
            match Checkpoint::read(&path) {
                Ok(found) if found.sha256() == sha256 => return Ok(Some(found)),
                Err(error @ Error::File { .. }) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Renames damaged files, so that they are not taken for checkpoints again.
    ///
    /// # Errors
    /// When they cannot be renamed.
    pub fn set_aside(&self, damaged: &[(PathBuf, String)]) -> Result<()> {
        for (path, _) in damaged {
            let aside = path.with_extension("safetensors.damaged");
            fs::rename(path, &aside).map_err(Error::file(path))?;
        }
        Ok(())
    }

    /// All checkpoints, the newest first.
    fn checkpoints(&self) -> Result<Vec<(usize, PathBuf)>> {
        let folder = self.path().join(CHECKPOINTS);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::file(&folder))? {
            let entry = entry.map_err(Error::file(&folder))?;
            let step = entry.file_name().to_str().and_then(step_of);
            found.extend(step.map(|step| (step, entry.path())));
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }
}

fn step_of(name: &str) -> Option<usize> {
    name.strip_prefix("step-")?.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::checkpoint::tests::header;
    use futures_lite::future::block_on;

    fn folder() -> (tempfile::TempDir, Folder) {
        let here = tempfile::tempdir().expect("a folder");
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        (here, folder)
    }

    fn bytes(step: usize) -> Vec<u8> {
        written(step, checkpoint::VERSION)
    }

    fn written(step: usize, version: u32) -> Vec<u8> {
        let header = Header { version, step, ..header() };
        block_on(checkpoint::write(&header, Vec::new())).expect("a checkpoint")
    }

    #[test]
    fn the_last_two_are_kept_by_number_not_by_name() {
        let (here, folder) = folder();
        for step in [7, 99_999_999, 100_000_000] {
            folder.save(step, &bytes(step), KEPT).expect("saved");
        }
        let steps = || folder.checkpoints().expect("a list").into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(steps(), [100_000_000, 99_999_999]);
        assert_eq!(folder.newest().expect("whole").map(|found| found.header.step), Some(100_000_000));
        let files = fs::read_dir(here.path().join(CHECKPOINTS)).expect("a folder").count();
        assert_eq!(files, 2, "nothing else is left behind");
        folder.save(100_000_001, &bytes(100_000_001), 3).expect("saved");
        assert_eq!(steps(), [100_000_001, 100_000_000, 99_999_999]);
        folder.save(100_000_002, &bytes(100_000_002), 1).expect("saved");
        assert_eq!(steps(), [100_000_002]);
    }

    #[test]
    fn one_is_found_by_its_digest() {
        let (_here, folder) = folder();
        // packed once: the order of the file's metadata is not always the same
        let older = bytes(10);
        folder.save(10, &older, KEPT).expect("saved");
        folder.save(20, &bytes(20), KEPT).expect("saved");
        let wanted = Checkpoint { bytes: older, ..folder.newest().expect("whole").expect("a checkpoint") }.sha256();
        let found = folder.with_digest(&wanted).expect("readable");
        assert_eq!(found.map(|found| (found.header.step, found.sha256())), Some((10, wanted)));
        assert_eq!(folder.with_digest("00").expect("readable"), None);
    }

    #[test]
    fn the_best_is_kept_beside_the_last_two() {
        let (_here, folder) = folder();
        assert_eq!(folder.best(), None);
        for step in [1, 2, 3] {
            folder.save(step, &bytes(step), KEPT).expect("saved");
        }
        assert_eq!(folder.save_best(&bytes(1)).expect("saved"), "checkpoints/best.safetensors");
        let steps: Vec<usize> = folder.checkpoints().expect("a list").into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, [3, 2], "the best is not gone on from");
        let best = Checkpoint::read(&folder.best().expect("kept")).expect("whole");
        assert_eq!(best.header.step, 1);
    }

    #[test]
    fn a_checkpoint_of_another_version_is_not_damaged() {
        let (_here, folder) = folder();
        folder.save(10, &bytes(10), KEPT).expect("saved");
        folder.save(20, &written(20, checkpoint::VERSION + 1), KEPT).expect("saved");
        let refused = folder.newest().expect_err("nobody here can read it");
        assert!(matches!(&refused, Error::Version(_)), "{refused}");
        let refused = refused.to_string();
        assert!(refused.contains("step-00000020") && refused.contains("newer nolabel"), "{refused}");
    }

    #[test]
    fn a_damaged_checkpoint_falls_back_to_the_previous() {
        let (_here, folder) = folder();
        assert_eq!(folder.newest().expect("none is no error"), None);
        folder.save(10, &bytes(10), KEPT).expect("saved");
        let cut = bytes(20);
        folder.save(20, &cut[..cut.len() - 1], KEPT).expect("saved");
        let found = folder.newest().expect("the first is whole").expect("a checkpoint");
        assert_eq!((found.header.step, found.damaged.len()), (10, 1));
        folder.set_aside(&found.damaged).expect("renamed");
        assert_eq!(folder.newest().expect("whole").map(|found| found.damaged), Some(Vec::new()));
        fs::write(folder.path().join(CHECKPOINTS).join("step-00000010.safetensors"), "nothing").expect("a file");
        let refused = folder.newest().expect_err("none is whole").to_string();
        assert!(refused.contains("step-00000010") && refused.contains("nor can an earlier one"), "{refused}");
    }
}
