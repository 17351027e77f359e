//! Confidence intervals of shares, means and differences that hold for small counts.

/// The normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;
/// Student's t at 97.5 % for 1 to 10 degrees of freedom.
const T: [f64; 10] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281];

/// The 95 % interval of a share counted on `n` things that are alike and independent (Wilson 1927): the shares under which the
/// count would not be surprising. Unlike `p +- 1.96 sqrt(p (1 - p) / n)` it stays within 0 and 1 and holds near both.
pub fn wilson(share: f64, n: usize) -> [f64; 2] {
    let n = n.max(1) as f64;
    let spread = Z * Z / n;
    let centre = (share + spread / 2.0) / (1.0 + spread);
    let reach = Z / (1.0 + spread) * (share * (1.0 - share) / n + spread / (4.0 * n)).max(0.0).sqrt();
    // rounding must not leave the share itself out
    [(centre - reach).max(0.0).min(share), (centre + reach).min(1.0).max(share)]
}

/// Mean of shares and, of several, the 95 % interval of the mean: `mean +- t s / sqrt(n)` with the sample's deviation s and
/// Student's t of n - 1 degrees of freedom, cut off at 0 and 1.
fn of_mean(shares: &[f64]) -> (f64, Option<[f64; 2]>) {
    let n = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
    let interval = (shares.len() > 1).then(|| {
        let reach = student(shares.len() - 1) * (squares / (n - 1.0) / n).sqrt();
        [(mean - reach).max(0.0), (mean + reach).min(1.0)]
    });
    (mean, interval)
}

