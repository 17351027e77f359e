//! How the singular values of embeddings fall, and how many directions they come to.

use super::rows::Rows;
use crate::algebra::eigenvalues;

/// Singular values in falling order.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum(Vec<f64>);

impl Spectrum {
    /// Of the rows as they are. The work grows with the cube of the smaller of rows and width: some hundred rows are
    /// plenty.
    pub fn of(rows: &Rows) -> Self {
        let turned;
        let rows = if rows.count() <= rows.width() {
            rows
        } else {
            turned = rows.transposed();
            &turned
        };
        Self::of_eigenvalues(eigenvalues(rows.times(rows), rows.count()))
    }

    /// Of the rows less their mean.
    pub fn centred(rows: &Rows) -> Self {
        Self::of(&rows.centred())
    }

    /// The roots of eigenvalues in rising order; what rounding made negative is 0.
    pub(super) fn of_eigenvalues(values: Vec<f64>) -> Self {
        Self(values.into_iter().rev().map(|value| value.max(0.0).sqrt()).collect())
    }

    /// RankMe: `exp(-sum_k p_k ln p_k)` with `p_k = sigma_k / sum sigma`. Between 1 (all rows on one line) and the smaller
    /// of rows and width (all directions used alike); 0 for no or only zero rows. Garrido et al. 2023, equation 1, which
    /// takes the rows as they are.
    pub fn effective_rank(&self) -> f64 {
        effective_number(&self.0)
    }

    /// alpha-ReQ: the alpha of `lambda_j ~ j^-alpha`, with `lambda_j` the eigenvalues of the covariance, if these are the
    /// singular values of centred rows. Near 1 the directions share the variance as in a good representation; far above 1
    /// a few have it all; near 0 it is white. None with fewer than three directions. Agrawal et al. 2022, section 3.
    ///
    /// A straight line through `(ln j, ln lambda_j)` by least squares; the j-th point weighs 1/j, so that each octave counts
    /// alike and the tail, which few images cannot tell, does not decide. Values below a millionth of the largest are
    /// rounding.
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
        let (x, y) = (mean(|point| point.1), mean(|point| point.2));
        Some((x * y - mean(|point| point.1 * point.2)) / (mean(|point| point.1 * point.1) - x * x))
    }

    /// Every value as a share of the largest, at the ranks 1, 2, 4, 8 and so on: enough to draw how they fall.
    pub fn octaves(&self) -> Vec<f64> {
        let Some(largest) = self.0.first().filter(|largest| **largest > 0.0) else { return Vec::new() };
        let ranks = std::iter::successors(Some(1usize), |rank| rank.checked_mul(2));
        ranks.map_while(|rank| self.0.get(rank - 1)).map(|sigma| sigma / largest).collect()
    }
}

/// `exp` of the entropy of what each value is of the sum: how many equal values would be as many. 0 where all are 0.
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
    fn ranks_with_a_closed_form() {
        // k orthogonal rows of one length, whether there are more columns or more rows
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
    fn a_power_law_is_found_again() {
        for alpha in [0.0, 0.8, 2.0] {
            let values = (1..=60).rev().map(|j| 5.0 * f64::from(j).powf(-alpha)).collect();
            let found = Spectrum::of_eigenvalues(values).decay().expect("sixty directions");
            assert!((found - alpha).abs() < 1e-9, "{found} is not {alpha}");
        }
        assert_eq!(Spectrum::of_eigenvalues(vec![0.0, 0.0, 1.0, 2.0]).decay(), None);
        assert_eq!(Spectrum::of_eigenvalues(Vec::new()).decay(), None);
    }

    #[test]
    fn octaves_are_shares_of_the_largest() {
        let spectrum = Spectrum::of_eigenvalues(vec![0.0, 1.0, 4.0, 9.0, 16.0]);
        assert_eq!(spectrum.octaves(), [1.0, 0.75, 0.25]);
        assert_eq!(Spectrum::of_eigenvalues(vec![0.0; 3]).octaves(), Vec::<f64>::new());
    }

    #[test]
    fn a_common_offset_is_no_direction_of_centred_rows() {
        let rows = Rows::new([9.0, 1.0, 9.0, -1.0, 9.0, 0.5, 9.0, -0.5], 2);
        assert!((Spectrum::centred(&rows).effective_rank() - 1.0).abs() < 1e-6);
        assert!(Spectrum::of(&rows).effective_rank() > 1.2);
    }
}
