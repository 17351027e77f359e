//! Images taken apart as an encoder reads them, and put together again.

use burn::tensor::Tensor;

use super::input::Input;
use crate::view::lab::{from_lab, lightness, to_lab};
use crate::view::{Kernel, blur};

/// Deviation in pixels of the blur between low and high frequencies.
const SIGMA: f32 = 2.0;

impl Input {
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
