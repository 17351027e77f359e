//! Rows brought to length 1, and their gradient.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;
use super::reduce::{PARTIALS, Row, THREADS, over_lanes, row_of_turn, turns};
use crate::kernel::SHORTEST;

/// Inner product of the same row of a and b, for all of its `lanes` threads.
#[cube]
fn row_product(a: &[f32], b: &[f32], row: &Row, scratch: &mut Shared<[f32]>, #[comptime] lanes: usize) -> f32 {
    let mut product = 0.0f32;
    let mut j = UNIT_POS as usize % lanes;
    while j < row.end {
        product += a[row.first + j] * b[row.first + j];
        j += lanes;
    }
    over_lanes(product, scratch, lanes, true)
}

/// `lanes` threads per row: `y_i = x_i / max(|x_i|, 1e-12)` and the divisor's inverse.
#[cube(launch_unchecked)]
fn forward_kernel(
    x: &[f32],
    y: &mut [f32],
    inverse: &mut [f32],
    workgroups: u32,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
) {
    let rows = inverse.len();
    let lane = UNIT_POS as usize % lanes;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    for turn in 0..turns(workgroups as usize, rows, lanes) {
        let row = row_of_turn(turn, workgroups as usize, rows, width, lanes);
        let scale = 1.0f32 / max(f32::sqrt(row_product(x, x, &row, &mut scratch, lanes)), SHORTEST);
        let mut j = lane;
        while j < row.end {
            y[row.first + j] = x[row.first + j] * scale;
            j += lanes;
        }
        if lane == 0 && row.index < rows {
            inverse[row.index] = scale;
        }
    }
}

/// `lanes` threads per row, with g the gradient with respect to y: `dx_i = (g_i - y_i (g_i . y_i)) / |x_i|`. Rows of zeros have y = 0.
#[cube(launch_unchecked)]
fn backward_kernel(
    y: &[f32],
    inverse: &[f32],
    g: &[f32],
    dx: &mut [f32],
    workgroups: u32,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
) {
    let rows = inverse.len();
    let lane = UNIT_POS as usize % lanes;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    for turn in 0..turns(workgroups as usize, rows, lanes) {
        let row = row_of_turn(turn, workgroups as usize, rows, width, lanes);
        let product = row_product(g, y, &row, &mut scratch, lanes);
        let scale = inverse[min(row.index, rows - 1)];
        let mut j = lane;
        while j < row.end {
            dx[row.first + j] = (g[row.first + j] - y[row.first + j] * product) * scale;
            j += lanes;
        }
    }
}

/// Threads per row, and workgroups.
fn division(rows: usize, width: usize) -> (usize, usize) {
    let lanes = width.next_power_of_two().min(THREADS);
    (lanes, (rows * lanes).div_ceil(THREADS).clamp(1, PARTIALS))
}

/// Unit rows `[n, d]`, and the inverse of each divisor, `[n]`.
pub(super) fn forward(x: CubeTensor) -> (CubeTensor, CubeTensor) {
    let x = into_contiguous(x);
    let [rows, width] = x.meta.shape().dims();
    let (lanes, workgroups) = division(rows, width);
    let y = empty(&x, [rows, width]);
    let inverse = empty(&x, [rows]);
    let client = x.client.clone();
    // SAFETY: rows beyond the last have no values
    unsafe {
        forward_kernel::launch_unchecked(
            &client,
            CubeCount::Static(workgroups as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            inverse.clone().into_buffer_arg(),
            workgroups as u32,
            width,
            lanes,
        );
    }
    (y, inverse)
}

/// Gradient with respect to x.
pub(super) fn backward(y: CubeTensor, inverse: CubeTensor, g: CubeTensor) -> CubeTensor {
    let g = into_contiguous(g);
    let [rows, width] = g.meta.shape().dims();
    let (lanes, workgroups) = division(rows, width);
    let dx = empty(&g, [rows, width]);
    let client = g.client.clone();
    // SAFETY: as for the forward pass
    unsafe {
        backward_kernel::launch_unchecked(
            &client,
            CubeCount::Static(workgroups as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            y.into_buffer_arg(),
            inverse.into_buffer_arg(),
            g.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            workgroups as u32,
            width,
            lanes,
        );
    }
    dx
}
