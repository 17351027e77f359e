//! Multinomial logistic regression on standardised frozen features, solved to convergence, so that no learning rate can
//! flatter or hurt a method.
//!
//! `min_{W, b} -1/n sum_i log softmax(W x_i + b)[y_i] + l2 / 2 |W|^2`, until no partial derivative exceeds 1e-4.
//! scikit-learn's C is 1 / (n l2).
//!
//! Features of neighbouring pixels go together, which makes the problem a narrow valley. L-BFGS therefore starts from a
//! bound of the curvature, `1/2 X^T X / n + l2` for every class (Boehning 1992), instead of from the identity.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData, Transaction};

use super::features::{Features, floats};
use super::lbfgs::{Minimum, minimise};
use crate::algebra::Cholesky;
use crate::error::{Error, Result};
use crate::platform;

const TOLERANCE: f64 = 1e-4;
/// Boehning's bound of `diag(p) - p p^T`.
const CURVATURE: f64 = 0.5;
/// Added to the curvature's bound, so that features that never change do not make it singular.
const RIDGE: f64 = 1e-6;

/// A fitted probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The penalty in use.
    pub l2: f64,
    /// Whether the tolerance was met within the allowed iterations.
    pub converged: bool,
    /// The share of the last sixth of the rows that a probe fitted to the others names rightly, where penalties were chosen.
    pub validation: Option<f64>,
    pub(super) scale: Scale,
    /// `W` as `[d, k]`, then `b` as `[k]`.
    pub(super) theta: Vec<f64>,
    pub(super) classes: usize,
}

/// Fits a probe. Of several penalties the one that names most of the last sixth of the rows rightly is chosen (the
/// stronger, where two tie) and all rows are fitted anew with it.
///
/// # Errors
/// When the device is lost.
pub async fn fit(train: &Features, labels: &[u16], classes: usize, penalties: &[f64], device: &Device) -> Result<Fit> {
    let mut sorted = penalties.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let chosen = match sorted.as_slice() {
        [] | [_] => None,
        several => Some(choose(train, labels, classes, several, device).await?),
    };
    let scale = Scale::of(train, train.len());
    let problem = Problem::new(train, labels, 0..train.len(), classes, &scale, device);
    let Start { l2, theta, gram, validation } = match chosen {
        Some(start) => start,
        None => Start {
            l2: sorted.first().copied().unwrap_or(0.0),
            theta: vec![0.0; (train.width + 1) * classes],
            gram: problem.gram().await?,
            validation: None,
        },
    };
    let Minimum { at, converged } = problem.solve(theta, l2, &gram).await?;
    Ok(Fit { l2, converged, validation, scale, theta: at, classes })
}

/// Where the last fit begins.
struct Start {
    l2: f64,
    theta: Vec<f64>,
    gram: Vec<f32>,
    validation: Option<f64>,
}

async fn choose(train: &Features, labels: &[u16], classes: usize, penalties: &[f64], device: &Device) -> Result<Start> {
    let cut = held_out_from(train.len());
    let scale = Scale::of(train, cut);
    let problem = Problem::new(train, labels, 0..cut, classes, &scale, device);
    let held_out = Problem::new(train, labels, cut..train.len(), classes, &scale, device);
    let gram = problem.gram().await?;
    let mut theta = vec![0.0; (train.width + 1) * classes];
    let mut best: Option<(usize, f64, Vec<f64>)> = None;
    for &l2 in penalties {
        theta = problem.solve(theta, l2, &gram).await?.at;
        let named = held_out.predict(&theta).await?;
        let right = named.iter().zip(&labels[cut..]).filter(|(a, b)| a == b).count();
        if best.as_ref().is_none_or(|best| right > best.0) {
            best = Some((right, l2, theta.clone()));
        }
    }
    let (right, l2, theta) = best.expect("there is at least one penalty");
    let validation = Some(right as f64 / (train.len() - cut) as f64);
    Ok(Start { l2, theta, gram, validation })
}

/// The first of the training rows that are set aside for choosing: the last sixth of `rows`.
pub(super) fn held_out_from(rows: usize) -> usize {
    rows - (rows / 6).max(1)
}

impl Fit {
    /// The class with the largest logit for each row.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn predict(&self, test: &Features, device: &Device) -> Result<Vec<u16>> {
        let none = vec![0; test.len()];
        Problem::new(test, &none, 0..test.len(), self.classes, &self.scale, device).predict(&self.theta).await
    }
}

