//! Conversion between images and an encoder's input channels.

use burn::tensor::Tensor;

use super::input::Input;
use crate::view::lab::{from_lab, lightness, to_lab};
use crate::view::{Kernel, blur};

/// Standard deviation, in pixels, of the blur that separates low from high frequencies.
const SIGMA: f32 = 2.0;

impl Input {
    /// Input channels of images, those of the first half first: `[n, c, h, w]` in 0 to 1 -> `[n, c', h', w']` with c' the sum of
    /// [`Input::split_channels`].
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
                let left = images.clone().narrow(3, 0, width / 2);
                let right = images.narrow(3, width - width / 2, width / 2);
                Tensor::cat(vec![left, right.flip([3])], 1)
            }
        }
    }

    /// Images of input channels, for display: the inverse of [`Input::read`], but for the middle column of an odd number of columns
    /// that `Sides` drops.
    pub fn to_images(self, read: Tensor<4>) -> Tensor<4> {
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
    fn to_images_undoes_read() {
        for (input, channels) in ALL.into_iter().zip([3, 1, 3, 1, 1]) {
            let read = input.read(noise(channels));
            let halves = input.split_channels(channels).expect("such images can be read");
            assert_eq!(read.dims()[1], halves.iter().sum::<usize>(), "{input:?}");
            assert_eq!(halves.len() == 2, input.is_split());
            let x = noise(channels);
            let back = input.to_images(input.read(x.clone())).narrow(1, 0, channels);
            let error: f32 = (back - x).abs().max().into_scalar();
            assert!(error < 1e-3, "{input:?}: {error}");
        }
    }

    #[test]
    fn a_flat_image_has_no_high_frequencies() {
        let flat = Input::Bands.read(Tensor::full([1, 1, 12, 12], 0.4, &Device::flex()));
        let high: f32 = flat.narrow(1, 1, 1).abs().max().into_scalar();
        assert!(high < 1e-6, "{high}");
    }

    #[test]
    fn the_right_side_is_mirrored() {
        let row = Tensor::<4>::from_data([[[[1.0f32, 2.0, 3.0, 4.0, 5.0]]]], &Device::flex());
        let read: Vec<f32> = Input::Sides.read(row).into_data().try_to_vec().expect("floats");
        assert_eq!(read, [1.0, 2.0, 5.0, 4.0]);
    }
}
