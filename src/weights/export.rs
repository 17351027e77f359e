//! An encoder as a safetensors file.

use std::collections::HashMap;

use burn::tensor::TensorData;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::net::{Encoder, EncoderConfig, tensors};

/// The metadata key of [`About`].
pub(super) const KEY: &str = "nolabel";

/// The description of an encoder in an exported file, from which it can be built again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The architecture, and how it reads pixels.
    pub encoder: EncoderConfig,
    /// Channels of its input images.
    pub channels: usize,
    /// Its training: method, data set, steps.
    pub trained: String,
}

/// The encoder as a safetensors file with the names of [`Encoder::state`], which are torchvision's for residual networks.
///
/// # Errors
/// When the device is lost.
pub async fn safetensors(encoder: &Encoder, about: &About) -> Result<Vec<u8>> {
    let broken = |what: String| Error::Weights(format!("the encoder could not be packed: {what}"));
    let mut parts = Vec::new();
    for (name, data) in tensors::read(encoder.state()).await? {
        let (shape, bytes) = little(data)?;
        parts.push((name, shape, bytes));
    }
    let views = parts.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| broken(error.to_string()))?;
        Ok((name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    // loaders of PyTorch look for the second
    let said = HashMap::from([(KEY.to_string(), about.to_text()), ("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(said)).map_err(|error| broken(error.to_string()))
}

impl About {
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a description has only string keys")
    }
}

/// Shape and little-endian bytes of a tensor.
pub(super) fn little(data: TensorData) -> Result<(Vec<usize>, Vec<u8>)> {
    let shape = data.shape().iter().copied().collect();
    let floats: Vec<f32> = data.try_into_vec().map_err(|error| Error::DeviceLost(format!("{error:?}")))?;
    Ok((shape, floats.iter().flat_map(|value| value.to_le_bytes()).collect()))
}
