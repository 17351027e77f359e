//! Rows of two batches in turn.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::layout::{empty, nchw, nhwc, one_thread_each};

/// One thread per output value.
#[cube(launch_unchecked)]
fn alternate_kernel(one: &[f32], other: &[f32], y: &mut [f32], #[comptime] row: usize) {
    if ABSOLUTE_POS < y.len() {
        let index = ABSOLUTE_POS / row;
        let from = index / 2 * row + ABSOLUTE_POS % row;
        y[ABSOLUTE_POS] = select(index % 2 == 0, one[from], other[from]);
    }
}

/// `[n, c, h, w]` twice -> `[2n, c, h, w]`.
pub(super) fn alternate(one: CubeTensor, other: CubeTensor) -> CubeTensor {
    let one = nhwc(one);
    let other = nhwc(other);
    let [images, height, width, channels] = one.meta.shape().dims();
    let y = empty(&one, [2 * images, height, width, channels]);
    let client = one.client.clone();
    let (count, dim) = one_thread_each(&one, y.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; both inputs have half as many values
    unsafe {
        alternate_kernel::launch_unchecked(
            &client,
            count,
            dim,
            one.into_buffer_arg(),
            other.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            height * width * channels,
        );
    }
    nchw(y)
}
