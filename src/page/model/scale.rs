//! Axes: their ticks, and the mapping of values to pixels.

/// A linear mapping of values to pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Lowest and highest value.
    pub values: (f64, f64),
    /// Pixels of the two.
    pub pixels: (f64, f64),
}

impl Scale {
    /// Pixel of `value`.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let (start, end) = self.pixels;
        let span = if high > low { high - low } else { 1.0 };
        start + (value - low) / span * (end - start)
    }

    /// Value at `pixel`.
    pub fn value(&self, pixel: f64) -> f64 {
        let (low, high) = self.values;
        let (start, end) = self.pixels;
        low + (pixel - start) / (end - start) * (high - low)
    }
}

/// Ticks of an axis: multiples of 1, 2 or 5 times a power of ten.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// Tick values, ascending.
    pub values: Vec<f64>,
    /// Distance of two ticks.
    pub step: f64,
}

impl Ticks {
    /// About `wanted` ticks between `low` and `high`.
    pub fn between(low: f64, high: f64, wanted: usize) -> Self {
        let span = (high - low).max(f64::MIN_POSITIVE);
        let rough = span / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        Self { values: (first..=last).map(|multiple| multiple as f64 * step).collect(), step }
    }

    /// A tick's label, with as many decimals as the step needs.
    pub fn text(&self, value: f64) -> String {
        let decimals = (-self.step.log10() - 1e-9).ceil().max(0.0) as usize;
        format!("{value:.decimals$}").replace('-', "−")
    }

    /// A tick's label in per cent, for shares.
    pub fn percent(&self, value: f64) -> String {
        let hundredfold = Self { values: Vec::new(), step: self.step * 100.0 };
        format!("{} %", hundredfold.text(value * 100.0))
    }
}

/// Moves `places` so that neighbours are at least `gap` apart and, as long as there is room, within `bounds`. Keeps the order.
pub fn spread(places: &[f64], gap: f64, bounds: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut moved = places.to_vec();
    let mut lowest = bounds.0;
    for &index in &order {
        moved[index] = moved[index].max(lowest);
        lowest = moved[index] + gap;
    }
    let mut highest = bounds.1;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(highest);
        highest = moved[index] - gap;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let cases = [
            ((0.0, 1.0), "0.0 0.2 0.4 0.6 0.8 1.0"),
            ((0.0, 4685.0), "0 1000 2000 3000 4000"),
            ((-1.0, 0.0), "−1.0 −0.8 −0.6 −0.4 −0.2 0.0"),
        ];
        for ((low, high), expected) in cases {
            let ticks = Ticks::between(low, high, 5);
            let texts: Vec<_> = ticks.values.iter().map(|&value| ticks.text(value)).collect();
            assert_eq!(texts.join(" ").replace("−0.0", "0.0"), expected);
        }
        let ticks = Ticks::between(0.71, 0.79, 4);
        let texts: Vec<_> = ticks.values.iter().map(|&value| ticks.percent(value)).collect();
        assert_eq!(texts, ["72 %", "74 %", "76 %", "78 %"]);
    }

    #[test]
    fn an_axis_without_extent_does_no_harm() {
        assert!(Ticks::between(3.0, 3.0, 5).values.len() < 10);
        let flat = Scale { values: (3.0, 3.0), pixels: (0.0, 100.0) };
        assert_eq!(flat.place(3.0), 0.0);
    }

    #[test]
    fn places_and_values_are_inverse() {
        let scale = Scale { values: (-2.0, 6.0), pixels: (240.0, 10.0) };
        assert_eq!(scale.place(-2.0), 240.0);
        assert_eq!(scale.place(6.0), 10.0);
        assert!((scale.value(scale.place(1.3)) - 1.3).abs() < 1e-12);
    }

    #[test]
    fn labels_are_moved_apart_in_order_and_stay_inside() {
        let moved = spread(&[50.0, 52.0, 51.0], 12.0, (0.0, 100.0));
        assert_eq!(moved, [50.0, 74.0, 62.0]);
        let moved = spread(&[98.0, 99.0], 12.0, (0.0, 100.0));
        assert_eq!(moved, [88.0, 100.0]);
    }
}
