//! Noise-contrastive estimation with a memory bank (PIRL).

use burn::tensor::Tensor;

use super::cosine::similarities;

/// Constants of noise-contrastive estimation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nce {
    /// Temperature tau.
    pub tau: f64,
    /// Rows n of the whole memory bank, one an image.
    pub rows: usize,
}

/// Partition constant Z, which turns similarities into probabilities: n times the mean of `exp(cos / tau)`, without gradient. A run
/// estimates it on its first batch and keeps it.
///
/// `v`, `positives`: `[b, d]`; `negatives`: `[k, d]`, unit rows -> `[1]`. Wu et al. 2018, section 3.2.
pub fn nce_partition(v: Tensor<2>, positives: Tensor<2>, negatives: Tensor<2>, nce: Nce) -> Tensor<1> {
    let cosines = similarities(v, positives, negatives).detach();
    (cosines / nce.tau).exp().mean() * nce.rows as f64
}

/// Noise-contrastive estimation against rows of a memory bank.
///
/// With `s = exp(cos / tau) / Z` and k noise samples that draw each row with probability 1/n:
/// `L = -mean_i (log P(s_i0) + sum_j log(1 - P(s_ij)))`, `P(s) = s / (s + k/n)`, where s_i0 belongs to the image's own
/// row and s_ij to the j-th negative. Only v gets a gradient: bank rows and Z are constants.
///
/// `v`, `positives`: `[b, d]`; `negatives`: `[k, d]`, unit rows shared by the batch, among which may be the positive of an
/// image; `z`: `[1]` from [`nce_partition`] -> `[1]`. Misra and van der Maaten 2020, equation 4, in the form of their code.
pub fn nce_loss(v: Tensor<2>, positives: Tensor<2>, negatives: Tensor<2>, z: Tensor<1>, nce: Nce) -> Tensor<1> {
    estimate(similarities(v, positives.detach(), negatives.detach()), z.detach(), nce)
}

fn estimate(cosines: Tensor<2>, z: Tensor<1>, nce: Nce) -> Tensor<1> {
    let [batch, columns] = cosines.dims();
    let share = nce.rows as f64 / (columns - 1) as f64; // n / k
    let odds = (cosines / nce.tau).exp() / z.unsqueeze_dim(0) * share; // s / (k / n)
    let own = odds.clone().slice([0..batch, 0..1]).recip().log1p(); // -log P(s)
    let others = odds.slice([0..batch, 1..columns]).log1p(); // -log(1 - P(s))
    (own.sum() + others.sum()) / batch as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{
        Rows, cosine, differences_agree, gradient, max_gradient, number, table, tensor, unit,
    };
    use burn::tensor::Device;

    const NCE: Nce = Nce { tau: 0.5, rows: 8 };

    fn bank() -> (Rows, Rows) {
        let rows = unit(&table(8, 3, 3.0));
        (rows[..4].to_vec(), rows[4..].to_vec())
    }

    fn slowly(v: &Rows, positives: &Rows, negatives: &Rows, z: f64, nce: Nce) -> f64 {
        let noise = negatives.len() as f64 / nce.rows as f64;
        let s = |a: &[f64], b: &[f64]| (cosine(a, b) / nce.tau).exp() / z;
        let terms = v.iter().zip(positives).map(|(v, own)| {
            let others = negatives.iter().map(|other| (noise / (s(v, other) + noise)).ln());
            -(s(v, own) / (s(v, own) + noise)).ln() - others.sum::<f64>()
        });
        terms.sum::<f64>() / v.len() as f64
    }

    #[test]
    fn golden_value() {
        let device = Device::flex();
        let (positives, negatives) = bank();
        let [v, own, others] = [&table(4, 3, 0.0), &positives, &negatives].map(|rows| tensor(rows, &device));
        let z = nce_partition(v.clone(), own.clone(), others.clone(), NCE);
        assert!((number(z.clone()) - 21.849_574).abs() < 1e-4);
        assert!((number(nce_loss(v, own, others, z, NCE)) - 5.405_834).abs() < 1e-5);
    }

    #[test]
    fn orthogonal_rows_give_the_closed_form() {
        let device = Device::flex();
        // orthogonal rows have cosine 0, so Z = n makes every s equal to 1/n
        let nce = Nce { tau: 0.07, rows: 1_000_000 };
        let v = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
        let other = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        let z = nce_partition(v.clone(), other.clone(), other.clone().expand([32_000, 2]), nce);
        let loss = number(nce_loss(v, other.clone(), other.expand([32_000, 2]), z, nce));
        assert!((loss - 11.373_5).abs() < 1e-4, "ln(k + 1) + k ln(1 + 1/k), not {loss}");
    }

    #[test]
    fn the_loss_and_its_gradient_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let (positives, negatives) = bank();
        let v = table(4, 3, 0.0);
        let leaf = tensor(&v, &device).require_grad();
        let z = Tensor::<1>::from_floats([20.0], &device);
        let loss = nce_loss(leaf.clone(), tensor(&positives, &device), tensor(&negatives, &device), z, NCE);
        assert!((number(loss.clone()) - slowly(&v, &positives, &negatives, 20.0, NCE)).abs() < 1e-5);
        differences_agree(&v, &gradient(&leaf, loss), |v| slowly(v, &positives, &negatives, 20.0, NCE));
    }

    #[test]
    fn only_the_stop_keeps_gradients_from_the_bank() {
        let device = Device::flex().autodiff();
        let (positives, negatives) = bank();
        let v = tensor(&table(4, 3, 0.0), &device).require_grad();
        let own = tensor(&positives, &device).require_grad();
        let others = tensor(&negatives, &device).require_grad();
        let z = || nce_partition(v.clone(), own.clone(), others.clone(), NCE);
        let stopped = || nce_loss(v.clone(), own.clone(), others.clone(), z(), NCE);
        assert_eq!((max_gradient(&own, stopped()), max_gradient(&others, stopped())), (0.0, 0.0));
        assert!(max_gradient(&v, stopped()) > 1e-3);
        let open = || estimate(similarities(v.clone(), own.clone(), others.clone()), z(), NCE);
        assert!(max_gradient(&own, open()) > 1e-3 && max_gradient(&others, open()) > 1e-3);
    }
}
