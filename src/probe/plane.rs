//! A map of features: the two directions along which they vary most.

use super::features::Features;
use crate::algebra::dot;
use crate::rng::{Purpose, normal, stream};

/// Multiplications by the covariance; far more than two digits of a picture need.
const ROUNDS: usize = 100;

/// Coordinates of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// One place a row.
    pub points: Vec<[f64; 2]>,
    /// The share of all variance along each direction.
    pub explained: [f64; 2],
}

/// The first two principal components of unit rows (the neighbours of the kNN probe compare directions too), found by
/// multiplying two vectors by the covariance over and over, the second kept at a right angle to the first.
pub fn plane(features: &Features) -> Plane {
    let rows = centred(features);
    let total: f64 = rows.iter().map(|row| dot(row, row)).sum();
    let start = normal(&mut stream(0, Purpose::Probe, 0), 2 * features.width, 1.0);
    let (a, b) = start.split_at(features.width);
    let mut axes = [a, b].map(|axis| axis.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
    for _ in 0..ROUNDS {
        axes = axes.map(|axis| multiply(&rows, &axis));
        let [first, second] = &mut axes;
        normalise(first);
        let along = dot(first, second);
        second.iter_mut().zip(first.iter()).for_each(|(x, a)| *x -= along * a);
        normalise(second);
    }
    let points: Vec<[f64; 2]> = rows.iter().map(|row| [dot(row, &axes[0]), dot(row, &axes[1])]).collect();
    let explained = [0, 1].map(|axis| points.iter().map(|point| point[axis].powi(2)).sum::<f64>() / total.max(1e-12));
    Plane { points, explained }
}

/// Unit rows without their mean.
fn centred(features: &Features) -> Vec<Vec<f64>> {
    let unit = |row: &[f32]| {
        let mut row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        normalise(&mut row);
        row
    };
    let mut rows: Vec<Vec<f64>> = features.rows().map(unit).collect();
    let n = rows.len().max(1) as f64;
    let mut mean = vec![0.0; features.width];
    rows.iter().for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / n));
    rows.iter_mut().for_each(|row| row.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean));
    rows
}

/// `X^T X v`.
fn multiply(rows: &[Vec<f64>], v: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; v.len()];
    for row in rows {
        let along = dot(row, v);
        product.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
    }
    product
}

fn normalise(v: &mut [f64]) {
    let length = dot(v, v).sqrt().max(1e-12);
    v.iter_mut().for_each(|x| *x /= length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_two_directions_are_found_and_weighed() {
        // unit rows around (0, 0, 0, 1): spread 0.2, 0.1 and 0.01 along the other three axes
        let noise = normal(&mut stream(3, Purpose::Probe, 1), 3 * 2000, 1.0);
        let rows = noise.chunks_exact(3).flat_map(|n| [0.01 * n[0], 0.2 * n[1], 0.1 * n[2], 1.0]);
        let features = Features { layer: "test".into(), width: 4, values: rows.collect() };
        let Plane { points, explained } = plane(&features);
        assert!((explained[0] - 0.8).abs() < 0.03 && (explained[1] - 0.2).abs() < 0.03, "{explained:?}");
        for (axis, column) in [(0, 1), (1, 2)] {
            let together: f64 =
                points.iter().zip(features.rows()).map(|(point, row)| point[axis] * f64::from(row[column])).sum();
            let own: f64 = points.iter().map(|point| point[axis].powi(2)).sum();
            let other: f64 = features.rows().map(|row| f64::from(row[column]).powi(2)).sum();
            assert!(together.abs() / (own * other).sqrt() > 0.98, "axis {axis}");
        }
        let flat = Features { layer: "test".into(), width: 4, values: vec![1.0; 40] };
        assert!(
            plane(&flat).points.iter().flatten().all(|x| x.abs() < 1e-9),
            "rows that are all alike lie in one place"
        );
    }
}
