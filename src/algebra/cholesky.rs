//! Solving linear equations with a symmetric positive matrix.

use std::ops::Range;

use super::{Matrix, dot, matmul};

/// Columns that are eliminated together: within a block one after another, beyond it by one matrix product.
const BLOCK: usize = 96;

/// `A = L L^T`.
#[derive(Clone, Debug)]
pub struct Cholesky {
    /// `[d, d]`, zeros above the diagonal.
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
        // products with whole blocks of rows read there
        for (i, row) in factor.values.chunks_exact_mut(d.max(1)).enumerate() {
            row[i + 1..].fill(0.0);
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

    /// Blocks of rows, each with the columns up to its diagonal.
    fn blocks(&self) -> impl DoubleEndedIterator<Item = (Range<usize>, Matrix<'_, f64>)> {
        (0..self.d.div_ceil(BLOCK)).map(|block| {
            let start = block * BLOCK;
            let end = (start + BLOCK).min(self.d);
            (start..end, Matrix::pitched(&self.values[start * self.d..end * self.d], end, self.d))
        })
    }

    /// `L x`, x `[d, k]` in row-major order.
    pub fn times(&self, x: &[f64], k: usize) -> Vec<f64> {
        let mut product = vec![0.0; self.d * k];
        for (Range { start, end }, rows) in self.blocks() {
            matmul(&mut product[start * k..end * k], k, rows, Matrix::new(&x[..end * k], end), false);
        }
        product
    }

    /// `L^T x`, x `[d, k]` in row-major order.
    pub fn transposed_times(&self, x: &[f64], k: usize) -> Vec<f64> {
        let mut product = vec![0.0; self.d * k];
        for (Range { start, end }, rows) in self.blocks() {
            let x = Matrix::new(&x[start * k..end * k], end - start);
            matmul(&mut product[..end * k], k, rows.transposed(), x, true);
        }
        product
    }

    /// `L^T L`, `[d, d]`.
    pub fn gram(&self) -> Vec<f64> {
        let mut gram = vec![0.0; self.d * self.d];
        for (Range { end, .. }, rows) in self.blocks() {
            matmul(&mut gram[..end * self.d], self.d, rows.transposed(), rows, true);
        }
        gram
    }

    /// Replaces each column of `b`, `[d, k]` in row-major order, by the solution of `A x = b`.
    pub fn solve(&self, b: &mut [f64], k: usize) {
        for (Range { start, end }, _) in self.blocks() {
            let (done, rest) = b.split_at_mut(start * k);
            let targets = &mut rest[..(end - start) * k];
            if start > 0 {
                let before = Matrix::pitched(&self.values[start * self.d..end * self.d], start, self.d);
                let mut known = vec![0.0; targets.len()];
                matmul(&mut known, k, before, Matrix::new(done, start), false);
                subtract(targets, 1.0, &known);
            }
            for i in start..end {
                let (solved, rest) = targets.split_at_mut((i - start) * k);
                let target = &mut rest[..k];
                for (j, solved) in (start..i).zip(solved.chunks_exact(k)) {
                    subtract(target, self.values[i * self.d + j], solved);
                }
                target.iter_mut().for_each(|value| *value /= self.values[i * self.d + i]);
            }
        }
        self.solve_transposed(b, k);
    }

    /// The same for `L^T x = b`.
    pub fn solve_transposed(&self, b: &mut [f64], k: usize) {
        for (Range { start, end }, _) in self.blocks().rev() {
            let (before, rest) = b.split_at_mut(start * k);
            let targets = &mut rest[..(end - start) * k];
            for i in (start..end).rev() {
                let (others, rest) = targets.split_at_mut((i - start) * k);
                let solved = &mut rest[..k];
                solved.iter_mut().for_each(|value| *value /= self.values[i * self.d + i]);
                for (j, other) in (start..i).zip(others.chunks_exact_mut(k)) {
                    subtract(other, self.values[i * self.d + j], solved);
                }
            }
            if start > 0 {
                let rows = Matrix::pitched(&self.values[start * self.d..end * self.d], start, self.d);
                let mut known = vec![0.0; before.len()];
                matmul(&mut known, k, rows.transposed(), Matrix::new(targets, end - start), false);
                subtract(before, 1.0, &known);
            }
        }
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
        let found = Cholesky::of_products(d, 1e-5 * width as f64, entry).values;
        for i in 0..d {
            for j in 0..=i {
                let product: f64 = (0..d).map(|k| found[i * d + k] * found[j * d + k]).sum();
                assert!((product - entry(i, j)).abs() < 0.1, "{i}, {j}: {product} is not {}", entry(i, j));
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
        let factor = Cholesky::of(d, 0.5, entry);
        let found = &factor.values;
        for (i, j) in [(0, 0), (d - 1, d - 1), (d - 1, 0), (BLOCK, BLOCK - 1), (d - 1, 2 * BLOCK), (5, 9)] {
            let product: f64 = (0..d).map(|k| found[i * d + k] * found[j * d + k]).sum();
            let expected = entry(i.max(j), i.min(j)) + if i == j { 0.5 } else { 0.0 };
            assert!((product - expected).abs() < 1e-9, "{i}, {j}: {product} is not {expected}");
        }
    }

    #[test]
    fn products_and_solutions_over_several_blocks_agree() {
        let d = 2 * BLOCK + 37;
        let k = 3;
        let x = normal(&mut stream(5, Purpose::Probe, 0), d * d, 1.0);
        let factor = Cholesky::of(d, 0.5, |i, j| dot_of(&x[i * d..][..d], &x[j * d..][..d]) / d as f64);
        let asked: Vec<f64> = (0..d * k).map(|at| (at as f64 * 0.3).cos()).collect();
        let at = |i: usize, j: usize| factor.values[i * d + j];
        let near = |found: &[f64], slow: &dyn Fn(usize, usize) -> f64| {
            for (place, found) in found.iter().enumerate() {
                let slow = slow(place / k, place % k);
                assert!((found - slow).abs() < 1e-8, "{place}: {found} is not {slow}");
            }
        };
        let down = |i: usize, c: usize| (0..d).map(|j| at(i, j) * asked[j * k + c]).sum();
        let across = |i: usize, c: usize| (0..d).map(|j| at(j, i) * asked[j * k + c]).sum();
        near(&factor.times(&asked, k), &down);
        near(&factor.transposed_times(&asked, k), &across);
        let mut solved = asked.clone();
        factor.solve(&mut solved, k);
        near(&factor.times(&factor.transposed_times(&solved, k), k), &|i, c| asked[i * k + c]);
        let mut solved = asked.clone();
        factor.solve_transposed(&mut solved, k);
        near(&factor.transposed_times(&solved, k), &|i, c| asked[i * k + c]);
        let gram = factor.gram();
        for (i, j) in [(0, 0), (d - 1, 3), (BLOCK, BLOCK - 1), (7, d - 2)] {
            let slow: f64 = (0..d).map(|row| at(row, i) * at(row, j)).sum();
            assert!((gram[i * d + j] - slow).abs() < 1e-9, "{i}, {j}");
        }
    }

    fn dot_of(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }
}
