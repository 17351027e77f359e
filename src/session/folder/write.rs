//! Writing files so that they are whole or not there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// The file under way. One name for all, so that a process that is killed leaves at most one behind.
pub(super) const PARTIAL: &str = "partial";

/// Writes `folder/name`: a temporary file in the same folder, brought to disk, renamed, and the renaming brought to disk.
pub(super) fn whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let (partial, target) = (folder.join(PARTIAL), folder.join(name));
    let mut file = File::create(&partial).map_err(Error::file(&partial))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if written.is_err() {
        // a full disk shall not be filled by what is of no use; that it is in the way is said below
        let _ = fs::remove_file(&partial);
    }
    written.map_err(Error::file(&partial))?;
    fs::rename(&partial, &target).map_err(Error::file(&target))?;
    sync_folder(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file(folder))
}

/// Elsewhere the file system does it by itself, and a folder cannot be opened.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}
