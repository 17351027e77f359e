//! Contrastive losses: NT-Xent (SimCLR) and InfoNCE with a queue of negatives (MoCo).

use burn::tensor::{Int, Tensor, TensorData};

use super::cosine::{similarities, unit_rows};
use super::{accuracy, cross_entropy};
use crate::kernel;

/// Subtracted from the similarity of a row with itself: far below every other logit, and still finite in half precision.
const SELF_MASK: f64 = 1e4;

/// Contrastive task as a classification: each row finds its positive among the columns.
#[derive(Clone, Debug)]
pub struct Contrast {
    /// Cosines over temperature: `[m, k]`.
    pub logits: Tensor<2>,
    /// Column of each row's positive: `[m]`.
    pub labels: Tensor<1, Int>,
}

impl Contrast {
    /// Softmax cross-entropy in nats, the mean over all rows: `[1]`.
    pub fn loss(&self) -> Tensor<1> {
        cross_entropy(self.logits.clone(), self.labels.clone())
    }

    /// Contrastive accuracy, the share of rows closest to their positive, without gradient: `[1]`.
    pub fn accuracy(&self) -> Tensor<1> {
        accuracy(self.logits.clone().detach(), self.labels.clone())
    }
}

/// NT-Xent: each of the 2n rows of both views finds the other view of its image among all other rows.
///
/// `L = mean_i -log(exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau))` over the 2n rows `[a; b]`, with s the cosine and p
/// the positive at `i + n` modulo 2n: 2n - 1 terms a row. (The official code adds the means of both halves: twice this.)
///
/// `a`, `b`: `[n, d]`, row i of both from one image -> logits `[2n, 2n]`. Chen et al. 2020, equation 1.
pub fn nt_xent(a: Tensor<2>, b: Tensor<2>, tau: f64) -> Contrast {
    let [n, _] = a.dims();
    assert_eq!(b.dims(), a.dims(), "nt_xent: b must match a");
    let device = a.device();
    let z = unit_rows(Tensor::cat(vec![a, b], 0)); // [2n, d]
    let itself = Tensor::<2>::eye(2 * n, &device.clone().inner());
    let logits = kernel::linear(z.clone(), z, None) / tau - itself * SELF_MASK;
    let positives: Vec<i32> = (0..2 * n).map(|i| ((i + n) % (2 * n)) as i32).collect();
    Contrast { logits, labels: Tensor::from_data(TensorData::new(positives, [2 * n]), &device) }
}

/// InfoNCE with a queue: each query finds its own key among the keys of earlier batches.
///
/// `L = mean_i -log(exp(q_i . k_i / tau) / (exp(q_i . k_i / tau) + sum_j exp(q_i . c_j / tau)))` with q and k brought
/// to length 1. Neither the keys nor the queue c get a gradient. With rows of a memory bank as keys and queue, this is the
/// cross-entropy form of PIRL's loss.
///
/// `q`, `k`: `[n, d]`; `queue`: `[m, d]`, unit rows -> logits `[n, 1 + m]`. He et al. 2020, equation 1.
pub fn info_nce(q: Tensor<2>, k: Tensor<2>, queue: Tensor<2>, tau: f64) -> Contrast {
    first_of(similarities(q, k.detach(), queue.detach()) / tau)
}

