//! Features that vary, agree between views and do not repeat each other (VICReg).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::kernel;

/// Standard deviation that every feature is to reach.
const GAMMA: f64 = 1.0;
/// Added to the variance under the root.
const EPSILON: f64 = 1e-4;
/// Keeps the agreement finite where nothing varies.
const TINY: f64 = 1e-8;

/// Weights of the three terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VicregWeights {
    /// Of the distance between the views.
    pub invariance: f64,
    /// Of deviations below 1.
    pub variance: f64,
    /// Of covariances of different features.
    pub covariance: f64,
}

/// The loss, and two values that show how the run goes.
#[derive(Clone, Debug)]
pub struct Vicreg {
    /// The loss `[1]`.
    pub loss: Tensor<1>,
    /// `1 - sum_j mean_i (a_ij - b_ij)^2 / sum_j (var_j(a) + var_j(b))`, without gradient `[1]`: 1 for equal views, about 0
    /// for views of different images.
    pub agreement: Tensor<1>,
    /// Covariance of the features of the first view, without gradient: `[d, d]`.
    pub covariance: Tensor<2>,
}

/// VICReg: `L = l s(a, b) + m (v(a) + v(b)) + n (c(a) + c(b))` with the weights l, m, n and
///
/// - invariance `s(a, b) = 1/(n d) sum_ij (a_ij - b_ij)^2`,
/// - variance `v(z) = 1/d sum_j max(0, 1 - sqrt(var_j(z) + 1e-4))`, var the unbiased variance over the batch,
/// - covariance `c(z) = 1/d sum_{i != j} C_ij^2`, `C = 1/(n - 1) sum (z - mean)^T (z - mean)`.
///
/// `a`, `b`: `[n, d]`, row i of both from one image; both learn. Bardes, Ponce and LeCun 2022, equations 1 to 6; s is the
/// mean over features too, as in their algorithm 1. Their released code takes half of the variance term: halve its weight
/// for that.
pub fn vicreg(a: Tensor<2>, b: Tensor<2>, weights: VicregWeights) -> Vicreg {
    assert_eq!(b.dims(), a.dims(), "vicreg: b must match a");
    let distance = (a.clone() - b.clone()).square();
    let invariance = distance.clone().mean();
    let [a, b] = [a, b].map(Moments::of);
    let variance = a.hinge() + b.hinge();
    let covariance = a.covariance();
    let other = b.covariance();
    let redundancy = a.off_diagonal(&covariance) + b.off_diagonal(&other);
    let spread = (a.variance + b.variance).detach().sum() + TINY;
    let agreement = (distance.detach().mean_dim(0).sum() / spread).neg() + 1.0;
    let loss = invariance * weights.invariance + variance * weights.variance + redundancy * weights.covariance;
    Vicreg { loss, agreement, covariance: covariance.detach() }
}

/// One view's features less their means, and their variances.
struct Moments {
    /// `[n, d]`.
    centred: Tensor<2>,
    /// Unbiased `[1, d]`.
    variance: Tensor<2>,
    /// n - 1; 1 for a single image, whose variances are 0.
    freedom: f64,
}

impl Moments {
    fn of(z: Tensor<2>) -> Self {
        let [n, _] = z.dims();
        let freedom = n.saturating_sub(1).max(1) as f64;
        let centred = z.clone() - z.mean_dim(0);
        let variance = centred.clone().square().sum_dim(0) / freedom;
        Self { centred, variance, freedom }
    }

    /// v, `[1]`.
    fn hinge(&self) -> Tensor<1> {
        relu((self.variance.clone() + EPSILON).sqrt().neg() + GAMMA).mean()
    }

    /// C, `[d, d]`.
    fn covariance(&self) -> Tensor<2> {
        let columns = self.centred.clone().transpose();
        kernel::linear(columns.clone(), columns, None) / self.freedom
    }

    /// c, `[1]`. The diagonal is taken off as a sum of squares: a mask of d^2 numbers is much where d is 8192.
    fn off_diagonal(&self, covariance: &Tensor<2>) -> Tensor<1> {
        let [_, d] = self.variance.dims();
        (covariance.clone().square().sum() - self.variance.clone().square().sum()) / d as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, differences_agree, gradient, max_gradient, number, rows, table, tensor};
    use burn::tensor::Device;

    const PAPER: VicregWeights = VicregWeights { invariance: 25.0, variance: 25.0, covariance: 1.0 };

    fn quickly(a: &Rows, b: &Rows, weights: VicregWeights) -> Vicreg {
        vicreg(tensor(a, &Device::flex()), tensor(b, &Device::flex()), weights)
    }

    fn loss(a: &Rows, b: &Rows, weights: VicregWeights) -> f64 {
        number(quickly(a, b, weights).loss)
    }

