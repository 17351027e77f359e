//! Gathering of a convolution's operands into shared memory: pixels that the filter reaches, and filters.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::kernel::gpu::geometry::{ConvPlan, pixel_of_group, reads};
use crate::kernel::gpu::matmul::{THREADS, Tile};

/// Image, row and column of the pixels that a thread gathers for its tile.
#[derive(CubeType)]
pub struct Places {
    image: Array<usize>,
    row: Array<usize>,
    column: Array<usize>,
}

/// Rows of a tile that are staged at once, one thread each for every product of `depth`.
const fn lanes(tile: Tile) -> usize {
    THREADS / tile.depth()
}

/// Places of the rows that a thread stages, of a tile whose first pixel is `first`.
#[cube]
pub fn places(first: usize, group: usize, #[comptime] plan: ConvPlan, #[comptime] tile: Tile) -> Places {
    let [rows, columns, _] = comptime!(plan.output);
    let each = comptime!(tile.rows() / lanes(tile));
    let lane = UNIT_POS as usize / comptime!(tile.depth());
    let mut image = Array::<usize>::new(each);
    let mut row = Array::<usize>::new(each);
    let mut column = Array::<usize>::new(each);
    #[unroll]
    for i in 0..each {
        let m = first + lane + i * comptime!(lanes(tile));
        let m = pixel_of_group(m, group, comptime!(rows * columns), plan.groups);
        image[i] = m / comptime!(rows * columns);
        row[i] = m / columns % rows;
        column[i] = m % columns;
    }
    Places { image, row, column }
}

/// Stages the next `depth` columns of the im2col matrix for the tile's pixels, and the same rows of the filters, from `first_k` on.
#[cube]
#[allow(clippy::too_many_arguments, reason = "a kernel's parts take what the kernel has")]
pub fn stage(
    x: &[f32],
    w: &[f32],
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    places: &Places,
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
    #[unroll]
    for i in 0..comptime!(tile.rows() / lanes) {
        let mut value = 0.0f32;
        let (r, row_known) = reads(places.row[i], point_row, height, plan);
        let (c, column_known) = reads(places.column[i], point_column, width, plan);
        if known && row_known && column_known && lane + i * lanes < valid {
            value = x[((places.image[i] * height + r) * width + c) * channels + channel];
        }
        left[own * comptime!(tile.left_pitch()) + lane + i * lanes] = value;
    }
    #[unroll]
    for j in 0..comptime!(tile.columns() / lanes) {
        let o = first_filter + lane + j * lanes;
        let mut weight = 0.0f32;
        if known && o < makes {
            if comptime!(plan.transposed) {
                weight = w[(channel * makes + o) * points + point];
            } else {
                weight = w[(o * channels + channel) * points + point];
            }
        }
        right[own * comptime!(tile.right_pitch()) + lane + j * lanes] = weight;
    }
}
