//! Solving linear equations with a symmetric positive matrix.

use super::{Matrix, dot, matmul};

/// Columns that are eliminated together: within a block one after another, beyond it by one matrix product.
const BLOCK: usize = 96;

/// `A = L L^T`.
#[derive(Clone, Debug)]
pub struct Cholesky {
    /// `[d, d]`; only values at and below the diagonal count.
    values: Vec<f64>,
    d: usize,
}

impl Cholesky {
    /// Factors `A + ridge * I`, `A` the symmetric `[d, d]` of `entry`, which is asked at and below the diagonal. A pivot that
    /// rounding made negative is taken as the ridge.
    pub fn of(d: usize, ridge: f64, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::above(f64::NEG_INFINITY, d, ridge, entry)
    }

    /// The same for a matrix of inner products whose rows may depend on one another. A pivot that is at most the ridge is
    /// taken for rounding: the column below it would be the quotient of two roundings, which grows without bounds from
    /// column to column, and is zero instead.
    pub fn of_products(d: usize, ridge: f64, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::above(ridge, d, ridge, entry)
    }

    /// Factors `A + ridge * I`, but for the columns of pivots up to `rounding`.
    fn above(rounding: f64, d: usize, ridge: f64, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![0.0; d * d];
        for (i, row) in values.chunks_exact_mut(d.max(1)).enumerate() {
            row[..=i].iter_mut().enumerate().for_each(|(j, value)| *value = entry(i, j));
        }
        let mut factor = Self { values, d };
        for start in (0..d).step_by(BLOCK) {
            let end = (start + BLOCK).min(d);
            factor.eliminate(start, end, ridge, rounding);
            factor.update(start, end);
        }
        factor
    }

    /// Columns `start..end` of L, where those before them are subtracted already.
    fn eliminate(&mut self, start: usize, end: usize, ridge: f64, rounding: f64) {
        let d = self.d;
        let mut is_rounding = vec![false; end - start];
        for i in start..d {
            let (above, rest) = self.values.split_at_mut(i * d);
            let row = &mut rest[start..end];
            for j in start..end.min(i + 1) {
                let known = j - start;
                if j < i {
                    let other = &above[j * d + start..=j * d + j];
                    let rest = row[known] - dot(&row[..known], &other[..known]);
                    row[known] = if is_rounding[known] { 0.0 } else { rest / other[known] };
                } else {
                    let pivot = row[known] - dot(&row[..known], &row[..known]);
                    is_rounding[known] = pivot <= rounding;
                    row[known] = (pivot + ridge).max(ridge).sqrt();
                }
            }
        }
    }

    /// Subtracts what columns `start..end` of L make of the columns after them.
    fn update(&mut self, start: usize, end: usize) {
        let d = self.d;
        let rows = (end..d).flat_map(|row| &self.values[row * d + start..row * d + end]);
        let panel: Vec<f64> = rows.copied().collect();
        let negative: Vec<f64> = panel.iter().map(|value| -value).collect();
        let width = end - start;
        for first in (end..d).step_by(BLOCK) {
            let last = (first + BLOCK).min(d);
            let below = Matrix::new(&negative[(first - end) * width..], d - first);
            let beside = Matrix::new(&panel[(first - end) * width..(last - end) * width], last - first);
            matmul(&mut self.values[first * d + first..], d, below, beside.transposed(), true);
        }
    }

    /// Replaces each column of `b`, `[d, k]` in row-major order, by the solution of `A x = b`.
    pub fn solve(&self, b: &mut [f64], k: usize) {
        for i in 0..self.d {
            let (done, rest) = b.split_at_mut(i * k);
            let target = &mut rest[..k];
            for (j, solved) in done.chunks_exact(k).enumerate() {
                subtract(target, self.values[i * self.d + j], solved);
            }
            target.iter_mut().for_each(|value| *value /= self.values[i * self.d + i]);
        }
        self.solve_transposed(b, k);
    }

    /// The same for `L^T x = b`.
    pub fn solve_transposed(&self, b: &mut [f64], k: usize) {
        for i in (0..self.d).rev() {
            let (before, rest) = b.split_at_mut(i * k);
            let solved = &mut rest[..k];
            solved.iter_mut().for_each(|value| *value /= self.values[i * self.d + i]);
            for (j, target) in before.chunks_exact_mut(k).enumerate() {
                subtract(target, self.values[i * self.d + j], solved);
            }
        }
    }

    /// L as `[d, d]`, zeros above the diagonal.
    pub fn coordinates(&self) -> Vec<f32> {
        let place = |at: usize| if at % self.d <= at / self.d { self.values[at] as f32 } else { 0.0 };
        (0..self.d * self.d).map(place).collect()
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
        let d = 13;
        let k = 3;
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

    #[test]
    fn rows_that_are_there_many_times_do_not_make_the_factor_grow() {
        // 150 rows of single precision that are twelve, each many times
        let d = 150;
        let width = 768;
        let x = normal(&mut stream(4, Purpose::Probe, 0), 12 * width, 1.0);
        let row = |place: usize| &x[place % 12 * width..][..width];
        let products: Vec<f32> =
            (0..d * d).map(|at| row(at / d).iter().zip(row(at % d)).map(|(a, b)| a * b).sum()).collect();
        // roundings of a device that adds in another order
        let noise = normal(&mut stream(4, Purpose::Probe, 1), d * d, 1e-3);
        let entry = |i: usize, j: usize| f64::from(products[i * d + j] + noise[i * d + j]);
        let found = Cholesky::of_products(d, 1e-5 * width as f64, entry).coordinates();
        for i in 0..d {
            for j in 0..=i {
                let product: f32 = (0..d).map(|k| found[i * d + k] * found[j * d + k]).sum();
                assert!((f64::from(product) - entry(i, j)).abs() < 0.1, "{i}, {j}: {product} is not {}", entry(i, j));
            }
        }
    }

    #[test]
    fn blocks_make_the_same_factor_as_one_column_after_another() {
        let d = 2 * BLOCK + 37;
        let x = normal(&mut stream(3, Purpose::Probe, 0), d * d, 1.0);
        let entry = |i: usize, j: usize| {
            let product: f32 = x[i * d..(i + 1) * d].iter().zip(&x[j * d..(j + 1) * d]).map(|(a, b)| a * b).sum();
            f64::from(product) / d as f64
        };
        let found = Cholesky::of(d, 0.5, entry).coordinates();
        for (i, j) in [(0, 0), (d - 1, d - 1), (d - 1, 0), (BLOCK, BLOCK - 1), (d - 1, 2 * BLOCK), (5, 9)] {
            let product: f64 = (0..d).map(|k| f64::from(found[i * d + k]) * f64::from(found[j * d + k])).sum();
            let expected = entry(i.max(j), i.min(j)) + if i == j { 0.5 } else { 0.0 };
            assert!((product - expected).abs() < 1e-5, "{i}, {j}: {product} is not {expected}");
        }
    }
}