/// Mean of values between 0 and 1 and its 95 % interval, which holds where all values are equal, too: Student's interval of the
/// values with two zeros and two ones added, as Agresti and Coull (1998) do for shares. A mean of 0 and the whole range for no
/// values.
pub fn of_bounded(values: &[f64]) -> (f64, [f64; 2]) {
    if values.is_empty() {
        return (0.0, [0.0, 1.0]);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let padded: Vec<f64> = values.iter().copied().chain([0.0, 0.0, 1.0, 1.0]).collect();
    let [low, high] = of_mean(&padded).1.unwrap_or([0.0, 1.0]);
    (mean, [low.min(mean), high.max(mean)])
}

/// Mean of accuracies that were each counted on the same `n` images, and its 95 % interval: Student's over the accuracies, but
/// never narrower than Wilson's for `n` images, which holds where all accuracies are equal, too.
pub fn of_accuracies(accuracies: &[f64], n: usize) -> (f64, Option<[f64; 2]>) {
    let (mean, interval) = of_mean(accuracies);
    let [least, most] = wilson(mean, n);
    (mean, interval.map(|[low, high]| [low.min(least), high.max(most)]))
}

/// The 95 % interval of the difference `a - b` between two shares with the counts they were taken on (Newcombe 1998, method
/// 10): from Wilson's intervals of both. For two classifiers on the same images it is on the safe side, because their errors
/// are correlated.
pub fn difference((a, n): (f64, usize), (b, m): (f64, usize)) -> [f64; 2] {
    let [low_a, high_a] = wilson(a, n);
    let [low_b, high_b] = wilson(b, m);
    let reach = |down: f64, up: f64| down.hypot(up);
    [a - b - reach(a - low_a, high_b - b), a - b + reach(high_a - a, b - low_b)]
}

/// Images on which two classifiers must differ before a difference can be significant: with five, even if all speak for the
/// same classifier, the exact sign test (McNemar) cannot reach 5 %, because 2 / 2^5 > 0.05 > 2 / 2^6.
const FEWEST: f64 = 6.0;

/// True if two shares that were counted on the same `n` images differ: 0 lies outside of [`difference`], and at least six more
/// images speak for one of them.
pub fn differ(a: f64, b: f64, n: usize) -> bool {
    let [low, high] = difference((a, n), (b, n));
    let images = (a - b).abs() * n as f64;
    (low > 0.0 || high < 0.0) && images > FEWEST - 0.5
}

/// The 95 % interval of the gain `(gained - lost) / n` of one classifier over another on the same `n` images, of which the
/// first alone classifies `gained` correctly and the second alone `lost` (Agresti and Min 2005): the normal approximation with
/// half an image added to each of the four outcomes, which holds for few images too.
///
/// Images that both classify alike do not widen it, so it is much narrower than [`difference`].
pub fn paired(gained: usize, lost: usize, n: usize) -> [f64; 2] {
    let total = n.max(1) as f64;
    let gain = (gained as f64 - lost as f64) / total;
    let n = total + 2.0;
    let centre = (gained as f64 - lost as f64) / n;
    let discordant = (gained as f64 + lost as f64 + 1.0) / n;
    let reach = Z * ((discordant - centre * centre).max(0.0) / n).sqrt();
    // rounding and the added images must not leave the gain itself out
    [(centre - reach).max(-1.0).min(gain), (centre + reach).min(1.0).max(gain)]
}

/// The two-sided p-value of the exact sign test: of `gained + lost` images, as many or more would speak for one of two equal
/// classifiers. Unlike [`paired`] it is exact for any number of images.
pub fn sign_test(gained: usize, lost: usize) -> f64 {
    let n = gained + lost;
    // ln of C(n, k) / 2^n for one k after another
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=gained.min(lost) {
        tail += term.exp();
        term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// Student's t at 97.5 %; beyond the table by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5).
fn student(freedom: usize) -> f64 {
    if let Some(known) = freedom.checked_sub(1).and_then(|place| T.get(place)) {
        return *known;
    }
    let v = freedom as f64;
    let z = Z;
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
        assert!((1..100).all(|n| wilson(1.0, n)[1] == 1.0 && wilson(0.0, n)[0] == 0.0), "the share itself is inside");
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

    /// Images that one classifier alone classifies correctly, that another alone does, all images, and the interval of the gain
    /// by NumPy's bootstrap of 40,000 draws: `tests/reference/paired_bootstrap.py`.
    const BOOTSTRAP: [(usize, usize, usize, [f64; 2]); 7] = [
        (300, 200, 5000, [0.0112, 0.0288]),
        (300, 290, 5000, [-0.0074, 0.0116]),
        (120, 400, 5000, [-0.0648, -0.0472]),
        (12, 5, 5000, [-0.0002, 0.0030]),
        (700, 650, 5000, [-0.0044, 0.0246]),
        (150, 90, 2000, [0.0150, 0.0450]),
        (900, 700, 10_000, [0.0122, 0.0279]),
    ];

    #[test]
    fn paired_intervals_are_those_of_a_bootstrap() {
        for (gained, lost, n, expected) in BOOTSTRAP {
            let found = paired(gained, lost, n);
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-3, "{gained} against {lost} of {n}: {found:?} is not {expected:?}");
        }
        let Ok(file) = std::env::var("NOLABEL_PAIRS") else { return };
        let cases = std::fs::read_to_string(file).expect("cases");
        let cases: Vec<(usize, usize, usize, f64, f64)> = serde_json::from_str(&cases).expect("cases of five numbers");
        for (gained, lost, n, low, high) in cases {
            let [own_low, own_high] = paired(gained, lost, n);
            let off = (own_low - low).abs().max((own_high - high).abs());
            println!("{gained}-{lost}-of-{n}: largest difference {off:e}");
        }
    }

    #[test]
    fn paired_intervals_hold_for_few_images() {
        // Agresti and Min 2005, with half an image in each cell: 5 gained, none lost, of 12
        near(paired(5, 0, 12), [0.069_75, 0.644_54]);
        assert_eq!(paired(0, 0, 5000)[0], -paired(0, 0, 5000)[1]);
        assert!(paired(0, 0, 5000)[1] > 0.0 && paired(0, 0, 5000)[1] < 5e-4, "agreement on all images is no certainty");
        for n in 0..9 {
            for gained in 0..=n {
                for lost in 0..=n - gained {
                    let [low, high] = paired(gained, lost, n);
                    let gain = (gained as f64 - lost as f64) / n.max(1) as f64;
                    assert!((-1.0..=gain).contains(&low) && (gain..=1.0).contains(&high), "{gained} and {lost} of {n}");
                }
            }
        }
    }

    #[test]
    fn the_sign_test_has_its_exact_values() {
        // scipy.stats.binomtest(k, n).pvalue
        let tests = [(5, 0, 0.0625), (6, 0, 0.03125), (8, 2, 0.109375), (150, 100, 0.001_883_3), (425, 375, 0.083_136)];
        for (gained, lost, expected) in tests {
            let found = sign_test(gained, lost);
            assert!((found - expected).abs() < 1e-6 && found == sign_test(lost, gained), "{gained}, {lost}: {found}");
        }
        assert_eq!([sign_test(0, 0), sign_test(7, 7)], [1.0; 2]);
        assert!(sign_test(2600, 2400) < 0.006, "5,000 images do not underflow");
    }

    #[test]
    fn equal_values_do_not_make_a_mean_certain() {
        let (mean, [low, high]) = of_bounded(&[1.0; 12]);
        // with two zeros and two ones: 0.875 -+ 2.1314 * sqrt(1.75 / 15 / 16)
        assert_eq!((mean, high), (1.0, 1.0));
        assert!((low - 0.692_99).abs() < 1e-4, "{low}");
        let [low, high] = of_bounded(&[0.25; 4000]).1;
        assert!(low < 0.25 && 0.25 < high && high - low < 0.003, "{low} to {high}");
        assert_eq!(of_bounded(&[]), (0.0, [0.0, 1.0]));
        near(of_accuracies(&[1.0; 5], 12).1.expect("five"), wilson(1.0, 12));
        let wide = [0.2, 0.5, 0.8];
        assert_eq!(of_accuracies(&wide, 10_000), of_mean(&wide));
        assert_eq!(of_accuracies(&[0.5], 10).1, None);
    }

    #[test]
    fn differences_of_shares_have_newcombes_intervals() {
        // Newcombe 1998, table II, contrasts a, c and f
        near(difference((56.0 / 70.0, 70), (48.0 / 80.0, 80)), [0.0524, 0.3339]);
        near(difference((6.0 / 7.0, 7), (2.0 / 7.0, 7)), [0.0582, 0.8062]);
        near(difference((0.0, 10), (0.0, 10)), [-0.2775, 0.2775]);
        assert!(differ(0.80, 0.75, 10_000) && differ(0.75, 0.80, 10_000));
        assert!(!differ(0.80, 0.75, 100));
        assert!(!differ(1.0, 0.0, 2), "two of two against none of two");
        assert!(!differ(1.0, 0.0, 5) && differ(1.0, 0.0, 6), "as the sign test has it");
        assert!(!differ(1.0, 11.0 / 12.0, 12) && !differ(1.0, 1.0, 12));
    }
}
