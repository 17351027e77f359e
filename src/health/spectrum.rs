//! Spectrum of embeddings: effective rank (RankMe) and decay of the eigenvalues (alpha-ReQ).

use super::rows::Rows;
use crate::algebra::eigenvalues;

/// Singular values in descending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum(Vec<f64>);

impl Spectrum {
    /// Spectrum of the rows, without centring. The cost grows with the cube of the smaller of n and d; a few hundred rows are enough.
    pub fn of(rows: &Rows) -> Self {
        let transposed;
        let rows = if rows.count() <= rows.width() {
            rows
        } else {
            transposed = rows.transposed();
            &transposed
        };
        Self::of_eigenvalues(eigenvalues(rows.times(rows), rows.count()))
    }

    /// Spectrum of the rows minus their mean.
    pub fn centred(rows: &Rows) -> Self {
        Self::of(&rows.centred())
    }

    /// Spectrum from eigenvalues in ascending order: their roots, with 0 for values that rounding made negative.
    pub(super) fn of_eigenvalues(values: Vec<f64>) -> Self {
        Self(values.into_iter().rev().map(|value| value.max(0.0).sqrt()).collect())
    }

    /// Effective rank (RankMe): `exp(-sum_k p_k ln p_k)` with `p_k = sigma_k / sum sigma`. From 1 (all rows on one line) to the smaller of
    /// n and d (all directions used equally); 0 for no rows or zero rows only. Garrido et al. 2023, equation 1, for rows without
    /// centring.
    pub fn effective_rank(&self) -> f64 {
        effective_number(&self.0)
    }

    /// Decay of the eigenvalues (alpha-ReQ): the alpha of `lambda_j ~ j^-alpha`, where `lambda_j` are the eigenvalues of the covariance if
    /// this is the spectrum of centred rows. Good representations have about 1; far above 1 a few directions have all the variance;
    /// near 0 the variance is equal in all. `None` for fewer than three directions. Agrawal et al. 2022, section 3.
    ///
    /// It is the slope of a weighted least-squares line through `(ln j, ln lambda_j)`. The j-th point has weight 1/j, so that every octave
    /// counts equally and the tail, which few images do not determine, does not dominate. Values below a millionth of the largest
    /// are rounding errors and left out.
    pub fn decay(&self) -> Option<f64> {
        let floor = 1e-6 * self.0.first()?.powi(2);
        let points: Vec<(f64, f64, f64)> = self
            .0
            .iter()
            .map(|sigma| sigma * sigma)
            .zip(1..)
            .take_while(|(lambda, _)| *lambda > floor)
            .map(|(lambda, j)| (1.0 / f64::from(j), f64::from(j).ln(), lambda.ln()))
            .collect();
        if points.len() < 3 {
            return None;
        }
        let mean = |f: fn(&(f64, f64, f64)) -> f64| {
            points.iter().map(|point| point.0 * f(point)).sum::<f64>() / points.iter().map(|point| point.0).sum::<f64>()
        };
        let x = mean(|point| point.1);
        let y = mean(|point| point.2);
        Some((x * y - mean(|point| point.1 * point.2)) / (mean(|point| point.1 * point.1) - x * x))
    }

    /// Values at the ranks 1, 2, 4, 8 and so on, as shares of the largest, for a chart.
    pub fn octaves(&self) -> Vec<f64> {
        let Some(largest) = self.0.first().filter(|largest| **largest > 0.0) else { return Vec::new() };
        let ranks = std::iter::successors(Some(1usize), |rank| rank.checked_mul(2));
        ranks.map_while(|rank| self.0.get(rank - 1)).map(|sigma| sigma / largest).collect()
    }
}

/// Effective number of values: `exp` of the entropy of the values divided by their sum. n equal values give n; zeros give 0.
pub(super) fn effective_number(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    let shares = values.iter().map(|value| value / sum).filter(|&p| p > 0.0);
    (-shares.map(|p| p * p.ln()).sum::<f64>()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(values: &[f32], width: usize) -> f64 {
        Spectrum::of(&Rows::new(values.iter().copied(), width)).effective_rank()
    }

    #[test]
    fn effective_ranks_have_their_closed_forms() {
        // k orthogonal rows of one length
        let orthogonal = |k: usize, width: usize| -> Vec<f32> {
            (0..k * width).map(|i| if i / width == i % width { 3.0 } else { 0.0 }).collect()
        };
        assert!((rank(&orthogonal(5, 8), 8) - 5.0).abs() < 1e-6);
        assert!((rank(&orthogonal(8, 8), 8) - 8.0).abs() < 1e-6);
        assert!((rank(&[orthogonal(4, 4), orthogonal(4, 4)].concat(), 4) - 4.0).abs() < 1e-6);
        let line: Vec<f32> = (0..40).flat_map(|i| [0.3f32, -0.1, 2.0, 0.7].map(|x| x * (i as f32 - 7.5))).collect();
        assert!((rank(&line, 4) - 1.0).abs() < 1e-4);
        // singular values 3 and 1: entropy of (3/4, 1/4)
        let expected = (-(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln())).exp();
        assert!((rank(&[3.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3) - expected).abs() < 1e-6);
        assert_eq!(rank(&[0.0; 12], 4), 0.0);
        assert_eq!(rank(&[], 4), 0.0);
    }

    #[test]
    fn decay_finds_the_exponent_of_a_power_law() {
        for alpha in [0.0, 0.8, 2.0] {
            let values = (1..=60).rev().map(|j| 5.0 * f64::from(j).powf(-alpha)).collect();
            let found = Spectrum::of_eigenvalues(values).decay().expect("sixty directions");
            assert!((found - alpha).abs() < 1e-9, "{found} is not {alpha}");
        }
        assert_eq!(Spectrum::of_eigenvalues(vec![0.0, 0.0, 1.0, 2.0]).decay(), None);
        assert_eq!(Spectrum::of_eigenvalues(Vec::new()).decay(), None);
    }

    #[test]
    fn octaves_are_shares_of_the_largest_value() {
        let spectrum = Spectrum::of_eigenvalues(vec![0.0, 1.0, 4.0, 9.0, 16.0]);
        assert_eq!(spectrum.octaves(), [1.0, 0.75, 0.25]);
        assert_eq!(Spectrum::of_eigenvalues(vec![0.0; 3]).octaves(), Vec::<f64>::new());
    }

    #[test]
    fn centring_removes_a_common_offset() {
        let rows = Rows::new([9.0, 1.0, 9.0, -1.0, 9.0, 0.5, 9.0, -0.5], 2);
        assert!((Spectrum::centred(&rows).effective_rank() - 1.0).abs() < 1e-6);
        assert!(Spectrum::of(&rows).effective_rank() > 1.2);
    }
}
