//! A fully connected layer that keeps channels apart.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;

/// A fully connected layer for each map by itself: every pixel of a map sees all pixels of the same map and nothing of the
/// others. `y[n, c, q] = sum_p x[n, c, p] w[c, p, q]`, m n^4 weights for m maps of n times n (Pathak et al. 2016, section
/// 3.1); a dense layer would have m^2 n^4.
#[derive(Module, Debug)]
pub struct ChannelWise {
    /// `[c, p, q]`, pixels in reading order.
    pub weight: Param<Tensor<3>>,
}

impl ChannelWise {
    /// From maps of `from` times `from` pixels to maps of `to` times `to`; drawn from U(-b, b) with b = 1 / from.
    pub fn init(channels: usize, [from, to]: [usize; 2], init: &mut Init) -> Self {
        Self { weight: init.uniform([channels, from * from, to * to], 1.0 / from as f64) }
    }

    /// `[n, c, from, from]` -> `[n, c, to, to]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let ([n, c, h, w], [_, _, pixels]) = (x.dims(), self.weight.dims());
        let side = pixels.isqrt();
        let maps = x.reshape([n, c, h * w]).swap_dims(0, 1); // [c, n, p]
        maps.matmul(self.weight.val()).swap_dims(0, 1).reshape([n, c, side, side])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn init(device: &Device) -> Init {
        Init::new(stream(3, Purpose::Weights, 0), device)
    }

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn channels_stay_apart_in_a_channel_wise_layer() {
        let layer = ChannelWise::init(256, [6, 6], &mut init(&Device::flex().autodiff()));
        assert_eq!(tensors::count(&layer), 331_776, "256 x 36^2, not 9216^2");
        let layer = layer.valid();
        let x = noise([2, 256, 6, 6]);
        let moved = x.clone().slice_assign([0..2, 7..8, 0..6, 0..6], noise([2, 1, 6, 6]));
        let change: Vec<f32> = (layer.forward(x) - layer.forward(moved))
            .abs()
            .sum_dim(0)
            .sum_dim(2)
            .sum_dim(3)
            .into_data()
            .try_to_vec()
            .expect("floats");
        let touched: Vec<usize> = (0..256).filter(|&channel| change[channel] > 0.0).collect();
        assert_eq!(touched, [7]);
    }

    #[test]
    fn a_channel_wise_layer_follows_its_formula() {
        let layer = ChannelWise::init(2, [2, 3], &mut init(&Device::flex()));
        let x = noise([1, 2, 2, 2]);
        let read = |x: Tensor<1>| -> Vec<f32> { x.into_data().try_to_vec().expect("floats") };
        let (w, x_, y) = (
            read(layer.weight.val().reshape([72])),
            read(x.clone().reshape([8])),
            read(layer.forward(x).reshape([18])),
        );
        for (place, found) in y.iter().enumerate() {
            let (c, q) = (place / 9, place % 9);
            let expected: f32 = (0..4).map(|p| x_[c * 4 + p] * w[(c * 4 + p) * 9 + q]).sum();
            assert!((found - expected).abs() < 1e-5, "{place}: {found} is not {expected}");
        }
    }
}