/// Contrast whose positives are the first column.
fn first_of(logits: Tensor<2>) -> Contrast {
    let [n, _] = logits.dims();
    let labels = Tensor::zeros([n], &logits.device().inner());
    Contrast { logits, labels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{
        Rows, axes, cosine, differences_agree, dot, gradient, max_gradient, number, rows, table, tensor, unit,
    };
    use burn::tensor::Device;

    fn log_sum_exp(values: impl Iterator<Item = f64>) -> f64 {
        values.map(f64::exp).sum::<f64>().ln()
    }

    fn nt_xent_slowly(a: &Rows, b: &Rows, tau: f64) -> f64 {
        let z: Rows = a.iter().chain(b).cloned().collect();
        let n = a.len();
        let term = |i: usize| {
            let others = (0..2 * n).filter(|&j| j != i).map(|j| cosine(&z[i], &z[j]) / tau);
            log_sum_exp(others) - cosine(&z[i], &z[(i + n) % (2 * n)]) / tau
        };
        (0..2 * n).map(term).sum::<f64>() / (2 * n) as f64
    }

    fn info_nce_slowly(q: &Rows, k: &Rows, queue: &Rows, tau: f64) -> f64 {
        let terms = q.iter().zip(k).map(|(q, k)| {
            let all = std::iter::once(cosine(q, k)).chain(queue.iter().map(|c| cosine(q, c)));
            log_sum_exp(all.map(|s| s / tau)) - cosine(q, k) / tau
        });
        terms.sum::<f64>() / q.len() as f64
    }

    fn two_views() -> (Rows, Rows) {
        (table(4, 3, 0.0), table(4, 3, 0.5))
    }

    fn pair_loss(a: &Rows, b: &Rows, tau: f64) -> f64 {
        let device = Device::flex();
        number(nt_xent(tensor(a, &device), tensor(b, &device), tau).loss())
    }

    fn queue_loss(q: &Rows, k: &Rows, queue: &Rows, tau: f64) -> f64 {
        let device = Device::flex();
        number(info_nce(tensor(q, &device), tensor(k, &device), tensor(queue, &device), tau).loss())
    }

    #[test]
    fn golden_values() {
        let (a, b) = two_views();
        let queue = unit(&table(5, 3, 2.0));
        for (tau, expected) in [(0.5, 1.309_621), (0.1, 0.969_382), (1.0, 1.546_671)] {
            assert!((pair_loss(&a, &b, tau) - expected).abs() < 1e-5, "NT-Xent at {tau}");
            assert!((nt_xent_slowly(&a, &b, tau) - expected).abs() < 1e-6, "the loop at {tau}");
        }
        for (tau, expected) in [(0.07, 0.624_017), (0.2, 0.603_793)] {
            assert!((queue_loss(&a, &b, &queue, tau) - expected).abs() < 1e-5, "InfoNCE at {tau}");
            assert!((info_nce_slowly(&a, &b, &queue, tau) - expected).abs() < 1e-6, "the loop at {tau}");
        }
    }

    #[test]
    fn closed_forms() {
        let same: Rows = vec![vec![0.3, -0.4, 1.2]; 128];
        // all similarities are equal: ln of the number of terms
        assert!((pair_loss(&same, &same, 0.1) - 5.5413).abs() < 1e-4, "ln 255");
        let queue = unit(&vec![vec![0.3, -0.4, 1.2]; 4096]);
        assert!((queue_loss(&same[..2].to_vec(), &same[..2].to_vec(), &queue, 0.1) - 8.3180).abs() < 1e-4, "ln 4097");
        // positives equal, negatives orthogonal
        let apart = axes(128, 128);
        assert!((pair_loss(&apart, &apart, 0.5) - 3.566).abs() < 1e-3, "ln(1 + 254 e^-2)");
        let q = axes(1, 65);
        let queue = axes(65, 65)[1..].to_vec();
        let expected = (1.0 + 64.0 * (-1.0f64 / 0.2).exp()).ln();
        assert!((queue_loss(&q, &q, &queue, 0.2) - expected).abs() < 1e-5);
    }

    #[test]
    fn nt_xent_is_symmetric_and_ignores_length() {
        let (a, b) = two_views();
        let longer: Rows = b.iter().map(|row| row.iter().map(|x| 9.0 * x).collect()).collect();
        let loss = pair_loss(&a, &b, 0.5);
        assert!((pair_loss(&b, &a, 0.5) - loss).abs() < 1e-6);
        assert!((pair_loss(&a, &longer, 0.5) - loss).abs() < 1e-6);
        assert!((pair_loss(&a, &b, 1e4) - 7f64.ln()).abs() < 1e-3, "at a high temperature all terms are equal");
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let device = Device::flex().autodiff();
        let (a, b) = two_views();
        let queue = unit(&table(5, 3, 2.0));
        let leaf = tensor(&a, &device).require_grad();
        let slopes = gradient(&leaf, nt_xent(leaf.clone(), tensor(&b, &device), 0.5).loss());
        differences_agree(&a, &slopes, |a| nt_xent_slowly(a, &b, 0.5));
        for (row, slope) in a.iter().zip(&slopes) {
            assert!(dot(row, slope).abs() < 1e-6, "the loss ignores length, so the gradient is orthogonal to the row");
        }
        let leaf = tensor(&a, &device).require_grad();
        let contrast = info_nce(leaf.clone(), tensor(&b, &device), tensor(&queue, &device), 0.2);
        differences_agree(&a, &gradient(&leaf, contrast.loss()), |a| info_nce_slowly(a, &b, &queue, 0.2));
    }

    #[test]
    fn only_the_stop_keeps_gradients_from_keys_and_queue() {
        let device = Device::flex().autodiff();
        let leaves = || {
            let leaf = |s: f64, n: usize| tensor(&unit(&table(n, 3, s)), &device).require_grad();
            (leaf(0.0, 4), leaf(0.5, 4), leaf(2.0, 5))
        };
        let stopped =
            |q: &Tensor<2>, k: &Tensor<2>, c: &Tensor<2>| info_nce(q.clone(), k.clone(), c.clone(), 0.2).loss();
        let open = |q: &Tensor<2>, k: &Tensor<2>, c: &Tensor<2>| {
            first_of(similarities(q.clone(), k.clone(), c.clone()) / 0.2).loss()
        };
        let (q, k, c) = leaves();
        assert_eq!((max_gradient(&k, stopped(&q, &k, &c)), max_gradient(&c, stopped(&q, &k, &c))), (0.0, 0.0));
        assert!(max_gradient(&q, stopped(&q, &k, &c)) > 1e-3);
        assert!(max_gradient(&k, open(&q, &k, &c)) > 1e-3 && max_gradient(&c, open(&q, &k, &c)) > 1e-3);
    }

    #[test]
    fn positives_lie_n_columns_apart() {
        let device = Device::flex();
        let contrast = nt_xent(tensor(&axes(3, 3), &device), tensor(&axes(3, 3), &device), 0.5);
        assert_eq!(number(contrast.accuracy()), 1.0);
        let logits = rows(contrast.logits);
        assert_eq!((logits[0][3], logits[4][1], logits[0][1]), (2.0, 2.0, 0.0));
        assert!(logits[2][2] < -9000.0);
    }
}
