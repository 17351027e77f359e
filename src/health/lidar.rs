//! LiDAR: how many directions tell images apart rather than views of the same image. Thilak et al. 2024.

use super::rows::Rows;
use super::spectrum::effective_number;
use crate::algebra::{Cholesky, eigenvalues};

/// The ridge that keeps the spread within images invertible: section 3 of the paper.
const DELTA: f64 = 1e-4;

/// `exp(-sum_k p_k ln p_k)` with `p_k` the shares of the eigenvalues of `W^-1/2 B W^-1/2`: `B` the covariance of the images'
/// means, `W` that of their two views around them plus `1e-4 I`. At most n - 1; falls where views of one image differ as
/// much as images do, or where images differ in few directions. 0 for fewer than two images or where all are alike.
///
/// `a`, `b`: the two views of the same images, `[n, d]` each. Two views an image where the paper draws fifty: compare it
/// along a run, not with the paper's figures.
///
/// The largest matrix is `[n, n]`. With D the rows `(a - b) / 2` and M the centred means, `W = D^T D / n + delta I`, and the
/// nonzero eigenvalues are those of `M W^-1 M^T / n`, where `W^-1 = (I - D^T (n delta I + D D^T)^-1 D) / delta` (Woodbury).
pub fn lidar(a: &Rows, b: &Rows) -> f64 {
    let n = a.count();
    let apart = a.with(b, |a, b| (a - b) / 2.0);
    let means = a.with(b, |a, b| (a + b) / 2.0).centred();
    let (within, across) = (apart.times(&apart), apart.times(&means)); // [n, n]: D D^T, D M^T
    let mut solved = across.clone();
    Cholesky::of(n, DELTA * n as f64, |i, j| within[i * n + j]).solve(&mut solved, n);
    let (across, solved) = (Rows::square(across, n).transposed(), Rows::square(solved, n).transposed());
    let taken = across.times(&solved); // M D^T (..)^-1 D M^T
    let between =
        means.times(&means).iter().zip(&taken).map(|(all, taken)| (all - taken) / (DELTA * n as f64)).collect();
    let values: Vec<f64> = eigenvalues(between, n).into_iter().map(|value| value.max(0.0)).collect();
    effective_number(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() {
        // three images on three axes, views alike: two directions between the means, none within
        let axes = Rows::new([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 3);
        assert!((lidar(&axes, &axes) - 2.0).abs() < 1e-6);
        // differences between views leave 1/2 + delta of the first direction, delta of the second
        let a = Rows::new([1.0, 1.0, 1.0, -1.0, -3.0, 1.0, -3.0, -1.0], 2);
        let b = Rows::new([3.0, 1.0, 3.0, -1.0, -1.0, 1.0, -1.0, -1.0], 2);
        let (first, second) = (4.0f64 / (1.0 + DELTA), 1.0 / DELTA);
        let (p, q) = (first / (first + second), second / (first + second));
        let expected = (-(p * p.ln() + q * q.ln())).exp();
        assert!((lidar(&a, &b) - expected).abs() < 1e-9, "{} is not {expected}", lidar(&a, &b));
    }

    #[test]
    fn nothing_to_tell_apart_is_none() {
        let alike = Rows::new([1.0, 2.0].repeat(4), 2);
        assert!(lidar(&alike, &alike) < 1.0 + 1e-9);
        assert_eq!(lidar(&Rows::new([], 2), &Rows::new([], 2)), 0.0);
    }
}
