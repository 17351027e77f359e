//! Memory layout of maps on the GPU: NHWC, channels fastest, whatever the order of a tensor's axes.

use burn::tensor::Shape;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nhwc_to_nchw};
use burn_cubecl::tensor::CubeTensor;

/// `[n, c, h, w]` as `[n, h, w, c]`, contiguous. Copies only if the memory is in another order.
pub(super) fn nhwc(x: CubeTensor) -> CubeTensor {
    let [images, channels, height, width] = x.meta.shape().dims();
    if is_one_order(channels, height * width) {
        return reshaped(into_contiguous(x), [images, height, width, channels]);
    }
    into_contiguous(permute_nchw_to_nhwc(x))
}

/// `[n, h, w, c]`, contiguous, as `[n, c, h, w]`; the memory stays.
pub(super) fn nchw(y: CubeTensor) -> CubeTensor {
    let [images, height, width, channels] = y.meta.shape().dims();
    if is_one_order(channels, height * width) {
        return reshaped(y, [images, channels, height, width]);
    }
    permute_nhwc_to_nchw(y)
}

/// True if a map's values lie in the same order in NCHW and in NHWC. Such maps get the strides of contiguous tensors, so that reshaping
/// them to `[n, c]` needs no copy.
fn is_one_order(channels: usize, pixels: usize) -> bool {
    channels == 1 || pixels == 1
}

/// A contiguous tensor in another shape.
fn reshaped<const D: usize>(x: CubeTensor, shape: [usize; D]) -> CubeTensor {
    CubeTensor::new_contiguous(x.client, x.device, Shape::new(shape), x.handle, x.dtype)
}

/// Rows as maps of one pixel: `[n, c]` -> `[n, c, 1, 1]`.
pub(super) fn pixels(x: CubeTensor) -> CubeTensor {
    let x = into_contiguous(x);
    let [rows, columns] = x.meta.shape().dims();
    reshaped(x, [rows, columns, 1, 1])
}

/// Maps of one pixel as rows: `[n, c, 1, 1]`, contiguous -> `[n, c]`.
pub(super) fn rows(x: CubeTensor) -> CubeTensor {
    let [rows, columns, _, _] = x.meta.shape().dims();
    reshaped(x, [rows, columns])
}

/// Uninitialised contiguous tensor on the device and of the element type of another.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), like.dtype)
}

/// Number and size of workgroups for a thread for each of `values`, on the device of x. The last workgroup may have threads too many.
pub(super) fn one_thread_each(x: &CubeTensor, values: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(&x.client, values);
    (calculate_cube_count_elemwise(&x.client, values, dim), dim)
}
