//! The linear probe on rows that are scaled already and may be fewer than their features.
//!
//! The best weights are a sum of the rows they are fitted to. So nothing is lost where the rows are looked at in coordinates of
//! the space that they span: with `X X^T = L L^T` the rows of L have the inner products of those of X, and weights V that
//! fit L stand for `X^T L^-T V`. Ten rows of a thousand features each make a problem of ten features.

use burn::tensor::Device;

use super::features::Features;
use super::lbfgs::Minimum;
use super::linear::{Fit, Problem, Scale};
use crate::algebra::Cholesky;
use crate::error::Result;

/// Added to the inner products, relative to the mean square of a row: rows may depend on one another.
const RIDGE: f64 = 1e-6;

/// Rows with their labels.
pub(super) type Labelled<'a> = (&'a Features, &'a [u16]);

/// Fits a probe with one penalty.
///
/// # Errors
/// When the device is lost.
pub(super) async fn fit(train: Labelled<'_>, classes: usize, l2: f64, device: &Device) -> Result<Fit> {
    let compact = Compact::new(train, classes, device).await?;
    let Minimum { at, converged } = compact.solve(compact.start(), l2).await?;
    let scale = Scale::none(train.0.width);
    Ok(Fit { l2, converged, validation: None, scale, theta: compact.weights(train.0, &at), classes })
}

/// How many of the rows that are `held_out` probes name rightly that were fitted to the others, one a penalty. They are found
/// quickest from strong penalties to weak ones.
///
/// # Errors
/// When the device is lost.
pub(super) async fn path(
    train: Labelled<'_>,
    held_out: Labelled<'_>,
    classes: usize,
    penalties: &[f64],
    device: &Device,
) -> Result<Vec<usize>> {
    let compact = Compact::new(train, classes, device).await?;
    let (asked, truth) = held_out;
    let asked = Problem::new(asked, truth, 0..asked.len(), classes, &Scale::none(asked.width), device);
    let mut theta = compact.start();
    let mut right = Vec::with_capacity(penalties.len());
    for &l2 in penalties {
        theta = compact.solve(theta, l2).await?.at;
        let named = asked.predict(&compact.weights(train.0, &theta)).await?;
        right.push(named.iter().zip(truth).filter(|(a, b)| a == b).count());
    }
    Ok(right)
}

/// A problem in the coordinates that are fewer.
struct Compact {
    problem: Problem,
    /// `X^T X / n` in those coordinates.
    gram: Vec<f32>,
    /// L, where the coordinates are those of the rows.
    rows: Option<Cholesky>,
}

impl Compact {
    async fn new((features, labels): Labelled<'_>, classes: usize, device: &Device) -> Result<Self> {
        let (n, width) = (features.len(), features.width);
        let whole = Problem::new(features, labels, 0..n, classes, &Scale::none(width), device);
        if n >= width {
            return Ok(Self { gram: whole.gram().await?, problem: whole, rows: None });
        }
        let products = whole.products().await?; // [n, n]
        let mean = (0..n).map(|row| f64::from(products[row * n + row])).sum::<f64>() / n as f64;
        let rows = Cholesky::of(n, (RIDGE * mean).max(f64::MIN_POSITIVE), |i, j| f64::from(products[i * n + j]));
        let spanned = Features { layer: features.layer.clone(), width: n, values: rows.coordinates() };
        let problem = Problem::new(&spanned, labels, 0..n, classes, &Scale::none(n), device);
        Ok(Self { gram: problem.gram().await?, problem, rows: Some(rows) })
    }

    fn start(&self) -> Vec<f64> {
        vec![0.0; (self.problem.width + 1) * self.problem.classes]
    }

    async fn solve(&self, theta: Vec<f64>, l2: f64) -> Result<Minimum> {
        self.problem.solve(theta, l2, &self.gram).await
    }

    /// What was found, for features as they are: `[width + 1, classes]`.
    fn weights(&self, features: &Features, theta: &[f64]) -> Vec<f64> {
        let Some(rows) = &self.rows else { return theta.to_vec() };
        let classes = self.problem.classes;
        let (v, bias) = theta.split_at(self.problem.width * classes);
        let mut shares = v.to_vec();
        rows.solve_transposed(&mut shares, classes); // L^-T V, [n, classes]
        let mut weights = vec![0.0; features.width * classes];
        for (row, shares) in features.rows().zip(shares.chunks_exact(classes)) {
            for (sums, &x) in weights.chunks_exact_mut(classes).zip(row) {
                sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += f64::from(x) * share);
            }
        }
        weights.extend(bias);
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use futures_lite::future::block_on;

    /// Scaled rows of three classes, some of them there twice.
    fn rows(n: usize, width: usize) -> (Features, Vec<u16>) {
        let mut values = normal(&mut stream(6, Purpose::Probe, n as u64), n * width, 1.0);
        let labels: Vec<u16> = (0..n).map(|row| (row % 3) as u16).collect();
        labels.iter().enumerate().for_each(|(row, &label)| values[row * width + usize::from(label)] += 3.0);
        let twice = values[..width].to_vec();
        values[3 * width..4 * width].copy_from_slice(&twice);
        let features = Features { layer: "test".into(), width, values };
        (Scale::of(&features, n).apply(&features), labels)
    }

    #[test]
    fn few_rows_are_fitted_as_they_would_be_in_full() {
        let device = Device::flex();
        let (features, labels) = rows(12, 40);
        let found = block_on(fit((&features, &labels), 3, 0.1, &device)).expect("a fit");
        let whole = Problem::new(&features, &labels, 0..12, 3, &Scale::none(40), &device);
        let direct =
            block_on(async { whole.solve(vec![0.0; 41 * 3], 0.1, &whole.gram().await?).await }).expect("a fit");
        assert!(found.converged && direct.converged);
        let furthest = found.theta.iter().zip(&direct.at).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 5e-3, "{furthest} apart, the largest weight is {:?}", direct.at[0]);
        assert!(direct.at.iter().any(|weight| weight.abs() > 0.1), "there is something to be found");
    }

    #[test]
    fn the_path_counts_what_single_fits_name_rightly() {
        let device = Device::flex();
        for (n, width) in [(12, 40), (60, 10)] {
            let (features, labels) = rows(n, width);
            let (asked, truth) = rows(n + 30, width);
            let penalties = [10.0, 0.1];
            let found = block_on(path((&features, &labels), (&asked, &truth), 3, &penalties, &device)).expect("a path");
            for (l2, right) in penalties.into_iter().zip(found) {
                let fit = block_on(fit((&features, &labels), 3, l2, &device)).expect("a fit");
                let named = block_on(fit.predict(&asked, &device)).expect("names");
                let single = named.iter().zip(&truth).filter(|(a, b)| a == b).count();
                assert!(single.abs_diff(right) <= 1, "{single} and {right} at {l2}");
            }
        }
    }
}
