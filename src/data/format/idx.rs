//! The IDX format of MNIST and Fashion-MNIST (LeCun, Cortes and Burges 1998), plain or gzip.
//!
//! Two zero bytes, a byte for the type of the values (8: unsigned bytes), a byte for the number of dimensions, each
//! dimension as a big-endian 32-bit number, then the values.

use std::io::Read;

use super::packed::{take, unpacked};
use crate::data::{Size, Split};
use crate::error::{Error, Result};

const UNSIGNED_BYTES: u8 = 8;
/// Most values of a file; a header that states more is damaged.
const MAX_VALUES: usize = 1 << 31;
/// Most pixels of an image in each direction.
const MAX_SIDE: usize = 4096;

/// The header before the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    dims: Vec<usize>,
}

impl Header {
    /// Reads the header off the start of an unpacked file.
    ///
    /// # Errors
    /// When the magic number is wrong, the start is too short, or the dimensions are absurd.
    pub fn parse(start: &[u8]) -> Result<Self> {
        let &[zero, also_zero, kind, rank, ref rest @ ..] = start else {
            return Err(damaged("it ends within its header"));
        };
        if [zero, also_zero] != [0, 0] || !matches!(rank, 1..=4) {
            return Err(damaged("its magic number is not that of an IDX file"));
        }
        if kind != UNSIGNED_BYTES {
            return Err(damaged("its values are not unsigned bytes"));
        }
        let dims: Vec<usize> = rest
            .chunks_exact(4)
            .take(usize::from(rank))
            .map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize)
            .collect();
        if dims.len() < usize::from(rank) {
            return Err(damaged("it ends within its header"));
        }
        let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        if count.is_none_or(|count| count > MAX_VALUES) || dims[1..].iter().any(|&side| side == 0 || side > MAX_SIDE) {
            return Err(damaged(&format!("its header announces {dims:?} values")));
        }
        Ok(Self { dims })
    }

    /// Bytes of the header itself.
    pub fn bytes(&self) -> usize {
        4 + 4 * self.dims.len()
    }

    /// The dimensions, the number of items first.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn values(&self) -> usize {
        self.dims.iter().product()
    }
}

/// A whole file: header and exactly the values it announces. Memory is allocated as bytes arrive, so that a false header costs
/// nothing.
///
/// # Errors
/// When the file is not an IDX file, is cut short, or has bytes after its values.
pub fn read(source: impl Read) -> Result<(Header, Vec<u8>)> {
    let mut source = unpacked(source)?;
    let mut start = Vec::new();
    take(&mut source, 4, &mut start)?;
    let rank = start.get(3).copied().unwrap_or(0).min(4);
    take(&mut source, 4 * u64::from(rank), &mut start)?;
    let header = Header::parse(&start)?;
    let expected = header.values();
    let mut values = Vec::new();
    take(&mut source, expected as u64 + 1, &mut values)?;
    if values.len() < expected {
        return Err(damaged(&format!("it is cut short: {} of {expected} values are there", values.len())));
    }
    if values.len() > expected {
        return Err(damaged(&format!("there are bytes after its {expected} values")));
    }
    Ok((header, values))
}

/// Images and their labels.
///
/// # Errors
/// As [`read`]; also when one of the two is not what it should be or their counts differ.
pub fn split(images: impl Read, labels: impl Read) -> Result<Split> {
    let (header, pixels) = read(images)?;
    let &[count, height, width] = header.dims() else { return Err(damaged("it holds no images but labels")) };
    let (header, labels) = read(labels)?;
    let &[labelled] = header.dims() else { return Err(damaged("it holds no labels but images")) };
    if count != labelled {
        return Err(Error::Data(format!("there are {count} images but {labelled} labels")));
    }
    Split::new(Size { channels: 1, height, width }, pixels, labels.into_iter().map(u16::from).collect())
}

fn damaged(what: &str) -> Error {
    Error::Data(format!("this is no whole IDX file: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn file(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn complaint(images: &[u8], labels: &[u8]) -> String {
        split(images, labels).expect_err("must be refused").to_string()
    }

    #[test]
    fn plain_and_packed_files_give_the_same_images() {
        let (images, labels) = (file(&[2, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]), file(&[2], &[7, 3]));
        let plain = split(images.as_slice(), labels.as_slice()).expect("a split");
        assert_eq!(plain.size(), Size { channels: 1, height: 2, width: 3 });
        assert_eq!(plain.image(1), [6, 7, 8, 9, 10, 255]);
        assert_eq!(plain.labels(), [7, 3]);
        assert_eq!(split(gzip(&images).as_slice(), gzip(&labels).as_slice()).expect("a split"), plain);
    }

    #[test]
    fn each_kind_of_damage_has_its_own_words() {
        let (images, labels) = (file(&[2, 1, 1], &[1, 2]), file(&[2], &[0, 1]));
        assert!(complaint(b"\x00\x01\x08\x03", &labels).contains("magic number"));
        assert!(complaint(b"", &labels).contains("header"));
        assert!(complaint(&images[..9], &labels).contains("header"));
        assert!(complaint(&[&[0, 0, 13], &images[3..]].concat(), &labels).contains("unsigned bytes"));
        assert!(complaint(&images[..images.len() - 1], &labels).contains("1 of 2 values"));
        assert!(complaint(&[images.clone(), vec![0]].concat(), &labels).contains("after its 2 values"));
        assert!(complaint(&images, &file(&[3], &[0, 1, 2])).contains("2 images but 3 labels"));
        assert!(complaint(&images, &images).contains("no labels"));
        assert!(complaint(&labels, &labels).contains("no images"));
        let packed = gzip(&images);
        assert!(complaint(&packed[..packed.len() - 4], &labels).contains("gzip"));
    }

    #[test]
    fn a_false_header_takes_no_memory() {
        for dims in [[u32::MAX, u32::MAX, 2], [u32::MAX, 28, 28], [1, 5000, 1], [1, 0, 28]] {
            assert!(complaint(&file(&dims, &[]), &file(&[1], &[0])).contains("announces"), "{dims:?}");
        }
        // within the limits, but the values are not there: only what is there is read
        assert!(complaint(&file(&[2_000_000, 28, 28], &[1, 2, 3]), &file(&[1], &[0])).contains("3 of 1568000000"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), packed: bool) {
            let bytes = if packed { gzip(&bytes) } else { bytes };
            let _ = read(bytes.as_slice());
        }
    }
}
