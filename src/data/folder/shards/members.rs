//! The members of a tar file, packed by gzip or not, in their order.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entries};

use super::super::content;

/// The first bytes of a file packed by gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file in a tar file.
pub(super) struct Member<'a> {
    /// Its place among the files, from 0.
    pub(super) place: usize,
    /// The path up to the first dot of the file's name: all files of a sample share it.
    pub(super) key: String,
    /// The rest of the name in lower case, without the dot.
    pub(super) end: String,
    /// Bytes that its head announces.
    pub(super) size: u64,
    pub(super) content: &'a mut dyn Read,
}

/// Calls `each` with the files of a tar file, without folders, links and litter.
///
/// # Errors
/// When the file cannot be read, is damaged or cut short; `each` has then seen what lies before.
pub(super) fn walk(path: &Path, each: &mut dyn FnMut(Member<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut head = [0; GZIP.len()];
    let is_packed = file.read_exact(&mut head).is_ok() && head == GZIP;
    file.rewind()?;
    if is_packed {
        let mut archive = Archive::new(MultiGzDecoder::new(io::BufReader::new(file)));
        return members(archive.entries()?, None, each);
    }
    let length = file.metadata()?.len();
    let mut archive = Archive::new(io::BufReader::new(file));
    members(archive.entries_with_seek()?, Some(length), each)
}

/// `length` is that of the file where members are skipped by seeking, which goes beyond its end without an error.
fn members<R: Read>(
    entries: Entries<'_, R>,
    length: Option<u64>,
    each: &mut dyn FnMut(Member<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut place = 0;
    for entry in entries {
        let mut entry = entry?;
        let size = entry.size();
        let is_cut = length.is_some_and(|length| entry.raw_file_position().saturating_add(size) > length);
        let path = entry.path()?.to_string_lossy().into_owned();
        if is_cut {
            let announced = format!("{path} is announced with {size} bytes, more than are left");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, announced));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        if !entry.header().entry_type().is_file() || content::is_litter(name) {
            continue;
        }
        let dot = path.len() - name.len() + name.find('.').unwrap_or(name.len());
        let (key, end) = (path[..dot].to_string(), path[dot..].trim_start_matches('.').to_lowercase());
        each(Member { place, key, end, size, content: &mut entry })?;
        place += 1;
    }
    Ok(())
}
