//! Data of the tests.

/// Irregular values in -1 to 1, others for each seed.
pub(crate) fn values(seed: u64, n: usize) -> Vec<f32> {
    // a sine of steps that have no common period; its argument is kept small, where single precision is exact enough
    (0..n).map(|at| ((at as f64 * 12.9898 + seed as f64 * 78.233).sin() * 43_758.545_3).sin() as f32).collect()
}
