//! Geometry of a convolution.

/// Stride, padding, dilation and groups of a convolution, the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Pixels from one position of the filter to the next.
    pub stride: usize,
    /// Zero pixels added on each side of the image.
    pub padding: usize,
    /// Pixels from one point of the filter to the next.
    pub dilation: usize,
    /// Groups of channels: outputs of a group read the inputs of that group only.
    pub groups: usize,
}

impl ConvGeometry {
    /// A 1x1 convolution, which is a linear layer for each pixel.
    pub const POINTWISE: Self = Self { stride: 1, padding: 0, dilation: 1, groups: 1 };

    /// Rows (or columns) of the output, for an input of `side` and a filter of `kernel` of them.
    pub fn output_side(&self, side: usize, kernel: usize) -> usize {
        (side + 2 * self.padding - self.dilation * (kernel - 1) - 1) / self.stride + 1
    }
}
