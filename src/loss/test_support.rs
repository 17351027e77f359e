//! Helpers of the loss tests: deterministic tables, vector arithmetic in double precision, central differences.

use burn::tensor::{Device, Tensor, TensorData};

/// A matrix in double precision, row by row.
pub type Rows = Vec<Vec<f64>>;

/// `A(n, d, s)[i][j] = sin(0.7 i + 1.3 j + 0.1 i j + s)`.
pub fn table(n: usize, d: usize, s: f64) -> Rows {
    let entry = |i: f64, j: f64| (0.7 * i + 1.3 * j + 0.1 * i * j + s).sin();
    (0..n).map(|i| (0..d).map(|j| entry(i as f64, j as f64)).collect()).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

pub fn unit(rows: &Rows) -> Rows {
    rows.iter().map(|row| row.iter().map(|x| x / dot(row, row).sqrt()).collect()).collect()
}

/// `n` orthogonal rows of length 1 in `d` dimensions.
pub fn axes(n: usize, d: usize) -> Rows {
    (0..n).map(|i| (0..d).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect()
}

pub fn tensor(rows: &Rows, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = rows.iter().flatten().map(|&x| x as f32).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), rows[0].len()]), device)
}

pub fn number(x: Tensor<1>) -> f64 {
    f64::from(x.into_scalar::<f32>())
}

pub fn rows(x: Tensor<2>) -> Rows {
    let [_, width] = x.dims();
    let values: Vec<f32> = x.into_data().try_to_vec().expect("floats");
    values.chunks(width).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

/// Gradient of `loss` in `leaf`.
pub fn gradient(leaf: &Tensor<2>, loss: Tensor<1>) -> Rows {
    rows(leaf.grad(&loss.backward()).expect("the leaf takes part in the loss"))
}

/// Largest absolute entry of the gradient of `loss` in `leaf`; 0 if the graph has no gradient for it.
pub fn max_gradient(leaf: &Tensor<2>, loss: Tensor<1>) -> f64 {
    leaf.grad(&loss.backward()).map_or(0.0, |gradient| number(gradient.abs().max()))
}

/// Asserts that a gradient agrees with central differences of the formula in double precision.
pub fn differences_agree(at: &Rows, gradient: &Rows, formula: impl Fn(&Rows) -> f64) {
    let step = 1e-5;
    for i in 0..at.len() {
        for j in 0..at[0].len() {
            let moved = |by: f64| {
                let mut moved = at.clone();
                moved[i][j] += by;
                formula(&moved)
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            let found = gradient[i][j];
            assert!(
                (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                "row {i}, column {j}: {found} is not {expected}"
            );
        }
    }
}