/// Mean and deviation of each feature over the training rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Scale {
    /// That of the first `rows` rows.
    pub(super) fn of(features: &Features, rows: usize) -> Self {
        let (mut sum, mut squares) = (vec![0f64; features.width], vec![0f64; features.width]);
        for row in features.rows().take(rows) {
            for ((sum, square), &x) in sum.iter_mut().zip(&mut squares).zip(row) {
                *sum += f64::from(x);
                *square += f64::from(x).powi(2);
            }
        }
        let n = rows.max(1) as f64;
        let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
        let spread = mean.iter().zip(&squares).map(|(mean, square)| (square / n - mean * mean).max(0.0).sqrt());
        // a feature that never changes says nothing; dividing it by 1 leaves it at 0
        let std = spread.map(|std| if std > 1e-8 { std } else { 1.0 }).collect();
        Self { mean, std }
    }

    /// For features that are scaled already.
    pub(super) fn none(width: usize) -> Self {
        Self { mean: vec![0.0; width], std: vec![1.0; width] }
    }

    /// The features standardised.
    pub(super) fn apply(&self, features: &Features) -> Features {
        let values = features.rows().flat_map(|row| self.row(row)).collect();
        Features { layer: features.layer.clone(), width: features.width, values }
    }

    fn row(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.mean).zip(&self.std).map(|((&x, mean), std)| ((f64::from(x) - mean) / std) as f32)
    }
}

/// Rows and labels on the device.
pub(super) struct Problem {
    x: Tensor<2>,
    hot: Tensor<2>,
    pub(super) width: usize,
    pub(super) classes: usize,
    device: Device,
}

impl Problem {
    pub(super) fn new(
        features: &Features,
        labels: &[u16],
        rows: std::ops::Range<usize>,
        classes: usize,
        scale: &Scale,
        device: &Device,
    ) -> Self {
        let (n, width) = (rows.len(), features.width);
        let mut values = Vec::with_capacity(n * width);
        for row in features.rows().skip(rows.start).take(n) {
            values.extend(scale.row(row));
        }
        let mut hot = vec![0f32; n * classes];
        for (row, &label) in labels[rows].iter().enumerate() {
            hot[row * classes + usize::from(label)] = 1.0;
        }
        let x = Tensor::from_data(TensorData::new(values, [n, width]), device);
        let hot = Tensor::from_data(TensorData::new(hot, [n, classes]), device);
        Self { x, hot, width, classes, device: device.clone() }
    }

    fn logits(&self, theta: &[f64]) -> Tensor<2> {
        let floats: Vec<f32> = theta.iter().map(|&value| value as f32).collect();
        let (w, b) = floats.split_at(self.width * self.classes);
        let w = Tensor::<2>::from_data(TensorData::new(w.to_vec(), [self.width, self.classes]), &self.device);
        let b = Tensor::<2>::from_data(TensorData::new(b.to_vec(), [1, self.classes]), &self.device);
        self.x.clone().matmul(w) + b
    }

    pub(super) async fn predict(&self, theta: &[f64]) -> Result<Vec<u16>> {
        let best: Tensor<2, Int> = self.logits(theta).argmax(1);
        let data = best.into_data_async().await.map_err(|error| Error::DeviceLost(error.to_string()))?;
        Ok(data.iter::<i64>().map(|class| class as u16).collect())
    }

    /// Objective and gradient at `theta`.
    async fn evaluate(&self, theta: &[f64], l2: f64) -> Result<(f64, Vec<f64>)> {
        let n = self.x.dims()[0] as f64;
        let log_p = log_softmax(self.logits(theta), 1); // [n, k]
        let loss = (log_p.clone() * self.hot.clone()).sum().neg() / n;
        let slope = (log_p.exp() - self.hot.clone()) / n; // d loss / d logits
        let dw = self.x.clone().transpose().matmul(slope.clone()); // [d, k]
        let read = Transaction::default().register(loss).register(dw).register(slope.sum_dim(0)).execute_async().await;
        let [loss, dw, db]: [TensorData; 3] = read
            .map_err(|error| Error::DeviceLost(error.to_string()))?
            .try_into()
            .map_err(|_| Error::DeviceLost("a read came back incomplete".into()))?;
        platform::yield_now().await;
        let weights = self.width * self.classes;
        let mut gradient: Vec<f64> = floats(dw)?.into_iter().chain(floats(db)?).map(f64::from).collect();
        for (slope, w) in gradient[..weights].iter_mut().zip(theta) {
            *slope += l2 * w;
        }
        let penalty = 0.5 * l2 * theta[..weights].iter().map(|w| w * w).sum::<f64>();
        let loss = floats(loss)?.first().copied().map_or(f64::NAN, f64::from);
        Ok((loss + penalty, gradient))
    }

