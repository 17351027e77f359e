//! Regression: squared error and explained variance.

use burn::tensor::Tensor;

/// Least variance that errors are divided by, for targets that are all equal.
const NO_VARIANCE: f64 = 1e-12;

/// Mean squared error `mean_ij (p_ij - t_ij)^2`, over rows and columns.
///
/// `prediction` p, `target` t: `[n, d]` -> `[1]`.
pub fn squared_error(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    assert_eq!(prediction.dims(), target.dims(), "squared_error: one prediction per target");
    (prediction - target).square().mean()
}

/// Explained variance (R squared): `1 - sum_ij (p_ij - t_ij)^2 / sum_ij (t_ij - m_j)^2` with m the mean target of the batch.
///
/// `prediction` p, `target` t: `[n, d]` -> `[1]`: 1 for perfect predictions, 0 for predicting m, negative for worse.
pub fn explained_variance(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let variance = (target.clone() - target.clone().mean_dim(0)).square().mean();
    (squared_error(prediction, target) / variance.clamp_min(NO_VARIANCE)).neg() + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{differences_agree, gradient, number, table, tensor};
    use burn::tensor::Device;

    #[test]
    fn squared_error_and_its_gradient_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [p, t] = [0.0, 0.5].map(|s| table(4, 3, s));
        let slowly = |p: &crate::loss::test_support::Rows| {
            let squares = p.iter().zip(&t).flat_map(|(p, t)| p.iter().zip(t).map(|(p, t)| (p - t).powi(2)));
            squares.sum::<f64>() / 12.0
        };
        let leaf = tensor(&p, &device).require_grad();
        let loss = squared_error(leaf.clone(), tensor(&t, &device));
        assert!((number(loss.clone()) - slowly(&p)).abs() < 1e-6);
        differences_agree(&p, &gradient(&leaf, loss), slowly);
    }

    #[test]
    fn the_mean_explains_nothing_and_the_target_everything() {
        let t = tensor(&table(5, 3, 0.3), &Device::flex());
        let mean = t.clone().mean_dim(0).expand([5, 3]);
        assert!(number(explained_variance(mean.clone(), t.clone())).abs() < 1e-6);
        assert!((number(explained_variance(t.clone(), t.clone())) - 1.0).abs() < 1e-6);
        // half way from the mean to the target leaves a quarter of the squared error
        let half = (mean + t.clone()) * 0.5;
        assert!((number(explained_variance(half, t.clone())) - 0.75).abs() < 1e-6);
        assert!(number(explained_variance(t.clone().neg(), t)) < 0.0);
    }
}
