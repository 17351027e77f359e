//! Batch normalisation by partial statistics, with a residual, ReLU and 2x2 max pooling in the same pass.
//!
//! A cell is the window of the pooling: one pixel, or 2x2. The last odd row or column has no whole cell: it counts in the
//! statistics but not in the output.

mod backward;
mod forward;

pub(super) use backward::{Residual, backward};
pub(super) use forward::{Affine, forward};

/// Properties of a normalisation that are known when its kernels are compiled.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) struct NormPlan {
    /// Rows, columns and channels of the map that is normalised.
    pub map: [usize; 3],
    /// Rows (and columns) of a cell: 1 or 2.
    pub cell: usize,
    pub relu: bool,
    /// Norm groups: image i belongs to group i mod `groups`.
    pub groups: usize,
}

impl NormPlan {
    /// Whole cells along the rows and along the columns.
    fn cells(&self) -> [usize; 2] {
        [self.map[0] / self.cell, self.map[1] / self.cell]
    }

    /// Cells along the rows and along the columns, with those that reach over the border.
    fn all_cells(&self) -> [usize; 2] {
        [self.map[0].div_ceil(self.cell), self.map[1].div_ceil(self.cell)]
    }

    fn pixels(&self) -> usize {
        self.map[0] * self.map[1]
    }
}
