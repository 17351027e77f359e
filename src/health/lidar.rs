//! LiDAR: the effective number of directions that separate images rather than views of one image (Thilak et al. 2024).

use super::rows::Rows;
use super::spectrum::effective_number;
use crate::algebra::{Cholesky, eigenvalues};

/// Ridge added to the covariance within images, so that it is invertible (section 3 of the paper).
const DELTA: f64 = 1e-4;

/// LiDAR, `exp(-sum_k p_k ln p_k)` with `p_k` the eigenvalues of `W^-1/2 B W^-1/2` divided by their sum: `B` is the covariance of
/// the images' means, `W` that of their two views around the means plus `1e-4 I`. At most n - 1. It falls if views of an image
/// differ as much as images do, or if images differ in few directions. 0 for fewer than two images or if all are equal.
///
/// `a`, `b`: embeddings of two views of the same images, `[n, d]` each. The paper draws fifty views an image, so values are comparable
/// along a run, not with the paper's.
///
/// The largest matrix is `[n, n]`: with D the rows `(a - b) / 2` and M the centred means, `W = D^T D / n + delta I`, and the nonzero
/// eigenvalues are those of `M W^-1 M^T / n`, where `W^-1 = (I - D^T (n delta I + D D^T)^-1 D) / delta` (Woodbury).
pub fn lidar(a: &Rows, b: &Rows) -> f64 {
    let n = a.count();
    let differences = a.with(b, |a, b| (a - b) / 2.0);
    let means = a.with(b, |a, b| (a + b) / 2.0).centred();
    let within = differences.times(&differences); // [n, n]: D D^T
    let across = differences.times(&means); // [n, n]: D M^T
    let mut solved = across.clone();
    Cholesky::of(n, DELTA * n as f64, |i, j| within[i * n + j]).solve(&mut solved, n);
    let across = Rows::square(across, n).transposed();
    let solved = Rows::square(solved, n).transposed();
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
        // three orthogonal images with equal views: two directions between the means, none within
        let axes = Rows::new([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 3);
        assert!((lidar(&axes, &axes) - 2.0).abs() < 1e-6);
        // the variance within images is 1 + delta in the first direction and delta in the second
        let a = Rows::new([1.0, 1.0, 1.0, -1.0, -3.0, 1.0, -3.0, -1.0], 2);
        let b = Rows::new([3.0, 1.0, 3.0, -1.0, -1.0, 1.0, -1.0, -1.0], 2);
        let [first, second] = [4.0f64 / (1.0 + DELTA), 1.0 / DELTA];
        let [p, q] = [first, second].map(|value| value / (first + second));
        let expected = (-(p * p.ln() + q * q.ln())).exp();
        assert!((lidar(&a, &b) - expected).abs() < 1e-9, "{} is not {expected}", lidar(&a, &b));
    }

    #[test]
    fn equal_images_have_no_direction() {
        let alike = Rows::new([1.0, 2.0].repeat(4), 2);
        assert!(lidar(&alike, &alike) < 1.0 + 1e-9);
        assert_eq!(lidar(&Rows::new([], 2), &Rows::new([], 2)), 0.0);
    }
}
