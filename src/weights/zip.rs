//! Zip archives without compression, as PyTorch writes them.

use std::collections::BTreeMap;

use flate2::Crc;

use crate::error::{Error, Result};

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// The value of a 32-bit field that is continued in the 64-bit extra field, and the number of that field.
const IN_EXTRA: u64 = 0xffff_ffff;
const EXTRA_64: usize = 1;
/// Bytes of the fixed parts of the end record, of the locator of its 64-bit form, of an entry and of a local header.
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// Bytes of the longest comment at the end of an archive.
const COMMENT: usize = 0xffff;

/// The entries of an archive by name.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<&'a str, Entry>,
}

#[derive(Debug)]
struct Entry {
    compressed: bool,
    crc: u32,
    size: usize,
    /// The offset of its local header.
    start: usize,
}

impl<'a> Archive<'a> {
    /// Reads the central directory.
    ///
    /// # Errors
    /// When it is not whole.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        Self::contents(bytes).ok_or_else(|| damaged("its table of contents is cut short or garbled"))
    }

    fn contents(bytes: &'a [u8]) -> Option<Self> {
        let from = bytes.len().saturating_sub(END_BYTES + COMMENT);
        let end = from + bytes[from..].windows(END.len()).rposition(|four| four == END)?;
        let comment = usize::try_from(number(bytes, end + 20, 2)?).ok()?;
        (end + END_BYTES + comment == bytes.len()).then_some(())?;
        let mut count = number(bytes, end + 10, 2)?;
        let mut at = number(bytes, end + 16, 4)?;
        // large archives, and all of PyTorch's, have a second end record
        let locator = end.checked_sub(LOCATOR_BYTES).filter(|&at| bytes[at..].starts_with(LOCATOR_64));
        if let Some(locator) = locator {
            let end = usize::try_from(number(bytes, locator + 8, 8)?).ok()?;
            bytes.get(end..)?.starts_with(END_64).then_some(())?;
            count = number(bytes, end.checked_add(32)?, 8)?;
            at = number(bytes, end.checked_add(48)?, 8)?;
        }
        let mut entries = BTreeMap::new();
        let mut at = usize::try_from(at).ok()?;
        for _ in 0..count {
            let (name, entry, next) = read_entry(bytes, at)?;
            entries.insert(name, entry);
            at = next;
        }
        Some(Self { bytes, entries })
    }

    /// The names of all entries in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// The bytes of an entry, once their checksum agrees.
    ///
    /// # Errors
    /// When there is none of this name, or it is compressed or damaged.
    pub(super) fn read(&self, name: &str) -> Result<&'a [u8]> {
        let entry = self.entries.get(name).ok_or_else(|| damaged(&format!("it has no entry `{name}`")))?;
        if entry.compressed {
            return Err(Error::Weights(format!(
                "`{name}` in it is compressed, which PyTorch's own files are not; save it again with torch.save"
            )));
        }
        let found = self.slice(entry).ok_or_else(|| damaged(&format!("`{name}` in it is cut short")))?;
        let mut crc = Crc::new();
        crc.update(found);
        if crc.sum() != entry.crc {
            return Err(damaged(&format!("`{name}` in it does not have its checksum")));
        }
        Ok(found)
    }

    fn slice(&self, entry: &Entry) -> Option<&'a [u8]> {
        let bytes = self.bytes;
        bytes.get(entry.start..)?.starts_with(LOCAL).then_some(())?;
        let length = |at| usize::try_from(number(bytes, entry.start + at, 2)?).ok();
        let start = entry.start + LOCAL_BYTES + length(26)? + length(28)?;
        bytes.get(start..start.checked_add(entry.size)?)
    }
}

/// An entry of the central directory with its name, and the offset of the next one.
fn read_entry(bytes: &[u8], at: usize) -> Option<(&str, Entry, usize)> {
    bytes.get(at..)?.starts_with(ENTRY).then_some(())?;
    let field = |offset, width| number(bytes, at + offset, width);
    let [name, extra, comment] = [field(28, 2)?, field(30, 2)?, field(32, 2)?].map(|length| length as usize);
    let start = at + ENTRY_BYTES;
    let extra = bytes.get(start + name..start + name + extra)?;
    let name = bytes.get(start..start + name)?;
    let next = start + name.len() + extra.len() + comment;
    // 64-bit values come in this order, each only where its field above is too small
    let mut wide = wide_values(extra);
    let mut either = |value: u64| if value == IN_EXTRA { wide.next() } else { Some(value) };
    let size = either(field(24, 4)?)?;
    let packed = either(field(20, 4)?)?;
    let start = either(field(42, 4)?)?;
    let compressed = field(10, 2)? != 0 || size != packed;
    let entry = Entry {
        compressed,
        crc: field(16, 4)? as u32,
        size: usize::try_from(size).ok()?,
        start: usize::try_from(start).ok()?,
    };
    Some((std::str::from_utf8(name).ok()?, entry, next))
}

/// The 64-bit values of an entry's extra fields.
fn wide_values(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = extra;
    let mut found: &[u8] = &[];
    while let (Some(kind), Some(length)) = (number(rest, 0, 2), number(rest, 2, 2)) {
        let Some(field) = rest.get(4..4 + length as usize) else { break };
        if kind as usize == EXTRA_64 {
            found = field;
        }
        rest = &rest[4 + field.len()..];
    }
    found.chunks_exact(8).filter_map(|eight| number(eight, 0, 8))
}

/// A little-endian integer of up to eight bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn damaged(what: &str) -> Error {
    Error::Weights(format!("this is not a whole file of PyTorch: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with one entry `a/b` of three bytes, written from the format's description.
    fn archive(method: u16, crc: u32) -> Vec<u8> {
        let content = b"xyz";
        let size = 3u32.to_le_bytes();
        let common =
            [&method.to_le_bytes()[..], &[0; 4], &crc.to_le_bytes(), &size, &size, &3u16.to_le_bytes()].concat();
        let local = [LOCAL, &[20, 0, 0, 0], &common, &[2, 0], b"a/b", &[0; 2], content].concat();
        let entry = [ENTRY, &[20, 0, 20, 0, 0, 0], &common, &[0; 16], b"a/b"].concat();
        let at = (local.len() as u32).to_le_bytes();
        let length = (entry.len() as u32).to_le_bytes();
        [&local[..], &entry, END, &[0; 4], &[1, 0, 1, 0], &length, &at, &[0; 2]].concat()
    }

    fn sum(bytes: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn entries_are_found_behind_their_extra_fields() {
        let bytes = archive(0, sum(b"xyz"));
        let open = Archive::open(&bytes).expect("an archive");
        assert_eq!(open.names().collect::<Vec<_>>(), ["a/b"]);
        assert_eq!(open.read("a/b").expect("whole"), b"xyz");
        assert!(open.read("c").expect_err("no such entry").to_string().contains("no entry `c`"));
    }

    #[test]
    fn compressed_and_damaged_entries_are_refused() {
        let said = |bytes: &[u8]| Archive::open(bytes).expect("a table").read("a/b").expect_err("no").to_string();
        assert!(said(&archive(8, 0)).contains("is compressed"));
        assert!(said(&archive(0, 7)).contains("does not have its checksum"));
        assert!(Archive::open(&archive(0, 0)[..60]).is_err());
        assert!(Archive::open(b"PK").is_err());
    }
}
