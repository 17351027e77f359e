//! Archives and checksums, for files that are damaged behind their packing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use nolabel::data::catalogue::{CIFAR_10, Entry, File, Holds, Part};
use nolabel::data::store;
use tar::{Builder, Header};

/// The files of the data set that the archive holds, and their bytes.
const FILES: [(&str, &[u8]); 2] = [("data_batch_1.bin", &[7; 3000]), ("test_batch.bin", b"a short one")];

/// Unpacks an archive as `nolabel data fetch` unpacks a download.
pub fn unpack(archive: &Path, folder: &Path) -> ExitCode {
    let files: Vec<File> = FILES.map(|(name, content)| file(name, content)).into();
    let entry = Entry { files: files.leak(), ..CIFAR_10 };
    let source = fs::File::open(archive).expect("the archive");
    fs::create_dir_all(folder).expect("a folder");
    match store::unpack(source, &entry, folder, &mut |_| ()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn file(name: &'static str, content: &[u8]) -> File {
    let sha256 = nolabel::digest::sha256(content).leak();
    File { part: Part::Train, holds: Holds::Both, name, bytes: content.len() as u64, sha256 }
}

/// An archive of the data set, not yet packed.
pub fn archive() -> Vec<u8> {
    let files = [("readme.html", &b"hello"[..])].into_iter().chain(FILES);
    tar(files.map(|(name, content)| (format!("set/{name}"), content.to_vec())))
}

/// A tar file of these files.
pub fn tar(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).expect("memory");
    }
    builder.into_inner().expect("memory")
}

/// Packs bytes with gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Gives every chunk of a PNG file the checksum of its bytes.
pub fn with_png_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(length) = number(&bytes, at, 4, true) {
        let end = at.saturating_add(8).saturating_add(length);
        let Some(chunk) = bytes.get(at + 4..end) else { break };
        let sum = crc(chunk).to_be_bytes();
        let Some(place) = bytes.get_mut(end..end.saturating_add(4)) else { break };
        place.copy_from_slice(&sum);
        at = end + 4;
    }
    bytes
}

/// Gives every uncompressed entry of a zip archive the checksum of its bytes.
pub fn with_zip_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    let entries: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, four)| four == b"PK\x01\x02").map(|(at, _)| at).collect();
    for entry in entries {
        let field = |at: usize, width| number(&bytes, at, width, false);
        let content = || {
            let local = field(entry + 42, 4)?;
            let size = field(entry + 24, 4)?;
            let start = local + 30 + field(local + 26, 2)? + field(local + 28, 2)?;
            bytes.get(start..start.checked_add(size)?)
        };
        let Some(sum) = content().map(crc) else { continue };
        if let Some(place) = bytes.get_mut(entry + 16..entry + 20) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
    }
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn number(bytes: &[u8], at: usize, width: usize, is_big: bool) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    let join = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
    Some(if is_big { field.iter().fold(0, join) } else { field.iter().rev().fold(0, join) })
}
