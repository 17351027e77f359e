//! Standardised columns of a matrix, and the loss over a cross-correlation matrix.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;
use super::reduce::{PARTIALS, THREADS, summed, total};

/// Columns of a workgroup.
const COLUMNS: usize = 16;
/// Threads that share a column.
const ROWS: usize = THREADS / COLUMNS;

/// Column of a thread, and the rows that it reads of it: every 16th from `start` to `end`. There are none beyond the last column.
#[derive(CubeType)]
struct Place {
    column: usize,
    start: usize,
    end: usize,
}

#[cube]
fn place(rows: usize, #[comptime] width: usize) -> Place {
    let column = CUBE_POS_X as usize * COLUMNS + UNIT_POS as usize % COLUMNS;
    Place { column, start: UNIT_POS as usize / COLUMNS, end: select(column < width, rows, 0usize) }
}

/// Sum over the threads of a column, for all of them.
#[cube]
fn over_rows(mine: f32, scratch: &mut Shared<[f32]>) -> f32 {
    let unit = UNIT_POS as usize;
    scratch[unit] = mine;
    sync_cube();
    let mut sum = 0.0f32;
    for i in 0..ROWS {
        sum += scratch[i * COLUMNS + unit % COLUMNS];
    }
    sync_cube();
    sum
}

/// `y = (x - mean) / sqrt(var + epsilon)` of each column, and `inverse[c] = 1 / sqrt(var + epsilon)`.
#[cube(launch_unchecked)]
fn standardise_kernel(
    x: &[f32],
    y: &mut [f32],
    inverse: &mut [f32],
    rows: u32,
    epsilon: f32,
    #[comptime] width: usize,
) {
    let rows = rows as usize;
    let place = place(rows, width);
    let column = place.column;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut sum = 0.0f32;
    let mut row = place.start;
    while row < place.end {
        sum += x[row * width + column];
        row += ROWS;
    }
    let mean = over_rows(sum, &mut scratch) / f32::cast_from(rows);
    let mut squares = 0.0f32;
    row = place.start;
    while row < place.end {
        let off = x[row * width + column] - mean;
        squares += off * off;
        row += ROWS;
    }
    let var = over_rows(squares, &mut scratch) / f32::cast_from(rows);
    let scale = 1.0f32 / f32::sqrt(var + epsilon);
    row = place.start;
    while row < place.end {
        y[row * width + column] = (x[row * width + column] - mean) * scale;
        row += ROWS;
    }
    if place.start == 0 && column < width {
        inverse[column] = scale;
    }
}

/// `dx = inverse (g - mean(g) - y mean(g y))`, means over the column.
#[cube(launch_unchecked)]
fn standardise_gradient_kernel(
    y: &[f32],
    inverse: &[f32],
    g: &[f32],
    dx: &mut [f32],
    rows: u32,
    #[comptime] width: usize,
) {
    let rows = rows as usize;
    let place = place(rows, width);
    let column = place.column;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut alone = 0.0f32;
    let mut product = 0.0f32;
    let mut row = place.start;
    while row < place.end {
        let at = row * width + column;
        alone += g[at];
        product += g[at] * y[at];
        row += ROWS;
    }
    let alone = over_rows(alone, &mut scratch) / f32::cast_from(rows);
    let product = over_rows(product, &mut scratch) / f32::cast_from(rows);
    row = place.start;
    while row < place.end {
        let at = row * width + column;
        dx[at] = inverse[column] * (g[at] - alone - y[at] * product);
        row += ROWS;
    }
}

/// With `C = c / n`: `part[workgroup]`, a share of `scale (sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2)`;
/// `diagonal[workgroup]`, a share of the mean of `C_ii`; `gradient`, that of the loss with respect to c; and `correlation`, C.
#[cube(launch_unchecked)]
fn redundancy_kernel(
    c: &[f32],
    correlation: &mut [f32],
    gradient: &mut [f32],
    part: &mut [f32],
    diagonal: &mut [f32],
    n: f32,
    lambda: f32,
    scale: f32,
    #[comptime] width: usize,
) {
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let workgroups = part.len();
    let mut loss = 0.0f32;
    let mut own = 0.0f32;
    let mut at = CUBE_POS_X as usize * THREADS + UNIT_POS as usize;
    while at < comptime!(width * width) {
        let value = c[at] / n;
        correlation[at] = value;
        if at / width == at % width {
            let off = value - 1.0f32;
            loss += scale * off * off;
            own += value;
            gradient[at] = 2.0f32 * scale * off / n;
        } else {
            loss += scale * lambda * value * value;
            gradient[at] = 2.0f32 * scale * lambda * value / n;
        }
        at += workgroups * THREADS;
    }
    let loss = total(loss, &mut scratch);
    let own = total(own, &mut scratch);
    if UNIT_POS == 0 {
        part[CUBE_POS_X as usize] = loss;
        diagonal[CUBE_POS_X as usize] = own / comptime!(width as f32);
    }
}

/// Standardised columns and the inverse deviations: `[n, d]` -> `[n, d]`, `[d]`.
pub(super) fn standardise(x: CubeTensor, epsilon: f32) -> (CubeTensor, CubeTensor) {
    let x = into_contiguous(x);
    let [rows, width] = x.meta.shape().dims();
    let y = empty(&x, [rows, width]);
    let inverse = empty(&x, [width]);
    let client = x.client.clone();
    // SAFETY: columns beyond the last have no rows
    unsafe {
        standardise_kernel::launch_unchecked(
            &client,
            CubeCount::Static(width.div_ceil(COLUMNS) as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            inverse.clone().into_buffer_arg(),
            rows as u32,
            epsilon,
            width,
        );
    }
    (y, inverse)
}

/// Gradient of the input out of the standardised columns y, the inverse deviations and the gradient of y.
pub(super) fn standardise_gradient(y: CubeTensor, inverse: CubeTensor, g: CubeTensor) -> CubeTensor {
    let g = into_contiguous(g);
    let [rows, width] = g.meta.shape().dims();
    let dx = empty(&g, [rows, width]);
    let client = g.client.clone();
    // SAFETY: columns beyond the last have no rows
    unsafe {
        standardise_gradient_kernel::launch_unchecked(
            &client,
            CubeCount::Static(width.div_ceil(COLUMNS) as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            y.into_buffer_arg(),
            inverse.into_buffer_arg(),
            g.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            rows as u32,
            width,
        );
    }
    dx
}

/// Loss `[1]`, mean of the diagonal `[1]`, correlation and gradient `[d, d]`, of the products `c = a^T b` of n standardised rows.
pub(super) fn redundancy(c: CubeTensor, n: f32, lambda: f32, scale: f32) -> [CubeTensor; 4] {
    let c = into_contiguous(c);
    let [width, _] = c.meta.shape().dims();
    let correlation = empty(&c, [width, width]);
    let gradient = empty(&c, [width, width]);
    let workgroups = (width * width).div_ceil(16 * THREADS).clamp(1, PARTIALS);
    let part = empty(&c, [workgroups]);
    let diagonal = empty(&c, [workgroups]);
    let client = c.client.clone();
    // SAFETY: values beyond the last are skipped
    unsafe {
        redundancy_kernel::launch_unchecked(
            &client,
            CubeCount::Static(workgroups as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            c.into_buffer_arg(),
            correlation.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            part.clone().into_buffer_arg(),
            diagonal.clone().into_buffer_arg(),
            n,
            lambda,
            scale,
            width,
        );
    }
    [summed(part), summed(diagonal), correlation, gradient]
}
