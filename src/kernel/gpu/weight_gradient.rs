//! Gradients of a convolution's weights and bias: an implicit GEMM over the pixels of the batch, in shares that are summed
//! afterwards.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::geometry::{ConvPlan, reads};
use super::layout::{empty, nhwc, one_thread_each};
use super::matmul::{BUSY, SIDE, THREADS, Tile, multiply, next_row, value_if, values_each};
use crate::kernel::ConvGeometry;

/// Fewest pixels of a share.
const SHARE: usize = 256;

/// Columns of the product: the terms of an output value, and one for the bias.
fn width(plan: ConvPlan, bias: bool) -> usize {
    plan.depth() + usize::from(bias)
}

/// Stages the next `depth` pixels of the output's gradient for the tile's filters.
#[cube]
fn stage_gradient(
    g: &[f32],
    left: &mut Shared<[f32]>,
    first: usize,
    end: usize,
    first_filter: usize,
    #[comptime] makes: usize,
    #[comptime] tile: Tile,
) {
    let unit = UNIT_POS as usize;
    let lane = unit % comptime!(tile.rows());
    let o = first_filter + lane;
    for i in 0..comptime!(tile.rows() * tile.depth() / THREADS) {
        let slot = unit / comptime!(tile.rows()) + i * comptime!(THREADS / tile.rows());
        let m = first + slot;
        let is_filter = o < makes;
        let in_share = m < end;
        left[slot * comptime!(tile.left_pitch()) + lane] = value_if(g, m * makes + o, is_filter && in_share);
    }
}

/// Stages the next `depth` pixels of the im2col matrix for the tile's columns; the column after the last is 1, which sums the gradient for the bias.
#[cube]
fn stage_input(
    x: &[f32],
    right: &mut Shared<[f32]>,
    first: usize,
    end: usize,
    first_column: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] tile: Tile,
) {
    let [height, width, channels] = comptime!(plan.input);
    let [rows, columns, _] = comptime!(plan.output);
    let depth = comptime!(plan.depth());
    let unit = UNIT_POS as usize;
    let lane = unit % comptime!(tile.columns());
    let k = first_column + lane;
    let point = k / channels;
    let channel = k % channels;
    let point_row = point / comptime!(plan.kernel[1]);
    let point_column = point % comptime!(plan.kernel[1]);
    for i in 0..comptime!(tile.columns() * tile.depth() / THREADS) {
        let slot = unit / comptime!(tile.columns()) + i * comptime!(THREADS / tile.columns());
        let m = first + slot;
        let image = m / comptime!(rows * columns);
        let (r, row_known) = reads(m / columns % rows, point_row, height, plan);
        let (c, column_known) = reads(m % columns, point_column, width, plan);
        let in_share = m < end;
        let is_term = k < depth;
        let is_bias = k == depth;
        let at = ((image * height + r) * width + c) * channels + channel;
        let value = value_if(x, at, is_term && row_known && column_known && in_share);
        right[slot * comptime!(tile.right_pitch()) + lane] = select(is_bias && in_share, 1.0f32, value);
    }
}

/// `sum_m g[m, o] x[pixel m moved by k's point, k's channel]`, m over share s of the pixels. With one share it is written to `dw[o,
/// channel, point]` and `db[o]`, with several to `dw[s, o, k]`.
#[cube(launch_unchecked)]
fn weight_gradient_kernel(
    x: &[f32],
    g: &[f32],
    dw: &mut [f32],
    mut db: ComptimeOption<&mut [f32]>,
    pixels: u32,
    share: u32,
    #[comptime] plan: ConvPlan,
    #[comptime] width: usize,
    #[comptime] tile: Tile,
    #[comptime] is_split: bool,
) {
    let makes = comptime!(plan.output[2]);
    let channels = comptime!(plan.input[2]);
    let depth = comptime!(plan.depth());
    let mut left = Shared::<[f32]>::new_slice(comptime!(tile.depth() * tile.left_pitch()));
    let mut right = Shared::<[f32]>::new_slice(comptime!(tile.depth() * tile.right_pitch()));
    let across = UNIT_POS as usize % SIDE;
    let down = UNIT_POS as usize / SIDE;
    let first_filter = CUBE_POS_X as usize * comptime!(tile.rows());
    let first_column = CUBE_POS_Y as usize * comptime!(tile.columns());
    let start = CUBE_POS_Z as usize * share as usize;
    let end = min(start + share as usize, pixels as usize);
    let mut sums = Array::<f32>::new(comptime!(tile.rows_each * tile.columns_each));
    #[unroll]
    for i in 0..comptime!(tile.rows_each * tile.columns_each) {
        sums[i] = 0.0f32;
    }
    for step in 0..(share as usize).div_ceil(comptime!(tile.depth())) {
        let first = start + step * comptime!(tile.depth());
        stage_gradient(g, &mut left, first, end, first_filter, makes, tile);
        stage_input(x, &mut right, first, end, first_column, plan, tile);
        sync_cube();
        multiply(&mut left, &mut right, &mut sums, down, across, comptime!(tile.depth()), tile);
        sync_cube();
    }
    for i in 0..comptime!(tile.rows_each) {
        let o = first_filter + down + i * SIDE;
        #[unroll]
        for j in 0..comptime!(tile.columns_each) {
            let k = first_column + across + j * SIDE;
            let is_filter = o < makes;
            let is_column = k < width;
            if is_filter && is_column {
                let value = sums[j];
                if comptime!(is_split) {
                    dw[(CUBE_POS_Z as usize * makes + o) * width + k] = value;
                } else if k < depth {
                    dw[(o * channels + k % channels) * comptime!(depth / channels) + k / channels] = value;
                } else {
                    #[comptime]
                    if let ComptimeOption::Some(db) = &mut db {
                        db[o] = value;
                    }
                }
            }
        }
        next_row(&mut sums, tile);
    }
}

