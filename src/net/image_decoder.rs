//! Decoder from feature vectors to images.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::{BatchNorm, Conv2d, Init, Linear};

/// Most rows and columns of the first map.
const FIRST: usize = 8;
/// Channels after the last upsampling.
const LAST: usize = 16;
/// Most channels of any map.
const MOST: usize = 256;

/// Image decoder: a linear layer to a map of at most 8x8; then, as often as the size needs, nearest-neighbour upsampling by 2 and
/// a 3x3 convolution to half the channels, batch norm and ReLU; last a 3x3 convolution to the image's channels and a sigmoid.
#[derive(Module, Debug)]
pub struct ImageDecoder {
    first: Linear,
    doublings: Vec<(Conv2d, BatchNorm)>,
    last: Conv2d,
    #[module(skip)]
    map: [usize; 3],
    #[module(skip)]
    size: [usize; 2],
}

impl ImageDecoder {
    /// Decoder from `width` features to images of `channels` channels and `size` (rows, columns).
    pub fn init(width: usize, channels: usize, size: [usize; 2], init: &mut Init) -> Self {
        let [rows, columns] = size;
        let doublings = (1..).find(|&times| rows.max(columns).div_ceil(1 << times) <= FIRST).unwrap_or(1);
        let widths: Vec<usize> = (0..=doublings).map(|left| (LAST << (doublings - left)).min(MOST)).collect();
        let map = [widths[0], rows.div_ceil(1 << doublings), columns.div_ceil(1 << doublings)];
        let first = Linear::init(width, map.iter().product(), true, init);
        let doublings = widths
            .windows(2)
            .map(|pair| (Conv2d::init([pair[0], pair[1]], 3, 1, 1, init), BatchNorm::init(pair[1], true, init)));
        let doublings = doublings.collect();
        let last = Conv2d::init([LAST, channels], 3, 1, 1, init).with_bias(init);
        Self { first, doublings, last, map, size }
    }

    /// `[n, width]` -> `[n, channels, rows, columns]` in 0 to 1.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<4> {
        let [n, _] = x.dims();
        let [c, h, w] = self.map;
        let map = relu(self.first.forward(x)).reshape([n, c, h, w]);
        let map =
            self.doublings.iter().fold(map, |map, (conv, norm)| norm.after_convolution(conv, doubled(map), true, 1));
        // rows and columns beyond the size are cut off, if the size is no multiple of the upsampling
        sigmoid(self.last.forward(map)).narrow(2, 0, self.size[0]).narrow(3, 0, self.size[1])
    }
}

/// Nearest-neighbour upsampling by 2: `[n, c, h, w]` -> `[n, c, 2 h, 2 w]`.
fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, 2, w, 2]).reshape([n, c, 2 * h, 2 * w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(size: [usize; 2], device: &Device) -> ImageDecoder {
        ImageDecoder::init(12, 3, size, &mut Init::new(stream(1, Purpose::Weights, 0), device))
    }

    #[test]
    fn images_have_the_requested_size_and_lie_in_0_to_1() {
        let device = Device::flex();
        for size in [[28, 28], [32, 32], [30, 17], [7, 9]] {
            let y = build(size, &device).forward(Tensor::random([2, 12], burn::tensor::Distribution::Default, &device));
            assert_eq!(y.dims(), [2, 3, size[0], size[1]]);
            let values: Vec<f32> = y.into_data().try_to_vec().expect("floats");
            assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        }
        assert_eq!((build([28, 28], &device).map, build([224, 224], &device).map), ([64, 7, 7], [256, 7, 7]));
    }

    #[test]
    fn upsampling_repeats_each_pixel_four_times() {
        let x = Tensor::<4>::from_data([[[[1.0f32, 2.0], [3.0, 4.0]]]], &Device::flex());
        let y: Vec<f32> = doubled(x).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
    }

    #[test]
    fn gradients_reach_every_weight() {
        let device = Device::flex().autodiff();
        let net = build([28, 28], &device);
        let x = Tensor::<2>::random([3, 12], burn::tensor::Distribution::Default, &device);
        let gradients = net.forward(x).square().mean().backward();
        let reaches =
            |weight: &Tensor<4>| weight.grad(&gradients).is_some_and(|g| g.abs().sum().into_scalar::<f32>() > 0.0);
        assert!(net.first.weight.val().grad(&gradients).is_some_and(|g| g.abs().sum().into_scalar::<f32>() > 0.0));
        assert!(net.doublings.iter().all(|(conv, _)| reaches(&conv.weight.val())) && reaches(&net.last.weight.val()));
    }
}
