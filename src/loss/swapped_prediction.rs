//! Swapped prediction of cluster codes (SwAV): Sinkhorn-balanced assignments to prototypes, predicted from another view.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// Settings of the Sinkhorn algorithm, which turns scores into codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinkhorn {
    /// Entropy regularisation: the smaller, the closer a code is to one-hot. At least 0.025, below which exponentials of cosines
    /// leave the range of single precision.
    pub epsilon: f64,
    /// Number of Sinkhorn iterations.
    pub iterations: usize,
}

/// Sinkhorn codes: soft assignments of samples to prototypes with an equal share for every prototype; no gradient passes.
///
/// `Q = exp(s / epsilon)`, then in each iteration: scale every prototype's sum to n/k, then every sample's sum to 1. Samples come
/// last, so each code sums to exactly 1 and each prototype to n/k only approximately.
///
/// `scores` s: `[n, k]`, cosines -> `[n, k]`. Cuturi 2013; Caron et al. 2020, section 3.1.
pub fn sinkhorn(scores: Tensor<2>, settings: Sinkhorn) -> Tensor<2> {
    balanced(scores.detach(), settings)
}

fn balanced(scores: Tensor<2>, Sinkhorn { epsilon, iterations }: Sinkhorn) -> Tensor<2> {
    assert!(epsilon >= 0.025, "sinkhorn: epsilon is too small for single precision");
    // subtracting the maximum avoids overflow; the common factor cancels in the first division
    let top = scores.clone().detach().max().unsqueeze_dim(0); // [1, 1]
    let q = ((scores - top) / epsilon).exp();
    (0..iterations).fold(q, |q, _| {
        let q = q.clone() / q.sum_dim(0);
        q.clone() / q.sum_dim(1)
    })
}

/// Sinkhorn codes of a batch, balanced together with the scores of a queue of earlier embeddings.
///
/// A batch much smaller than the number of prototypes cannot be spread evenly over them; the queue, scored with the current
/// prototypes, makes it larger. `scores`: `[n, k]`; `queue`: `[m, k]` -> `[n, k]`. Caron et al. 2020, section 3.1.
pub fn sinkhorn_with_queue(scores: Tensor<2>, queue: Tensor<2>, settings: Sinkhorn) -> Tensor<2> {
    let [n, k] = scores.dims();
    let [m, _] = queue.dims();
    sinkhorn(Tensor::cat(vec![queue, scores], 0), settings).slice([m..m + n, 0..k])
}

/// Swapped prediction loss: the code of each full view is predicted from every other view.
///
/// `L = 1/A sum_{a < A} 1/(V-1) sum_{v != a} mean_i -q_a,i . log softmax(s_v,i / tau)` over the A views that have a
/// code (the first ones) and all V views. Codes get no gradient.
///
/// `scores` s: V of `[n, k]`, full views first; `codes` q: A of `[n, k]` -> `[1]`. Caron et al. 2020, equations 1 and
/// 2.
pub fn swapped_prediction(scores: &[Tensor<2>], codes: &[Tensor<2>], tau: f64) -> Tensor<1> {
    assert!(scores.len() >= 2 && (1..=scores.len()).contains(&codes.len()), "swapped_prediction: too few views");
    let stopped: Vec<_> = codes.iter().map(|code| code.clone().detach()).collect();
    predicted(scores, &stopped, tau)
}

