//! Files compared with the digests of the catalogue.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::open;
use super::search::find;
use crate::data::catalogue::{Entry, File};
use crate::data::format::unpacked;
use crate::digest::hex;
use crate::error::{Error, Result};

const CHUNK: usize = 1 << 16;

/// The verdict on one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its place, or where it should lie.
    pub path: PathBuf,
    /// Its fault; `None` if it is whole.
    pub wrong: Option<String>,
}

/// Compares every file with the digest in the catalogue.
pub fn check(entry: &Entry, folder: &Path) -> Vec<Checked> {
    let verdict = |file: &File| match find(entry, folder, file) {
        None => Checked { path: folder.join(file.name), wrong: Some("it is missing".to_string()) },
        Some(path) => Checked { wrong: compare(&path, file).err().map(|error| error.to_string()), path },
    };
    entry.files.iter().map(verdict).collect()
}

/// True if the file is there and has the right content.
pub(super) fn is_whole(entry: &Entry, folder: &Path, file: &File) -> bool {
    find(entry, folder, file).is_some_and(|path| compare(&path, file).is_ok())
}

fn compare(path: &Path, file: &File) -> Result<()> {
    hashed(open(path)?, file, |_, _| Ok(()))
}

/// Hashes the unpacked bytes of `source` and passes them on, never more than the file should hold.
pub(super) fn hashed(source: impl Read, file: &File, mut each: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let mut source = unpacked(source)?.take(file.bytes + 1);
    let (mut hash, mut total, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let count = source.read(&mut buffer).map_err(|error| Error::Data(format!("it is damaged ({error})")))?;
        if count == 0 {
            break;
        }
        total += count as u64;
        hash.update(&buffer[..count]);
        each(&buffer[..count], total)?;
    }
    if total != file.bytes {
        let more = if total > file.bytes { "more" } else { "fewer" };
        return Err(Error::Data(format!("it holds {more} bytes than the {} it should", file.bytes)));
    }
    let found = hex(&hash.finalize());
    if found != file.sha256 {
        return Err(Error::Data(format!("its SHA-256 is {found}, not {}", file.sha256)));
    }
    Ok(())
}
