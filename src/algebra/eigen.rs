//! Eigenvalues and eigenvectors of symmetric matrices.

use super::dot;

/// Number of Jacobi sweeps over all pairs of rows, more than enough to converge.
const SWEEPS: usize = 12;

/// Eigenvalues of a symmetric matrix `[n, n]` in ascending order, by Householder tridiagonalisation and bisection (Golub and Van Loan,
/// sections 8.3.1 and 8.4.1).
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

/// One Householder reflection from both sides, which clears column and row `k` beyond the subdiagonal.
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
        a[(k + 1 + i) * n + k] = 0.0;
        a[k * n + k + 1 + i] = 0.0;
    }
    a[(k + 1) * n + k] = image;
    a[k * n + k + 1] = image;
}

/// Eigenvalue number `rank` in ascending order, by bisection between `low` and `high`.
fn bisect(diagonal: &[f64], beside: &[f64], rank: usize, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if smaller(diagonal, beside, middle) > rank { high = middle } else { low = middle }
    }
    (low + high) / 2.0
}

/// Number of eigenvalues below `x`: the negative pivots of the matrix minus `x I` (Sylvester's law of inertia).
fn smaller(diagonal: &[f64], beside: &[f64], x: f64) -> usize {
    let mut count = 0;
    let mut pivot = 1.0;
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

/// Unit eigenvectors of a symmetric matrix `[n, n]` as rows, in descending order of the eigenvalues, by Jacobi rotations (Golub and
/// Van Loan, section 8.5).
pub fn eigenvectors(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let m = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..m).map(|i| (0..m).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..SWEEPS {
        for (p, q) in (0..m).flat_map(|p| (p + 1..m).map(move |q| (p, q))) {
            if a[p][q].abs() <= 1e-15 * (a[p][p] * a[q][q]).abs().sqrt() {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let c = 1.0 / (t * t + 1.0).sqrt();
            let rotate = |x: f64, y: f64| (c * x - t * c * y, t * c * x + c * y);
            for row in &mut a {
                (row[p], row[q]) = rotate(row[p], row[q]);
            }
            for rows in [&mut a, &mut vectors] {
                let (before, after) = rows.split_at_mut(q);
                before[p].iter_mut().zip(&mut after[0]).for_each(|(x, y)| (*x, *y) = rotate(*x, *y));
            }
        }
    }
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    order.into_iter().map(|index| vectors[index].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    #[test]
    fn eigenvalues_and_eigenvectors_belong_together() {
        for n in [1, 2, 3, 17, 40] {
            let noise: Vec<f64> =
                normal(&mut stream(4, Purpose::Views, 0), n * 60, 1.0).into_iter().map(f64::from).collect();
            let row = |i: usize| &noise[i * 60..(i + 1) * 60];
            let matrix: Vec<f64> = (0..n * n).map(|at| dot(row(at / n), row(at % n))).collect();
            let values = eigenvalues(matrix.clone(), n);
            let vectors = eigenvectors(matrix.chunks_exact(n).map(<[f64]>::to_vec).collect());
            for (rank, vector) in vectors.iter().enumerate() {
                let value = values[n - 1 - rank];
                for (image, own) in matrix.chunks_exact(n).map(|row| dot(row, vector)).zip(vector) {
                    assert!(
                        (image - value * own).abs() < 1e-8 * value.abs().max(1.0),
                        "{image} is not {value} times {own}"
                    );
                }
                for (other, expected) in
                    vectors[..=rank].iter().zip((0..=rank).map(|at| f64::from(u8::from(at == rank))))
                {
                    assert!((dot(vector, other) - expected).abs() < 1e-10, "eigenvectors are orthonormal");
                }
            }
        }
    }
}
