//! Preconditioners for logistic regression: approximations of its curvature that are quickly inverted.
//!
//! Features of neighbouring pixels are correlated, which makes the problem a narrow valley. Conjugate gradients therefore work
//! with `v X^T X / n + l2` for every class, v the mean variance of the predictions, instead of with the identity. It decides
//! how fast the minimum is found, not where it is.

use crate::algebra::{Cholesky, Matrix, matmul};

/// Added to the penalty, so that features that never change do not make the matrix singular.
const RIDGE: f64 = 1e-6;
/// Least variance: single precision cannot tell smaller ones from none.
const LEAST: f64 = 1e-9;
/// Factor by which the variance may change before the matrix is factored anew.
const STALE: f64 = 4.0;

/// `X^T X / n`, whole or from a sample of rows.
#[derive(Clone, Debug)]
pub(super) enum Curvature {
    /// The whole matrix, `[d, d]`; only values at and below the diagonal count.
    Whole { gram: Vec<f32>, width: usize },
    /// A sample of rows S, `[m, d]`, where the matrix of all pairs of features would be too large, with `S S^T`.
    Sampled { rows: Vec<f32>, products: Vec<f32>, width: usize },
}

impl Curvature {
    /// Of a sample of rows.
    pub(super) fn sampled(rows: Vec<f32>, width: usize) -> Self {
        let m = rows.len() / width.max(1);
        let mut products = vec![0f32; m * m];
        let s = Matrix::new(&rows, m);
        matmul(&mut products, m, s, s.transposed(), false);
        Curvature::Sampled { rows, products, width }
    }

    /// The inverse for one variance and one penalty.
    fn inverse(&self, variance: f64, l2: f64) -> Inverse<'_> {
        let ridge = l2 + RIDGE;
        match self {
            Curvature::Whole { gram, width } => {
                let factor = Cholesky::of(*width, ridge, |i, j| variance * f64::from(gram[i * width + j]));
                Inverse { kind: Kind::Factored(factor), width: *width, variance }
            }
            Curvature::Sampled { rows, products, width } => {
                // the floor holds the curvature of the directions that no sampled row has, too: their share of the trace is at
                // most that of one row of m
                let m = rows.len() / (*width).max(1);
                let trace = (0..m).map(|row| f64::from(products[row * m + row])).sum::<f64>() / m as f64;
                let floor = ridge + variance * trace / m as f64;
                let factor = Cholesky::of(m, m as f64 * floor / variance, |i, j| f64::from(products[i * m + j]));
                Inverse { kind: Kind::Sampled { rows, factor, floor }, width: *width, variance }
            }
        }
    }
}

/// A preconditioner for one penalty, which follows the variance of the predictions.
pub(super) struct Preconditioner<'a> {
    curvature: &'a Curvature,
    l2: f64,
    inverse: Option<Inverse<'a>>,
}

impl<'a> Preconditioner<'a> {
    pub(super) fn new(curvature: &'a Curvature, l2: f64) -> Self {
        Self { curvature, l2, inverse: None }
    }

    /// The inverse for about this variance.
    pub(super) fn at(&mut self, variance: f64) -> &Inverse<'a> {
        let variance = variance.max(LEAST);
        let fits = |inverse: &Inverse| (variance / inverse.variance).ln().abs() < STALE.ln();
        let known = self.inverse.take().filter(fits);
        self.inverse.insert(known.unwrap_or_else(|| self.curvature.inverse(variance, self.l2)))
    }
}

/// An approximation of the curvature, ready to be solved with.
pub(super) struct Inverse<'a> {
    kind: Kind<'a>,
    width: usize,
    variance: f64,
}

enum Kind<'a> {
    Factored(Cholesky),
    /// `v S^T S / m + floor I` of m rows S. Its inverse is `(I - S^T (m floor / v I + S S^T)^-1 S) / floor` (Woodbury).
    Sampled {
        rows: &'a [f32],
        /// Of `m floor / v I + S S^T`.
        factor: Cholesky,
        floor: f64,
    },
}

