//! Fully connected layers between an encoder and a task.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::net::{Encoder, Init, Mlp, MlpPlan, Norm};

/// Two fully connected layers with batch norm and without biases, as in AlexNet (4096-4096); `None` for width 0, where the task
/// reads the average over positions.
pub(crate) fn alexnet_layers(width: usize) -> Option<MlpPlan> {
    (width > 0).then(|| MlpPlan { output_norm: Norm::Batch, ..MlpPlan::normed(vec![width; 2]) })
}

/// Vectors of a task: global average pooling without layers, as in NIN, or fully connected layers with ReLU on the flattened
/// last map, as in AlexNet.
#[derive(Module, Debug)]
pub struct FcHead {
    layers: Option<Mlp>,
}

/// Channels, rows and columns of the last map for images of `size` (rows, columns).
///
/// # Errors
/// If the images are too small for the encoder.
pub(crate) fn last_map(encoder: &Encoder, size: [usize; 2], config: &RunConfig) -> Result<[usize; 3]> {
    let map = encoder.last_map_size(size);
    if map.contains(&0) {
        let [height, width] = size;
        let method = &config.method;
        return Err(Error::Config(format!(
            "{method} shows the encoder pieces of {height} x {width} px, of which it leaves nothing; make them larger or choose \
             another encoder.kind"
        )));
    }
    Ok(map)
}

impl FcHead {
    /// Head for images of `size` (rows, columns); without a plan it has no layers.
    ///
    /// # Errors
    /// If the images are too small for the encoder.
    pub(crate) fn init(
        plan: Option<MlpPlan>,
        encoder: &Encoder,
        size: [usize; 2],
        config: &RunConfig,
        init: &mut Init,
    ) -> Result<Self> {
        let [channels, rows, columns] = last_map(encoder, size, config)?;
        Ok(Self { layers: plan.map(|plan| plan.init(channels * rows * columns, init)) })
    }

    /// Changes the layers, for example their initial weights.
    pub(crate) fn map_layers(self, change: impl FnOnce(Mlp) -> Mlp) -> Self {
        Self { layers: self.layers.map(change) }
    }

    /// Features of a vector.
    pub(crate) fn width(&self, encoder: &Encoder) -> usize {
        self.layers.as_ref().map_or_else(|| encoder.width(), Mlp::width)
    }

    /// `[n, c, h, w]` in 0 to 1 -> `[n, width]`.
    pub(crate) fn forward(&self, encoder: &Encoder, images: Tensor<4>) -> Tensor<2> {
        match &self.layers {
            Some(layers) => relu(layers.forward(encoder.last_map(images).flatten(1, 3))),
            None => encoder.forward(images),
        }
    }
}
