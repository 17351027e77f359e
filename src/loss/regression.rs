//! Numbers to be said rather than classes.

use burn::tensor::Tensor;

/// Keeps targets that do not vary from dividing by 0.
const NO_VARIANCE: f64 = 1e-12;

/// `mean_ij (p_ij - t_ij)^2`: the mean over rows and numbers.
///
/// `prediction` p, `target` t: `[n, d]` -> `[1]`.
pub fn squared_error(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    assert_eq!(prediction.dims(), target.dims(), "squared_error: one prediction a target");
    (prediction - target).square().mean()
}

/// The share of the targets' variance that the predictions explain: `1 - sum_ij (p_ij - t_ij)^2 / sum_ij (t_ij - m_j)^2` with
/// m the mean target of the batch. Who always says m explains 0, who knows everything 1; it can be negative.
///
/// `prediction` p, `target` t: `[n, d]` -> `[1]`.
pub fn explained(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let spread = (target.clone() - target.clone().mean_dim(0)).square().mean();
    (squared_error(prediction, target) / spread.clamp_min(NO_VARIANCE)).neg() + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{differences_agree, gradient, number, table, tensor};
    use burn::tensor::Device;

    #[test]
    fn agrees_with_the_formula_and_with_central_differences() {
        let device = Device::flex().autodiff();
        let (p, t) = (table(4, 3, 0.0), table(4, 3, 0.5));
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
    fn the_mean_explains_nothing_and_the_truth_everything() {
        let t = tensor(&table(5, 3, 0.3), &Device::flex());
        let mean = t.clone().mean_dim(0).expand([5, 3]);
        assert!(number(explained(mean.clone(), t.clone())).abs() < 1e-6);
        assert!((number(explained(t.clone(), t.clone())) - 1.0).abs() < 1e-6);
        // half way from the mean to the truth leaves a quarter of the squares
        let half = (mean + t.clone()) * 0.5;
        assert!((number(explained(half, t.clone())) - 0.75).abs() < 1e-6);
        assert!(number(explained(t.clone().neg(), t)) < 0.0);
    }
}
