//! Mean and sum of squares of each column of a tile.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::kernel::gpu::matmul::{SIDE, Tile};

/// Rows of a tile's scratch memory in `column_sums`.
const FOLDED: usize = SIDE / 2;

/// Sum of each column of a tile, in the threads `unit < columns`, from the sums of every thread over its rows.
#[cube]
fn column_sums(own: &Array<f32>, scratch: &mut Shared<[f32]>, #[comptime] tile: Tile) -> f32 {
    let unit = UNIT_POS as usize;
    let across = unit % SIDE;
    let down = unit / SIDE;
    let columns = comptime!(tile.columns());
    if down < FOLDED {
        #[unroll]
        for j in 0..comptime!(tile.columns_each) {
            scratch[down * columns + across + j * SIDE] = own[j];
        }
    }
    sync_cube();
    if down >= FOLDED {
        #[unroll]
        for j in 0..comptime!(tile.columns_each) {
            scratch[(down - FOLDED) * columns + across + j * SIDE] += own[j];
        }
    }
    sync_cube();
    let mut sum = 0.0f32;
    if unit < columns {
        for i in 0..FOLDED {
            sum += scratch[i * columns + unit];
        }
    }
    sync_cube();
    sum
}

/// Mean, and sum of squares about it, of each column of a tile, in the threads `unit < columns`. Rows from `valid` on are 0 and do
/// not count.
#[cube]
pub fn column_moments(
    sums: &Array<f32>,
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    valid: usize,
    #[comptime] tile: Tile,
) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    let across = unit % SIDE;
    let down = unit / SIDE;
    let columns_each = comptime!(tile.columns_each);
    let mut own = Array::<f32>::new(columns_each);
    #[unroll]
    for j in 0..columns_each {
        own[j] = 0.0f32;
        #[unroll]
        for i in 0..comptime!(tile.rows_each) {
            own[j] += sums[i * columns_each + j];
        }
    }
    let mean = column_sums(&own, left, tile) / f32::cast_from(max(valid, 1usize));
    if unit < comptime!(tile.columns()) {
        right[unit] = mean;
    }
    sync_cube();
    #[unroll]
    for j in 0..columns_each {
        let centre = right[across + j * SIDE];
        own[j] = 0.0f32;
        #[unroll]
        for i in 0..comptime!(tile.rows_each) {
            if down + i * SIDE < valid {
                let off = sums[i * columns_each + j] - centre;
                own[j] += off * off;
            }
        }
    }
    (mean, column_sums(&own, left, tile))
}
