//! Gathering of a convolution's operands into shared memory: pixels that the filter reaches, and filters.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::kernel::gpu::geometry::{ConvPlan, pixel_of_group, reads};
use crate::kernel::gpu::matmul::{THREADS, Tile, value_if};

/// Bits of a column in a place.
const COLUMN: u32 = 16;

/// Rows of a tile that are staged at once, one thread each for every product of `depth`.
const fn lanes(tile: Tile) -> usize {
    THREADS / tile.depth()
}

/// Writes image, row and column of every pixel of a tile whose first pixel is `first`: `places[i]` and, packed, `places[rows + i]`. One
/// thread divides for each pixel; registers would have to hold the places of several.
#[cube]
pub fn write_places(
    places: &mut Shared<[u32]>,
    first: usize,
    group: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] tile: Tile,
) {
    let [rows, columns, _] = comptime!(plan.output);
    let unit = UNIT_POS as usize;
    if unit < comptime!(tile.rows()) {
        let m = pixel_of_group(first + unit, group, comptime!(rows * columns), plan.groups);
        let row = (m / columns % rows) as u32;
        let column = (m % columns) as u32;
        places[unit] = (m / comptime!(rows * columns)) as u32;
        places[unit + comptime!(tile.rows())] = (row << COLUMN) + column;
    }
}

/// Stages the next `depth` columns of the im2col matrix for the tile's pixels, and the same rows of the filters, from `first_k` on. The
/// loops are not unrolled here, for the shader is short then; drivers unroll them where that is faster.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
pub fn stage(
    x: &[f32],
    w: &[f32],
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    places: &mut Shared<[u32]>,
    first_k: usize,
    valid: usize,
    first_filter: usize,
    #[comptime] plan: ConvPlan,
    #[comptime] tile: Tile,
) {
    let [height, width, channels] = comptime!(plan.input);
    let makes = comptime!(plan.output[2]);
    let points = comptime!(plan.kernel[0] * plan.kernel[1]);
    let lanes = comptime!(lanes(tile));
    let own = UNIT_POS as usize % comptime!(tile.depth());
    let lane = UNIT_POS as usize / comptime!(tile.depth());
    let k = first_k + own;
    let point = k / channels;
    let channel = k % channels;
    let point_row = point / comptime!(plan.kernel[1]);
    let point_column = point % comptime!(plan.kernel[1]);
    let known = k < comptime!(points * channels);
    for i in 0..comptime!(tile.rows() / lanes) {
        let pixel = lane + i * lanes;
        let image = places[pixel] as usize;
        let place = places[pixel + comptime!(tile.rows())];
        let (r, row_known) = reads((place >> COLUMN) as usize, point_row, height, plan);
        let (c, column_known) = reads((place & comptime!((1u32 << COLUMN) - 1)) as usize, point_column, width, plan);
        let in_tile = pixel < valid;
        let at = ((image * height + r) * width + c) * channels + channel;
        left[own * comptime!(tile.left_pitch()) + pixel] =
            value_if(x, at, known && row_known && column_known && in_tile);
    }
    for j in 0..comptime!(tile.columns() / lanes) {
        let filter = lane + j * lanes;
        let o = first_filter + filter;
        let is_filter = o < makes;
        let at = if comptime!(plan.transposed) {
            (channel * makes + o) * points + point
        } else {
            (o * channels + channel) * points + point
        };
        right[own * comptime!(tile.right_pitch()) + filter] = value_if(w, at, known && is_filter);
    }
}
