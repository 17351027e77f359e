//! Spatial pooling.

use burn::tensor::Tensor;
use burn::tensor::module::{adaptive_avg_pool2d, avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

/// How a stage of an encoder shrinks its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Not at all.
    None,
    /// Maximum over 2x2 cells; a last odd row or column is dropped.
    Max2,
    /// Maximum over 3x3 windows at every second pixel, one pixel of padding.
    Max3,
    /// Mean over 3x3 windows at every second pixel, one pixel of padding, which is counted.
    Mean3,
}

impl Pool {
    /// `[n, c, h, w]` -> `[n, c, h', w']`.
    pub fn forward(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Pool::None => x,
            Pool::Max2 => max_pool2d(x, MaxPoolOptions::new([2, 2])),
            Pool::Max3 => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])),
            Pool::Mean3 => avg_pool2d(x, AvgPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])),
        }
    }
}

/// Mean over the cells of a grid: `[n, c, h, w]` -> `[n, c * g * g]` with `g = min(grid, h, w)`.
pub fn to_grid(x: Tensor<4>, grid: usize) -> Tensor<2> {
    let [_, _, height, width] = x.dims();
    let cells = grid.min(height).min(width);
    adaptive_avg_pool2d(x, [cells, cells]).flatten(1, 3)
}
