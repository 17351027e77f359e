//! Convolution and its input gradient as an implicit GEMM: tiles of the im2col matrix are gathered into shared memory and never
//! written out.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::geometry::{ConvPlan, pixel_of_group, reads};
use super::layout::{empty, nchw, nhwc};
use super::matmul::{DEPTH, PITCH, ROWS, ROWS_EACH, SIDE, THREADS, columns_each, multiply};
use crate::kernel::ConvGeometry;

/// Workgroups of a norm group that collect statistics; each writes one partial result.
pub(super) const NORM_PARTIALS: usize = 64;
/// Workgroups along one axis of a launch; the standard allows 65,535.
const MAX_WORKGROUPS: usize = 32_768;

/// Image, row and column of the pixels that a thread gathers for its tile.
#[derive(CubeType)]
struct Places {
    image: Array<usize>,
    row: Array<usize>,
    column: Array<usize>,
}

/// Places of rows `down + 16 i` of a tile whose first pixel is `first`.
#[cube]
fn places(first: usize, down: usize, group: usize, #[comptime] plan: ConvPlan) -> Places {
    let [rows, columns, _] = comptime!(plan.output);
    let mut image = Array::<usize>::new(ROWS_EACH);
    let mut row = Array::<usize>::new(ROWS_EACH);
    let mut column = Array::<usize>::new(ROWS_EACH);
    #[unroll]
    for i in 0..ROWS_EACH {
        let m = pixel_of_group(first + down + i * SIDE, group, comptime!(rows * columns), plan.groups);
        image[i] = m / comptime!(rows * columns);
        row[i] = m / columns % rows;
        column[i] = m % columns;
    }
    Places { image, row, column }
}

/// Stages 16 columns of the im2col matrix for the tile's pixels, and the same 16 rows of the filters.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
fn stage(
    x: &[f32],
    w: &[f32],
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    places: &Places,
    k: usize,
    valid: usize,
    first_filter: usize,
    across: usize,
    down: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] columns_each: usize,
) {
    let [height, width, channels] = comptime!(plan.input);
    let makes = comptime!(plan.output[2]);
    let points = comptime!(plan.kernel[0] * plan.kernel[1]);
    let point = k / channels;
    let channel = k % channels;
    let point_row = point / comptime!(plan.kernel[1]);
    let point_column = point % comptime!(plan.kernel[1]);
    let known = k < comptime!(points * channels);
    #[unroll]
    for i in 0..ROWS_EACH {
        let mut value = 0.0f32;
        let (r, row_known) = reads(places.row[i], point_row, height, plan);
        let (c, column_known) = reads(places.column[i], point_column, width, plan);
        if known && row_known && column_known && down + i * SIDE < valid {
            value = x[((places.image[i] * height + r) * width + c) * channels + channel];
        }
        left[across * PITCH + down + i * SIDE] = value;
    }
    #[unroll]
    for j in 0..columns_each {
        let o = first_filter + down + j * SIDE;
        let mut weight = 0.0f32;
        if known && o < makes {
            if comptime!(plan.transposed) {
                weight = w[(channel * makes + o) * points + point];
            } else {
                weight = w[(o * channels + channel) * points + point];
            }
        }
        right[across * PITCH + down + j * SIDE] = weight;
    }
}

/// Mean, and sum of squares about it, of each column of a tile, in the threads `unit < 16 columns_each`. Rows from `valid` on are 0
/// and do not count.
#[cube]
fn column_moments(
    sums: &Array<f32>,
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    valid: usize,
    #[comptime] columns_each: usize,
) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    let across = unit % SIDE;
    let down = unit / SIDE;
    let width = comptime!(SIDE * columns_each);
    #[unroll]
    for j in 0..columns_each {
        let mut sum = 0.0f32;
        #[unroll]
        for i in 0..ROWS_EACH {
            sum += sums[i * columns_each + j];
        }
        left[down * PITCH + across + j * SIDE] = sum;
    }
    sync_cube();
    let mut mean = 0.0f32;
    if unit < width {
        for i in 0..SIDE {
            mean += left[i * PITCH + unit];
        }
        mean /= f32::cast_from(max(valid, 1usize));
        right[unit] = mean;
    }
    sync_cube();
    #[unroll]
    for j in 0..columns_each {
        let centre = right[across + j * SIDE];
        let mut squares = 0.0f32;
        #[unroll]
        for i in 0..ROWS_EACH {
            if down + i * SIDE < valid {
                let off = sums[i * columns_each + j] - centre;
                squares += off * off;
            }
        }
        left[down * PITCH + across + j * SIDE] = squares;
    }
    sync_cube();
    let mut squares = 0.0f32;
    if unit < width {
        for i in 0..SIDE {
            squares += left[i * PITCH + unit];
        }
    }
    sync_cube();
    (mean, squares)
}

