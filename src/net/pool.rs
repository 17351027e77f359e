//! Spatial pooling.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{adaptive_avg_pool2d, avg_pool2d};
use burn::tensor::ops::AvgPoolOptions;

use crate::kernel::{self, PoolConfig};

/// Pooling of an encoder's layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// No pooling.
    None,
    /// Max pooling 2x2, stride 2; a last odd row or column is dropped.
    Max2,
    /// Max pooling 3x3, stride 2, padding 1.
    Max3,
    /// Max pooling 3x3, stride 2, no padding; pixels that no whole window covers are dropped, as in PyTorch.
    Max3Valid,
    /// Max pooling 3x3, stride 2, no padding, ceil mode: the last window may reach over the border, as in Caffe. AlexNet and its
    /// kin rely on it: a map of 6x6 becomes 3x3, not 2x2.
    Max3Ceil,
    /// Average pooling 3x3, stride 2, padding 1, with the padding counted in the mean.
    Avg3,
    /// Max pooling 3x3, stride 1, padding 1: the size stays.
    Max3Same,
}

impl Pool {
    /// `[n, c, h, w]` -> `[n, c, h', w']`.
    pub fn forward(self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, false)
    }

    /// ReLU followed by this pooling. For max pooling ReLU is applied last: the result is the same, over fewer values.
    pub fn after_relu(self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, true)
    }

    fn apply(self, x: Tensor<4>, with_relu: bool) -> Tensor<4> {
        let halving = PoolConfig { relu: with_relu, ..PoolConfig::HALVING };
        let of_three = PoolConfig { window: 3, ..halving };
        let config = match self {
            Pool::None | Pool::Avg3 => {
                let x = if with_relu { relu(x) } else { x };
                return if self == Pool::None { x } else { mean_of_three(x) };
            }
            Pool::Max2 => halving,
            Pool::Max3 => PoolConfig { padding: 1, ..of_three },
            Pool::Max3Valid => of_three,
            Pool::Max3Ceil => PoolConfig { ceil: true, ..of_three },
            Pool::Max3Same => PoolConfig { stride: 1, padding: 1, ..of_three },
        };
        kernel::max_pool(x, config)
    }

    /// Rows (or columns) of the output, for an input with `side` of them; 0 if no window fits.
    pub fn side(self, side: usize) -> usize {
        match self {
            Pool::None | Pool::Max3Same => side,
            Pool::Max2 => side / 2,
            Pool::Max3 | Pool::Avg3 => side.div_ceil(2),
            Pool::Max3Valid => side.saturating_sub(1) / 2,
            Pool::Max3Ceil => side.saturating_sub(3).div_ceil(2) + usize::from(side > 0),
        }
    }
}

/// Average pooling 3x3, stride 2, padding 1.
fn mean_of_three(x: Tensor<4>) -> Tensor<4> {
    kernel::count_fallback("average pooling", &x);
    avg_pool2d(x, AvgPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]))
}

/// Adaptive average pooling to a grid, flattened: `[n, c, h, w]` -> `[n, c * g * g]` with `g = min(grid, h, w)`.
pub fn to_grid(x: Tensor<4>, grid: usize) -> Tensor<2> {
    let [_, _, height, width] = x.dims();
    let cells = grid.min(height).min(width);
    if cells == 1 {
        return kernel::mean_pool(x);
    }
    kernel::count_fallback("adaptive average pooling", &x);
    adaptive_avg_pool2d(x, [cells, cells]).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream, uniform};
    use burn::tensor::{Device, TensorData};

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    fn random() -> Tensor<4> {
        let pixels = uniform(&mut stream(1, Purpose::Views, 0), 2 * 3 * 49, -1.0, 0.5);
        Tensor::from_data(TensorData::new(pixels, [2, 3, 7, 7]), &Device::flex())
    }

    #[test]
    fn windows_are_pytorchs() {
        let image: Vec<f32> = (0..25).map(|i| i as f32).collect();
        let x = Tensor::<4>::from_data(TensorData::new(image, [1, 1, 5, 5]), &Device::flex());
        assert_eq!(values(Pool::Max2.forward(x.clone())), [6.0, 8.0, 16.0, 18.0]);
        // windows about rows and columns 0, 2, 4: the maximum is at the lower right, within the image
        assert_eq!(values(Pool::Max3.forward(x.clone())), [6.0, 8.0, 9.0, 16.0, 18.0, 19.0, 21.0, 23.0, 24.0]);
        // the corner's window has 4 pixels inside the image, and still 9 are counted: (0 + 1 + 5 + 6) / 9
        assert!((values(Pool::Avg3.forward(x))[0] - 12.0 / 9.0).abs() < 1e-6);
    }

    #[test]
    fn relu_commutes_with_max_pooling_and_not_with_the_mean() {
        for pool in [Pool::None, Pool::Max2, Pool::Max3, Pool::Max3Valid, Pool::Max3Ceil, Pool::Max3Same, Pool::Avg3] {
            let after = values(pool.after_relu(random()));
            let before = values(pool.forward(relu(random())));
            assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-6), "{pool:?}: {after:?} {before:?}");
        }
    }

    #[test]
    fn side_predicts_the_size_of_the_output() {
        for pool in [Pool::None, Pool::Max2, Pool::Max3, Pool::Max3Valid, Pool::Max3Ceil, Pool::Max3Same, Pool::Avg3] {
            for side in 3..16 {
                let map = pool.forward(Tensor::zeros([1, 1, side, side], &Device::flex()));
                assert_eq!(map.dims(), [1, 1, pool.side(side), pool.side(side)], "{pool:?} of {side}");
            }
        }
    }

    #[test]
    fn only_ceil_mode_pools_over_the_border() {
        // the maximum is in the last column, which only a window over the border covers
        let x = Tensor::<4>::from_data([[[[0.0f32, 1.0, 2.0, 9.0]; 4]]], &Device::flex());
        let row =
            |pool: Pool| -> Vec<f32> { pool.forward(x.clone()).max_dim(2).into_data().try_to_vec().expect("floats") };
        assert_eq!(row(Pool::Max3Ceil), [2.0, 9.0]);
        assert_eq!(row(Pool::Max3Valid), [2.0]);
        assert_eq!(
            [24, 12, 6].map(|side| Pool::Max3Ceil.side(side)),
            [12, 6, 3],
            "the maps of context prediction's net"
        );
        assert_eq!([27, 13, 6].map(|side| Pool::Max3Ceil.side(side)), [13, 6, 3], "the maps of the jigsaw net's tiles");
    }
}
