//! Views of images on a GPU.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::gpu::GpuKernels;
use super::is_gpu;

/// Parameters of a window in [`view`]: first row, first column, rows, columns, and 1 if the result is mirrored.
pub const WINDOW_NUMBERS: usize = 5;

/// Parameters of a colour step in [`view`]: factors of the pixel, of its gray, of the mean pixel's gray and of the mean pixel,
/// a summand, 1 if the result is clipped to 0 to 1, turns of the hue, and the least brightness that is inverted.
pub const STEP_NUMBERS: usize = 8;

/// Configuration of [`view`].
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct ViewConfig {
    /// Rows and columns of the view.
    pub size: [usize; 2],
    /// Bicubic interpolation instead of bilinear.
    pub bicubic: bool,
    /// Colour steps.
    pub steps: usize,
}

impl ViewConfig {
    /// Parameters of an image.
    pub const fn numbers(&self) -> usize {
        WINDOW_NUMBERS + self.steps * STEP_NUMBERS
    }
}

/// Views of a batch on the GPU, in one launch: crops a window out of each image, resizes it with antialiasing, and applies
/// colour steps in order, each with parameters of its own for every image.
///
/// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3; `numbers`: `[n, p]`, [`WINDOW_NUMBERS`] and then [`STEP_NUMBERS`] for each step
/// -> `[n, c, h', w']`, without gradient.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn view(images: Tensor<4>, numbers: Tensor<2>, config: ViewConfig) -> Tensor<4> {
    let [_, width] = numbers.dims();
    assert_eq!(width, config.numbers(), "view: {} numbers an image", config.numbers());
    Tensor::from_dispatch(<Dispatch as GpuKernels>::view(images.into_dispatch(), numbers.into_dispatch(), config))
}

/// Rows of two batches in turn, without gradient: `[n, c, h, w]` twice -> `[2n, c, h, w]`, the first of both, then the second of
/// both, and so on.
pub fn alternate(one: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = one.dims();
    assert_eq!(other.dims(), one.dims(), "alternate: both batches must have one shape");
    if is_gpu(&one.device()) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::alternate(one.into_dispatch(), other.into_dispatch()));
    }
    Tensor::stack::<5>(vec![one, other], 1).reshape([2 * n, c, h, w])
}

/// All four quarter turns of square images, on the GPU: `[n, c, s, s]` -> `[4n, c, s, s]`, without gradient, the n images at 0 degrees
/// first, then those turned counter-clockwise by 90, 180 and 270 degrees.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn quarter_turns(images: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as GpuKernels>::quarter_turns(images.into_dispatch()))
}
