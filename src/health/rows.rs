//! Embeddings on the host, one row an image.

use crate::algebra::dot;

/// Matrix `[n, d]` in row-major order and double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    values: Vec<f64>,
    width: usize,
}

impl Rows {
    /// Rows of `width` values each.
    ///
    /// # Panics
    /// If `width` is 0 or does not divide the number of values.
    pub fn new(values: impl IntoIterator<Item = f32>, width: usize) -> Self {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
        Self { values, width }
    }

    pub(super) fn square(values: Vec<f64>, width: usize) -> Self {
        Self { values, width: width.max(1) }
    }

    /// Number of rows n.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// Number of columns d.
    pub fn width(&self) -> usize {
        self.width
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> + Clone {
        self.values.chunks_exact(self.width)
    }

    /// L2-normalised rows, `z / max(|z|, 1e-12)`.
    pub(super) fn unit(&self) -> Self {
        let scaled = self.iter().flat_map(|row| {
            let length = dot(row, row).sqrt().max(1e-12);
            row.iter().map(move |value| value / length)
        });
        Self { values: scaled.collect(), width: self.width }
    }

    /// Mean over the rows: `[d]`, zeros without rows.
    pub(super) fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        let share = 1.0 / self.count().max(1) as f64;
        self.iter().for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += share * value));
        mean
    }

    /// Rows minus their mean.
    pub(super) fn centred(&self) -> Self {
        let mean = self.mean();
        let values = self.iter().flat_map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean)).collect();
        Self { values, width: self.width }
    }

    /// Element-wise combination with a matrix of the same shape.
    pub(super) fn with(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(&a, &b)| f(a, b)).collect();
        Self { values, width: self.width }
    }

    /// Product `X Y^T`: `[n, m]`.
    pub(super) fn times(&self, other: &Self) -> Vec<f64> {
        self.iter().flat_map(|a| other.iter().map(move |b| dot(a, b))).collect()
    }

    /// Transpose `X^T`: `[d, n]`.
    pub(super) fn transposed(&self) -> Self {
        let n = self.count();
        let values = (0..self.width).flat_map(|k| self.values.iter().skip(k).step_by(self.width).copied()).collect();
        Self { values, width: n.max(1) }
    }
}

/// Spread, the mean standard deviation of the coordinates of unit rows, `sqrt(d) mean_j std_i(l2(z_i)_j)` (biased). 1 for uniform
/// directions, 0 if all rows have one direction. `z`: `[n, d]`. Chen and He 2021, section 4.1.
pub fn spread(z: &Rows) -> f64 {
    let centred = z.unit().centred();
    let n = centred.count().max(1) as f64;
    let mut squares = vec![0.0; centred.width];
    centred.iter().for_each(|row| squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value));
    let deviations: f64 = squares.into_iter().map(|sum| (sum / n).sqrt()).sum();
    deviations / (centred.width as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    #[test]
    fn spread_is_1_for_random_and_0_for_equal_directions() {
        let noise = Rows::new(normal(&mut stream(4, Purpose::Views, 0), 512 * 2048, 1.0), 2048);
        assert!((spread(&noise) - 1.0).abs() < 0.02);
        assert!(spread(&Rows::new([0.3f32, -0.1, 2.0, 0.7].repeat(64), 4)) < 1e-6);
        // two opposite directions: deviation 1 on one axis and 0 on the three others, with the factor sqrt 4
        let opposite = [[1.0f32, 0.0, 0.0, 0.0], [-3.0, 0.0, 0.0, 0.0]].concat();
        assert!((spread(&Rows::new(opposite, 4)) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn transposing_twice_is_the_identity() {
        let rows = Rows::new((0..6).map(|i| i as f32), 3);
        assert_eq!(rows.transposed(), Rows::new([0.0, 3.0, 1.0, 4.0, 2.0, 5.0], 2));
        assert_eq!(rows.transposed().transposed(), rows);
    }
}
