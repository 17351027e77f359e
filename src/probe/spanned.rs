//! Multinomial logistic regression in the coordinates of the rows it is fitted to, on the host in double precision.
//!
//! Few rows of many features can be told apart almost perfectly, so that under a weak penalty the slopes of the loss cancel to
//! a small part of themselves, which single precision rounds away. In these coordinates double precision costs little.

use super::newton::{Loss, Point};
use crate::algebra::Cholesky;
use crate::error::Result;
use crate::platform;

/// Rows L of `X X^T = L L^T` with a label each.
pub(super) struct Spanned {
    rows: Cholesky,
    labels: Vec<u16>,
    classes: usize,
}

impl Spanned {
    pub(super) fn new(rows: Cholesky, labels: Vec<u16>, classes: usize) -> Self {
        Self { rows, labels, classes }
    }

    /// `L^T L / n`; only values at and below the diagonal count.
    pub(super) fn gram(&self) -> Vec<f32> {
        let n = self.labels.len() as f64;
        self.rows.gram().into_iter().map(|product| (product / n) as f32).collect()
    }

    /// `L^-T V`, `[n, k]`: the share of each row in the weights that V stands for.
    pub(super) fn shares(&self, v: &[f64]) -> Vec<f64> {
        let mut shares = v.to_vec();
        self.rows.solve_transposed(&mut shares, self.classes);
        shares
    }

    /// `L W + b` of weights followed by biases.
    fn logits(&self, theta: &[f64]) -> Vec<f64> {
        let (weights, biases) = theta.split_at(self.weights());
        let mut logits = self.rows.times(weights, self.classes);
        for row in logits.chunks_exact_mut(self.classes) {
            row.iter_mut().zip(biases).for_each(|(logit, bias)| *logit += bias);
        }
        logits
    }

    /// Slopes of weights and biases from those of the logits.
    fn slopes(&self, logits: &[f64]) -> Vec<f64> {
        let mut slopes = self.rows.transposed_times(logits, self.classes);
        let mut biases = vec![0.0; self.classes];
        for row in logits.chunks_exact(self.classes) {
            biases.iter_mut().zip(row).for_each(|(bias, slope)| *bias += slope);
        }
        slopes.extend(biases);
        slopes
    }
}

impl Loss for Spanned {
    /// Probabilities, `[n, k]`.
    type Predictions = Vec<f64>;

    fn weights(&self) -> usize {
        self.labels.len() * self.classes
    }

    async fn evaluate(&self, theta: &[f64]) -> Result<Point<Vec<f64>>> {
        platform::yield_now().await;
        let n = self.labels.len() as f64;
        let mut probabilities = self.logits(theta);
        let mut value = 0.0;
        let mut variance = 0.0;
        for (row, &label) in probabilities.chunks_exact_mut(self.classes).zip(&self.labels) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let own = row[usize::from(label)] - most;
            row.iter_mut().for_each(|logit| *logit = (*logit - most).exp());
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|share| *share /= sum);
            value += sum.ln() - own;
            variance += row.iter().map(|share| share * (1.0 - share)).sum::<f64>();
        }
        let mut wrong = probabilities.clone();
        wrong.iter_mut().for_each(|share| *share /= n);
        for (row, &label) in wrong.chunks_exact_mut(self.classes).zip(&self.labels) {
            row[usize::from(label)] -= 1.0 / n;
        }
        let variance = variance / (n * self.classes as f64);
        Ok(Point { value: value / n, gradient: self.slopes(&wrong), variance, predictions: probabilities })
    }

    async fn curve(&self, probabilities: &Vec<f64>, direction: &[f64]) -> Result<Vec<f64>> {
        platform::yield_now().await;
        let n = self.labels.len() as f64;
        let mut bent = self.logits(direction);
        for (row, shares) in bent.chunks_exact_mut(self.classes).zip(probabilities.chunks_exact(self.classes)) {
            let mean: f64 = row.iter().zip(shares).map(|(change, share)| change * share).sum();
            row.iter_mut().zip(shares).for_each(|(change, share)| *change = share * (*change - mean) / n);
        }
        Ok(self.slopes(&bent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::problem::Problem;
    use crate::rng::{Purpose, normal, stream};
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    const N: usize = 20;
    const CLASSES: usize = 4;

    fn labels() -> Vec<u16> {
        (0..N).map(|row| (row % CLASSES) as u16).collect()
    }

    fn spanned() -> Spanned {
        let x = normal(&mut stream(9, Purpose::Probe, 0), N * N, 1.0);
        let product = |i: usize, j: usize| (0..N).map(|at| f64::from(x[i * N + at] * x[j * N + at])).sum();
        Spanned::new(Cholesky::of(N, 0.1, product), labels(), CLASSES)
    }

    fn values(seed: u64) -> Vec<f64> {
        let drawn = normal(&mut stream(9, Purpose::Probe, seed), (N + 1) * CLASSES, 0.5);
        drawn.into_iter().map(f64::from).collect()
    }

    #[test]
    fn the_gradient_and_curvature_are_central_differences() {
        let (problem, theta, direction) = (spanned(), values(1), values(2));
        let moved = |by: f64| {
            let theta: Vec<f64> = theta.iter().zip(&direction).map(|(theta, along)| theta + by * along).collect();
            block_on(problem.evaluate(&theta)).expect("a point")
        };
        let [back, here, on] = [-1e-5, 0.0, 1e-5].map(moved);
        let along: f64 = here.gradient.iter().zip(&direction).map(|(slope, along)| slope * along).sum();
        let slope = (on.value - back.value) / 2e-5;
        assert!((along - slope).abs() < 1e-7 * slope.abs().max(1.0), "{along} is not {slope}");
        let bent = block_on(problem.curve(&here.predictions, &direction)).expect("a product");
        for (place, bent) in bent.iter().enumerate() {
            let change = (on.gradient[place] - back.gradient[place]) / 2e-5;
            assert!((bent - change).abs() < 1e-7, "{place}: {bent} is not {change}");
        }
    }

    #[test]
    fn host_and_device_agree() {
        let host = spanned();
        let unit = |at: usize| f64::from(u8::from(at / N == at % N));
        let rows = host.rows.times(&(0..N * N).map(unit).collect::<Vec<_>>(), N);
        let rows = rows.into_iter().map(|value| value as f32).collect();
        let device = Problem::of(rows, N, labels().into_iter(), CLASSES, &Device::flex());
        let (theta, direction) = (values(3), values(4));
        let here = block_on(host.evaluate(&theta)).expect("a point");
        let there = block_on(device.evaluate(&theta)).expect("a point");
        assert!((here.value - there.value).abs() < 1e-5 && (here.variance - there.variance).abs() < 1e-6);
        let bent = block_on(host.curve(&here.predictions, &direction)).expect("a product");
        let again = block_on(device.curve(&there.predictions, &direction)).expect("a product");
        for (a, b) in here.gradient.iter().chain(&bent).zip(there.gradient.iter().chain(&again)) {
            assert!((a - b).abs() < 1e-5, "{a} is not {b}");
        }
    }
}
