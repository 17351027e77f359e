//! Max pooling over 2x2 windows with stride 2, and its gradient.

use burn_flex::FlexTensor;

use super::parallel::fill_chunks;
use super::tensor;

/// Sizes of the pooled tensor `[n, c, h, w]`; a last odd row or column belongs to no window.
struct PoolShape {
    input: [usize; 4],
}

impl PoolShape {
    fn of(x: &FlexTensor) -> Self {
        let shape = x.layout().shape();
        Self { input: [0, 1, 2, 3].map(|axis| shape[axis]) }
    }

    fn maps(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of an input map.
    fn input_len(&self) -> usize {
        self.input[2] * self.input[3]
    }

    /// Rows and columns of an output map.
    fn output(&self) -> [usize; 2] {
        [self.input[2] / 2, self.input[3] / 2]
    }

    /// Pixels of an output map.
    fn output_len(&self) -> usize {
        self.output().iter().product()
    }
}

/// Mask of all ones where `b` is the maximum of `a` and `b`, else 0. The first of equal values is the maximum; a NaN is, as in
/// PyTorch. It is a mask and not a branch, because the processor cannot predict which pixel is the largest.
fn beats(b: f32, a: f32) -> u32 {
    u32::from((b > a) | b.is_nan()).wrapping_neg()
}

/// `value` where the mask is set, else 0.
fn masked(value: f32, bits: u32) -> f32 {
    f32::from_bits(value.to_bits() & bits)
}

fn larger(a: f32, b: f32) -> f32 {
    let bits = beats(b, a);
    f32::from_bits((b.to_bits() & bits) | (a.to_bits() & !bits))
}

/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
pub(super) fn forward(x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let shape = PoolShape::of(&x);
    let [images, channels, _, width] = shape.input;
    let [rows, columns] = shape.output();
    let work = |_: &mut (), y: &mut [f32], [x]: [&[f32]; 1]| {
        for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(2 * width)) {
            let (upper, lower) = x.split_at(width);
            for ((y, a), b) in y.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                *y = larger(larger(a[0], a[1]), larger(b[0], b[1]));
            }
        }
    };
    let size = (shape.maps() * shape.output_len(), shape.output_len());
    let y = fill_chunks(size, [(x.storage(), shape.input_len())], || (), work);
    tensor(y, &[images, channels, rows, columns])
}

/// Gradient of the loss with respect to x `[n, c, h, w]`, given its gradient `g` with respect to y `[n, c, h / 2, w / 2]`: the
/// maximum of each window gets all of it.
pub(super) fn gradient(x: &FlexTensor, g: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let g = g.to_contiguous();
    let shape = PoolShape::of(&x);
    let [.., width] = shape.input;
    let [_, columns] = shape.output();
    let values = shape.maps() * shape.input_len();
    if shape.output_len() == 0 {
        return tensor(vec![0.0; values], &shape.input);
    }
    let work = |_: &mut (), dx: &mut [f32], [x, g]: [&[f32]; 2]| {
        let rows = dx.chunks_exact_mut(2 * width).zip(x.chunks_exact(2 * width));
        for ((dx, x), g) in rows.zip(g.chunks_exact(columns)) {
            let (dx_upper, dx_lower) = dx.split_at_mut(width);
            let (upper, lower) = x.split_at(width);
            let gradients = dx_upper.chunks_exact_mut(2).zip(dx_lower.chunks_exact_mut(2));
            let pixels = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            for (((da, db), (a, b)), &g) in gradients.zip(pixels).zip(g) {
                let below = beats(larger(b[0], b[1]), larger(a[0], a[1]));
                for (d, pixels, bits) in [(da, a, !below), (db, b, below)] {
                    let right = beats(pixels[1], pixels[0]);
                    d[0] = masked(g, bits & !right);
                    d[1] = masked(g, bits & right);
                }
            }
        }
    };
    let inputs = [(x.storage(), shape.input_len()), (g.storage(), shape.output_len())];
    let dx = fill_chunks((values, shape.input_len()), inputs, || (), work);
    tensor(dx, &shape.input)
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::max_pool2d;
    use burn::tensor::ops::MaxPoolOptions;
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::{max_pool_2x2, test_support};

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    /// Integers from 0 to 5, so that many windows hold their maximum twice.
    fn maps(shape: [usize; 4]) -> Tensor<4> {
        let pixels = test_support::values(1, shape.iter().product());
        let pixels: Vec<f32> = pixels.into_iter().map(|value| (2.5 * value + 2.5).round()).collect();
        Tensor::from_data(TensorData::new(pixels, shape), &Device::flex())
    }

    #[test]
    fn max_pooling_and_its_gradient_are_burns_bit_for_bit() {
        for shape in [[2, 3, 8, 8], [1, 2, 7, 5], [3, 1, 2, 9], [1, 1, 1, 6], [2, 2, 5, 1]] {
            let [n, c, h, w] = shape;
            let weights = maps([n, c, (h / 2).max(1), (w / 2).max(1)]);
            let weights = weights.slice([0..n, 0..c, 0..h / 2, 0..w / 2]);
            let both: [fn(Tensor<4>) -> Tensor<4>; 2] = [max_pool_2x2, |x| max_pool2d(x, MaxPoolOptions::new([2, 2]))];
            let [ours, burns] = both.map(|pool| {
                if h < 2 || w < 2 {
                    return (vec![], vec![0.0; n * c * h * w]);
                }
                let x = Tensor::<4>::from_inner(maps(shape)).require_grad();
                let y = pool(x.clone());
                let gradients = (y.clone() * Tensor::from_inner(weights.clone())).sum().backward();
                (values(y.inner()), values(x.grad(&gradients).expect("a gradient")))
            });
            assert_eq!(ours, burns, "{shape:?}");
            assert_eq!(values(max_pool_2x2(maps(shape))), ours.0, "{shape:?} without gradient");
        }
    }

    #[test]
    fn a_window_with_nan_pools_to_nan() {
        let x = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [3.0, 2.0]]]], &Device::flex());
        assert!(values(max_pool_2x2(x))[0].is_nan());
    }

    #[test]
    fn a_transposed_tensor_is_read_in_its_logical_order() {
        let x = maps([1, 2, 6, 4]).swap_dims(2, 3);
        let copied = Tensor::from_data(x.clone().into_data(), &Device::flex());
        assert_eq!(values(max_pool_2x2(x)), values(max_pool2d(copied, MaxPoolOptions::new([2, 2]))));
    }
}
