//! Nearer to one's own than to all others, by a margin.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::unit_rows;

/// `mean_i mean_{j != i} max(d(a_i, p_i) - d(a_i, p_j) + m, 0)` with `d(a, b) = 1 - cos(a, b)`: row i of a belongs to row i of p,
/// and every other row of p is something else.
///
/// Rows are set to length 1 each by itself. (A published code divides by lengths taken over the batch instead, a slip.)
///
/// `a`, `p`: `[n, d]`, n of 2 or more; `margin` m -> `[1]`. Doersch and Zisserman 2017, section 2; margin 0.5.
pub fn triplet(a: Tensor<2>, p: Tensor<2>, margin: f64) -> Tensor<1> {
    let [n, _] = a.dims();
    assert!(n > 1 && p.dims() == a.dims(), "triplet: two or more rows, one partner each");
    let (a, p) = (unit_rows(a), unit_rows(p));
    let own = (a.clone() * p.clone()).sum_dim(1); // [n, 1]
    // in the place of its own partner each row has the margin, whatever the cosines
    let hinges = relu(a.matmul(p.transpose()) - own + margin);
    (hinges.sum() - margin * n as f64) / (n * (n - 1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, cosine, differences_agree, gradient, number, table, tensor};
    use burn::tensor::Device;

    fn slowly(a: &Rows, p: &Rows, margin: f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, anchor) in a.iter().enumerate() {
            for (_, other) in p.iter().enumerate().filter(|(j, _)| *j != i) {
                sum += (cosine(anchor, other) - cosine(anchor, &p[i]) + margin).max(0.0);
                count += 1.0;
            }
        }
        sum / count
    }

    #[test]
    fn agrees_with_the_formula_and_with_central_differences() {
        let device = Device::flex().autodiff();
        let (a, p) = (table(4, 3, 0.0), table(4, 3, 0.5));
        for margin in [0.5, 0.1] {
            let leaf = tensor(&a, &device).require_grad();
            let loss = triplet(leaf.clone(), tensor(&p, &device), margin);
            assert!((number(loss.clone()) - slowly(&a, &p, margin)).abs() < 1e-6);
            differences_agree(&a, &gradient(&leaf, loss), |a| slowly(a, &p, margin));
        }
    }

    #[test]
    fn closed_forms() {
        let device = Device::flex();
        let axes = Tensor::<2>::eye(4, &device);
        // own partners equal, others at a right angle: d is 0 against 1
        assert!(number(triplet(axes.clone(), axes.clone() * 3.0, 0.5)).abs() < 1e-6);
        assert!((number(triplet(axes.clone(), axes, 1.25)) - 0.25).abs() < 1e-6);
        let same = Tensor::<2>::ones([4, 3], &device);
        assert!((number(triplet(same.clone(), same, 0.5)) - 0.5).abs() < 1e-6, "collapsed: every hinge is the margin");
    }
}
