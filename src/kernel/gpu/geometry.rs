//! Geometry of a convolution: the pixels that it reads, from values known when a kernel is compiled.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::kernel::ConvGeometry;

/// Geometry of a convolution or of its input gradient. The kernels write map `output` out of map `input`; the number of images is
/// known at run time only, so that another batch size takes no new compilation.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) struct ConvPlan {
    /// Rows, columns and channels of the map that is read.
    pub input: [usize; 3],
    /// Rows, columns and channels of the map that is written.
    pub output: [usize; 3],
    /// Rows and columns of the filter.
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    /// True for the input gradient: `input` is the output's gradient, and the filter is read transposed.
    pub transposed: bool,
    /// Norm groups: image i belongs to group i mod `groups`. A tile's pixels are of one group.
    pub groups: usize,
}

impl ConvPlan {
    /// Plan of a convolution from `input` to `output` (rows, columns, channels).
    pub(super) fn forward(input: [usize; 3], output: [usize; 3], kernel: [usize; 2], geometry: ConvGeometry) -> Self {
        let ConvGeometry { stride, padding, dilation, .. } = geometry;
        Self { input, output, kernel, stride, padding, dilation, transposed: false, groups: 1 }
    }

    /// Plan of the input gradient of the same convolution.
    pub(super) fn backward(self) -> Self {
        Self { input: self.output, output: self.input, transposed: true, ..self }
    }

    /// Terms in the sum of one output value.
    pub(super) fn depth(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.input[2]
    }
}

/// Row or column that point `point` of the filter reads for output position `position`, and false if there is none: it lies in the
/// padding, or between two steps of the stride. A position before the first one wraps to a large number, so that one comparison
/// finds both borders.
#[cube]
pub(super) fn reads(
    position: usize,
    point: usize,
    #[comptime] side: usize,
    #[comptime] plan: ConvPlan,
) -> (usize, bool) {
    if comptime!(plan.transposed) {
        let raw = position + comptime!(plan.padding) - point * comptime!(plan.dilation);
        let at = raw / comptime!(plan.stride);
        let inside = at < side;
        let on_step = at * comptime!(plan.stride) == raw;
        (at, inside && on_step)
    } else {
        let at = position * comptime!(plan.stride) + point * comptime!(plan.dilation) - comptime!(plan.padding);
        (at, at < side)
    }
}

/// Index in memory, counted in pixels, of pixel `index` of norm group `group`: the group's images are every `groups`-th.
#[cube]
pub(super) fn pixel_of_group(
    index: usize,
    group: usize,
    #[comptime] pixels: usize,
    #[comptime] groups: usize,
) -> usize {
    if comptime!(groups == 1) { index } else { (index / pixels * groups + group) * pixels + index % pixels }
}
