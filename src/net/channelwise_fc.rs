//! Channel-wise fully connected layer.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;

/// Channel-wise fully connected layer: `y[n, c, q] = sum_p x[n, c, p] w[c, p, q]`. Each output pixel depends on all pixels of the
/// same channel and on no other channel. For m maps of n x n pixels it has m n^4 weights, where a dense layer has m^2 n^4
/// (Pathak et al. 2016, section 3.1).
#[derive(Module, Debug)]
pub struct ChannelwiseFc {
    /// `[c, p, q]`, pixels in row-major order.
    pub weight: Param<Tensor<3>>,
}

impl ChannelwiseFc {
    /// Layer from maps of `from` x `from` pixels to maps of `to` x `to`; weights from U(-b, b) with b = 1 / from.
    pub fn init(channels: usize, [from, to]: [usize; 2], init: &mut Init) -> Self {
        Self { weight: init.uniform([channels, from * from, to * to], 1.0 / from as f64) }
    }

    /// `[n, c, from, from]` -> `[n, c, to, to]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        let [_, _, pixels] = self.weight.dims();
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
    fn a_change_in_a_channel_stays_in_that_channel() {
        let layer = ChannelwiseFc::init(256, [6, 6], &mut init(&Device::flex().autodiff()));
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
    fn the_layer_agrees_with_its_formula() {
        let layer = ChannelwiseFc::init(2, [2, 3], &mut init(&Device::flex()));
        let x = noise([1, 2, 2, 2]);
        let read = |x: Tensor<1>| -> Vec<f32> { x.into_data().try_to_vec().expect("floats") };
        let w = read(layer.weight.val().reshape([72]));
        let pixels = read(x.clone().reshape([8]));
        let y = read(layer.forward(x).reshape([18]));
        for (index, found) in y.iter().enumerate() {
            let c = index / 9;
            let q = index % 9;
            let expected: f32 = (0..4).map(|p| pixels[c * 4 + p] * w[(c * 4 + p) * 9 + q]).sum();
            assert!((found - expected).abs() < 1e-5, "{index}: {found} is not {expected}");
        }
    }
}
