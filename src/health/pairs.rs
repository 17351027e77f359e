//! Alignment and uniformity of embeddings (Wang and Isola 2020).

use super::rows::Rows;
use crate::algebra::dot;

/// Alignment, `mean_i |l2(a_i) - l2(b_i)|^2`: the mean squared distance between two views of an image on the unit sphere. 0 if they
/// are equal, 2 if they are orthogonal. `a`, `b`: `[n, d]`. Equation 5 with alpha = 2.
pub fn alignment(a: &Rows, b: &Rows) -> f64 {
    let cosines: f64 = a.unit().iter().zip(b.unit().iter()).map(|(a, b)| dot(a, b)).sum();
    2.0 - 2.0 * cosines / a.count().max(1) as f64
}

/// Uniformity, `ln mean_{i<j} exp(-2 |l2(z_i) - l2(z_j)|^2)`: lower the more evenly images cover the unit sphere. 0 if all are equal, -4
/// if they are orthogonal, about -4 for random directions in many dimensions, 0 for fewer than two rows. `z`: `[n, d]`. Equation
/// 6 with t = 2.
pub fn uniformity(z: &Rows) -> f64 {
    let unit = z.unit();
    let mut sum = 0.0;
    let mut pairs = 0usize;
    for (i, a) in unit.iter().enumerate() {
        for b in unit.iter().take(i) {
            sum += (4.0 * dot(a, b) - 4.0).exp();
            pairs += 1;
        }
    }
    if pairs == 0 { 0.0 } else { (sum / pairs as f64).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() {
        let axes = Rows::new([3.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 7.0], 3);
        let turned = Rows::new([0.0, 1.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, -2.0], 3);
        assert!(alignment(&axes, &axes).abs() < 1e-12);
        // orthogonal, equal, opposite: 2, 0 and 4
        assert!((alignment(&axes, &turned) - 2.0).abs() < 1e-12);
        assert!((uniformity(&axes) + 4.0).abs() < 1e-12);
        assert!(uniformity(&Rows::new([1.0, 2.0].repeat(5), 2)).abs() < 1e-12);
        assert_eq!(uniformity(&Rows::new([1.0, 2.0], 2)), 0.0);
    }
}
