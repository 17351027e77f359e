//! Input channels of an encoder: pixels, lightness, or an image split in two for an encoder of two halves.

use crate::error::{Error, Result};
use crate::options::words;

words! {
    /// Input of an encoder. For a split input the encoder is two networks of half the width, each of which reads one half of
    /// the channels and nothing of the other.
    #[derive(Default)]
    pub enum Input {
        /// Pixels, 0 to 1.
        #[default]
        Pixels = "pixels",
        /// Lightness L, 0 to 100.
        Lightness = "lightness",
        /// Split: lightness L and the colours a, b, about -110 to 110.
        Lab = "lab",
        /// Split: a blurred gray image, 0 to 1, and the difference from the original (low and high
        /// frequencies).
        Bands = "bands",
        /// Split: the left half of a gray image and its mirrored right half, 0 to 1.
        Sides = "sides",
    }
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
                self.word()
            ))),
        }
    }

    /// True if the encoder has two halves.
    pub fn is_split(self) -> bool {
        matches!(self, Input::Lab | Input::Bands | Input::Sides)
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
