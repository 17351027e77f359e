//! Preconditioners for logistic regression: upper bounds of its curvature that are quickly inverted.
//!
//! Features of neighbouring pixels are correlated, which makes the problem a narrow valley. L-BFGS therefore starts from a
//! bound of the curvature, `1/2 X^T X / n + l2` for every class (Boehning 1992), instead of from the identity. The bound
//! decides how fast the minimum is found, not where it is.

use crate::algebra::{Cholesky, Matrix, matmul};

/// Boehning's bound of `diag(p) - p p^T`.
const CURVATURE: f64 = 0.5;
/// Added to the bound, so that features that never change do not make it singular.
const RIDGE: f64 = 1e-6;

/// `X^T X / n`, whole or from a sample of rows.
#[derive(Clone, Debug)]
pub(super) enum Curvature {
    /// The whole matrix, `[d, d]`.
    Whole { gram: Vec<f32>, width: usize },
    /// A sample of rows, `[m, d]`, where the matrix of all pairs of features would be too large.
    Sampled { rows: Vec<f32>, width: usize },
}

impl Curvature {
    /// The inverse of the bound with one penalty.
    pub(super) fn inverse(&self, l2: f64) -> Inverse<'_> {
        match self {
            Curvature::Whole { gram, width } => {
                let factor = Cholesky::of(*width, l2 + RIDGE, |i, j| CURVATURE * f64::from(gram[i * width + j]));
                Inverse::Factored { factor, width: *width }
            }
            Curvature::Sampled { rows, width } => Inverse::sampled(rows, *width, l2),
        }
    }
}

/// A bound of the curvature, ready to be solved with.
pub(super) enum Inverse<'a> {
    Factored {
        factor: Cholesky,
        width: usize,
    },
    /// `1/2 S^T S / m + floor I` of m rows S. Its inverse is `(I - S^T (2 m floor I + S S^T)^-1 S) / floor` (Woodbury).
    Sampled {
        rows: &'a [f32],
        width: usize,
        /// Of `2 m floor I + S S^T`.
        factor: Cholesky,
        floor: f64,
    },
}

impl<'a> Inverse<'a> {
    /// The floor holds the curvature of the directions that no sampled row has, too: their share of the trace is at most that
    /// of one row of m.
    fn sampled(rows: &'a [f32], width: usize, l2: f64) -> Self {
        let m = rows.len() / width.max(1);
        let mut products = vec![0f32; m * m];
        let s = Matrix::new(rows, m);
        matmul(&mut products, m, s, s.transposed(), false);
        let trace = (0..m).map(|row| f64::from(products[row * m + row])).sum::<f64>() / m as f64;
        let floor = l2 + RIDGE + CURVATURE * trace / m as f64;
        let factor = Cholesky::of(m, m as f64 * floor / CURVATURE, |i, j| f64::from(products[i * m + j]));
        Inverse::Sampled { rows, width, factor, floor }
    }

    /// Replaces the gradient `[d, k]` of weights, followed by the `[k]` of biases, by the bound's inverse times it.
    pub(super) fn apply(&self, gradient: &mut [f64], classes: usize) {
        let width = match self {
            Inverse::Factored { width, .. } | Inverse::Sampled { width, .. } => *width,
        };
        let (weights, biases) = gradient.split_at_mut(width * classes);
        match self {
            Inverse::Factored { factor, .. } => factor.solve(weights, classes),
            Inverse::Sampled { rows, factor, floor, .. } => {
                let m = rows.len() / width.max(1);
                let s = Matrix::new(rows, m);
                let slopes: Vec<f32> = weights.iter().map(|&slope| slope as f32).collect();
                let mut along = vec![0f32; m * classes];
                matmul(&mut along, classes, s, Matrix::new(&slopes, width), false);
                let mut along: Vec<f64> = along.into_iter().map(f64::from).collect();
                factor.solve(&mut along, classes);
                let along: Vec<f32> = along.into_iter().map(|value| value as f32).collect();
                let mut taken = vec![0f32; width * classes];
                matmul(&mut taken, classes, s.transposed(), Matrix::new(&along, m), false);
                let rest = weights.iter_mut().zip(taken);
                rest.for_each(|(slope, taken)| *slope = (*slope - f64::from(taken)) / floor);
            }
        }
        biases.iter_mut().for_each(|slope| *slope /= CURVATURE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    #[test]
    fn both_inverses_undo_their_bound() {
        let m = 6;
        let width = 9;
        let classes = 2;
        let l2 = 0.3;
        let rows = normal(&mut stream(8, Purpose::Probe, 0), m * width, 1.0);
        let at = |row: usize, column: usize| f64::from(rows[row * width + column]);
        let gram = |i: usize, j: usize| (0..m).map(|row| at(row, i) * at(row, j)).sum::<f64>() / m as f64;
        let whole = (0..width * width).map(|place| gram(place / width, place % width) as f32).collect();
        let trace = (0..width).map(|i| gram(i, i)).sum::<f64>();
        let both = [
            (Curvature::Whole { gram: whole, width }, l2 + RIDGE),
            (Curvature::Sampled { rows: rows.clone(), width }, l2 + RIDGE + CURVATURE * trace / m as f64),
        ];
        let wanted: Vec<f64> = (0..(width + 1) * classes).map(|at| (at as f64 * 0.9).sin()).collect();
        for (curvature, floor) in both {
            let mut found = wanted.clone();
            curvature.inverse(l2).apply(&mut found, classes);
            for (place, wanted) in wanted.iter().enumerate() {
                let row = place / classes;
                let class = place % classes;
                let again: f64 = if row == width {
                    CURVATURE * found[place]
                } else {
                    let sum: f64 = (0..width).map(|j| CURVATURE * gram(row, j) * found[j * classes + class]).sum();
                    sum + floor * found[place]
                };
                assert!((again - wanted).abs() < 1e-4, "{place}: {again} is not {wanted}");
            }
        }
    }
}
