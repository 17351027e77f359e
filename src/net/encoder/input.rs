//! Input channels of an encoder: pixels, lightness, or an image split in two for an encoder of two halves.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Input of an encoder. For a split input the encoder is two networks of half the width, each of which reads one half of the
/// channels and nothing of the other.
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
    /// Split: a blurred gray image, 0 to 1, and the difference from the original (low and high frequencies).
    Bands,
    /// Split: the left half of a gray image and its mirrored right half, 0 to 1.
    Sides,
}

impl Input {
    /// Channels that each half reads (one entry if not split), for images of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Data`] if the input does not exist for such images.
    pub fn split_channels(self, channels: usize) -> Result<Vec<usize>> {
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

    /// True if the encoder has two halves.
    pub fn is_split(self) -> bool {
        matches!(self, Input::Lab | Input::Bands | Input::Sides)
    }

    /// Name in settings and in exported models.
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
    fn an_error_suggests_an_input_that_works() {
        let lab = Input::Lab.split_channels(1).expect_err("no colour").to_string();
        assert!(lab.contains("encoder.input = lab") && lab.contains("cifar-10"), "{lab}");
        let bands = Input::Bands.split_channels(3).expect_err("colour").to_string();
        assert!(bands.contains("bands") && bands.contains("choose lab"), "{bands}");
    }
}
