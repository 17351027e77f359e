//! Convolution and its input gradient as an implicit GEMM: tiles of the im2col matrix are gathered into shared memory and never
//! written out.

mod gather;
mod statistics;

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use self::gather::{stage, write_places};
use self::statistics::column_moments;
use super::geometry::{ConvPlan, pixel_of_group};
use super::layout::{empty, nchw, nhwc};
use super::matmul::{SIDE, THREADS, Tile, multiply, next_row};
use crate::kernel::ConvGeometry;

/// Workgroups of a norm group that collect statistics; each writes one partial result.
const NORM_PARTIALS: usize = THREADS;
/// Workgroups along one axis of a launch; the standard allows 65,535.
const MAX_WORKGROUPS: usize = 32_768;

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
    #[comptime] tile: Tile,
) {
    let across = UNIT_POS as usize % SIDE;
    let down = UNIT_POS as usize / SIDE;
    let mut places = Shared::<[u32]>::new_slice(comptime!(2 * tile.rows()));
    write_places(&mut places, first, group, plan, tile);
    #[unroll]
    for i in 0..comptime!(tile.rows_each * tile.columns_each) {
        sums[i] = 0.0f32;
    }
    sync_cube();
    for step in 0..comptime!(plan.depth().div_ceil(tile.depth())) {
        stage(x, w, left, right, &mut places, step * comptime!(tile.depth()), valid, first_filter, plan, tile);
        sync_cube();
        multiply(left, right, sums, down, across, comptime!(plan.depth().min(tile.depth())), tile);
        sync_cube();
    }
}

/// Writes a tile of the output, with `added` in every row. Afterwards the sums are of no use.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
fn write_tile(
    sums: &mut Array<f32>,
    added: &Array<f32>,
    y: &mut [f32],
    first: usize,
    valid: usize,
    group: usize,
    first_filter: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] tile: Tile,
) {
    let [rows, columns, makes] = comptime!(plan.output);
    let columns_each = comptime!(tile.columns_each);
    let across = UNIT_POS as usize % SIDE;
    let down = UNIT_POS as usize / SIDE;
    for i in 0..comptime!(tile.rows_each) {
        if down + i * SIDE < valid {
            let m = pixel_of_group(first + down + i * SIDE, group, comptime!(rows * columns), plan.groups);
            #[unroll]
            for j in 0..columns_each {
                let o = first_filter + across + j * SIDE;
                if o < makes {
                    y[m * makes + o] = sums[j] + added[j];
                }
            }
        }
        next_row(sums, tile);
    }
}

