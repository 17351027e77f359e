//! The binary format of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): record after record, nothing before or between them.
//!
//! A record is a label byte (CIFAR-100: two, the coarse class and the fine one), then 1,024 bytes each of red, green and
//! blue, row by row.

use std::io::{BufReader, Read};

use super::packed::{take, unpacked};
use crate::data::Size;
use crate::error::{Error, Result};

/// The layout of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes before the pixels; the last of them is the class.
    pub label_bytes: usize,
    /// The size of the image.
    pub size: Size,
    /// Number of classes.
    pub classes: usize,
}

impl Layout {
    fn record(&self) -> usize {
        self.label_bytes + self.size.bytes()
    }
}

/// Images and labels read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The images one after the other, each in planes.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u16>,
}

/// Adds the records of a file of at most `most` bytes; returns their number. Memory is taken record by record.
///
/// # Errors
/// When the length is not that of whole records, the file is empty or too long, or a label is no class.
pub fn read(source: impl Read, layout: &Layout, most: u64, into: &mut Records) -> Result<usize> {
    let mut source = BufReader::new(unpacked(source)?);
    let length = layout.record();
    let most = most as usize / length;
    let (mut count, mut record) = (0, Vec::with_capacity(length));
    loop {
        record.clear();
        take(&mut source, length as u64, &mut record)?;
        match record.len() {
            0 if count == 0 => return Err(damaged("it is empty")),
            0 => return Ok(count),
            _ if count == most => return Err(damaged(&format!("it goes on after its {most} records"))),
            there if there < length => {
                let bytes = count * length + there;
                return Err(damaged(&format!("its {bytes} bytes are not whole records of {length}")));
            }
            _ => into.push(&record, count, layout)?,
        }
        count += 1;
    }
}

impl Records {
    fn push(&mut self, record: &[u8], before: usize, layout: &Layout) -> Result<()> {
        let (labels, pixels) = record.split_at(layout.label_bytes);
        let label = labels.last().copied().unwrap_or(0);
        if usize::from(label) >= layout.classes {
            let number = before + 1;
            let classes = layout.classes;
            return Err(damaged(&format!(
                "record {number} has the label {label}, but there are only {classes} classes"
            )));
        }
        self.labels.push(label.into());
        self.pixels.extend_from_slice(pixels);
        Ok(())
    }
}

fn damaged(what: &str) -> Error {
    Error::Data(format!("this is no whole CIFAR file: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    /// One pixel in three colours, two label bytes.
    const TINY: Layout = Layout { label_bytes: 2, size: Size { channels: 3, height: 1, width: 1 }, classes: 3 };

    fn all(bytes: &[u8]) -> Result<Records> {
        let mut records = Records::default();
        let count = read(bytes, &TINY, 15, &mut records)?;
        assert_eq!(count, records.labels.len());
        Ok(records)
    }

    #[test]
    fn plain_and_packed_files_give_the_same_records() {
        let bytes = [9, 0, 10, 11, 12, 9, 2, 20, 21, 22];
        let records = Records { pixels: vec![10, 11, 12, 20, 21, 22], labels: vec![0, 2] };
        assert_eq!(all(&bytes).expect("whole"), records);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes).expect("memory");
        let packed = encoder.finish().expect("memory");
        assert_eq!(all(&packed).expect("whole"), records);
        assert!(all(&packed[..packed.len() - 4]).expect_err("cut").to_string().contains("gzip"));
    }

    #[test]
    fn each_kind_of_damage_has_its_own_words() {
        let complaint = |bytes: &[u8]| all(bytes).expect_err("must be refused").to_string();
        assert!(complaint(&[]).contains("empty"));
        assert!(complaint(&[0; 9]).contains("9 bytes are not whole records of 5"));
        assert!(complaint(&[0, 3, 1, 1, 1]).contains("record 1 has the label 3, but there are only 3 classes"));
        assert!(complaint(&[0; 16]).contains("after its 3 records"));
        assert_eq!(all(&[0; 15]).expect("as many as there may be").labels.len(), 3);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = all(&bytes);
        }
    }
}
