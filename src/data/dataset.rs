//! Images in memory as bytes, turned into tensors a batch at a time.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::Sequence;
use crate::error::{Error, Result};

/// The size of every image of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl Size {
    /// Bytes of an image.
    pub fn bytes(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// A split of a data set: images with their labels. Images may still be arriving; `total` is their final number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    size: Size,
    total: usize,
    pixels: Vec<u8>,
    labels: Vec<u16>,
    /// The order of the frames, if the images are frames of clips.
    sequence: Option<Sequence>,
    /// The file of each image within its folder; empty where images have no files of their own.
    files: Vec<String>,
}

impl Split {
    /// An empty split for `total` images; memory is taken as images arrive.
    pub fn expecting(size: Size, total: usize) -> Self {
        Self { size, total, pixels: Vec::new(), labels: Vec::new(), sequence: None, files: Vec::new() }
    }

    /// A complete split.
    ///
    /// # Errors
    /// When there is not one image per label.
    pub fn new(size: Size, pixels: Vec<u8>, labels: Vec<u16>) -> Result<Self> {
        let count = labels.len();
        let split = Self { labels, ..Self::unlabelled(size, pixels)? };
        if split.total != count {
            return Err(Error::Data(format!("there are {} images but {count} labels", split.total)));
        }
        Ok(split)
    }

    /// A complete split of images without labels.
    ///
    /// # Errors
    /// When the pixels are not whole images.
    pub fn unlabelled(size: Size, pixels: Vec<u8>) -> Result<Self> {
        if !pixels.len().is_multiple_of(size.bytes()) {
            return Err(Error::Data(format!("{} bytes are not whole images of {} bytes", pixels.len(), size.bytes())));
        }
        Ok(Self {
            size,
            total: pixels.len() / size.bytes(),
            pixels,
            labels: Vec::new(),
            sequence: None,
            files: Vec::new(),
        })
    }

    /// The same split as frames of clips.
    ///
    /// # Errors
    /// When there are not as many frames as images.
    pub fn in_sequence(self, sequence: Sequence) -> Result<Self> {
        if sequence.len() != self.total {
            return Err(Error::Data(format!("there are {} images but {} frames", self.total, sequence.len())));
        }
        Ok(Self { sequence: Some(sequence), ..self })
    }

    /// The same with the name of a file for each image.
    ///
    /// # Errors
    /// When there are not as many names as images.
    pub fn with_files(self, files: Vec<String>) -> Result<Self> {
        if files.len() != self.total {
            return Err(Error::Data(format!("there are {} images but {} files", self.total, files.len())));
        }
        Ok(Self { files, ..self })
    }

    /// Adds images (planar channels, rows of bytes) that arrived.
    ///
    /// # Errors
    /// When the bytes are not whole images or more come than were announced.
    pub fn push_images(&mut self, pixels: &[u8]) -> Result<()> {
        let arrived = pixels.len() / self.size.bytes();
        if !pixels.len().is_multiple_of(self.size.bytes()) || self.len() + arrived > self.total {
            return Err(Error::Data(format!("{} bytes do not fit a split of {} images", pixels.len(), self.total)));
        }
        self.pixels.extend_from_slice(pixels);
        Ok(())
    }

    /// Adds labels that arrived.
    ///
    /// # Errors
    /// When more come than were announced.
    pub fn push_labels<L: Copy + Into<u16>>(&mut self, labels: &[L]) -> Result<()> {
        if self.labels.len() + labels.len() > self.total {
            return Err(Error::Data(format!("there are more labels than the {} images", self.total)));
        }
        self.labels.extend(labels.iter().map(|&label| label.into()));
        Ok(())
    }

    /// Number of images that have arrived.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size.bytes()
    }

    /// True if there are two images or more and all that are there are equal, byte for byte.
    pub fn is_uniform(&self) -> bool {
        let mut images = self.pixels.chunks_exact(self.size.bytes());
        let first = images.next();
        self.len() > 1 && images.all(|image| Some(image) == first)
    }

    /// True if no image has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// True if these images have arrived, and the frames they are compared with.
    pub fn holds(&self, indices: &[usize]) -> bool {
        let there = |index| index < self.len();
        let partner_there = |&index: &usize| self.sequence.as_ref().is_none_or(|known| there(known.partner(index)));
        indices.iter().all(|index| there(*index) && partner_there(index))
    }

    /// Number of images once all have arrived.
    pub fn total(&self) -> usize {
        self.total
    }

    /// True if every image has arrived, and a label for each if there are labels at all.
    pub fn is_complete(&self) -> bool {
        self.len() == self.total && (self.labels.is_empty() || self.labels.len() == self.total)
    }

    /// The size of the images.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The labels that have arrived, in the order of the images.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The file of each image within its folder, its parts joined by `/`; empty where images have no files of their own.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The order of the frames, if the images are frames of clips.
    pub fn sequence(&self) -> Option<&Sequence> {
        self.sequence.as_ref()
    }

    /// Refuses labels beyond the last of `classes` classes.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_labels(&self, classes: usize) -> Result<()> {
        match self.labels.iter().find(|&&label| usize::from(label) >= classes) {
            Some(label) => Err(Error::Data(format!("there is a label {label}, but only {classes} classes"))),
            None => Ok(()),
        }
    }

    /// One image's bytes.
    pub fn image(&self, index: usize) -> &[u8] {
        let bytes = self.size.bytes();
        &self.pixels[index * bytes..(index + 1) * bytes]
    }

    /// The images at `indices` as `[n, c, h, w]` in 0 to 1.
    pub fn tensor(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let mut values = Vec::with_capacity(indices.len() * self.size.bytes());
        for &index in indices {
            values.extend(self.image(index).iter().map(|&byte| f32::from(byte) / 255.0));
        }
        let Size { channels, height, width } = self.size;
        Tensor::from_data(TensorData::new(values, [indices.len(), channels, height, width]), device)
    }

    /// Gray images as RGB images of three equal channels.
    pub fn in_colour(&self) -> Self {
        let size = Size { channels: 3, ..self.size };
        let thrice = |index| [self.image(index); 3].concat();
        let pixels = (0..self.len()).flat_map(thrice).collect();
        Self {
            size,
            total: self.total,
            pixels,
            labels: self.labels.clone(),
            sequence: self.sequence.clone(),
            files: self.files.clone(),
        }
    }

    /// The same before any image or label arrived.
    pub fn hollow(&self) -> Self {
        Self { sequence: self.sequence.clone(), ..Self::expecting(self.size, self.total) }
    }
}

/// A data set with names for its classes. Labels are used by probes alone, never by training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The name in the catalogue, for example `fashion-mnist`; `folder` for images of the user's own.
    pub name: String,
    /// The names of the labels; empty if there are none.
    pub classes: Vec<String>,
    /// Images to learn from.
    pub train: Split,
    /// Images that settings of the probes are chosen by, where the data set sets some apart.
    pub validation: Option<Split>,
    /// Images to test on; nothing is chosen by them.
    pub test: Split,
}