/// Sums of a tile, from 0.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
fn tile_product(
    x: &[f32],
    w: &[f32],
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    sums: &mut Array<f32>,
    first: usize,
    valid: usize,
    group: usize,
    first_filter: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] columns_each: usize,
) {
    let across = UNIT_POS as usize % SIDE;
    let down = UNIT_POS as usize / SIDE;
    let places = places(first, down, group, plan);
    #[unroll]
    for i in 0..comptime!(ROWS_EACH * columns_each) {
        sums[i] = 0.0f32;
    }
    for step in 0..comptime!(plan.depth().div_ceil(DEPTH)) {
        let k = step * DEPTH + across;
        stage(x, w, left, right, &places, k, valid, first_filter, across, down, plan, columns_each);
        sync_cube();
        multiply(left, right, sums, down, across, columns_each);
        sync_cube();
    }
}

/// Writes a tile of the output, with `added` in every row.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
fn write_tile(
    sums: &Array<f32>,
    added: &Array<f32>,
    y: &mut [f32],
    first: usize,
    valid: usize,
    group: usize,
    first_filter: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] columns_each: usize,
) {
    let [rows, columns, makes] = comptime!(plan.output);
    let across = UNIT_POS as usize % SIDE;
    let down = UNIT_POS as usize / SIDE;
    #[unroll]
    for i in 0..ROWS_EACH {
        if down + i * SIDE < valid {
            let m = pixel_of_group(first + down + i * SIDE, group, comptime!(rows * columns), plan.groups);
            #[unroll]
            for j in 0..columns_each {
                let o = first_filter + across + j * SIDE;
                if o < makes {
                    y[m * makes + o] = sums[i * columns_each + j] + added[j];
                }
            }
        }
    }
}

/// `y[m, o] = sum_k x[pixel m moved by k's point, k's channel] w[o, k] (+ bias[o])`; k runs over the points of the filter and, inside
/// a point, over the channels. A workgroup computes tiles `first, first + stride, ...` of its norm group and, with `part`,
/// merges their statistics (Chan et al.): `part[group, workgroup, 0 or 1, o]` is the mean and the sum of squares about it.
#[cube(launch_unchecked)]
fn convolution_kernel(
    x: &[f32],
    w: &[f32],
    bias: ComptimeOption<&[f32]>,
    y: &mut [f32],
    part: ComptimeOption<&mut [f32]>,
    images: u32,
    workgroups: u32,
    #[comptime] plan: ConvPlan,
    #[comptime] columns_each: usize,
) {
    let [rows, columns, makes] = comptime!(plan.output);
    let pixels = images as usize / comptime!(plan.groups) * comptime!(rows * columns);
    let mut left = Shared::<[f32]>::new_slice(comptime!(DEPTH * PITCH));
    let mut right = Shared::<[f32]>::new_slice(comptime!(DEPTH * PITCH));
    let unit = UNIT_POS as usize;
    let across = unit % SIDE;
    let workgroup = CUBE_POS_X as usize % workgroups as usize;
    let group = CUBE_POS_X as usize / workgroups as usize;
    let first_filter = CUBE_POS_Y as usize * comptime!(SIDE * columns_each);
    let mut sums = Array::<f32>::new(comptime!(ROWS_EACH * columns_each));
    let mut added = Array::<f32>::new(columns_each);
    #[unroll]
    for j in 0..columns_each {
        added[j] = 0.0f32;
        #[comptime]
        if let ComptimeOption::Some(bias) = &bias {
            added[j] = bias[min(first_filter + across + j * SIDE, comptime!(makes - 1))];
        }
    }
    let mut count = 0.0f32;
    let mut mean = 0.0f32;
    let mut squares = 0.0f32;
    for turn in 0..pixels.div_ceil(ROWS).div_ceil(workgroups as usize) {
        let first = (turn * workgroups as usize + workgroup) * ROWS;
        let valid = select(first < pixels, min(pixels - first, ROWS), 0usize);
        tile_product(x, w, &mut left, &mut right, &mut sums, first, valid, group, first_filter, plan, columns_each);
        #[comptime]
        if let ComptimeOption::Some(_) = &part {
            let (tile_mean, tile_squares) = column_moments(&sums, &mut left, &mut right, valid, columns_each);
            let more = f32::cast_from(valid);
            let all = max(count + more, 1.0f32);
            let off = tile_mean - mean;
            mean += off * more / all;
            squares += select(valid > 0, tile_squares + off * off * count * more / all, 0.0f32);
            count += more;
        }
        write_tile(&sums, &added, y, first, valid, group, first_filter, plan, columns_each);
    }
    #[comptime]
    if let ComptimeOption::Some(part) = part {
        if unit < comptime!(SIDE * columns_each) && first_filter + unit < makes {
            let at = CUBE_POS_X as usize * comptime!(2 * makes) + first_filter + unit;
            part[at] = mean;
            part[at + makes] = squares;
        }
    }
}