impl Inverse<'_> {
    /// Replaces the gradient `[d, k]` of weights, followed by the `[k]` of biases, by the inverse times it.
    pub(super) fn apply(&self, gradient: &mut [f64], classes: usize) {
        let Self { kind, width, variance } = self;
        let (weights, biases) = gradient.split_at_mut(width * classes);
        match kind {
            Kind::Factored(factor) => factor.solve(weights, classes),
            Kind::Sampled { rows, factor, floor } => {
                let m = rows.len() / (*width).max(1);
                let s = Matrix::new(rows, m);
                let slopes: Vec<f32> = weights.iter().map(|&slope| slope as f32).collect();
                let mut along = vec![0f32; m * classes];
                matmul(&mut along, classes, s, Matrix::new(&slopes, *width), false);
                let mut along: Vec<f64> = along.into_iter().map(f64::from).collect();
                factor.solve(&mut along, classes);
                let along: Vec<f32> = along.into_iter().map(|value| value as f32).collect();
                let mut taken = vec![0f32; width * classes];
                matmul(&mut taken, classes, s.transposed(), Matrix::new(&along, m), false);
                let rest = weights.iter_mut().zip(taken);
                rest.for_each(|(slope, taken)| *slope = (*slope - f64::from(taken)) / floor);
            }
        }
        biases.iter_mut().for_each(|slope| *slope /= variance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    #[test]
    fn both_inverses_undo_their_matrix() {
        let m = 6;
        let width = 9;
        let classes = 2;
        let l2 = 0.3;
        let variance = 0.2;
        let rows = normal(&mut stream(8, Purpose::Probe, 0), m * width, 1.0);
        let at = |row: usize, column: usize| f64::from(rows[row * width + column]);
        let gram = |i: usize, j: usize| (0..m).map(|row| at(row, i) * at(row, j)).sum::<f64>() / m as f64;
        let whole = (0..width * width).map(|place| gram(place / width, place % width) as f32).collect();
        let trace = (0..width).map(|i| gram(i, i)).sum::<f64>();
        let both = [
            (Curvature::Whole { gram: whole, width }, l2 + RIDGE),
            (Curvature::sampled(rows.clone(), width), l2 + RIDGE + variance * trace / m as f64),
        ];
        let wanted: Vec<f64> = (0..(width + 1) * classes).map(|at| (at as f64 * 0.9).sin()).collect();
        for (curvature, floor) in both {
            let mut found = wanted.clone();
            curvature.inverse(variance, l2).apply(&mut found, classes);
            for (place, wanted) in wanted.iter().enumerate() {
                let row = place / classes;
                let class = place % classes;
                let again: f64 = if row == width {
                    variance * found[place]
                } else {
                    let sum: f64 = (0..width).map(|j| variance * gram(row, j) * found[j * classes + class]).sum();
                    sum + floor * found[place]
                };
                assert!((again - wanted).abs() < 1e-4, "{place}: {again} is not {wanted}");
            }
        }
    }
    #[test]
    fn a_matrix_is_factored_anew_when_predictions_become_sure() {
        let curvature = Curvature::Whole { gram: vec![2.0], width: 1 };
        let mut preconditioner = Preconditioner::new(&curvature, 0.5);
        for (variance, used) in [(0.2, 0.2), (0.1, 0.2), (0.01, 0.01), (0.03, 0.01), (0.05, 0.05), (0.0, LEAST)] {
            let mut slopes = [1.0, 1.0];
            preconditioner.at(variance).apply(&mut slopes, 1);
            let expected = [1.0 / (2.0 * used + 0.5 + RIDGE), 1.0 / used];
            for (found, expected) in slopes.iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-6, "{variance}: {found} is not {expected}");
            }
        }
    }
}