fn predicted(scores: &[Tensor<2>], codes: &[Tensor<2>], tau: f64) -> Tensor<1> {
    let predictions: Vec<_> = scores.iter().map(|s| log_softmax(s.clone() / tau, 1)).collect();
    let pairs = codes.iter().enumerate().flat_map(|(a, code)| {
        let others = predictions.iter().enumerate().filter(move |&(v, _)| v != a);
        others.map(move |(_, prediction)| (code.clone() * prediction.clone()).sum_dim(1).mean())
    });
    let sum = pairs.reduce(|sum, term| sum + term).expect("there are at least two views");
    sum.neg() / (codes.len() * (scores.len() - 1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{
        Rows, differences_agree, dot, gradient, max_gradient, number, rows, table, tensor, unit,
    };
    use burn::tensor::Device;

    const SHARP: Sinkhorn = Sinkhorn { epsilon: 0.05, iterations: 3 };

    /// Cosines of the golden rows with the six golden prototypes.
    fn scores(s: f64) -> Rows {
        let prototypes = unit(&table(6, 3, 1.0));
        unit(&table(4, 3, s)).iter().map(|z| prototypes.iter().map(|p| dot(z, p)).collect()).collect()
    }

    /// The algorithm as the paper's code writes it: prototypes down, samples across.
    fn codes_slowly(scores: &Rows, settings: Sinkhorn) -> Rows {
        let n = scores.len();
        let k = scores[0].len();
        let mut q =
            scores.iter().map(|row| row.iter().map(|s| (s / settings.epsilon).exp()).collect()).collect::<Rows>();
        let total: f64 = q.iter().flatten().sum();
        q.iter_mut().flatten().for_each(|x| *x /= total);
        for _ in 0..settings.iterations {
            for j in 0..k {
                let sum: f64 = q.iter().map(|row| row[j]).sum();
                q.iter_mut().for_each(|row| row[j] /= sum * k as f64);
            }
            for row in &mut q {
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|x| *x /= sum * n as f64);
            }
        }
        q.iter().map(|row| row.iter().map(|x| x * n as f64).collect()).collect()
    }

    fn term_slowly(codes: &Rows, scores: &Rows, tau: f64) -> f64 {
        let terms = codes.iter().zip(scores).map(|(code, s)| {
            let norm = s.iter().map(|s| (s / tau).exp()).sum::<f64>().ln();
            code.iter().zip(s).map(|(q, s)| -q * (s / tau - norm)).sum::<f64>()
        });
        terms.sum::<f64>() / codes.len() as f64
    }

    #[test]
    fn golden_codes() {
        let settings = Sinkhorn { epsilon: 0.25, iterations: 3 };
        let codes = rows(sinkhorn(tensor(&scores(0.0), &Device::flex()), settings));
        for (found, expected) in codes[0].iter().zip([0.012_002, 0.001_156, 0.000_379, 0.003_830, 0.412_465, 0.570_169])
        {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        let sums = (0..6).map(|j| codes.iter().map(|row| row[j]).sum::<f64>());
        for (found, expected) in sums.zip([0.738_608, 0.696_376, 0.657_247, 0.636_566, 0.641_705, 0.629_497]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn golden_loss_of_one_direction() {
        let device = Device::flex();
        let code = sinkhorn(tensor(&scores(0.0), &device), SHARP);
        let views = [tensor(&scores(0.0), &device), tensor(&scores(0.5), &device)];
        assert!((number(swapped_prediction(&views, &[code], 0.1)) - 3.934_437).abs() < 1e-5);
    }

    #[test]
    fn codes_agree_with_a_slow_loop_and_sum_to_one() {
        let device = Device::flex();
        let s: Rows = unit(&table(16, 5, 0.3));
        for iterations in [1, 3, 50] {
            let settings = Sinkhorn { epsilon: 0.1, iterations };
            let codes = rows(sinkhorn(tensor(&s, &device), settings));
            for (found, expected) in codes.iter().flatten().zip(codes_slowly(&s, settings).iter().flatten()) {
                assert!((found - expected).abs() < 1e-5, "{found} is not {expected} after {iterations}");
            }
            assert!(codes.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-5));
        }
        let settled = rows(sinkhorn(tensor(&s, &device), Sinkhorn { epsilon: 0.1, iterations: 50 }));
        let sums: Vec<f64> = (0..5).map(|j| settled.iter().map(|row| row[j]).sum()).collect();
        assert!(
            sums.iter().all(|sum| (sum - 16.0 / 5.0).abs() < 1e-3),
            "after many iterations prototypes have equal sums: {sums:?}"
        );
    }

    #[test]
    fn closed_forms() {
        let device = Device::flex();
        let s = tensor(&scores(0.0), &device);
        let same = |a: &Rows, b: &Rows| a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-5);
        let codes = rows(sinkhorn(s.clone(), SHARP));
        assert!(same(&codes, &rows(sinkhorn(s.clone() + 3.0, SHARP))), "a constant on all scores cancels");
        let flat = rows(sinkhorn(s.clone(), Sinkhorn { epsilon: 1e6, iterations: 3 }));
        assert!(same(&flat, &vec![vec![1.0 / 6.0; 6]; 4]), "at a large epsilon codes are uniform");
        let even = Tensor::<2>::zeros([4, 6], &device);
        let loss = number(swapped_prediction(&[even.clone(), even], &[sinkhorn(s, SHARP)], 0.1));
        assert!((loss - 6f64.ln()).abs() < 1e-5, "uniform predictions cost ln k for any codes");
    }

    #[test]
    fn a_queue_balances_the_batch_and_gets_no_codes() {
        let device = Device::flex();
        let [batch, queue] = [0.0, 1.7].map(scores);
        let found = rows(sinkhorn_with_queue(tensor(&batch, &device), tensor(&queue, &device), SHARP));
        let together: Rows = queue.iter().chain(&batch).cloned().collect();
        for (found, expected) in found.iter().flatten().zip(codes_slowly(&together, SHARP)[4..].iter().flatten()) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn the_loss_averages_over_pairs_of_views() {
        let device = Device::flex();
        let views = [scores(0.0), scores(0.5), scores(0.9)];
        let codes = [codes_slowly(&views[0], SHARP), codes_slowly(&views[1], SHARP)];
        let term = |a: usize, v: usize| term_slowly(&codes[a], &views[v], 0.1);
        let expected = (term(0, 1) + term(0, 2) + term(1, 0) + term(1, 2)) / 4.0;
        let tensors = views.map(|view| tensor(&view, &device));
        let found = swapped_prediction(&tensors, &codes.map(|code| tensor(&code, &device)), 0.1);
        assert!((number(found) - expected).abs() < 1e-5);
    }

    #[test]
    fn the_gradient_takes_codes_as_constants() {
        let device = Device::flex().autodiff();
        let [s0, s1] = [0.0, 0.5].map(scores);
        let codes = [codes_slowly(&s0, SHARP), codes_slowly(&s1, SHARP)];
        let leaf = tensor(&s0, &device).require_grad();
        let views = [leaf.clone(), tensor(&s1, &device)];
        let found = views.clone().map(|view| sinkhorn(view, SHARP));
        let slopes = gradient(&leaf, swapped_prediction(&views, &found, 0.1));
        let formula = |s0: &Rows| (term_slowly(&codes[0], &s1, 0.1) + term_slowly(&codes[1], s0, 0.1)) / 2.0;
        differences_agree(&s0, &slopes, formula);
    }

    #[test]
    fn only_the_stops_keep_gradients_from_the_codes() {
        let device = Device::flex().autodiff();
        let settings = Sinkhorn { epsilon: 0.25, iterations: 3 };
        let other = tensor(&scores(0.5), &device);
        let views = [other.clone(), other];
        let leaf = tensor(&scores(0.0), &device).require_grad();
        let loss = |code: Tensor<2>| swapped_prediction(&views, &[code], 0.1);
        assert!(!sinkhorn(leaf.clone(), settings).is_require_grad());
        // the loss detaches codes as well, for codes that do not come from `sinkhorn`
        let through = |code: Tensor<2>| {
            let guide = Tensor::<2>::ones([1, 1], &device).require_grad();
            max_gradient(&leaf, loss(code) + guide.sum())
        };
        assert_eq!(through(balanced(leaf.clone(), settings)), 0.0);
        assert_eq!(through(sinkhorn(leaf.clone(), settings)), 0.0);
        assert!(max_gradient(&leaf, predicted(&views, &[balanced(leaf.clone(), settings)], 0.1)) > 1e-3);
    }
}
