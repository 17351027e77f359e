//! From a vector back to an image.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::{BatchNorm, Conv2d, Init, Linear};

/// The largest first map, to a side.
const FIRST: usize = 8;
/// Channels after the last doubling.
const LAST: usize = 16;
/// No map has more channels.
const MOST: usize = 256;

/// A small decoder: a linear layer to a map of at most 8x8, then as often as needed every pixel doubled to each side and
/// a 3x3 convolution of half as many channels with batch norm and ReLU; last a convolution to the channels of the image
/// and a sigmoid.
#[derive(Module, Debug)]
pub struct Redraw {
    first: Linear,
    doublings: Vec<(Conv2d, BatchNorm)>,
    last: Conv2d,
    #[module(skip)]
    map: [usize; 3],
    #[module(skip)]
    size: [usize; 2],
}

impl Redraw {
    /// From vectors of `width` numbers to images of `channels` and `size` (rows, columns).
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
        let ([n, _], [c, h, w]) = (x.dims(), self.map);
        let map = relu(self.first.forward(x)).reshape([n, c, h, w]);
        let map = self.doublings.iter().fold(map, |map, (conv, norm)| relu(norm.forward(conv.forward(doubled(map)))));
        // what stands over where the size is no multiple is cut off
        sigmoid(self.last.forward(map)).narrow(2, 0, self.size[0]).narrow(3, 0, self.size[1])
    }
}

/// Every pixel four times: `[n, c, h, w]` -> `[n, c, 2 h, 2 w]`.
fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, 2, w, 2]).reshape([n, c, 2 * h, 2 * w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(size: [usize; 2], device: &Device) -> Redraw {
        Redraw::init(12, 3, size, &mut Init::new(stream(1, Purpose::Weights, 0), device))
    }

    #[test]
    fn images_have_the_asked_size_and_range() {
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
    fn pixels_are_doubled() {
        let x = Tensor::<4>::from_data([[[[1.0f32, 2.0], [3.0, 4.0]]]], &Device::flex());
        let y: Vec<f32> = doubled(x).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
    }

    #[test]
    fn every_weight_learns() {
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
