//! Files that may be packed with gzip.

use std::io::{Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file that may be gzip.
///
/// # Errors
/// When it cannot be read at all.
pub fn unpacked<'a>(mut source: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    take(&mut source, 2, &mut start)?;
    let packed = start == GZIP_MAGIC;
    let whole = Cursor::new(start).chain(source);
    Ok(if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Appends up to `count` bytes.
pub(super) fn take(source: &mut impl Read, count: u64, into: &mut Vec<u8>) -> Result<()> {
    let read = source.take(count).read_to_end(into);
    read.map(drop).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            Error::Data("its gzip packing is broken or cut short".into())
        }
        _ => Error::Data(format!("it could not be read: {error}")),
    })
}
