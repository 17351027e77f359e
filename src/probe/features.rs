//! Frozen features on the host, one row an image.

use burn::tensor::{Device, Tensor, TensorData, Transaction};

use crate::data::Split;
use crate::error::{Error, Result};
use crate::net::Encoder;
use crate::platform;

/// Images a forward pass.
const BATCH: usize = 250;

/// The features of some images at one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The layer's name.
    pub layer: String,
    /// Features an image.
    pub width: usize,
    /// `[n, width]` in row-major order.
    pub values: Vec<f32>,
}

impl Features {
    /// Images.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The features as rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// Some of the rows as features of their own.
    pub fn rows_of(&self, rows: std::ops::Range<usize>) -> Self {
        let values = self.values[rows.start * self.width..rows.end * self.width].to_vec();
        Self { layer: self.layer.clone(), width: self.width, values }
    }

    /// The rows at these places as features of their own.
    pub fn chosen(&self, places: &[usize]) -> Self {
        let row = |&place: &usize| &self.values[place * self.width..(place + 1) * self.width];
        let values = places.iter().flat_map(row).copied().collect();
        Self { layer: self.layer.clone(), width: self.width, values }
    }

    /// Rows from `start` to `end` as `[end - start, width]`.
    pub fn tensor(&self, start: usize, end: usize, device: &Device) -> Tensor<2> {
        let values = self.values[start * self.width..end * self.width].to_vec();
        Tensor::from_data(TensorData::new(values, [end - start, self.width]), device)
    }
}

/// The features of the first `wanted` images (0: all) at the layers named, in the encoder's order. The encoder is in
/// inference mode: taken with `valid()` from a model in training.
///
/// # Errors
/// When the device is lost.
pub async fn of_encoder(
    encoder: &Encoder,
    split: &Split,
    wanted: usize,
    grid: usize,
    layers: &[String],
    device: &Device,
) -> Result<Vec<Features>> {
    of_images(encoder, split, super::count(split, wanted), grid, layers, device).await
}

/// The same of the first `total` images, whether they have labels or not.
///
/// # Errors
/// When the device is lost.
pub async fn of_images(
    encoder: &Encoder,
    split: &Split,
    total: usize,
    grid: usize,
    layers: &[String],
    device: &Device,
) -> Result<Vec<Features>> {
    let images: Vec<usize> = (0..total).collect();
    of_chosen(encoder, split, &images, grid, layers, device).await
}

/// The same of the images at these places.
///
/// # Errors
/// When the device is lost.
pub async fn of_chosen(
    encoder: &Encoder,
    split: &Split,
    images: &[usize],
    grid: usize,
    layers: &[String],
    device: &Device,
) -> Result<Vec<Features>> {
    let chosen: Vec<usize> =
        encoder.layer_names().iter().enumerate().filter(|(_, name)| layers.contains(name)).map(|(i, _)| i).collect();
    let mut found: Vec<Features> = chosen
        .iter()
        .map(|&index| Features { layer: encoder.layer_names()[index].clone(), width: 1, values: Vec::new() })
        .collect();
    for some in images.chunks(BATCH) {
        let outputs = encoder.layers(split.tensor(some, device), grid);
        let mut transaction = Transaction::default();
        for (features, &index) in found.iter_mut().zip(&chosen) {
            features.width = outputs[index].dims()[1];
            transaction = transaction.register(outputs[index].clone());
        }
        let read = transaction.execute_async().await.map_err(|error| Error::DeviceLost(error.to_string()))?;
        for (features, data) in found.iter_mut().zip(read) {
            features.values.extend(floats(data)?);
        }
        platform::yield_now().await;
    }
    Ok(found)
}

/// The pixels of the first `wanted` images (0: all) in 0 to 1.
pub fn of_pixels(split: &Split, wanted: usize) -> Features {
    let images: Vec<usize> = (0..super::count(split, wanted)).collect();
    pixels_of(split, &images)
}

/// The pixels of the images at these places in 0 to 1.
pub fn pixels_of(split: &Split, images: &[usize]) -> Features {
    let values =
        images.iter().flat_map(|&index| split.image(index).iter().map(|&byte| f32::from(byte) / 255.0)).collect();
    Features { layer: "pixels".to_string(), width: split.size().bytes(), values }
}

/// Floats that were read back.
pub(super) fn floats(data: TensorData) -> Result<Vec<f32>> {
    data.try_into_vec().map_err(|error| Error::DeviceLost(format!("{error:?}")))
}