/// Operands of a launch of the kernel.
struct Launch {
    x: CubeTensor,
    w: CubeTensor,
    bias: Option<CubeTensor>,
    y: CubeTensor,
    part: Option<CubeTensor>,
    images: usize,
    workgroups: usize,
}

impl Launch {
    fn run(self, plan: ConvPlan) -> CubeTensor {
        let client = self.x.client.clone();
        let columns_each = columns_each(plan.output[2]);
        let across = plan.output[2].div_ceil(SIDE * columns_each);
        let count = CubeCount::Static((self.workgroups * plan.groups) as u32, across as u32, 1);
        // SAFETY: pixels outside of the maps and filters beyond the last are masked; the kernel reads and writes at indices
        // within the shapes that the plan was made from
        unsafe {
            convolution_kernel::launch_unchecked(
                &client,
                count,
                CubeDim::new_1d(THREADS as u32),
                self.x.into_buffer_arg(),
                self.w.into_buffer_arg(),
                self.bias.map(CubeTensor::into_buffer_arg).into(),
                self.y.clone().into_buffer_arg(),
                self.part.map(CubeTensor::into_buffer_arg).into(),
                self.images as u32,
                self.workgroups as u32,
                plan,
                columns_each,
            );
        }
        self.y
    }
}

/// Number of tiles that the `pixels` of a norm group take.
fn tiles(pixels: usize) -> usize {
    pixels.div_ceil(ROWS)
}

/// `x` in NHWC, the plan, the number of images and an empty NHWC output.
fn prepare(x: CubeTensor, w: &CubeTensor, geometry: ConvGeometry) -> (CubeTensor, ConvPlan, usize, CubeTensor) {
    let x = nhwc(x);
    let [images, height, width, channels] = x.meta.shape().dims();
    let [makes, _, kernel_rows, kernel_columns] = w.meta.shape().dims();
    let rows = geometry.output_side(height, kernel_rows);
    let columns = geometry.output_side(width, kernel_columns);
    let plan =
        ConvPlan::forward([height, width, channels], [rows, columns, makes], [kernel_rows, kernel_columns], geometry);
    let y = empty(&x, [images, rows, columns, makes]);
    (x, plan, images, y)
}

/// Convolution: `[n, in, h, w]`, `[out, in, k, k']`, `[out]` -> `[n, out, h', w']`.
pub(super) fn forward(x: CubeTensor, w: CubeTensor, bias: Option<CubeTensor>, geometry: ConvGeometry) -> CubeTensor {
    let w = into_contiguous(w);
    let (x, plan, images, y) = prepare(x, &w, geometry);
    let workgroups = tiles(images * plan.output[0] * plan.output[1]).clamp(1, MAX_WORKGROUPS);
    let bias = bias.map(into_contiguous);
    nchw(Launch { x, w, bias, y, part: None, images, workgroups }.run(plan))
}

/// Convolution with the statistics of each channel: NHWC output, and `[groups, p, 2, out]` partial means and sums of squares.
pub(super) fn with_statistics(
    x: CubeTensor,
    w: CubeTensor,
    geometry: ConvGeometry,
    groups: usize,
) -> (CubeTensor, CubeTensor) {
    let w = into_contiguous(w);
    let (x, plan, images, y) = prepare(x, &w, geometry);
    let [rows, columns, makes] = plan.output;
    let workgroups = tiles(images / groups * rows * columns).clamp(1, NORM_PARTIALS);
    let part = empty(&x, [groups, workgroups, 2, makes]);
    let launch = Launch { x, w, bias: None, y, part: Some(part.clone()), images, workgroups };
    (launch.run(ConvPlan { groups, ..plan }), part)
}

/// Pixels that partial result `workgroup` counts, of `workgroups` over a norm group of `pixels`.
#[cube]
pub(super) fn partial_count(workgroup: usize, workgroups: usize, pixels: usize) -> usize {
    let tiles = pixels.div_ceil(ROWS);
    let own = (tiles - workgroup).div_ceil(workgroups);
    let short = tiles * ROWS - pixels;
    select((tiles - 1) % workgroups == workgroup, own * ROWS - short, own * ROWS)
}

/// Input gradient of a convolution whose input has the dimensions `dims` (`[n, in, h, w]`).
pub(super) fn input_gradient(w: CubeTensor, g: CubeTensor, dims: [usize; 4], geometry: ConvGeometry) -> CubeTensor {
    let g = nhwc(g);
    let w = into_contiguous(w);
    let [images, channels, height, width] = dims;
    let [makes, _, kernel_rows, kernel_columns] = w.meta.shape().dims();
    let [_, rows, columns, _] = g.meta.shape().dims();
    let plan =
        ConvPlan::forward([height, width, channels], [rows, columns, makes], [kernel_rows, kernel_columns], geometry);
    let y = empty(&g, [images, height, width, channels]);
    let workgroups = tiles(images * height * width).clamp(1, MAX_WORKGROUPS);
    nchw(Launch { x: g, w, bias: None, y, part: None, images, workgroups }.run(plan.backward()))
}
