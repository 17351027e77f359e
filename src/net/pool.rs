//! Spatial pooling.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{adaptive_avg_pool2d, avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use crate::kernel;

/// How a stage of an encoder shrinks its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Not at all.
    None,
    /// Maximum over 2x2 cells; a last odd row or column is dropped.
    Max2,
    /// Maximum over 3x3 windows at every second pixel, one pixel of padding.
    Max3,
    /// Maximum over 3x3 windows at every second pixel, no padding; what no whole window covers is dropped, as in PyTorch.
    Max3Whole,
    /// Maximum over 3x3 windows at every second pixel, no padding; the last window may be cut by the border, as in Caffe.
    /// AlexNet and its kin rely on it: a map of 6x6 becomes 3x3, not 2x2.
    Max3Cut,
    /// Mean over 3x3 windows at every second pixel, one pixel of padding, which is counted.
    Mean3,
    /// Maximum over 3x3 windows at every pixel, one pixel of padding: the size stays.
    Max3Dense,
}

impl Pool {
    /// `[n, c, h, w]` -> `[n, c, h', w']`.
    pub fn forward(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Pool::None => x,
            Pool::Max2 => max2(x),
            Pool::Max3 => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])),
            Pool::Max3Whole => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2])),
            Pool::Max3Cut => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_ceil_mode(true)),
            Pool::Max3Dense => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1])),
            Pool::Mean3 => avg_pool2d(x, AvgPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])),
        }
    }

    /// Rows or columns it leaves of so many; 0 where no window fits.
    pub fn side(self, side: usize) -> usize {
        match self {
            Pool::None | Pool::Max3Dense => side,
            Pool::Max2 => side / 2,
            Pool::Max3 | Pool::Mean3 => side.div_ceil(2),
            Pool::Max3Whole => side.saturating_sub(1) / 2,
            Pool::Max3Cut => side.saturating_sub(3).div_ceil(2) + usize::from(side > 0),
        }
    }

    /// ReLU, then this pooling. Where a maximum is taken ReLU comes after it, which gives the same and passes over fewer
    /// values.
    pub fn after_relu(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Pool::Mean3 => self.forward(relu(x)),
            _ => relu(self.forward(x)),
        }
    }
}

/// Maximum over 2x2 cells: `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`. On the CPU by [`kernel::max_pool_2x2`], on a GPU by Burn.
fn max2(x: Tensor<4>) -> Tensor<4> {
    if kernel::is_supported(&x.device()) { kernel::max_pool_2x2(x) } else { max_pool2d(x, MaxPoolOptions::new([2, 2])) }
}

/// Mean over the cells of a grid: `[n, c, h, w]` -> `[n, c * g * g]` with `g = min(grid, h, w)`.
pub fn to_grid(x: Tensor<4>, grid: usize) -> Tensor<2> {
    let [_, _, height, width] = x.dims();
    let cells = grid.min(height).min(width);
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
    fn windows_are_torchvisions() {
        let image: Vec<f32> = (0..25).map(|i| i as f32).collect();
        let x = Tensor::<4>::from_data(TensorData::new(image, [1, 1, 5, 5]), &Device::flex());
        assert_eq!(values(Pool::Max2.forward(x.clone())), [6.0, 8.0, 16.0, 18.0]);
        // 3x3 at rows and columns 0, 2, 4: the largest is down to the right, as far as there is an image
        assert_eq!(values(Pool::Max3.forward(x.clone())), [6.0, 8.0, 9.0, 16.0, 18.0, 19.0, 21.0, 23.0, 24.0]);
        // the corner has 4 pixels of 9: (0 + 1 + 5 + 6) / 9
        assert!((values(Pool::Mean3.forward(x))[0] - 12.0 / 9.0).abs() < 1e-6);
    }

    #[test]
    fn relu_goes_either_side_of_a_maximum_and_before_a_mean() {
        for pool in [Pool::None, Pool::Max2, Pool::Max3, Pool::Max3Whole, Pool::Max3Cut, Pool::Max3Dense, Pool::Mean3] {
            let (after, before) = (values(pool.after_relu(random())), values(pool.forward(relu(random()))));
            assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-6), "{pool:?}: {after:?} {before:?}");
        }
    }

    #[test]
    fn sides_are_those_of_the_maps() {
        for pool in [Pool::None, Pool::Max2, Pool::Max3, Pool::Max3Whole, Pool::Max3Cut, Pool::Max3Dense, Pool::Mean3] {
            for side in 3..16 {
                let map = pool.forward(Tensor::zeros([1, 1, side, side], &Device::flex()));
                assert_eq!(map.dims(), [1, 1, pool.side(side), pool.side(side)], "{pool:?} of {side}");
            }
        }
    }

    #[test]
    fn a_cut_window_counts_and_a_missing_one_does_not() {
        // the largest value stands in the last column, which only a window cut by the border reaches
        let x = Tensor::<4>::from_data([[[[0.0f32, 1.0, 2.0, 9.0]; 4]]], &Device::flex());
        let row =
            |pool: Pool| -> Vec<f32> { pool.forward(x.clone()).max_dim(2).into_data().try_to_vec().expect("floats") };
        assert_eq!(row(Pool::Max3Cut), [2.0, 9.0]);
        assert_eq!(row(Pool::Max3Whole), [2.0]);
        assert_eq!(
            [24, 12, 6].map(|side| Pool::Max3Cut.side(side)),
            [12, 6, 3],
            "the maps of context prediction's net"
        );
        assert_eq!([27, 13, 6].map(|side| Pool::Max3Cut.side(side)), [13, 6, 3], "the maps of the jigsaw net's tiles");
    }
}
