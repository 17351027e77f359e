//! What an encoder reads of an image: all of it, its lightness alone, or two parts that its two halves read apart.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is read. Where an image is split, an encoder is two networks of half the width side by side, each of which sees its
/// own part and nothing of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Pixels, 0 to 1.
    #[default]
    Pixels,
    /// Lightness L, 0 to 100.
    Lightness,
    /// Split: lightness L and the colours a, b, about -110 to 110.
    Lab,
    /// Split: a blurred gray image, 0 to 1, and what the blur took away.
    Bands,
    /// Split: the left half of a gray image and its right half in the mirror, 0 to 1.
    Sides,
}

impl Input {
    /// Channels of each part, of images of so many channels.
    ///
    /// # Errors
    /// When such images cannot be read so.
    pub fn parts(self, channels: usize) -> Result<Vec<usize>> {
        match (self, channels) {
            (Input::Pixels, _) => Ok(vec![channels]),
            (Input::Lightness, 1 | 3) => Ok(vec![1]),
            (Input::Lab, 3) => Ok(vec![1, 2]),
            (Input::Bands | Input::Sides, 1) => Ok(vec![1, 1]),
            (Input::Lab, _) => Err(Error::Data(format!(
                "encoder.input = lab splits colour images, but these have {channels} channels; choose bands or sides for gray \
                 ones, or a data set with colour, for example cifar-10"
            ))),
            _ => Err(Error::Data(format!(
                "encoder.input = {} does not read images of {channels} channels; choose lab for images with colour",
                self.name()
            ))),
        }
    }

    /// Whether the encoder has two halves.
    pub fn is_split(self) -> bool {
        matches!(self, Input::Lab | Input::Bands | Input::Sides)
    }

    /// Its name in settings and in exported models.
    pub fn name(self) -> &'static str {
        match self {
            Input::Pixels => "pixels",
            Input::Lightness => "lightness",
            Input::Lab => "lab",
            Input::Bands => "bands",
            Input::Sides => "sides",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_with_what_to_do() {
        let lab = Input::Lab.parts(1).expect_err("no colour").to_string();
        assert!(lab.contains("encoder.input = lab") && lab.contains("cifar-10"), "{lab}");
        let bands = Input::Bands.parts(3).expect_err("colour").to_string();
        assert!(bands.contains("bands") && bands.contains("choose lab"), "{bands}");
    }
}