    /// `X^T X / n`, `[d, d]`.
    pub(super) async fn gram(&self) -> Result<Vec<f32>> {
        let n = self.x.dims()[0] as f64;
        let gram = self.x.clone().transpose().matmul(self.x.clone()) / n;
        floats(gram.into_data_async().await.map_err(|error| Error::DeviceLost(error.to_string()))?)
    }

    /// `X X^T`, `[n, n]`.
    pub(super) async fn products(&self) -> Result<Vec<f32>> {
        let products = self.x.clone().matmul(self.x.clone().transpose());
        floats(products.into_data_async().await.map_err(|error| Error::DeviceLost(error.to_string()))?)
    }

    /// Minimises from `theta`. `gram` need only be about right: it decides how fast the minimum is found, not where it is.
    pub(super) async fn solve(&self, theta: Vec<f64>, l2: f64, gram: &[f32]) -> Result<Minimum> {
        let weights = self.width * self.classes;
        let bound = Cholesky::of(self.width, l2 + RIDGE, |i, j| CURVATURE * f64::from(gram[i * self.width + j]));
        let precondition = |q: &mut [f64]| {
            let (w, b) = q.split_at_mut(weights);
            bound.solve(w, self.classes);
            b.iter_mut().for_each(|slope| *slope /= CURVATURE);
        };
        minimise(theta, TOLERANCE, async |theta: &[f64]| self.evaluate(theta, l2).await, precondition).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use futures_lite::future::block_on;

    /// Three overlapping clouds in five dimensions of very different scales.
    fn clouds(n: usize) -> (Features, Vec<u16>) {
        let noise = normal(&mut stream(5, Purpose::Probe, 0), n * 5, 1.0);
        let labels: Vec<u16> = (0..n).map(|i| (i % 3) as u16).collect();
        let values = (0..n * 5).map(|i| {
            let (row, column) = (i / 5, i % 5);
            let centre = if column == usize::from(labels[row]) { 2.0 } else { 0.0 };
            (centre + noise[i]) * 10f32.powi(column as i32 - 2)
        });
        (Features { layer: "test".into(), width: 5, values: values.collect() }, labels)
    }

    #[test]
    fn the_optimum_is_one_by_central_differences() {
        let (features, labels) = clouds(300);
        let device = Device::flex();
        let fit = block_on(fit(&features, &labels, 3, &[0.01], &device)).expect("a fit");
        assert!(fit.converged);
        // the objective written out in double precision, at the solution and beside it
        let objective = |theta: &[f64]| {
            let mut loss = 0.0;
            for (row, &label) in features.rows().zip(&labels) {
                let x: Vec<f64> = (0..5).map(|j| (f64::from(row[j]) - fit.scale.mean[j]) / fit.scale.std[j]).collect();
                let z: Vec<f64> =
                    (0..3).map(|c| (0..5).map(|j| x[j] * theta[j * 3 + c]).sum::<f64>() + theta[15 + c]).collect();
                loss += z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[usize::from(label)];
            }
            loss / 300.0 + 0.005 * theta[..15].iter().map(|w| w * w).sum::<f64>()
        };
        for index in 0..18 {
            let moved = |by: f64| {
                let mut theta = fit.theta.clone();
                theta[index] += by;
                objective(&theta)
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            assert!(slope.abs() < 3e-4, "the objective still falls along {index}: {slope}");
        }
    }

    #[test]
    fn validation_picks_a_penalty_and_the_probe_beats_chance() {
        let (features, labels) = clouds(600);
        let device = Device::flex();
        let fit = block_on(fit(&features, &labels, 3, &[1e3, 1e-2], &device)).expect("a fit");
        assert_eq!(fit.l2, 1e-2, "a penalty that crushes every weight must lose");
        assert!(fit.validation > Some(0.75) && fit.validation < Some(1.0), "{:?} of 100 rows", fit.validation);
        let named = block_on(fit.predict(&features, &device)).expect("names");
        let right = named.iter().zip(&labels).filter(|(a, b)| a == b).count();
        assert!(right > 480, "{right} of 600");
    }
}
