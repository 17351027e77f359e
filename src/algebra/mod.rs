//! Linear algebra on the host, mostly in double precision.

mod cholesky;
mod eigen;

pub use cholesky::Cholesky;
pub use eigen::{eigenvalues, eigenvectors};
pub use nolabel_cpu_kernels::{Matrix, matmul};

/// The sum of products, in four strands, which the processor adds side by side.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (fours_a, rest_a) = a.as_chunks::<4>();
    let (fours_b, rest_b) = b.as_chunks::<4>();
    let mut sums = [0f64; 4];
    for (a, b) in fours_a.iter().zip(fours_b) {
        for strand in 0..4 {
            sums[strand] += a[strand] * b[strand];
        }
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f64>()
}