/// `dw[o, channel, point] = sum_s part[s, o, point, channel]` and `db[o] = sum_s part[s, o, last]`.
#[cube(launch_unchecked)]
fn sum_kernel(
    part: &[f32],
    dw: &mut [f32],
    db: ComptimeOption<&mut [f32]>,
    shares: u32,
    #[comptime] channels: usize,
    #[comptime] points: usize,
    #[comptime] width: usize,
) {
    let depth = comptime!(points * channels);
    let stride = dw.len() / depth * width;
    if ABSOLUTE_POS < dw.len() {
        let point = ABSOLUTE_POS % points;
        let channel = ABSOLUTE_POS / points % channels;
        let o = ABSOLUTE_POS / depth;
        let from = o * width + point * channels + channel;
        let mut sum = 0.0f32;
        for s in 0..shares as usize {
            sum += part[s * stride + from];
        }
        dw[ABSOLUTE_POS] = sum;
    }
    #[comptime]
    if let ComptimeOption::Some(db) = db {
        if ABSOLUTE_POS < db.len() {
            let from = ABSOLUTE_POS * width + depth;
            let mut sum = 0.0f32;
            for s in 0..shares as usize {
                sum += part[s * stride + from];
            }
            db[ABSOLUTE_POS] = sum;
        }
    }
}

/// Gradient of the weights, `[out, in, k, k']`.
pub(super) fn weights(x: CubeTensor, g: CubeTensor, kernel: [usize; 2], geometry: ConvGeometry) -> CubeTensor {
    gradient(nhwc(x), nhwc(g), None, kernel, geometry)
}

/// Gradients of the weights, `[out, in, k, k']`, and of the bias, `[out]`.
pub(super) fn weights_and_bias(
    x: CubeTensor,
    g: CubeTensor,
    kernel: [usize; 2],
    geometry: ConvGeometry,
) -> (CubeTensor, CubeTensor) {
    let g = nhwc(g);
    let db = empty(&g, [g.meta.shape()[3]]);
    (gradient(nhwc(x), g, Some(&db), kernel, geometry), db)
}

/// Gradient of the weights of NHWC maps; with `db` writes the bias's there.
fn gradient(
    x: CubeTensor,
    g: CubeTensor,
    db: Option<&CubeTensor>,
    kernel: [usize; 2],
    geometry: ConvGeometry,
) -> CubeTensor {
    let [images, height, breadth, channels] = x.meta.shape().dims();
    let [_, rows, columns, makes] = g.meta.shape().dims();
    let plan = ConvPlan::forward([height, breadth, channels], [rows, columns, makes], kernel, geometry);
    let pixels = images * rows * columns;
    let width = width(plan, db.is_some());
    let tile = Tile { rows_each: values_each(makes, 8), columns_each: values_each(width, 8) };
    let tiles = [makes.div_ceil(tile.rows()), width.div_ceil(tile.columns())];
    let shares = BUSY.div_ceil(tiles[0] * tiles[1]).min(pixels.div_ceil(SHARE)).max(1);
    let share = pixels.div_ceil(shares).max(1);
    let shares = pixels.div_ceil(share).max(1);
    let dw = empty(&x, [makes, channels, kernel[0], kernel[1]]);
    let is_split = shares > 1;
    let (out, out_bias) = if is_split { (empty(&x, [shares, makes, width]), None) } else { (dw.clone(), db.cloned()) };
    let client = x.client.clone();
    // SAFETY: as for the convolution; filters, columns and pixels beyond the last are masked
    unsafe {
        weight_gradient_kernel::launch_unchecked(
            &client,
            CubeCount::Static(tiles[0] as u32, tiles[1] as u32, shares as u32),
            CubeDim::new_1d(THREADS as u32),
            x.into_buffer_arg(),
            g.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            out_bias.map(CubeTensor::into_buffer_arg).into(),
            pixels as u32,
            share as u32,
            plan,
            width,
            tile,
            is_split,
        );
    }
    if is_split {
        sum_shares(out, &dw, db, shares);
    }
    dw
}

/// Sums the shares of a split product, `[s, out, width]`, into the gradients.
fn sum_shares(part: CubeTensor, dw: &CubeTensor, db: Option<&CubeTensor>, shares: usize) {
    let [_, channels, kernel_rows, kernel_columns] = dw.meta.shape().dims();
    let [_, _, width] = part.meta.shape().dims();
    let client = part.client.clone();
    let (count, dim) = one_thread_each(&part, dw.meta.num_elements());
    // SAFETY: threads beyond the last weight do nothing
    unsafe {
        sum_kernel::launch_unchecked(
            &client,
            count,
            dim,
            part.into_buffer_arg(),
            dw.clone().into_buffer_arg(),
            db.cloned().map(CubeTensor::into_buffer_arg).into(),
            shares as u32,
            channels,
            kernel_rows * kernel_columns,
            width,
        );
    }
}
