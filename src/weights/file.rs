//! The tensors of a file in any of the known formats.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::array::{Array, Kind};
use super::export::{About, KEY};
use super::torch;
use crate::error::{Error, Result};

/// Keys under which files name their network: timm's, and others'.
pub(super) const CALLED: [&str; 4] = ["arch", "architecture", "model_name", "model"];

/// Bytes of a network's name.
const MAX_NAME: usize = 60;

/// The contents of a file.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Array<'a>>,
    /// The description that nolabel writes into the files it exports.
    pub about: Option<About>,
    /// The name that the file gives its network.
    pub called: Option<String>,
}

impl<'a> Contents<'a> {
    /// Tells the format and reads the table of tensors. No tensor is copied.
    ///
    /// # Errors
    /// When the file is of no known kind, or not whole.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        if torch::is_torch(bytes) {
            let (tensors, called) = torch::tensors(bytes)?;
            return Ok(Self { tensors, about: None, called: called.filter(|name| is_name(name)) });
        }
        if !looks_like_safetensors(bytes) {
            return Err(Error::Weights(
                "this is neither a safetensors file nor one that torch.save wrote, or its first bytes are lost".into(),
            ));
        }
        let damaged = |error| Error::Weights(format!("this is not a whole safetensors file: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let about = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let about = about.map(|text| serde_json::from_str(text)).transpose();
        let about = about.map_err(|error| {
            Error::Weights(format!(
                "it was exported by nolabel, but its description of the encoder is garbled: {error}"
            ))
        })?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let is_whole = view.dtype().bitsize().is_multiple_of(8);
            let shape = if is_whole { view.shape().to_vec() } else { vec![view.data().len()] };
            tensors.insert(name.to_string(), Array::packed(kind(view.dtype()), shape, view.data())?);
        }
        let called = metadata.metadata().as_ref().and_then(|map| CALLED.iter().find_map(|key| map.get(*key)).cloned());
        Ok(Self { tensors, about, called: called.filter(|name| is_name(name)) })
    }
}

/// True if the text can stand in a sentence.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// True if the file begins with the length of a header and a header.
fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// The number format of a tensor's bytes. Formats of less than a byte a number are no weights here: their bytes are counted.
fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::BF16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        other => Kind::Other(other.bitsize().div_ceil(8)),
    }
}