    /// The formula entry by entry, in double precision.
    fn slowly(a: &Rows, b: &Rows, weights: VicregWeights) -> f64 {
        let n = a.len();
        let d = a[0].len();
        let mut distance = 0.0;
        for i in 0..n {
            for j in 0..d {
                distance += (a[i][j] - b[i][j]).powi(2);
            }
        }
        let covariance = |z: &Rows, i: usize, j: usize| -> f64 {
            let mean = |column: usize| z.iter().map(|row| row[column]).sum::<f64>() / n as f64;
            let [first, second] = [i, j].map(mean);
            z.iter().map(|row| (row[i] - first) * (row[j] - second)).sum::<f64>() / (n - 1) as f64
        };
        let hinge = |z: &Rows| (0..d).map(|j| (1.0 - (covariance(z, j, j) + 1e-4).sqrt()).max(0.0)).sum::<f64>();
        let off = |z: &Rows| {
            let pairs = (0..d).flat_map(|i| (0..d).map(move |j| (i, j))).filter(|(i, j)| i != j);
            pairs.map(|(i, j)| covariance(z, i, j).powi(2)).sum::<f64>()
        };
        weights.invariance * distance / (n * d) as f64
            + weights.variance * (hinge(a) + hinge(b)) / d as f64
            + weights.covariance * (off(a) + off(b)) / d as f64
    }

    #[test]
    fn golden_values_worked_out_by_hand() {
        // both features are 1 and -1: variance 2, so no hinge; their covariance is 2, squared twice over 2 features is 4
        let alike: Rows = vec![vec![1.0, 1.0], vec![-1.0, -1.0]];
        assert!((loss(&alike, &alike, PAPER) - 8.0).abs() < 1e-5);
        assert_eq!(rows(quickly(&alike, &alike, PAPER).covariance), [[2.0, 2.0], [2.0, 2.0]]);
        // against zeros: a mean square of 1; a hinge of 1 - sqrt(1e-4) = 0.99; the covariance of one view alone
        let zeros: Rows = vec![vec![0.0; 2]; 2];
        assert!((loss(&alike, &zeros, PAPER) - (25.0 + 25.0 * 0.99 + 4.0)).abs() < 1e-4);
        // collapsed: nothing but two hinges of 0.99
        let constant: Rows = vec![vec![0.3, -0.7]; 3];
        assert!((loss(&constant, &constant, PAPER) - 49.5).abs() < 1e-4);
    }

    #[test]
    fn uncorrelated_features_lose_their_missing_deviation_alone() {
        // columns of a Hadamard matrix at height h: covariances 0, unbiased variance 4 h^2 / 3
        let signs = [[1.0, 1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]];
        for variance in [0.25f64, 0.64, 4.0] {
            let height = (0.75 * variance).sqrt();
            let z: Rows = signs.iter().map(|row| row.map(|sign| height * sign).to_vec()).collect();
            let expected = 50.0 * (1.0 - (variance + 1e-4).sqrt()).max(0.0);
            assert!((loss(&z, &z, PAPER) - expected).abs() < 1e-4, "variance {variance}");
        }
    }

    #[test]
    fn agreement_is_1_for_equal_views_and_less_for_others() {
        let z = table(6, 3, 0.0);
        assert!((number(quickly(&z, &z, PAPER).agreement) - 1.0).abs() < 1e-6);
        // a single feature of 1, 1, -1, -1 against 1, -1, 1, -1: mean square 2, variances 4/3 each
        let columns = |values: [f64; 4]| -> Rows { values.iter().map(|&x| vec![x]).collect() };
        let [a, b] = [[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]].map(columns);
        assert!((number(quickly(&a, &b, PAPER).agreement) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn the_loss_and_both_gradients_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [a, b] = [0.0, 0.5].map(|s| table(5, 3, s));
        let each = [(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)];
        for (invariance, variance, covariance) in each {
            let weights = VicregWeights { invariance, variance, covariance };
            let leaf = |values: &Rows| tensor(values, &device).require_grad();
            let [x, y] = [&a, &b].map(leaf);
            let loss = vicreg(x.clone(), y, weights).loss;
            assert!((number(loss.clone()) - slowly(&a, &b, weights)).abs() < 1e-4, "{weights:?}");
            differences_agree(&a, &gradient(&x, loss), |a| slowly(a, &b, weights));
            let [x, y] = [&a, &b].map(leaf);
            differences_agree(&b, &gradient(&y, vicreg(x, y.clone(), weights).loss), |b| slowly(&a, b, weights));
        }
    }

    #[test]
    fn the_loss_ignores_shifts_and_the_order_of_the_views() {
        let [a, b] = [0.0, 0.5].map(|s| table(5, 3, s));
        let shifted = |z: &Rows| -> Rows { z.iter().map(|row| row.iter().map(|x| x + 2.0).collect()).collect() };
        let plain = loss(&a, &b, PAPER);
        assert!((plain - loss(&shifted(&a), &shifted(&b), PAPER)).abs() < 1e-3);
        assert!((plain - loss(&b, &a, PAPER)).abs() < 1e-5);
    }

    #[test]
    fn both_views_learn_and_a_single_image_has_a_finite_loss() {
        let device = Device::flex().autodiff();
        let [a, b] = [0.0, 0.5].map(|s| tensor(&table(5, 3, s), &device).require_grad());
        assert!(max_gradient(&b, vicreg(a.clone(), b.clone(), PAPER).loss) > 1e-3);
        assert!(max_gradient(&a, vicreg(a.clone(), b, PAPER).loss) > 1e-3);
        assert!(loss(&table(1, 3, 0.0), &table(1, 3, 0.5), PAPER).is_finite());
    }
}
