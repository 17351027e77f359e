//! Files of `torch.save`: an archive with a pickle that describes tensors and an entry for each storage, or, before
//! PyTorch 1.6, several pickles and then the storages.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::array::{Array, Kind};
use super::file::CALLED;
use super::zip::Archive;
use crate::error::{Error, Result};
use crate::pickle::{Fault, Id, Pickle, Value};

/// The first bytes of an archive.
const ZIP: &[u8] = b"PK\x03\x04";
/// The number that is the first pickle of an old file.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// Limits on nested dictionaries, on the characters of a key and on the tensors of a file, all above those of real checkpoints.
const MAX_DEPTH: usize = 8;
const MAX_KEY: usize = 200;
const MAX_TENSORS: usize = 100_000;

/// True if these are the first bytes of such a file.
pub(super) fn is_torch(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) || starts_old(bytes)
}

/// Tensors by name, and the name of the network where the file has one.
type Tensors<'a> = (BTreeMap<String, Array<'a>>, Option<String>);

/// All tensors by the keys that lead to them, joined by dots: `state_dict.module.encoder_q.conv1.weight`. Beside them the name
/// that the outermost dictionary gives the network.
///
/// # Errors
/// When the file is not whole.
pub(super) fn tensors(bytes: &[u8]) -> Result<Tensors<'_>> {
    if bytes.starts_with(ZIP) { from_archive(bytes) } else { from_old(bytes) }
}

fn from_archive(bytes: &[u8]) -> Result<Tensors<'_>> {
    let archive = Archive::open(bytes)?;
    let mut roots = archive.names().filter_map(|name| name.strip_suffix("data.pkl"));
    let root = roots.next().ok_or_else(|| Error::Weights("this archive was not written by torch.save".into()))?;
    let order = format!("{root}byteorder");
    if archive.names().any(|name| name == order) && archive.read(&order)? != b"little" {
        return Err(Error::Weights("its numbers are stored in big-endian order, which is not read here".into()));
    }
    let pickle = Pickle::read(archive.read(&format!("{root}data.pkl"))?).map_err(fault)?;
    let mut storages = Storages::new(&pickle, |key| archive.read(&format!("{root}data/{key}")));
    Ok((storages.collect()?, storages.called()))
}

fn starts_old(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64)];
    Pickle::read(start).is_ok_and(|pickle| pickle.values[pickle.root] == Value::Int(MAGIC))
}

fn from_old(bytes: &[u8]) -> Result<Tensors<'_>> {
    let mut rest = bytes;
    let mut next = || {
        let pickle = Pickle::read(rest).map_err(fault)?;
        rest = &rest[pickle.length..];
        Ok::<_, Error>(pickle)
    };
    // the magic number, the version, and facts about the machine that wrote it
    for _ in 0..3 {
        next()?;
    }
    let described = next()?;
    let order = next()?;
    let sizes = element_sizes(&described);
    let keys = order.parts(order.root).ok_or_else(cut_short)?;
    let mut found = HashMap::new();
    for key in keys {
        let key = order.text(*key).ok_or_else(cut_short)?;
        let size = *sizes.get(key).ok_or_else(cut_short)?;
        let (count, after) = rest.split_at_checked(8).ok_or_else(cut_short)?;
        let count = count.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(size)).ok_or_else(cut_short)?;
        let (storage, after) = after.split_at_checked(length).ok_or_else(cut_short)?;
        found.insert(key, storage);
        rest = after;
    }
    let mut storages = Storages::new(&described, |key| found.get(key).copied().ok_or_else(cut_short));
    Ok((storages.collect()?, storages.called()))
}

/// Bytes of a number in each storage of a pickle.
fn element_sizes<'a>(pickle: &Pickle<'a>) -> HashMap<&'a str, usize> {
    let ids = pickle.values.iter().filter_map(|value| match value {
        Value::Outside(id) => storage(pickle, *id),
        _ => None,
    });
    ids.map(|(kind, key)| (key, kind.bytes())).collect()
}

fn fault(fault: Fault) -> Error {
    Error::Weights(match fault {
        Fault::At(at) => {
            format!("its list of tensors is cut short, garbled, or not as torch.save writes it (byte {at} of it)")
        }
        Fault::TooLong => "its list of tensors is longer than that of any network".to_string(),
    })
}

fn cut_short() -> Error {
    Error::Weights("the file is cut short or garbled; fetch it again".into())
}

