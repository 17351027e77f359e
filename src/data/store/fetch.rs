//! Downloads from the makers of a data set. No file is kept unless its digest is right.

use std::fs::{self, File as Handle};
use std::io::{Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::Archive;

use super::check::{hashed, is_whole};
use crate::data::catalogue::{Entry, File};
use crate::error::{Error, Result};

/// Bytes that an archive may unpack to beyond the files that are wanted from it.
const BESIDE: u64 = 1 << 24;

/// Progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// The file that is downloaded.
    pub name: &'static str,
    /// Unpacked bytes so far.
    pub bytes: u64,
    /// Unpacked bytes of the whole file.
    pub total: u64,
}

/// Downloads the files that are missing or damaged in `folder` from the makers of the data set.
///
/// # Errors
/// When a file cannot be downloaded or has another digest than the catalogue states; whole files are kept.
pub fn fetch(entry: &Entry, folder: &Path, tell: &mut dyn FnMut(Fetching)) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let missing = missing(entry, folder);
    match entry.archive {
        _ if missing.is_empty() => Ok(()),
        Some(archive) => download(entry, archive, |bytes| unpack(bytes, entry, folder, tell)),
        None => missing.into_iter().try_for_each(|file| {
            download(entry, &format!("{}.gz", file.name), |bytes| keep(bytes, file, folder, tell))
        }),
    }
}

fn download(entry: &Entry, name: &str, keep: impl FnOnce(&mut dyn Read) -> Result<()>) -> Result<()> {
    let address = format!("{}{name}", entry.official);
    let response = ureq::get(&address).call().map_err(|error| Error::Data(error.to_string()));
    response.and_then(|response| keep(&mut response.into_body().into_reader())).map_err(|error| match error {
        Error::Data(why) => Error::Data(format!(
            "{address} could not be fetched: {why}; check the connection and run the command again"
        )),
        other => other,
    })
}

fn missing(entry: &Entry, folder: &Path) -> Vec<&'static File> {
    entry.files.iter().filter(|file| !is_whole(entry, folder, file)).collect()
}

/// Takes the files that are missing or damaged in `folder` out of the packed archive that the makers of the data set offer.
///
/// # Errors
/// When the archive is damaged, or a file in it has another digest than the catalogue states; whole files are kept.
pub fn unpack(source: impl Read, entry: &Entry, folder: &Path, tell: &mut dyn FnMut(Fetching)) -> Result<()> {
    let limit = BESIDE + entry.files.iter().map(|file| file.bytes).sum::<u64>();
    take(source, &missing(entry, folder), limit, folder, tell)
}

/// Takes the wanted files out of a packed archive that unpacks to at most `limit` bytes. Only the last component of each name
/// in the archive is used, so that nothing is written outside the folder, whatever the archive holds.
fn take(
    source: impl Read,
    wanted: &[&'static File],
    limit: u64,
    folder: &Path,
    tell: &mut dyn FnMut(Fetching),
) -> Result<()> {
    let broken = |error: std::io::Error| Error::Data(format!("its packing is broken or cut short ({error})"));
    let mut archive = Archive::new(MultiGzDecoder::new(source).take(limit));
    let mut left = wanted.to_vec();
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let place = left.iter().position(|file| path.file_name().is_some_and(|name| name == file.name));
        if let Some(place) = place.filter(|_| entry.header().entry_type().is_file()) {
            keep(entry, left.swap_remove(place), folder, tell)?;
        }
        if left.is_empty() {
            return Ok(());
        }
    }
    let names: Vec<_> = left.iter().map(|file| file.name).collect();
    Err(Error::Data(format!("it does not hold {}", names.join(", "))))
}

