//! Redundancy reduction: the cross-correlation matrix of two views goes to the identity (Barlow Twins).

use burn::tensor::Tensor;

pub use crate::kernel::CrossCorrelation;
use crate::kernel::cross_correlation;

/// Added to the variance under the root, as in batch normalisation.
const EPSILON: f64 = 1e-5;

/// Barlow Twins: the correlation of each feature with itself across views goes to 1, with every other feature to 0.
///
/// `L = scale (sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2)` with `C = a^T b / n`, each feature of a and b first
/// brought to mean 0 and (biased) variance 1 over the batch. Gradients reach both views.
///
/// `a`, `b`: `[n, d]`, row i of both from one image. Zbontar et al. 2021, equation 1.
pub fn barlow_twins(a: Tensor<2>, b: Tensor<2>, lambda: f64, scale: f64) -> CrossCorrelation {
    assert_eq!(b.dims(), a.dims(), "barlow_twins: b must match a");
    cross_correlation(a, b, [lambda, scale, EPSILON])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, differences_agree, gradient, max_gradient, number, rows, table, tensor};
    use burn::tensor::Device;

    fn correlation_slowly(a: &Rows, b: &Rows) -> Rows {
        let n = a.len() as f64;
        let column = |x: &Rows, j: usize| -> Vec<f64> {
            let values: Vec<f64> = x.iter().map(|row| row[j]).collect();
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            values.iter().map(|x| (x - mean) / (variance + EPSILON).sqrt()).collect()
        };
        let product = |i: usize, j: usize| column(a, i).iter().zip(column(b, j)).map(|(x, y)| x * y).sum::<f64>() / n;
        (0..a[0].len()).map(|i| (0..b[0].len()).map(|j| product(i, j)).collect()).collect()
    }

    /// Invariance term `sum_i (1 - C_ii)^2` and redundancy term `sum_{i != j} C_ij^2`.
    fn terms(c: &Rows) -> (f64, f64) {
        let mut on = 0.0;
        let mut off = 0.0;
        for (i, row) in c.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                if i == j { on += (1.0 - value).powi(2) } else { off += value.powi(2) }
            }
        }
        (on, off)
    }

    fn slowly(a: &Rows, b: &Rows, lambda: f64) -> f64 {
        let (on, off) = terms(&correlation_slowly(a, b));
        on + lambda * off
    }

    fn quickly(a: &Rows, b: &Rows, lambda: f64, scale: f64) -> CrossCorrelation {
        barlow_twins(tensor(a, &Device::flex()), tensor(b, &Device::flex()), lambda, scale)
    }

    #[test]
    fn golden_values() {
        let [a, b] = [0.0, 0.5].map(|s| table(4, 3, s));
        let found = quickly(&a, &b, 0.005, 1.0);
        assert!((number(found.loss) - 0.239_132).abs() < 1e-5);
        let c = rows(found.correlation);
        for (found, expected) in c[0].iter().zip([0.556_707, -0.833_967, -0.874_593]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        let (on, off) = terms(&c);
        assert!((on - 0.226_251).abs() < 1e-5 && (off - 2.576_220).abs() < 1e-5, "{on}, {off}");
        assert!((number(quickly(&a, &a, 0.005, 1.0).loss) - 0.020_226_6).abs() < 1e-5);
        assert!((number(quickly(&a, &b, 0.005, 0.1).loss) - 0.023_913_2).abs() < 1e-6, "the scale is a factor");
    }

    #[test]
    fn closed_forms() {
        // columns of a Hadamard matrix: uncorrelated, so C is the identity
        let signs: Rows =
            vec![vec![1.0, 1.0, 1.0], vec![-1.0, 1.0, -1.0], vec![1.0, -1.0, -1.0], vec![-1.0, -1.0, 1.0]];
        assert!(number(quickly(&signs, &signs, 1.0, 1.0).loss).abs() < 1e-6);
        // the same feature three times: the diagonal is 1 as it should be, and so are the six other entries
        let copies: Rows = [0.3, -1.0, 2.0, 0.7].iter().map(|&x| vec![x; 3]).collect();
        assert!((number(quickly(&copies, &copies, 0.5, 1.0).loss) - 3.0).abs() < 1e-3);
    }

    #[test]
    fn the_loss_ignores_scale_shift_and_order_of_views() {
        let [a, b] = [0.0, 0.5].map(|s| table(5, 3, s));
        let stretched: Rows = a.iter().map(|row| vec![50.0 * row[0] + 3.0, row[1], row[2]]).collect();
        let [plain, moved, swapped] = [(&a, &b), (&stretched, &b), (&b, &a)].map(|(a, b)| quickly(a, b, 0.005, 1.0));
        assert!((number(plain.loss.clone()) - number(moved.loss)).abs() < 1e-4);
        let [c, swapped] = [plain, swapped].map(|found| rows(found.correlation));
        for i in 0..3 {
            for j in 0..3 {
                assert!((c[i][j] - swapped[j][i]).abs() < 1e-6 && c[i][j].abs() <= 1.0 + 1e-6);
            }
        }
    }

    #[test]
    fn the_loss_and_both_gradients_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [a, b] = [0.0, 0.5].map(|s| table(5, 3, s));
        let leaves = || (tensor(&a, &device).require_grad(), tensor(&b, &device).require_grad());
        let (x, y) = leaves();
        let loss = barlow_twins(x.clone(), y, 0.3, 1.0).loss;
        assert!((number(loss.clone()) - slowly(&a, &b, 0.3)).abs() < 1e-5);
        differences_agree(&a, &gradient(&x, loss), |a| slowly(a, &b, 0.3));
        let (x, y) = leaves();
        differences_agree(&b, &gradient(&y, barlow_twins(x, y.clone(), 0.3, 1.0).loss), |b| slowly(&a, b, 0.3));
    }

    #[test]
    fn gradients_reach_both_views() {
        let device = Device::flex().autodiff();
        let [a, b] = [0.0, 0.5].map(|s| tensor(&table(5, 3, s), &device).require_grad());
        assert!(max_gradient(&b, barlow_twins(a.clone(), b.clone(), 0.005, 1.0).loss) > 1e-3);
        assert_eq!(max_gradient(&b, barlow_twins(a, b.clone().detach(), 0.005, 1.0).loss), 0.0);
    }
}
