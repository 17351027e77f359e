//! Matrix product of two tiles in shared memory, the inner loop of convolutions and their gradients.

use burn_cubecl::cubecl::{self, prelude::*};

/// Threads along each side of a tile.
pub(super) const SIDE: usize = 16;
/// Threads of a workgroup.
pub(super) const THREADS: usize = SIDE * SIDE;

/// Workgroups that keep a large GPU busy.
pub(super) const BUSY: usize = 256;

/// Size of the tile that a workgroup computes. Every thread computes `rows_each` times `columns_each` values of it: the more, the
/// fewer values it reads from shared memory for a product.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) struct Tile {
    pub rows_each: usize,
    pub columns_each: usize,
}

impl Tile {
    /// Tile for a product of `rows` times `columns` values. Large tiles read least, and small ones divide a small product among
    /// enough workgroups.
    pub(super) fn of(rows: usize, columns: usize) -> Self {
        let large = Self { rows_each: 8, columns_each: values_each(columns, 8) };
        let workgroups = rows.div_ceil(large.rows()) * columns.div_ceil(large.columns());
        if workgroups >= BUSY { large } else { Self { rows_each: 4, columns_each: values_each(columns, 4) } }
    }

    /// Rows of the tile.
    pub(super) const fn rows(self) -> usize {
        SIDE * self.rows_each
    }

    /// Columns of the tile.
    pub(super) const fn columns(self) -> usize {
        SIDE * self.columns_each
    }

    /// Products summed between two barriers. Both operands fit into 16 KB, which every adapter has.
    pub(super) const fn depth(self) -> usize {
        if self.rows_each + self.columns_each > 12 { 8 } else { 16 }
    }

    /// Words between two rows of `depth` of the left operand: one more than the tile's rows, so that neighbours are in different
    /// banks.
    pub(super) const fn left_pitch(self) -> usize {
        self.rows() + 1
    }

    /// Words between two rows of `depth` of the right operand.
    pub(super) const fn right_pitch(self) -> usize {
        self.columns() + 1
    }
}

/// Rows (or columns) that each thread computes along a side of `count` values: 1, 2, 4 or 8, at most `most`. Tiles over the edge
/// multiply zeros; a larger tile is worth up to a third more of them.
pub(super) fn values_each(count: usize, most: usize) -> usize {
    let padded = |each: usize| count.next_multiple_of(SIDE * each);
    let worth = |each: &usize| *each <= most && 3 * padded(*each) <= 4 * padded(1);
    [8, 4, 2].into_iter().find(worth).unwrap_or(1)
}

/// Value at an index, or 0 and nothing read there if not `known`. Without a branch: compilers of shaders take a time that grows
/// exponentially with the number of branches in a row, SwiftShader's a minute for 32 of them.
#[cube]
pub(super) fn value_if(values: &[f32], index: usize, known: bool) -> f32 {
    select(known, values[select(known, index, 0usize)], 0.0f32)
}

/// Moves a thread's sums up by one row. A loop over rows that reads row 0 and then calls this has a fraction of the code of an
/// unrolled one, and needs no index that is known at run time only, for which the sums would leave the registers.
#[cube]
pub(super) fn next_row(sums: &mut Array<f32>, #[comptime] tile: Tile) {
    #[unroll]
    for i in 0..comptime!((tile.rows_each - 1) * tile.columns_each) {
        sums[i] = sums[i + comptime!(tile.columns_each)];
    }
}

/// Adds the product of two staged tiles: `sums[i, j] += sum_k left[k, down + 16 i] right[k, across + 16 j]`, k below `depth`.
#[cube]
pub(super) fn multiply(
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    sums: &mut Array<f32>,
    down: usize,
    across: usize,
    #[comptime] depth: usize,
    #[comptime] tile: Tile,
) {
    let rows_each = comptime!(tile.rows_each);
    let columns_each = comptime!(tile.columns_each);
    // a loop in the shader, which is shorter; drivers unroll it where that is faster
    for k in 0..depth {
        let mut a = Array::<f32>::new(rows_each);
        let mut b = Array::<f32>::new(columns_each);
        #[unroll]
        for i in 0..rows_each {
            a[i] = left[k * comptime!(tile.left_pitch()) + down + i * SIDE];
        }
        #[unroll]
        for j in 0..columns_each {
            b[j] = right[k * comptime!(tile.right_pitch()) + across + j * SIDE];
        }
        #[unroll]
        for i in 0..rows_each {
            #[unroll]
            for j in 0..columns_each {
                sums[i * columns_each + j] = fma(a[i], b[j], sums[i * columns_each + j]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_compute_as_many_values_as_padding_allows() {
        let counts = [1, 16, 17, 32, 33, 64, 65, 96, 128, 129, 289, 512];
        assert_eq!(counts.map(|count| values_each(count, 8)), [1, 1, 2, 2, 4, 4, 2, 8, 8, 4, 8, 8]);
        assert_eq!(counts.map(|count| values_each(count, 4)), [1, 1, 2, 2, 4, 4, 2, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn operands_fit_into_the_least_shared_memory_of_the_standard() {
        for rows_each in [1, 2, 4, 8] {
            for columns_each in [1, 2, 4, 8] {
                let tile = Tile { rows_each, columns_each };
                // and the places of the tile's pixels
                let words = tile.depth() * (tile.left_pitch() + tile.right_pitch()) + 2 * tile.rows();
                assert!(4 * words <= 16_384, "{tile:?}: {words} words");
                // every thread stages as many values as the others
                let staged = [tile.rows(), tile.columns()].map(|side| side * tile.depth() % THREADS);
                assert_eq!(staged, [0, 0], "{tile:?}");
            }
        }
    }
}
