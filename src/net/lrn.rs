//! Local response normalisation (LRN), AlexNet's norm before there was batch norm.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use crate::kernel;

/// Number of channels in the window, centred on the channel itself.
pub const LRN_SIZE: usize = 5;
/// Factor of the mean square over the window.
pub const LRN_ALPHA: f64 = 1e-4;
/// Exponent.
pub const LRN_BETA: f64 = 0.75;

/// Local response normalisation: `y_c = x_c / (1 + 1e-4 / 5 sum_d x_d^2)^0.75`, d over the five channels about c, with zeros
/// beyond the first and last channel.
///
/// `[n, c, h, w]` -> the same. Krizhevsky et al. 2012, section 3.3, with Caffe's reading of alpha.
pub fn local_response_norm(x: Tensor<4>) -> Tensor<4> {
    kernel::count_fallback("local response normalisation", &x);
    let [n, c, h, w] = x.dims();
    let squares = x.clone().square().reshape([n, 1, c, h * w]);
    let window = AvgPoolOptions::new([LRN_SIZE, 1]).with_stride([1, 1]).with_padding([LRN_SIZE / 2, 0]);
    let mean = avg_pool2d(squares, window).reshape([n, c, h, w]);
    x * ((mean * LRN_ALPHA) + 1.0).powf_scalar(-LRN_BETA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const SHAPE: [usize; 4] = [1, 7, 1, 2];

    fn slowly(x: &[f64]) -> Vec<f64> {
        let each = |place: usize| {
            let channel = place / 2;
            let column = place % 2;
            let near = channel.saturating_sub(2)..(channel + 3).min(7);
            let sum: f64 = near.map(|c| x[2 * c + column].powi(2)).sum();
            x[place] / (1.0 + 1e-4 / 5.0 * sum).powf(0.75)
        };
        (0..14).map(each).collect()
    }

    fn input() -> Vec<f64> {
        (0..14).map(|i| 90.0 * (0.7 * f64::from(i)).sin()).collect()
    }

    #[test]
    fn lrn_and_its_gradient_agree_with_a_slow_loop() {
        let x = input();
        let floats: Vec<f32> = x.iter().map(|&v| v as f32).collect();
        let leaf = Tensor::<4>::from_data(TensorData::new(floats, SHAPE), &Device::flex().autodiff()).require_grad();
        let y = local_response_norm(leaf.clone());
        let found: Vec<f32> = y.to_data().try_to_vec().expect("floats");
        for (found, expected) in found.iter().zip(slowly(&x)) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} is not {expected}");
        }
        let slopes: Vec<f32> =
            leaf.grad(&y.square().sum().backward()).expect("a gradient").into_data().try_to_vec().expect("floats");
        for (place, slope) in slopes.iter().enumerate() {
            let at = |by: f64| {
                let mut moved = x.clone();
                moved[place] += by;
                slowly(&moved).iter().map(|y| y * y).sum::<f64>()
            };
            let expected = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((f64::from(*slope) - expected).abs() < 2e-2, "{place}: {slope} is not {expected}");
        }
    }
}
