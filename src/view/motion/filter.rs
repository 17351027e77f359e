//! Separable filters (Gaussian smoothing and its derivative) as products with band matrices, with replication padding.

use burn::tensor::{Device, Tensor, TensorData};

/// Radius of a Gaussian kernel, in standard deviations.
const REACH: f64 = 3.0;

/// Separable linear filter: one matrix along rows, one along columns.
#[derive(Clone, Debug)]
pub(super) struct SeparableFilter {
    /// `[1, 1, h, h]`.
    down: Tensor<4>,
    /// `[1, 1, w, w]`, transposed already.
    across: Tensor<4>,
}

impl SeparableFilter {
    /// Gaussian smoothing with a standard deviation of `sigma` pixels.
    pub(super) fn smooth(size: [usize; 2], sigma: f64, device: &Device) -> Self {
        Self::of(size, &gaussian(sigma), &gaussian(sigma), device)
    }

    /// Applies the filter, `y = K x K'^T`: `[n, c, h, w]` -> the same shape.
    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.down.clone().matmul(x).matmul(self.across.clone())
    }

    fn of([h, w]: [usize; 2], down: &[f64], across: &[f64], device: &Device) -> Self {
        Self { down: matrix(h, down, device), across: matrix(w, across, device).swap_dims(2, 3) }
    }
}

/// Gradient of a smoothed image, to the right and down.
#[derive(Clone, Debug)]
pub(super) struct GradientFilter {
    right: SeparableFilter,
    down: SeparableFilter,
}

impl GradientFilter {
    /// Central differences after Gaussian smoothing with a standard deviation of `sigma` pixels.
    pub(super) fn new(size: [usize; 2], sigma: f64, device: &Device) -> Self {
        let kernel = gaussian(sigma);
        let slope = convolved(&kernel, &[-0.5, 0.0, 0.5]);
        Self {
            right: SeparableFilter::of(size, &kernel, &slope, device),
            down: SeparableFilter::of(size, &slope, &kernel, device),
        }
    }

    /// Derivatives to the right and down: `[n, c, h, w]` -> the same shape twice.
    pub(super) fn apply(&self, x: Tensor<4>) -> [Tensor<4>; 2] {
        [self.right.apply(x.clone()), self.down.apply(x)]
    }
}

/// Gaussian kernel of odd length, with sum 1.
fn gaussian(sigma: f64) -> Vec<f64> {
    let reach = (REACH * sigma).ceil() as i64;
    let values: Vec<f64> = (-reach..=reach).map(|j| (-((j * j) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|value| value / sum).collect()
}

/// Convolution of two kernels.
fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut both = vec![0.0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, y)| both[i + j] += x * y);
    }
    both
}

/// Band matrix of a convolution: `K[o, p]` is the sum of the weights j for which pixel o + j is p after replication padding:
/// `[1, 1, side, side]`.
fn matrix(side: usize, kernel: &[f64], device: &Device) -> Tensor<4> {
    let mut values = vec![0f32; side * side];
    let last = side as i64 - 1;
    let middle = kernel.len() as i64 / 2;
    for out in 0..side {
        for (tap, weight) in kernel.iter().enumerate() {
            let pixel = (out as i64 + tap as i64 - middle).clamp(0, last) as usize;
            values[out * side + pixel] += *weight as f32;
        }
    }
    Tensor::from_data(TensorData::new(values, [1, 1, side, side]), device)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{assert_close, values};
    use super::*;

    #[test]
    fn a_flat_image_stays_and_a_plane_has_its_gradient() {
        let device = Device::flex();
        let flat = Tensor::<4>::full([1, 2, 6, 9], 0.7, &device);
        assert_close(&values(SeparableFilter::smooth([6, 9], 1.3, &device).apply(flat.clone())), &[0.7; 108], 1e-6);
        // a plane with the gradient 2 to the right and -3 down
        let plane: Vec<f32> = (0..20 * 20).map(|at| 2.0 * (at % 20) as f32 - 3.0 * (at / 20) as f32).collect();
        let plane = Tensor::<4>::from_data(TensorData::new(plane, [1, 1, 20, 20]), &device);
        let slopes = GradientFilter::new([20, 20], 0.8, &device).apply(plane);
        // away from the border, where padding flattens it
        let middle = |x: &Tensor<4>| values(x.clone().narrow(2, 5, 10).narrow(3, 5, 10));
        assert_close(&middle(&slopes[0]), &[2.0; 100], 1e-4);
        assert_close(&middle(&slopes[1]), &[-3.0; 100], 1e-4);
    }
}
