//! Curves of bounded size, for runs of any length.

use crate::session::event_log::thin;

/// Largest number of points; a chart has fewer pixels across.
pub const LIMIT: usize = 2048;

/// Points in the order of their x. Beyond [`LIMIT`], every second of the older three quarters is dropped: the newest stay
/// exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// Adds the newest point. NaN and infinity are left out: they cannot be drawn.
    pub fn push(&mut self, x: f64, y: f64) {
        if !y.is_finite() {
            return;
        }
        self.points.push((x, y));
        if self.points.len() > LIMIT {
            thin(&mut self.points, |_| true);
        }
    }

    /// All points.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The newest point.
    pub fn last(&self) -> Option<(f64, f64)> {
        self.points.last().copied()
    }
}

/// Largest window of a smoothed curve, in values.
const WIDEST: f64 = 20.0;
/// Window as a share of all values so far, so that the lag stays small beside the width of the chart.
const SHARE: f64 = 1.0 / 20.0;

/// A running mean `m_n = m_{n-1} + (x_n - m_{n-1}) / k` with `k = n / 20`, at least 1 and at most 20.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smooth {
    count: f64,
    mean: f64,
}

impl Smooth {
    /// The mean after `value`. NaN and infinity are skipped.
    pub fn next(&mut self, value: f64) -> f64 {
        if value.is_finite() {
            self.count += 1.0;
            self.mean += (value - self.mean) / (self.count * SHARE).clamp(1.0, WIDEST);
        }
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_stays_short_and_keeps_its_ends() {
        let mut curve = Curve::default();
        (1..=50_000).for_each(|step| curve.push(f64::from(step), f64::from(step) * 0.5));
        assert!(curve.points().len() <= LIMIT);
        assert_eq!(curve.points()[0], (1.0, 0.5));
        assert_eq!(curve.last(), Some((50_000.0, 25_000.0)));
        assert!(curve.points().windows(2).all(|pair| pair[0].0 < pair[1].0));
        // the newest are all there
        let newest: Vec<_> = curve.points().iter().rev().take(100).map(|point| point.0).collect();
        assert_eq!(newest, (0..100).map(|back| 50_000.0 - f64::from(back)).collect::<Vec<_>>());
    }

    #[test]
    fn points_without_a_value_are_left_out() {
        let mut curve = Curve::default();
        [(1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0)].into_iter().for_each(|(x, y)| curve.push(x, y));
        assert_eq!(curve.points(), [(1.0, 2.0), (3.0, 1.0)]);
    }

    #[test]
    fn smoothing_begins_exact_and_then_forgets() {
        let mut smooth = Smooth::default();
        let means: Vec<f64> = [4.0, 2.0, f64::NAN, 6.0].into_iter().map(|value| smooth.next(value)).collect();
        assert_eq!(means, [4.0, 2.0, 2.0, 6.0]);
        for _ in 0..1000 {
            smooth.next(10.0);
        }
        let (before, after) = (smooth.next(10.0), smooth.next(30.0));
        assert!(
            (before - 10.0).abs() < 1e-6 && (after - 11.0).abs() < 1e-6,
            "one of twenty counts a twentieth: {after}"
        );
    }
}
