//! Matrix product of two tiles in shared memory, the inner loop of convolutions and their gradients.

use burn_cubecl::cubecl::{self, prelude::*};

/// Products summed between two barriers.
pub(super) const DEPTH: usize = 16;
/// Threads along each side of a tile.
pub(super) const SIDE: usize = 16;
/// Threads of a workgroup.
pub(super) const THREADS: usize = SIDE * SIDE;
/// Rows of the tile that each thread computes.
pub(super) const ROWS_EACH: usize = 4;
/// Rows of a tile.
pub(super) const ROWS: usize = SIDE * ROWS_EACH;
/// Length of a row of `DEPTH` in shared memory: a word more than a tile's rows, so that neighbours lie in different banks.
pub(super) const PITCH: usize = ROWS + 1;

/// Columns that each thread computes, for a matrix of `columns`: a tile has 16, 32 or 64 columns. Few columns take a narrow
/// tile, because a wide one would multiply zeros.
pub(super) fn columns_each(columns: usize) -> usize {
    match columns {
        0..=16 => 1,
        17..=32 => 2,
        _ => 4,
    }
}

/// Adds the product of two staged tiles: `sums[i, j] += sum_k left[k, down + 16 i] right[k, across + 16 j]`.
#[cube]
pub(super) fn multiply(
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    sums: &mut Array<f32>,
    down: usize,
    across: usize,
    #[comptime] columns_each: usize,
) {
    #[unroll]
    for k in 0..DEPTH {
        let mut a = Array::<f32>::new(ROWS_EACH);
        let mut b = Array::<f32>::new(columns_each);
        #[unroll]
        for i in 0..ROWS_EACH {
            a[i] = left[k * PITCH + down + i * SIDE];
        }
        #[unroll]
        for j in 0..columns_each {
            b[j] = right[k * PITCH + across + j * SIDE];
        }
        #[unroll]
        for i in 0..ROWS_EACH {
            #[unroll]
            for j in 0..columns_each {
                sums[i * columns_each + j] = fma(a[i], b[j], sums[i * columns_each + j]);
            }
        }
    }
}
