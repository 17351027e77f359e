//! The Python version of CIFAR-10 and CIFAR-100: pickled dictionaries of an array of pixels and a list of labels. They are
//! read as data; nothing in them is executed.

use std::io::Read;

use super::cifar::{Layout, Records};
use super::packed::take;
use crate::error::{Error, Result};
use crate::pickle::{Fault, Id, Pickle, Value};

/// The first byte of a pickle of protocol 2 and later. No record begins with it, because labels are smaller.
const PROTOCOL: u8 = 0x80;
/// The keys of the labels, the finer ones first.
const LABELS: [&str; 2] = ["fine_labels", "labels"];
/// Bytes a pickle may have for names of files, beside its pixels.
const NAMES: u64 = 1 << 24;

/// True if a file that starts with these bytes is a pickle.
pub(super) fn is_one(start: &[u8]) -> bool {
    matches!(start, [PROTOCOL, 2..=5])
}

/// Adds the images of a pickle with at most `most` bytes of records; returns their number.
///
/// # Errors
/// When the pickle is not whole, holds other things, or a label is no class.
pub(super) fn read(mut source: impl Read, layout: &Layout, most: u64, into: &mut Records) -> Result<usize> {
    // as text, which is how Python 3 writes bytes for Python 2, a pixel takes up to two bytes
    let limit = 2 * most + NAMES;
    let mut bytes = Vec::new();
    take(&mut source, limit + 1, &mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(damaged(&format!("it has more than {limit} bytes")));
    }
    let pickle = Pickle::read(&bytes).map_err(|fault| match fault {
        Fault::At(at) => damaged(&format!("it is cut short or garbled at byte {at}")),
        Fault::TooLong => damaged("it is longer than any batch"),
    })?;
    let missing = |what: &str| damaged(&format!("it holds no {what}"));
    let data = pickle.entry(pickle.root, "data").ok_or_else(|| missing("`data`"))?;
    let pixels = array(&pickle, data).ok_or_else(|| damaged("its `data` is no array of bytes"))?;
    let labels = LABELS.iter().find_map(|key| pickle.entry(pickle.root, key)).ok_or_else(|| missing("`labels`"))?;
    let labels = pickle.parts(labels).ok_or_else(|| damaged("its `labels` are no list"))?;
    if labels.is_empty() || pixels.len() != labels.len() * layout.size.bytes() {
        let size = layout.size.bytes();
        return Err(damaged(&format!(
            "its {} bytes of pixels are not {} images of {size}",
            pixels.len(),
            labels.len()
        )));
    }
    for (number, id) in labels.iter().enumerate() {
        let label = pickle.count(*id).filter(|&label| label < layout.classes).ok_or_else(|| {
            damaged(&format!("the label of image {} is none of {} classes", number + 1, layout.classes))
        })?;
        into.labels.push(label as u16);
    }
    into.pixels.extend_from_slice(&pixels);
    Ok(labels.len())
}

/// The bytes of a NumPy array of unsigned bytes in the order of C.
fn array(pickle: &Pickle, id: Id) -> Option<Vec<u8>> {
    let Value::Call { function, arguments, state, .. } = &pickle.values[id] else { return None };
    let Value::Name(module, name) = pickle.values[*function] else { return None };
    if !module.starts_with("numpy") {
        return None;
    }
    // protocol 5: (bytes, type, shape, order); before: a state (version, shape, type, Fortran's order, bytes)
    let (bytes, kind, is_c) = match (name, pickle.parts(*arguments)?) {
        ("_frombuffer", [bytes, kind, _, order]) => (*bytes, *kind, pickle.text(*order)? == "C"),
        ("_reconstruct", _) => match pickle.parts((*state)?)? {
            [_, _, kind, fortran, bytes] => (*bytes, *kind, pickle.values[*fortran] == Value::Int(0)),
            _ => return None,
        },
        _ => return None,
    };
    (is_c && is_bytes(pickle, kind)).then(|| pickle.bytes(bytes).map(std::borrow::Cow::into_owned))?
}

/// True for NumPy's type of unsigned bytes.
fn is_bytes(pickle: &Pickle, kind: Id) -> bool {
    let Value::Call { arguments, .. } = &pickle.values[kind] else { return false };
    let first = pickle.parts(*arguments).and_then(|parts| parts.first());
    first.and_then(|id| pickle.bytes(*id)).is_some_and(|name| *name == *b"u1" || *name == *b"|u1")
}

fn damaged(what: &str) -> Error {
    Error::Data(format!("this is no whole batch of CIFAR for Python: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;

    const TINY: Layout = Layout { label_bytes: 1, size: Size { channels: 3, height: 1, width: 1 }, classes: 10 };

    /// The dictionary as Python 2 pickled it: two images of three bytes, `order` 1 for Fortran's.
    fn batch(labels: [u8; 2], pixels: &[u8], order: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(".to_vec();
        labels.iter().for_each(|label| bytes.extend([b'K', *label]));
        bytes
            .extend(b"eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nK\x00\x85U\x01b\x87R");
        bytes.extend(
            b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffK\x00tb",
        );
        bytes.extend(order);
        bytes.extend(b"U");
        bytes.push(pixels.len() as u8);
        bytes.extend(pixels);
        bytes.extend(b"tbu.");
        bytes
    }

    fn all(bytes: &[u8]) -> Result<Records> {
        let mut records = Records::default();
        read(bytes, &TINY, 100, &mut records)?;
        Ok(records)
    }

    #[test]
    fn a_batch_of_python_is_read() {
        let bytes = batch([7, 3], &[1, 200, 3, 4, 5, 255], b"\x89");
        assert!(is_one(&bytes[..2]) && !is_one(&[0x80, 9]));
        assert_eq!(all(&bytes).expect("whole"), Records { pixels: vec![1, 200, 3, 4, 5, 255], labels: vec![7, 3] });
    }

    #[test]
    fn each_kind_of_damage_has_its_own_words() {
        let complaint = |bytes: &[u8]| all(bytes).expect_err("must be refused").to_string();
        let whole = batch([7, 3], &[1, 2, 3, 4, 5, 6], b"\x89");
        assert!(complaint(&whole[..whole.len() - 9]).contains("cut short"));
        assert!(complaint(&batch([7, 10], &[0; 6], b"\x89")).contains("label of image 2 is none of 10"));
        assert!(complaint(&batch([7, 3], &[0; 5], b"\x89")).contains("5 bytes of pixels are not 2 images of 3"));
        assert!(complaint(&batch([7, 3], &[0; 6], b"\x88")).contains("no array of bytes"), "another order");
        assert!(complaint(b"\x80\x02}.").contains("no `data`"));
        assert!((0..whole.len()).all(|cut| all(&whole[..cut]).is_err()));
    }
}
