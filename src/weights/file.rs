//! The tensors of a file, whichever of the known kinds it is of.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::array::{Array, Kind};
use super::export::{About, KEY};
use super::torch;
use crate::error::{Error, Result};

/// What a file holds.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// By name.
    pub tensors: BTreeMap<String, Array<'a>>,
    /// What nolabel wrote into the files it exported.
    pub about: Option<About>,
}

impl<'a> Contents<'a> {
    /// Finds out what the bytes are and what tensors they hold. No tensor is copied.
    ///
    /// # Errors
    /// When the file is of no known kind, or not whole.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        if torch::is_torch(bytes) {
            return Ok(Self { tensors: torch::tensors(bytes)?, about: None });
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
                "it was exported by nolabel, but what that wrote of the encoder is garbled: {error}"
            ))
        })?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let Some(kind) = kind(view.dtype()) else { continue };
            tensors.insert(name.to_string(), Array::packed(kind, view.shape().to_vec(), view.data())?);
        }
        Ok(Self { tensors, about })
    }
}

/// Whether the file begins with the length of a header and a header.
fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::BF16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::BOOL | Dtype::U8 | Dtype::I8 => Kind::Other(1),
        Dtype::I16 | Dtype::U16 => Kind::Other(2),
        Dtype::I32 | Dtype::U32 => Kind::Other(4),
        Dtype::I64 | Dtype::U64 => Kind::Other(8),
        _ => return None,
    })
}