/// Streams a file to a temporary one beside its place and moves it there once its digest is right.
fn keep(source: impl Read, file: &'static File, folder: &Path, tell: &mut dyn FnMut(Fetching)) -> Result<()> {
    let target = folder.join(file.name);
    let partial = folder.join(format!("{}.part", file.name));
    let mut out = Handle::create(&partial).map_err(Error::file(&partial))?;
    let written = hashed(source, file, |bytes, total| {
        tell(Fetching { name: file.name, bytes: total, total: file.bytes });
        out.write_all(bytes).map_err(Error::file(&partial))
    });
    let kept = written.map_err(|error| blame(file, error)).and_then(|()| {
        out.sync_all().map_err(Error::file(&partial))?;
        fs::rename(&partial, &target).map_err(Error::file(&target))
    });
    if kept.is_err() {
        // the first error is the one to report
        let _ = fs::remove_file(&partial);
    }
    kept
}

/// Adds the file's name to an error; those of the system have one already.
fn blame(file: &File, error: Error) -> Error {
    match error {
        Error::Data(why) => Error::Data(format!("{}: {why}", file.name)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalogue::{Holds, Part};
    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, EntryType, Header};

    fn file(name: &'static str, content: &[u8]) -> &'static File {
        let sha256 = crate::digest::sha256(content).leak();
        Box::leak(Box::new(File { part: Part::Train, holds: Holds::Both, name, bytes: content.len() as u64, sha256 }))
    }

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            // the builder refuses names that lead out of the folder; a malicious archive has them nevertheless
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).expect("memory");
        }
        builder.into_inner().expect("memory").finish().expect("memory")
    }

    fn unpacked(packed: &[u8], wanted: &[&'static File], limit: u64) -> (tempfile::TempDir, Result<()>) {
        let here = tempfile::tempdir().expect("a folder");
        fs::create_dir(here.path().join("inner")).expect("a folder");
        let done = take(packed, wanted, limit, &here.path().join("inner"), &mut |_| {});
        (here, done)
    }

    #[test]
    fn only_the_wanted_files_are_written_where_they_belong() {
        let wanted = [file("a.bin", b"first"), file("b.bin", b"second")];
        let packed = archive(&[
            ("set/readme.txt", EntryType::Regular, b"hello"),
            ("set/a.bin", EntryType::Symlink, b""),
            ("/../../b.bin", EntryType::Regular, b"second"),
            ("set/a.bin", EntryType::Regular, b"first"),
        ]);
        let (here, done) = unpacked(&packed, &wanted, 1 << 20);
        done.expect("both are there");
        assert_eq!(fs::read(here.path().join("inner/a.bin")).expect("a file"), b"first");
        assert_eq!(fs::read(here.path().join("inner/b.bin")).expect("a file"), b"second");
        assert_eq!(fs::read_dir(here.path()).expect("a folder").count(), 1);
        assert_eq!(fs::read_dir(here.path().join("inner")).expect("a folder").count(), 2);
    }

    #[test]
    fn what_is_wrong_with_an_archive_is_said() {
        let wanted = [file("a.bin", b"first"), file("b.bin", b"second")];
        let complaint = |packed: &[u8], limit| {
            let (here, done) = unpacked(packed, &wanted, limit);
            let left = fs::read_dir(here.path().join("inner")).expect("a folder").count();
            (done.expect_err("must be refused").to_string(), left)
        };
        let regular = EntryType::Regular;
        let altered = archive(&[("a.bin", regular, b"worst")]);
        assert!(matches!(complaint(&altered, 1 << 20), (said, 0) if said.contains("a.bin: its SHA-256")));
        let longer = archive(&[("a.bin", regular, b"first and more")]);
        assert!(matches!(complaint(&longer, 1 << 20), (said, 0) if said.contains("more bytes than the 5")));
        let lacking = archive(&[("a.bin", regular, b"first")]);
        assert!(matches!(complaint(&lacking, 1 << 20), (said, 1) if said == "it does not hold b.bin"));
        assert!(matches!(complaint(&lacking[..40], 1 << 20), (said, 0) if said.contains("cut short")));
        let bomb = archive(&[("zeros", regular, &vec![0; 1 << 20]), ("a.bin", regular, b"first")]);
        assert!(matches!(complaint(&bomb, 1 << 16), (said, 0) if said.contains("cut short")));
    }
}
