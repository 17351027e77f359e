//! Triplet loss with a margin.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::unit_rows;
use crate::kernel;

/// Triplet loss `mean_i mean_{j != i} max(d(a_i, p_i) - d(a_i, p_j) + m, 0)` with `d(a, b) = 1 - cos(a, b)`: row i of p is the
/// positive of row i of a, every other row of p a negative.
///
/// Each row is normalised on its own. (A published implementation divides by norms taken over the batch, which is a slip.)
///
/// `a`, `p`: `[n, d]`, n of 2 or more; `margin` m -> `[1]`. Doersch and Zisserman 2017, section 2; margin 0.5.
pub fn triplet(a: Tensor<2>, p: Tensor<2>, margin: f64) -> Tensor<1> {
    let [n, _] = a.dims();
    assert!(n > 1 && p.dims() == a.dims(), "triplet: two or more rows, one positive each");
    let a = unit_rows(a);
    let p = unit_rows(p);
    let own = (a.clone() * p.clone()).sum_dim(1); // [n, 1]
    // the hinge of a row with its own positive is exactly the margin, which is taken off below
    let hinges = relu(kernel::linear(a, p, None) - own + margin);
    (hinges.sum() - margin * n as f64) / (n * (n - 1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, cosine, differences_agree, gradient, number, table, tensor};
    use burn::tensor::Device;

    fn slowly(a: &Rows, p: &Rows, margin: f64) -> f64 {
        let mut sum = 0.0;
        let mut count = 0.0;
        for (i, anchor) in a.iter().enumerate() {
            for (_, other) in p.iter().enumerate().filter(|(j, _)| *j != i) {
                sum += (cosine(anchor, other) - cosine(anchor, &p[i]) + margin).max(0.0);
                count += 1.0;
            }
        }
        sum / count
    }

    #[test]
    fn the_loss_and_its_gradient_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [a, p] = [0.0, 0.5].map(|s| table(4, 3, s));
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
        // positives equal, negatives orthogonal: distances 0 and 1
        assert!(number(triplet(axes.clone(), axes.clone() * 3.0, 0.5)).abs() < 1e-6);
        assert!((number(triplet(axes.clone(), axes, 1.25)) - 0.25).abs() < 1e-6);
        let same = Tensor::<2>::ones([4, 3], &device);
        assert!((number(triplet(same.clone(), same, 0.5)) - 0.5).abs() < 1e-6, "collapsed: every hinge is the margin");
    }
}
