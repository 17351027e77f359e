//! The file formats of the data sets that are known by name.

pub mod cifar;
mod cifar_pickle;
pub mod idx;
mod packed;

use std::io::{Cursor, Read};

use super::Split;
use super::catalogue::{Entry, File, Format, Holds, Part};
use crate::error::{Error, Result};
use cifar::{Layout, Records};
use packed::take;
pub use packed::unpacked;

/// A file that was opened.
pub struct Opened {
    /// Its name for messages.
    pub name: String,
    /// Its content, packed or not.
    pub bytes: Box<dyn Read>,
}

/// Reads one part of a data set; `open` opens its files.
///
/// # Errors
/// When a file is missing, damaged, or holds a label that is no class.
pub fn read(entry: &Entry, part: Part, open: &dyn Fn(&File) -> Result<Opened>) -> Result<Split> {
    match entry.format {
        Format::Idx => read_idx(entry, part, open),
        Format::Cifar { label_bytes } => read_cifar(entry, part, label_bytes, open),
    }
}

fn read_idx(entry: &Entry, part: Part, open: &dyn Fn(&File) -> Result<Opened>) -> Result<Split> {
    let images = open(entry.file(part, Holds::Images))?;
    let labels = open(entry.file(part, Holds::Labels))?;
    let names = format!("{} with {}", images.name, labels.name);
    let read = idx::split(images.bytes, labels.bytes).and_then(|split| {
        split.check_labels(entry.classes.len())?;
        Ok(split)
    });
    read.map_err(|error| Error::Data(format!("{names}: {error}")))
}

fn read_cifar(entry: &Entry, part: Part, label_bytes: usize, open: &dyn Fn(&File) -> Result<Opened>) -> Result<Split> {
    let layout = Layout { label_bytes, size: entry.size, classes: entry.classes.len() };
    let (mut records, mut counts) = (Records::default(), Vec::new());
    for file in entry.files.iter().filter(|file| file.part == part) {
        let Opened { name, bytes } = open(file)?;
        let count = read_batch(bytes, &layout, file.bytes, &mut records)
            .map_err(|error| Error::Data(format!("{name}: {error}")))?;
        counts.push((name, count));
    }
    // nothing in a file says how many records it should have, but the batches have all the same
    if let Some(pair) = counts.windows(2).find(|pair| pair[0].1 != pair[1].1) {
        let [(first, most), (second, other)] = [&pair[0], &pair[1]];
        return Err(Error::Data(format!("{first} holds {most} images but {second} {other}: one of them is not whole")));
    }
    Split::new(entry.size, records.pixels, records.labels)
}

/// Adds the records of a file of CIFAR's binary version, or of its Python version; returns their number.
fn read_batch(source: impl Read, layout: &Layout, most: u64, into: &mut Records) -> Result<usize> {
    let mut source = unpacked(source)?;
    let mut start = Vec::new();
    take(&mut source, 2, &mut start)?;
    let is_pickle = cifar_pickle::is_one(&start);
    let whole = Cursor::new(start).chain(source);
    if is_pickle { cifar_pickle::read(whole, layout, most, into) } else { cifar::read(whole, layout, most, into) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalogue::{CIFAR_10, CIFAR_100};

    /// Reads a part whose files hold `records` records each, damaged by `change`.
    fn part(entry: &Entry, part: Part, change: impl Fn(&str, &mut Vec<u8>)) -> Result<Split> {
        let Format::Cifar { label_bytes } = entry.format else { panic!("not this format") };
        read(entry, part, &|file| {
            let place = entry.files.iter().position(|other| other == file).expect("a file of the data set");
            let mut bytes = Vec::new();
            for record in 0..2 {
                bytes.extend(std::iter::repeat_n(record + 1, label_bytes - 1).chain([record + 7]));
                bytes.extend((0..3072).map(|pixel| (pixel % 251) as u8 + place as u8));
            }
            change(file.name, &mut bytes);
            Ok(Opened { name: file.name.into(), bytes: Box::new(std::io::Cursor::new(bytes)) })
        })
    }

    #[test]
    fn five_batches_are_read_and_the_last_label_byte_counts() {
        let train = part(&CIFAR_10, Part::Train, |_, _| {}).expect("a split");
        assert_eq!((train.len(), train.size()), (10, CIFAR_10.size));
        assert_eq!(train.labels(), [7, 8, 7, 8, 7, 8, 7, 8, 7, 8]);
        assert_eq!(
            (train.image(0)[1], train.image(4)[1], train.image(9)[3071]),
            (1, 3, 3071u32.rem_euclid(251) as u8 + 4)
        );
        let hundred = part(&CIFAR_100, Part::Test, |_, _| {}).expect("a split");
        assert_eq!((hundred.len(), hundred.labels()), (2, &[7u16, 8][..]));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_file_it_is_wrong_with() {
        let complaint = |wanted: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let read = part(&CIFAR_10, Part::Train, |name, bytes| {
                if name == wanted {
                    change(bytes)
                }
            });
            read.expect_err("must be refused").to_string()
        };
        let said = complaint("data_batch_3.bin", &|bytes| bytes[3073] = 10);
        assert!(said.contains("data_batch_3.bin: ") && said.contains("record 2 has the label 10"), "{said}");
        let said = complaint("data_batch_2.bin", &|bytes| bytes.truncate(3073 + 5));
        assert!(said.contains("data_batch_2.bin: ") && said.contains("3078 bytes"), "{said}");
        let said = complaint("data_batch_5.bin", &|bytes| bytes.truncate(3073));
        assert!(said.contains("data_batch_4.bin holds 2 images but data_batch_5.bin 1"), "{said}");
    }
}
