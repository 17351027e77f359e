//! The four quarter turns of every image in one launch.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::layout::{empty, nchw, nhwc, one_thread_each};

/// One thread per output value: turn, image, row, column and channel.
#[cube(launch_unchecked)]
fn turns_kernel(x: &[f32], y: &mut [f32], #[comptime] side: usize, #[comptime] channels: usize) {
    if ABSOLUTE_POS < y.len() {
        let channel = ABSOLUTE_POS % channels;
        let column = ABSOLUTE_POS / channels % side;
        let row = ABSOLUTE_POS / comptime!(channels * side) % side;
        let image = ABSOLUTE_POS / comptime!(channels * side * side);
        let images = y.len() / comptime!(4 * channels * side * side);
        let turn = image / images;
        let back_row = comptime!(side - 1) - row;
        let back_column = comptime!(side - 1) - column;
        let from_row = select(turn == 0, row, select(turn == 1, column, select(turn == 2, back_row, back_column)));
        let from_column = select(turn == 0, column, select(turn == 1, back_row, select(turn == 2, back_column, row)));
        y[ABSOLUTE_POS] = x[((image % images * side + from_row) * side + from_column) * channels + channel];
    }
}

/// `[n, c, s, s]` -> `[4n, c, s, s]`.
pub(super) fn forward(images: CubeTensor) -> CubeTensor {
    let x = nhwc(images);
    let [count, side, _, channels] = x.meta.shape().dims();
    let y = empty(&x, [4 * count, side, side, channels]);
    let client = x.client.clone();
    let (cubes, dim) = one_thread_each(&x, y.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; a turn maps the square onto itself
    unsafe {
        turns_kernel::launch_unchecked(
            &client,
            cubes,
            dim,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            side,
            channels,
        );
    }
    nchw(y)
}
