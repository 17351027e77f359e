//! Max pooling over square windows, with ReLU in the same pass.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::layout::{empty, nchw, nhwc, one_thread_each};
use super::matmul::value_if;
use crate::kernel::PoolConfig;

/// Below every value that a map can have.
const LEAST: f32 = f32::MIN;

/// Geometry of a pooling, known when its kernels are compiled.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
struct PoolPlan {
    /// Rows, columns and channels of the map that is pooled.
    map: [usize; 3],
    /// Rows and columns of the output.
    output: [usize; 2],
    config: PoolConfig,
}

impl PoolPlan {
    /// Index in a window that stands for no pixel: ReLU has zeroed the maximum.
    const fn nowhere(&self) -> usize {
        self.config.window * self.config.window
    }
}

/// One thread per output value: the maximum over the pixels of the window that lie in the map, and the index of the first one in the
/// window. A row or column before the first one wraps to a large number.
#[cube(launch_unchecked)]
fn forward_kernel(x: &[f32], y: &mut [f32], winners: &mut [f32], #[comptime] plan: PoolPlan) {
    let [height, width, channels] = comptime!(plan.map);
    let [rows, columns] = comptime!(plan.output);
    let window = comptime!(plan.config.window);
    let stride = comptime!(plan.config.stride);
    let padding = comptime!(plan.config.padding);
    if ABSOLUTE_POS < y.len() {
        let place = ABSOLUTE_POS / channels;
        let first_row = place / columns % rows * stride;
        let first_column = place % columns * stride;
        let image = place / comptime!(rows * columns);
        let mut best = f32::new(LEAST);
        let mut winner = 0usize;
        for i in 0..comptime!(window * window) {
            let row = first_row + i / window - padding;
            let column = first_column + i % window - padding;
            let row_inside = row < height;
            let column_inside = column < width;
            let at = ((image * height + row) * width + column) * channels + ABSOLUTE_POS % channels;
            let value = value_if(x, at, row_inside && column_inside);
            let larger = value > best;
            let better = row_inside && column_inside && larger;
            best = select(better, value, best);
            winner = select(better, i, winner);
        }
        if comptime!(plan.config.relu) {
            winner = select(best > 0.0f32, winner, comptime!(plan.nowhere()).runtime());
            best = max(best, 0.0f32);
        }
        y[ABSOLUTE_POS] = best;
        winners[ABSOLUTE_POS] = f32::cast_from(winner);
    }
}

/// One thread per input value: the sum of the gradients of the windows whose maximum it is.
#[cube(launch_unchecked)]
fn backward_kernel(winners: &[f32], g: &[f32], dx: &mut [f32], #[comptime] plan: PoolPlan) {
    let [height, width, channels] = comptime!(plan.map);
    let [rows, columns] = comptime!(plan.output);
    let window = comptime!(plan.config.window);
    let stride = comptime!(plan.config.stride);
    let padding = comptime!(plan.config.padding);
    if ABSOLUTE_POS < dx.len() {
        let pixel = ABSOLUTE_POS / channels;
        let last_row = pixel / width % height + padding;
        let last_column = pixel % width + padding;
        let image = pixel / comptime!(height * width);
        let mut sum = 0.0f32;
        for i in 0..comptime!(window * window) {
            let down = last_row - i / window;
            let across = last_column - i % window;
            let row = down / stride;
            let column = across / stride;
            let row_inside = row < rows;
            let column_inside = column < columns;
            let row_on_step = row * stride == down;
            let column_on_step = column * stride == across;
            let known = row_inside && column_inside && row_on_step && column_on_step;
            let at = ((image * rows + row) * columns + column) * channels + ABSOLUTE_POS % channels;
            let is_winner = value_if(winners, at, known) == f32::cast_from(i);
            sum += value_if(g, at, known && is_winner);
        }
        dx[ABSOLUTE_POS] = sum;
    }
}

/// Maxima and their places in the windows: `[n, c, h, w]` -> `[n, c, h', w']` twice.
pub(super) fn forward(x: CubeTensor, config: PoolConfig) -> (CubeTensor, CubeTensor) {
    let x = nhwc(x);
    let [images, height, width, channels] = x.meta.shape().dims();
    let output = [height, width].map(|side| config.output_side(side));
    let y = empty(&x, [images, output[0], output[1], channels]);
    let winners = empty(&x, [images, output[0], output[1], channels]);
    let client = x.client.clone();
    let (count, dim) = one_thread_each(&x, y.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; pixels outside of the map are not read
    unsafe {
        forward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            winners.clone().into_buffer_arg(),
            PoolPlan { map: [height, width, channels], output, config },
        );
    }
    (nchw(y), nchw(winners))
}

/// Gradient of an input of dimensions `dims`, `[n, c, h, w]`.
pub(super) fn backward(winners: CubeTensor, g: CubeTensor, dims: [usize; 4], config: PoolConfig) -> CubeTensor {
    let winners = nhwc(winners);
    let g = nhwc(g);
    let [images, channels, height, width] = dims;
    let [_, rows, columns, _] = g.meta.shape().dims();
    let dx = empty(&g, [images, height, width, channels]);
    let client = g.client.clone();
    let (count, dim) = one_thread_each(&g, dx.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; windows outside of the output are not read
    unsafe {
        backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            winners.into_buffer_arg(),
            g.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            PoolPlan { map: [height, width, channels], output: [rows, columns], config },
        );
    }
    nchw(dx)
}
