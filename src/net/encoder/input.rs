//! What an encoder reads of an image: all of it, its lightness alone, or two parts that its two halves read apart.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::view::lab::{from_lab, lightness, to_lab};
use crate::view::{Kernel, blur};

/// Deviation in pixels of the blur between low and high frequencies.
const SIGMA: f32 = 2.0;

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

    fn name(self) -> &'static str {
        match self {
            Input::Pixels => "pixels",
            Input::Lightness => "lightness",
            Input::Lab => "lab",
            Input::Bands => "bands",
            Input::Sides => "sides",
        }
    }

    /// All channels that are read, those of the first part first: `[n, c, h, w]` in 0 to 1 -> `[n, sum of parts, h', w']`.
    pub fn read(self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Input::Pixels => images,
            Input::Lightness => lightness(images),
            Input::Lab => to_lab(images),
            Input::Bands => {
                let low = blur(images.clone(), &vec![SIGMA; images.dims()[0]], Kernel::Pillow);
                Tensor::cat(vec![low.clone(), images - low], 1)
            }
            Input::Sides => {
                let [_, _, _, width] = images.dims();
                let (left, right) =
                    (images.clone().narrow(3, 0, width / 2), images.narrow(3, width - width / 2, width / 2));
                Tensor::cat(vec![left, right.flip([3])], 1)
            }
        }
    }

    /// Images of what was read, for drawing: [`Input::read`] undone, but for an odd column between sides.
    pub fn drawn(self, read: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = read.dims();
        let channel = |index| read.clone().narrow(1, index, 1);
        match self {
            Input::Pixels => read,
            Input::Lightness => {
                from_lab(Tensor::cat(vec![read.clone(), Tensor::zeros([n, 2, h, w], &read.device())], 1))
            }
            Input::Lab => from_lab(read),
            Input::Bands => (channel(0) + channel(1)).clamp(0.0, 1.0),
            Input::Sides => Tensor::cat(vec![channel(0), channel(1).flip([3])], 3).clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    const ALL: [Input; 5] = [Input::Pixels, Input::Lightness, Input::Lab, Input::Bands, Input::Sides];

    fn noise(channels: usize) -> Tensor<4> {
        Tensor::random([2, channels, 28, 28], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn parts_are_what_is_read_and_images_come_back() {
        for (input, channels) in ALL.into_iter().zip([3, 1, 3, 1, 1]) {
            let read = input.read(noise(channels));
            let parts = input.parts(channels).expect("such images can be read");
            assert_eq!(read.dims()[1], parts.iter().sum::<usize>(), "{input:?}");
            assert_eq!(parts.len() == 2, input.is_split());
            let x = noise(channels);
            let back = input.drawn(input.read(x.clone())).narrow(1, 0, channels);
            let error: f32 = (back - x).abs().max().into_scalar();
            assert!(error < 1e-3, "{input:?}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_what_to_do() {
        let lab = Input::Lab.parts(1).expect_err("no colour").to_string();
        assert!(lab.contains("encoder.input = lab") && lab.contains("cifar-10"), "{lab}");
        let bands = Input::Bands.parts(3).expect_err("colour").to_string();
        assert!(bands.contains("bands") && bands.contains("choose lab"), "{bands}");
    }

    #[test]
    fn high_frequencies_are_what_a_flat_image_lacks() {
        let flat = Input::Bands.read(Tensor::full([1, 1, 12, 12], 0.4, &Device::flex()));
        let high: f32 = flat.narrow(1, 1, 1).abs().max().into_scalar();
        assert!(high < 1e-6, "{high}");
    }

    #[test]
    fn the_right_side_is_mirrored_so_that_both_begin_at_the_border() {
        let row = Tensor::<4>::from_data([[[[1.0f32, 2.0, 3.0, 4.0, 5.0]]]], &Device::flex());
        let read: Vec<f32> = Input::Sides.read(row).into_data().try_to_vec().expect("floats");
        assert_eq!(read, [1.0, 2.0, 5.0, 4.0]);
    }
}
