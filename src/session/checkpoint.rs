//! A run as bytes: a safetensors file whose metadata holds the configuration and the position. The command line and the
//! page write and read the same.

use std::collections::HashMap;

use burn::tensor::TensorData;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::net::tensors::{self, Named};

/// Raised when checkpoints written before can no longer be continued.
pub const VERSION: u32 = 1;
/// The metadata's key.
const KEY: &str = "nolabel";

/// What a checkpoint says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// The run's configuration.
    pub config: RunConfig,
    /// Steps taken.
    pub step: usize,
    /// Seconds of training.
    pub elapsed_seconds: f64,
    /// Step events of the epoch under way.
    pub epoch_count: usize,
    /// The sum of their losses.
    pub epoch_loss: f64,
    /// The sum of their measures.
    pub epoch_metric: Option<f64>,
}

/// Reads tensors back and packs them.
///
/// # Errors
/// When the device is lost.
pub async fn write(header: &Header, named: Vec<Named>) -> Result<Vec<u8>> {
    let broken = |what: String| Error::Checkpoint(format!("the checkpoint could not be packed: {what}"));
    let text = serde_json::to_string(header).map_err(|error| broken(error.to_string()))?;
    let mut bytes = Vec::new();
    for (name, data) in tensors::read(named).await? {
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let floats: Vec<f32> = data.try_into_vec().map_err(|error| broken(format!("{error:?}")))?;
        let little: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.push((name, shape, little));
    }
    let views = bytes.iter().map(|(name, shape, little)| {
        Ok((
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), little).map_err(|error| broken(error.to_string()))?,
        ))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let metadata = HashMap::from([(KEY.to_string(), text)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| broken(error.to_string()))
}

/// Reads the header alone.
///
/// # Errors
/// When the bytes are not a whole checkpoint, or one of another version.
pub fn header(bytes: &[u8]) -> Result<Header> {
    parse(bytes).map(|(header, _)| header)
}

/// Reads header and tensors.
///
/// # Errors
/// As [`header`].
pub fn read(bytes: &[u8]) -> Result<(Header, HashMap<String, TensorData>)> {
    let (header, file) = parse(bytes)?;
    let mut values = HashMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(Error::Checkpoint(format!("`{name}` is not stored as 32-bit floats")));
        }
        let floats: Vec<f32> =
            view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        values.insert(name.to_string(), TensorData::new(floats, view.shape().to_vec()));
    }
    Ok((header, values))
}

fn parse(bytes: &[u8]) -> Result<(Header, SafeTensors<'_>)> {
    let damaged = |what: String| Error::Checkpoint(format!("this is not a whole checkpoint: {what}"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|map| map.get(KEY))
        .ok_or_else(|| damaged("nolabel did not write it".into()))?;
    let version: Version = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if version.version != VERSION {
        let written = version.version;
        return Err(Error::Checkpoint(format!(
            "the checkpoint has version {written}, this program reads version {VERSION}"
        )));
    }
    let header = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    Ok((header, file))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}
