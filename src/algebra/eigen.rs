//! Eigenvalues of symmetric matrices.

use super::dot;

/// The eigenvalues of a symmetric `[n, n]` in rising order: reflections make it tridiagonal, then each value is found by
/// halving an interval (Golub and Van Loan, sections 8.3.1 and 8.4.1).
pub fn eigenvalues(mut matrix: Vec<f64>, n: usize) -> Vec<f64> {
    for k in 0..n.saturating_sub(2) {
        reflect(&mut matrix, n, k);
    }
    let diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let beside: Vec<f64> = (1..n).map(|i| matrix[i * n + i - 1]).collect();
    let reach = |i: usize| i.checked_sub(1).map_or(0.0, |i| beside[i].abs()) + beside.get(i).map_or(0.0, |b| b.abs());
    let low = (0..n).map(|i| diagonal[i] - reach(i)).fold(0.0, f64::min);
    let high = (0..n).map(|i| diagonal[i] + reach(i)).fold(0.0, f64::max);
    (0..n).map(|rank| bisect(&diagonal, &beside, rank, low, high)).collect()
}

/// One Householder reflection from both sides: clears column and row `k` beyond the diagonal's neighbour.
fn reflect(a: &mut [f64], n: usize, k: usize) {
    let mut v: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
    let length = dot(&v, &v).sqrt();
    if length == 0.0 {
        return;
    }
    let image = -length.copysign(v[0]);
    v[0] -= image;
    let square = dot(&v, &v);
    let block = |row: usize| (k + 1 + row) * n + k + 1;
    let size = v.len();
    let mut w: Vec<f64> = (0..size).map(|i| dot(&a[block(i)..block(i) + size], &v) * 2.0 / square).collect();
    let along = dot(&v, &w) / square;
    w.iter_mut().zip(&v).for_each(|(w, v)| *w -= along * v);
    for i in 0..size {
        let row = &mut a[block(i)..block(i) + size];
        row.iter_mut().enumerate().for_each(|(j, x)| *x -= v[i] * w[j] + w[i] * v[j]);
        (a[(k + 1 + i) * n + k], a[k * n + k + 1 + i]) = (0.0, 0.0);
    }
    (a[(k + 1) * n + k], a[k * n + k + 1]) = (image, image);
}

/// The eigenvalue with `rank` smaller ones, between `low` and `high`.
fn bisect(diagonal: &[f64], beside: &[f64], rank: usize, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if smaller(diagonal, beside, middle) > rank { high = middle } else { low = middle }
    }
    (low + high) / 2.0
}

/// How many eigenvalues lie below `x`: the negative pivots of the matrix less `x` (Sylvester's law of inertia).
fn smaller(diagonal: &[f64], beside: &[f64], x: f64) -> usize {
    let (mut count, mut pivot) = (0, 1.0);
    for (i, value) in diagonal.iter().enumerate() {
        let carried = if i == 0 { 0.0 } else { beside[i - 1] * beside[i - 1] / pivot };
        pivot = value - x - carried;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE.sqrt();
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    /// Cyclic Jacobi rotations, the textbook's other way to eigenvalues.
    fn jacobi(mut a: Vec<f64>, n: usize) -> Vec<f64> {
        for (p, q) in (0..12).flat_map(|_| (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q)))) {
            let angle = 0.5 * (2.0 * a[p * n + q]).atan2(a[q * n + q] - a[p * n + p]);
            let (sin, cos) = angle.sin_cos();
            for k in 0..n {
                let (x, y) = (a[k * n + p], a[k * n + q]);
                (a[k * n + p], a[k * n + q]) = (cos * x - sin * y, sin * x + cos * y);
            }
            for k in 0..n {
                let (x, y) = (a[p * n + k], a[q * n + k]);
                (a[p * n + k], a[q * n + k]) = (cos * x - sin * y, sin * x + cos * y);
            }
        }
        let mut values: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn eigenvalues_agree_with_jacobis() {
        for n in [1, 2, 3, 17, 40] {
            let noise: Vec<f64> =
                normal(&mut stream(4, Purpose::Views, 0), n * 60, 1.0).into_iter().map(f64::from).collect();
            let row = |i: usize| &noise[i * 60..(i + 1) * 60];
            let matrix: Vec<f64> = (0..n * n).map(|at| dot(row(at / n), row(at % n))).collect();
            let (found, expected) = (eigenvalues(matrix.clone(), n), jacobi(matrix, n));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
            }
        }
    }
}
