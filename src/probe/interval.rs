//! How sure a measured share is.

/// The normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;
/// Student's t at 97.5 % for 1 to 10 degrees of freedom.
const T: [f64; 10] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281];

/// The 95 % interval of a share counted on `n` things that are alike and independent (Wilson 1927): those shares that would
/// not be surprised by what was counted. Unlike `p +- 1.96 sqrt(p (1 - p) / n)` it stays within 0 and 1 and holds near both.
pub fn wilson(share: f64, n: usize) -> [f64; 2] {
    let n = n.max(1) as f64;
    let spread = Z * Z / n;
    let centre = (share + spread / 2.0) / (1.0 + spread);
    let reach = Z / (1.0 + spread) * (share * (1.0 - share) / n + spread / (4.0 * n)).max(0.0).sqrt();
    [(centre - reach).max(0.0), (centre + reach).min(1.0)]
}

/// Mean of shares and, of several, the 95 % interval of the mean: `mean +- t s / sqrt(n)` with the sample's deviation s and
/// Student's t of n - 1 degrees of freedom, cut off at 0 and 1.
pub fn of_mean(shares: &[f64]) -> (f64, Option<[f64; 2]>) {
    let n = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / n;
    let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
    let interval = (shares.len() > 1).then(|| {
        let reach = student(shares.len() - 1) * (squares / (n - 1.0) / n).sqrt();
        [(mean - reach).max(0.0), (mean + reach).min(1.0)]
    });
    (mean, interval)
}

/// Student's t at 97.5 %; beyond the table by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5).
fn student(freedom: usize) -> f64 {
    if let Some(known) = freedom.checked_sub(1).and_then(|place| T.get(place)) {
        return *known;
    }
    let (v, z) = (freedom as f64, Z);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / v + second / v.powi(2) + third / v.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: [f64; 2], expected: [f64; 2]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-5), "{found:?} is not {expected:?}");
    }

    #[test]
    fn wilsons_interval_has_its_published_values() {
        // statsmodels.stats.proportion.proportion_confint(count, nobs, method="wilson")
        near(wilson(0.81, 100), [0.722_22, 0.874_85]);
        near(wilson(0.0, 20), [0.0, 0.161_13]);
        near(wilson(1.0, 20), [0.838_87, 1.0]);
        near(wilson(0.885, 10_000), [0.878_59, 0.891_11]);
    }

    #[test]
    fn the_interval_of_a_mean_is_students() {
        // scipy.stats.t.interval(0.95, 4, loc=mean, scale=scipy.stats.sem(x))
        let (mean, interval) = of_mean(&[0.5, 0.52, 0.47, 0.51, 0.55]);
        assert!((mean - 0.51).abs() < 1e-12);
        near(interval.expect("five values"), [0.473_79, 0.546_21]);
        assert_eq!(of_mean(&[0.5]), (0.5, None), "one value says nothing of its spread");
        assert_eq!(of_mean(&[0.0, 1.0]).1, Some([0.0, 1.0]));
        // scipy.stats.t.ppf(0.975, [11, 30, 99])
        for (freedom, expected) in [(11, 2.200_985), (30, 2.042_272), (99, 1.984_217)] {
            assert!((student(freedom) - expected).abs() < 2e-4, "{freedom}: {}", student(freedom));
        }
    }
}