/// The kind and key of a storage, from `('storage', torch.FloatStorage, '0', 'cpu', 64)`.
fn storage<'a>(pickle: &Pickle<'a>, id: Id) -> Option<(Kind, &'a str)> {
    let [word, class, key, ..] = pickle.parts(id)? else { return None };
    let Value::Name(_, class) = pickle.values[*class] else { return None };
    let kind = match class {
        "FloatStorage" => Kind::F32,
        "DoubleStorage" => Kind::F64,
        "HalfStorage" => Kind::F16,
        "BFloat16Storage" => Kind::BF16,
        "LongStorage" => Kind::Other(8),
        "IntStorage" => Kind::Other(4),
        "ShortStorage" => Kind::Other(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" | "UntypedStorage" => Kind::Other(1),
        "ComplexFloatStorage" => Kind::Other(8),
        "ComplexDoubleStorage" => Kind::Other(16),
        _ => return None,
    };
    (pickle.text(*word)? == "storage").then_some((kind, pickle.text(*key)?))
}

/// A walk through the dictionaries of a pickle, which finds the tensors' numbers.
struct Storages<'p, 'a, F> {
    pickle: &'p Pickle<'a>,
    read: F,
    known: HashMap<&'a str, &'a [u8]>,
    found: BTreeMap<String, Array<'a>>,
}

impl<'p, 'a, F: Fn(&str) -> Result<&'a [u8]>> Storages<'p, 'a, F> {
    fn new(pickle: &'p Pickle<'a>, read: F) -> Self {
        Self { pickle, read, known: HashMap::new(), found: BTreeMap::new() }
    }

    fn collect(&mut self) -> Result<BTreeMap<String, Array<'a>>> {
        let mut open = vec![(String::new(), self.pickle.root, 0)];
        // a shared dictionary is entered once: sharing could make the work of a short file endless
        let mut seen = HashSet::new();
        while let Some((path, id, depth)) = open.pop() {
            if let Some(array) = self.tensor(id)? {
                self.found.insert(path, array);
                if self.found.len() > MAX_TENSORS {
                    return Err(Error::Weights(format!("it holds more than {MAX_TENSORS} tensors")));
                }
                continue;
            }
            let items = self.items(id);
            if depth == MAX_DEPTH || items.is_empty() || !seen.insert(id) {
                continue;
            }
            for (key, value) in items {
                let Some(key) = self.key(*key).filter(|key| key.len() <= MAX_KEY) else { continue };
                let inner = if path.is_empty() { key } else { format!("{path}.{key}") };
                if self.is_worth_opening(*value) {
                    open.push((inner, *value, depth + 1));
                }
            }
        }
        Ok(std::mem::take(&mut self.found))
    }

    /// The text under one of the keys that name a network.
    fn called(&self) -> Option<String> {
        let items = self.items(self.pickle.root).iter();
        let named = |(key, _): &&(Id, Id)| self.pickle.text(*key).is_some_and(|key| CALLED.contains(&key));
        items.filter(named).find_map(|(_, value)| self.pickle.text(*value).map(str::to_string))
    }

    fn is_worth_opening(&self, id: Id) -> bool {
        matches!(self.pickle.values[id], Value::Dict(_) | Value::Call { .. })
    }

    fn items(&self, id: Id) -> &'p [(Id, Id)] {
        match &self.pickle.values[id] {
            Value::Dict(items) | Value::Call { items, .. } => items,
            _ => &[],
        }
    }

    fn key(&self, id: Id) -> Option<String> {
        let number = || self.pickle.count(id).map(|number| number.to_string());
        self.pickle.text(id).map(str::to_string).or_else(number)
    }

    /// The tensor at `id`; nothing where another object is.
    fn tensor(&mut self, id: Id) -> Result<Option<Array<'a>>> {
        let Value::Call { function, arguments, .. } = self.pickle.values[id] else { return Ok(None) };
        let (Value::Name(module, name), Some(arguments)) =
            (&self.pickle.values[function], self.pickle.parts(arguments))
        else {
            return Ok(None);
        };
        match (*module, *name, arguments) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2", [storage, start, shape, strides, ..]) => {
                self.strided([*storage, *start, *shape, *strides]).transpose()
            }
            // a parameter wraps a tensor, never another parameter
            ("torch._utils", "_rebuild_parameter", [inner, ..]) if *inner < id => match self.pickle.values[*inner] {
                Value::Call { function, .. } if self.pickle.values[function] != Value::Name(module, name) => {
                    self.tensor(*inner)
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn strided(&mut self, [outside, start, shape, strides]: [Id; 4]) -> Option<Result<Array<'a>>> {
        let pickle = self.pickle;
        let Value::Outside(described) = pickle.values[outside] else { return None };
        let (kind, key) = storage(pickle, described)?;
        let numbers = |id: Id| pickle.parts(id)?.iter().map(|&id| pickle.count(id)).collect::<Option<Vec<usize>>>();
        let start = pickle.count(start)?;
        let shape = numbers(shape)?;
        let strides = numbers(strides)?;
        let bytes = match self.known.get(key) {
            Some(bytes) => *bytes,
            None => match (self.read)(key) {
                Ok(bytes) => *self.known.entry(key).or_insert(bytes),
                Err(error) => return Some(Err(error)),
            },
        };
        Some(Array::strided(kind, shape, strides, start, bytes))
    }
}
