//! Atomic writing of a command's result: the file is whole or absent.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::exit::{Failure, Outcome};
use crate::error::Error;

/// Refuses a path that cannot be written to, before any work is done.
pub(crate) fn check(path: &Path) -> Outcome {
    if path.is_dir() {
        return Err(Failure::Usage(format!("{} is a folder; name a file with --out", path.display())));
    }
    if is_special(path) { Ok(()) } else { beside(path).map(drop) }
}

/// Writes a file, replacing an existing one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Outcome {
    if is_special(path) {
        return Ok(fs::write(path, bytes).map_err(Error::file(path))?);
    }
    let file = filled(path, bytes)?;
    file.persist(path).map(drop).map_err(|error| said(path, &error.error))
}

/// Writes a file; an existing one is an error.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Outcome {
    let file = filled(path, bytes)?;
    file.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => taken(path),
        _ => said(path, &error.error),
    })
}

/// The failure where a file exists that must not be overwritten.
pub(crate) fn taken(path: &Path) -> Failure {
    Failure::Failed(format!("{} exists already; choose another name", path.display()))
}

/// True for a pipe, a device or a link, which must not be replaced by a plain file.
fn is_special(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| !there.is_file())
}

fn filled(path: &Path, bytes: &[u8]) -> Outcome<NamedTempFile> {
    let mut file = beside(path)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| said(path, &error))?;
    Ok(file)
}

/// A temporary file in the same folder with the usual permissions of new files; deleted when dropped.
fn beside(path: &Path) -> Outcome<NamedTempFile> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(PathBuf::from("."), PathBuf::from);
    if !folder.is_dir() {
        let folder = folder.display();
        let path = path.display();
        return Err(Failure::Failed(format!("there is no folder {folder} to write {path} to; make it first")));
    }
    let mut builder = Builder::new();
    builder.prefix(".nolabel-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|error| said(path, &error))
}

/// The error with the path that was asked for in place of the temporary one.
fn said(path: &Path, error: &io::Error) -> Failure {
    let source = error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error);
    Error::File { path: path.to_path_buf(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_nothing_else_is_touched() {
        let here = tempfile::tempdir().expect("a folder");
        let one = here.path().join("a.onnx");
        let other = here.path().join("a.partial");
        fs::write(&other, "precious").expect("a file");
        write_new(&one, b"first").expect("free");
        assert!(write_new(&one, b"second").is_err(), "it is there");
        assert_eq!(fs::read(&one).expect("the file"), b"first");
        write(&one, b"second").expect("overwritten");
        assert_eq!(
            (fs::read(&one).expect("the file"), fs::read(&other).expect("the other")),
            (b"second".to_vec(), b"precious".to_vec())
        );
        assert_eq!(fs::read_dir(here.path()).expect("a folder").count(), 2, "nothing is left behind");
    }

    #[test]
    fn unwritable_places_are_refused_by_the_given_name() {
        let here = tempfile::tempdir().expect("a folder");
        assert!(check(here.path()).is_err() && check(&here.path().join("new.html")).is_ok());
        let nowhere = here.path().join("no").join("file.html");
        for refused in [check(&nowhere), write(&nowhere, b""), write_new(&nowhere, b"")] {
            let Err(Failure::Failed(sentence)) = refused else { panic!("there is no folder") };
            assert!(sentence.contains("no folder") && sentence.contains("file.html"), "{sentence}");
        }
        assert_eq!(fs::read_dir(here.path()).expect("a folder").count(), 0);
    }
}
