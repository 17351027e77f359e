//! Atomic writing of files: whole or absent, never half.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// The temporary file. One name for all, so that a killed process leaves at most one behind.
pub(super) const PARTIAL: &str = "partial";

/// Writes `folder/name`: a temporary file in the same folder is flushed to disk and renamed, and the folder is flushed.
pub(super) fn whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let partial = folder.join(PARTIAL);
    let target = folder.join(name);
    let mut file = File::create(&partial).map_err(Error::file(&partial))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if written.is_err() {
        // half a file must not take up the rest of a full disk; the error itself is returned below
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

/// On other systems a folder cannot be opened, and its entries are flushed by the file system.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}
