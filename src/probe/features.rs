//! Frozen features on the host, one row for each image.

use burn::tensor::{Device, Tensor, TensorData, Transaction};

use crate::data::{Size, Split};
use crate::error::{Error, Result};
use crate::net::Encoder;
use crate::platform;

/// Images in a forward pass.
const BATCH: usize = 250;

/// The features of some images at one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The layer's name.
    pub layer: String,
    /// Features of an image.
    pub width: usize,
    /// `[n, width]` in row-major order.
    pub values: Vec<f32>,
}

impl Features {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// True if there are no images.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The features of one image.
    pub fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.width..(place + 1) * self.width]
    }

    /// The rows of both, one after the other.
    pub fn with(&self, other: &Self) -> Self {
        let values = [self.values.as_slice(), &other.values].concat();
        Self { layer: self.layer.clone(), width: self.width, values }
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
        let values = places.iter().flat_map(|&place| self.row(place)).copied().collect();
        Self { layer: self.layer.clone(), width: self.width, values }
    }

    /// Rows from `start` to `end` as `[end - start, width]`.
    pub fn tensor(&self, start: usize, end: usize, device: &Device) -> Tensor<2> {
        let values = self.values[start * self.width..end * self.width].to_vec();
        Tensor::from_data(TensorData::new(values, [end - start, self.width]), device)
    }
}

/// The features of the first `total` images at the layers named, in the encoder's order; see [`of_encoder`].
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
    of_encoder(encoder, split, &images, grid, layers, device).await
}

/// The features of the images at these places at the layers named, in the encoder's order. The encoder is in inference mode:
/// taken with `valid()` from a model in training.
///
/// # Errors
/// When the device is lost.
pub async fn of_encoder(
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
        let read = transaction.execute_async().await.map_err(Error::read)?;
        for (features, data) in found.iter_mut().zip(read) {
            features.values.extend(floats(data)?);
        }
        platform::yield_now().await;
    }
    Ok(found)
}

/// Number of features held in memory at once: 1.6 GB. Further layers take further passes over the images.
pub(super) const HELD: usize = 400_000_000;
/// Number of pixel values held in memory at once: 1 GB.
const PIXELS: usize = 1 << 28;

/// Factor of average pooling at which `images` images fit into memory; 1 where they fit as they are.
pub fn pooling(size: Size, images: usize) -> usize {
    let pooled = |factor: usize| size.channels * size.height.div_ceil(factor) * size.width.div_ceil(factor);
    let fits = |factor: &usize| images.saturating_mul(pooled(*factor)) <= PIXELS;
    (1..=size.height.max(size.width).max(1)).find(fits).unwrap_or(size.height.max(size.width).max(1))
}

/// The layer name of pixels pooled by `factor`: `pixels`, `pixels/2`, ...
pub fn pixel_layer(factor: usize) -> String {
    if factor == 1 { "pixels".to_string() } else { format!("pixels/{factor}") }
}

/// The pixels of the images at these places in 0 to 1, as means over blocks of `factor` x `factor` pixels (smaller ones at the
/// right and lower edge).
pub fn of_pixels(split: &Split, images: &[usize], factor: usize) -> Features {
    let size = split.size();
    let height = size.height.div_ceil(factor);
    let width = size.width.div_ceil(factor);
    let mut values = Vec::with_capacity(images.len() * size.channels * height * width);
    for &index in images {
        let image = split.image(index);
        if factor == 1 {
            values.extend(image.iter().map(|&byte| f32::from(byte) / 255.0));
            continue;
        }
        for plane in image.chunks_exact(size.height * size.width) {
            values.extend((0..height * width).map(|cell| block(plane, size, cell / width, cell % width, factor)));
        }
    }
    Features { layer: pixel_layer(factor), width: size.channels * height * width, values }
}

/// The mean of one block of a channel, in 0 to 1.
fn block(plane: &[u8], size: Size, row: usize, column: usize, factor: usize) -> f32 {
    let rows = row * factor..((row + 1) * factor).min(size.height);
    let columns = column * factor..((column + 1) * factor).min(size.width);
    let count = rows.len() * columns.len();
    let sum: u32 = rows
        .flat_map(|row| &plane[row * size.width + columns.start..row * size.width + columns.end])
        .map(|&byte| u32::from(byte))
        .sum();
    sum as f32 / (255 * count) as f32
}

/// Floats that were read back.
pub(super) fn floats(data: TensorData) -> Result<Vec<f32>> {
    data.try_into_vec().map_err(|error| Error::DeviceLost(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_do_not_fit_are_pooled() {
        let size = Size { channels: 3, height: 224, width: 224 };
        assert_eq!([60, 1700, 10_000].map(|images| pooling(size, images)), [1, 1, 3]);
        let small = Size { channels: 3, height: 32, width: 32 };
        assert_eq!(pooling(small, 60_000), 1, "CIFAR-10 is read as it is");
        let tiny = Size { channels: 1, height: 2, width: 3 };
        let split = Split::unlabelled(tiny, vec![0, 51, 102, 153, 204, 255]).expect("an image");
        let pooled = of_pixels(&split, &[0], 2);
        assert_eq!((pooled.layer.as_str(), pooled.width), ("pixels/2", 2));
        assert_eq!(pooled.values, [0.4, 0.7], "a block of four and one of two");
        assert_eq!(of_pixels(&split, &[0], 1).values, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    }
}
