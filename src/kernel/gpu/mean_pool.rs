//! Mean over the pixels of a map.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::{empty, nchw, nhwc, one_thread_each};

/// One thread per output value, `y[n, c]`.
#[cube(launch_unchecked)]
fn forward_kernel(x: &[f32], y: &mut [f32], #[comptime] pixels: usize, #[comptime] channels: usize) {
    if ABSOLUTE_POS < y.len() {
        let first = ABSOLUTE_POS / channels * comptime!(pixels * channels) + ABSOLUTE_POS % channels;
        let mut sum = 0.0f32;
        for pixel in 0..pixels {
            sum += x[first + pixel * channels];
        }
        y[ABSOLUTE_POS] = sum / comptime!(pixels as f32);
    }
}

/// One thread per pixel and channel.
#[cube(launch_unchecked)]
fn backward_kernel(g: &[f32], dx: &mut [f32], #[comptime] pixels: usize, #[comptime] channels: usize) {
    if ABSOLUTE_POS < dx.len() {
        let image = ABSOLUTE_POS / comptime!(pixels * channels);
        dx[ABSOLUTE_POS] = g[image * channels + ABSOLUTE_POS % channels] / comptime!(pixels as f32);
    }
}

/// `[n, c, h, w]` -> `[n, c]`.
pub(super) fn forward(x: CubeTensor) -> CubeTensor {
    let x = nhwc(x);
    let [images, height, width, channels] = x.meta.shape().dims();
    let y = empty(&x, [images, channels]);
    let client = x.client.clone();
    let (count, dim) = one_thread_each(&x, images * channels);
    // SAFETY: threads beyond the last value do nothing
    unsafe {
        forward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            height * width,
            channels,
        );
    }
    y
}

/// Gradient of an input of dimensions `dims`, `[n, c, h, w]`.
pub(super) fn backward(g: CubeTensor, dims: [usize; 4]) -> CubeTensor {
    let [images, channels, height, width] = dims;
    let g = into_contiguous(g);
    let dx = empty(&g, [images, height, width, channels]);
    let client = g.client.clone();
    let (count, dim) = one_thread_each(&g, dx.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing
    unsafe {
        backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            g.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            height * width,
            channels,
        );
    }
    nchw(dx)
}
