//! Solving linear equations with a symmetric positive matrix.

use super::dot;

/// `A = L L^T`, the rows of L packed one after another up to the diagonal.
#[derive(Clone, Debug)]
pub struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factors `A + ridge * I`, `A` the symmetric `[d, d]` of `entry`, which is asked at and below the diagonal. A pivot that
    /// rounding made negative is taken as the ridge.
    pub fn of(d: usize, ridge: f64, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(d);
        for i in 0..d {
            let mut row = Vec::with_capacity(i + 1);
            for j in 0..=i {
                let known: f64 = if j < i { dot(&row[..j], &rows[j][..j]) } else { dot(&row, &row) };
                let rest = entry(i, j) - known;
                row.push(if j < i { rest / rows[j][j] } else { (rest + ridge).max(ridge).sqrt() });
            }
            rows.push(row);
        }
        Self { rows }
    }

    /// Replaces each column of `b`, `[d, k]` in row-major order, by the solution of `A x = b`.
    pub fn solve(&self, b: &mut [f64], k: usize) {
        for i in 0..self.rows.len() {
            let (done, rest) = b.split_at_mut(i * k);
            let target = &mut rest[..k];
            for (j, solved) in done.chunks_exact(k).enumerate() {
                subtract(target, self.rows[i][j], solved);
            }
            target.iter_mut().for_each(|value| *value /= self.rows[i][i]);
        }
        self.solve_transposed(b, k);
    }

    /// The same for `L^T x = b`.
    pub fn solve_transposed(&self, b: &mut [f64], k: usize) {
        for i in (0..self.rows.len()).rev() {
            let (before, rest) = b.split_at_mut(i * k);
            let solved = &mut rest[..k];
            solved.iter_mut().for_each(|value| *value /= self.rows[i][i]);
            for (j, target) in before.chunks_exact_mut(k).enumerate() {
                subtract(target, self.rows[i][j], solved);
            }
        }
    }

    /// L as `[d, d]`, zeros above the diagonal.
    pub fn coordinates(&self) -> Vec<f32> {
        let d = self.rows.len();
        let padded =
            self.rows.iter().flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, d - row.len())));
        padded.map(|value| value as f32).collect()
    }
}

fn subtract(from: &mut [f64], factor: f64, what: &[f64]) {
    from.iter_mut().zip(what).for_each(|(from, what)| *from -= factor * what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    #[test]
    fn the_solution_solves() {
        let (d, k) = (13, 3);
        let x = normal(&mut stream(2, Purpose::Probe, 0), 40 * d, 1.0);
        let gram: Vec<f32> =
            (0..d * d).map(|at| (0..40).map(|n| x[n * d + at / d] * x[n * d + at % d]).sum()).collect();
        let b: Vec<f64> = (0..d * k).map(|i| (i as f64 * 0.7).sin()).collect();
        let mut solved = b.clone();
        Cholesky::of(d, 0.1, |i, j| 0.5 * f64::from(gram[i * d + j])).solve(&mut solved, k);
        for (i, column) in (0..d).flat_map(|i| (0..k).map(move |column| (i, column))) {
            let product =
                |j: usize| (0.5 * f64::from(gram[i * d + j]) + if i == j { 0.1 } else { 0.0 }) * solved[j * k + column];
            let found: f64 = (0..d).map(product).sum();
            assert!((found - b[i * k + column]).abs() < 1e-9, "{found} is not {}", b[i * k + column]);
        }
    }

    #[test]
    fn a_matrix_without_full_rank_is_held_up_by_the_ridge() {
        let mut b = vec![1.0, 2.0];
        Cholesky::of(2, 1e-3, |_, _| 1.0).solve(&mut b, 1);
        assert!(b.iter().all(|x| x.is_finite()), "{b:?}");
    }
}