/// `y[m, o] = sum_k x[pixel m moved by k's point, k's channel] w[o, k] (+ bias[o])`; k runs over the points of the filter and, inside
/// a point, over the channels. A workgroup computes tiles `first, first + stride, ...` of its norm group and, with `part`,
/// merges their statistics (Chan et al.): `part[group, workgroup, .., o]` are the number of its pixels, their mean, and the sum of
/// squares about it.
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
    #[comptime] tile: Tile,
) {
    let [rows, columns, makes] = comptime!(plan.output);
    let tile_rows = comptime!(tile.rows());
    let pixels = images as usize / comptime!(plan.groups) * comptime!(rows * columns);
    let mut left = Shared::<[f32]>::new_slice(comptime!(tile.depth() * tile.left_pitch()));
    let mut right = Shared::<[f32]>::new_slice(comptime!(tile.depth() * tile.right_pitch()));
    let unit = UNIT_POS as usize;
    let across = unit % SIDE;
    let workgroup = CUBE_POS_X as usize % workgroups as usize;
    let group = CUBE_POS_X as usize / workgroups as usize;
    let first_filter = CUBE_POS_Y as usize * comptime!(tile.columns());
    let mut sums = Array::<f32>::new(comptime!(tile.rows_each * tile.columns_each));
    let mut added = Array::<f32>::new(comptime!(tile.columns_each));
    #[unroll]
    for j in 0..comptime!(tile.columns_each) {
        added[j] = 0.0f32;
        #[comptime]
        if let ComptimeOption::Some(bias) = &bias {
            added[j] = bias[min(first_filter + across + j * SIDE, comptime!(makes - 1))];
        }
    }
    let mut count = 0.0f32;
    let mut mean = 0.0f32;
    let mut squares = 0.0f32;
    for turn in 0..pixels.div_ceil(tile_rows).div_ceil(workgroups as usize) {
        let first = (turn * workgroups as usize + workgroup) * tile_rows;
        let valid = select(first < pixels, min(pixels - first, tile_rows), 0usize);
        tile_product(x, w, &mut left, &mut right, &mut sums, first, valid, group, first_filter, plan, tile);
        #[comptime]
        if let ComptimeOption::Some(_) = &part {
            let (tile_mean, tile_squares) = column_moments(&sums, &mut left, &mut right, valid, tile);
            let more = f32::cast_from(valid);
            let all = max(count + more, 1.0f32);
            let off = tile_mean - mean;
            mean += off * more / all;
            squares += select(valid > 0, tile_squares + off * off * count * more / all, 0.0f32);
            count += more;
        }
        write_tile(&mut sums, &added, y, first, valid, group, first_filter, plan, tile);
    }
    #[comptime]
    if let ComptimeOption::Some(part) = part {
        if unit < comptime!(tile.columns()) && first_filter + unit < makes {
            let at = CUBE_POS_X as usize * comptime!(3 * makes) + first_filter + unit;
            part[at] = count;
            part[at + makes] = mean;
            part[at + comptime!(2 * makes)] = squares;
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
    plan: ConvPlan,
    tile: Tile,
}

impl Launch {
    /// Convolution of `images` NHWC maps by contiguous filters into a new map, one workgroup per tile.
    fn new(x: CubeTensor, w: CubeTensor, images: usize, plan: ConvPlan) -> Self {
        let [rows, columns, makes] = plan.output;
        let pixels = images * rows * columns;
        let tile = Tile::of(pixels, makes);
        let workgroups = pixels.div_ceil(tile.rows()).clamp(1, MAX_WORKGROUPS);
        let y = empty(&x, [images, rows, columns, makes]);
        Self { x, w, bias: None, y, part: None, images, workgroups, plan, tile }
    }

    /// With statistics of each channel in every norm group, which at most [`NORM_PARTIALS`] workgroups collect. Returns the
    /// partial results too.
    fn with_statistics(mut self, groups: usize) -> (Self, CubeTensor) {
        let [rows, columns, makes] = self.plan.output;
        let tiles = (self.images / groups * rows * columns).div_ceil(self.tile.rows());
        self.workgroups = tiles.clamp(1, NORM_PARTIALS);
        self.plan.groups = groups;
        let part = empty(&self.x, [groups, self.workgroups, 3, makes]);
        (Self { part: Some(part.clone()), ..self }, part)
    }

    fn run(self) -> CubeTensor {
        let client = self.x.client.clone();
        let across = self.plan.output[2].div_ceil(self.tile.columns());
        let count = CubeCount::Static((self.workgroups * self.plan.groups) as u32, across as u32, 1);
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
                self.plan,
                self.tile,
            );
        }
        self.y
    }
}

/// The launch of a convolution, `[n, in, h, w]` by `[out, in, k, k']`.
fn prepare(x: CubeTensor, w: CubeTensor, geometry: ConvGeometry) -> Launch {
    let x = nhwc(x);
    let [images, height, width, channels] = x.meta.shape().dims();
    let [makes, _, kernel_rows, kernel_columns] = w.meta.shape().dims();
    let rows = geometry.output_side(height, kernel_rows);
    let columns = geometry.output_side(width, kernel_columns);
    let plan =
        ConvPlan::forward([height, width, channels], [rows, columns, makes], [kernel_rows, kernel_columns], geometry);
    Launch::new(x, into_contiguous(w), images, plan)
}

/// Convolution: `[n, in, h, w]`, `[out, in, k, k']`, `[out]` -> `[n, out, h', w']`.
pub(super) fn forward(x: CubeTensor, w: CubeTensor, bias: Option<CubeTensor>, geometry: ConvGeometry) -> CubeTensor {
    nchw(Launch { bias: bias.map(into_contiguous), ..prepare(x, w, geometry) }.run())
}

/// Convolution with the statistics of each channel: NHWC output, and `[groups, p, 3, out]` partial counts, means and sums of
/// squares.
pub(super) fn with_statistics(
    x: CubeTensor,
    w: CubeTensor,
    geometry: ConvGeometry,
    groups: usize,
) -> (CubeTensor, CubeTensor) {
    let (launch, part) = prepare(x, w, geometry).with_statistics(groups);
    (launch.run(), part)
}

/// Input gradient of a convolution whose input has the dimensions `dims` (`[n, in, h, w]`).
pub(super) fn input_gradient(w: CubeTensor, g: CubeTensor, dims: [usize; 4], geometry: ConvGeometry) -> CubeTensor {
    let g = nhwc(g);
    let [images, channels, height, width] = dims;
    let [makes, _, kernel_rows, kernel_columns] = w.meta.shape().dims();
    let [_, rows, columns, _] = g.meta.shape().dims();
    let plan =
        ConvPlan::forward([height, width, channels], [rows, columns, makes], [kernel_rows, kernel_columns], geometry);
    nchw(Launch::new(g, into_contiguous(w), images, plan.backward()).run())
}
