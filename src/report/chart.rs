//! Charts as SVG. Colours come from the page's style, so that they follow light and dark.

use super::escape;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 250.0;
/// Margins for the labels of the axes.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Points of a line: more cannot be seen at this width.
const POINTS: usize = 300;

/// A chart under construction.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Heading.
    pub title: String,
    /// Horizontal axis.
    pub x: Across,
    /// True if the values are shares, to be shown in percent.
    pub percent: bool,
    /// Lines, the first one drawn lowest.
    pub lines: Vec<Line>,
    /// Values drawn as dashed lines from side to side.
    pub levels: Vec<(String, &'static str, f64)>,
}

/// The horizontal axis.
#[derive(Clone, Debug)]
pub enum Across {
    /// Numbers, with a name.
    Numbers(&'static str),
    /// Positions 0, 1, ... with their names.
    Names(Vec<String>),
}

impl Default for Across {
    fn default() -> Self {
        Across::Numbers("step")
    }
}

/// A line through points. The class sets its style.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Class in the style sheet.
    pub class: &'static str,
    /// Points as (position, value), from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A range of values and the range of coordinates it is drawn at.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Coordinate of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The range from the smallest to the largest value with a margin, never empty.
    pub fn around(values: impl Iterator<Item = f64>, room: f64, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // one value alone gets a range around it, whatever the room
        let margin = if high > low { room * (high - low) } else { high.abs().max(1.0) * 0.1 };
        Self { low: low - margin, high: high + margin, from, to }
    }

    /// About `count` round numbers inside the range.
    pub fn ticks(&self, count: f64) -> Vec<f64> {
        let rough = (self.high - self.low) / count;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        (first..=(self.high / step).floor() as i64).map(|place| place as f64 * step).collect()
    }
}

impl Chart {
    /// The figure with its title and legend.
    pub fn html(&self) -> String {
        let mut key = String::new();
        let lines = self.lines.iter().map(|line| (&line.name, line.class));
        for (name, class) in lines.chain(self.levels.iter().map(|(name, class, _)| (name, *class))) {
            if !name.is_empty() {
                key.push_str(&format!("<li class=\"{class}\"><span></span>{}</li>", escape(name)));
            }
        }
        let title = escape(&self.title);
        format!(
            "<figure class=\"chart\"><figcaption>{title}</figcaption><ul class=\"key\">{key}</ul>\n{}</figure>\n",
            self.svg()
        )
    }

    fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().filter(|point| is_finite(point)));
        let heights = points().map(|point| point.1).chain(self.levels.iter().map(|level| level.2));
        let y = Axis::around(heights, 0.08, HEIGHT - BOTTOM, TOP);
        let room = if matches!(self.x, Across::Names(_)) { 0.06 } else { 0.0 };
        let x = Axis::around(points().map(|point| point.0), room, LEFT, WIDTH - RIGHT);
        let mut body = self.grid(&x, &y);
        for (_, class, value) in &self.levels {
            let at = y.at(*value);
            let end = WIDTH - RIGHT;
            body.push_str(&format!("<path class=\"{class} level\" d=\"M{LEFT} {at:.1}H{end}\"/>"));
        }
        for line in &self.lines {
            body.push_str(&self.line(line, &x, &y));
        }
        let label = escape(&self.words());
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">{body}</svg>")
    }

    fn grid(&self, x: &Axis, y: &Axis) -> String {
        let mut body = String::new();
        let ticks = y.ticks(6.0);
        let step = ticks.get(1).zip(ticks.first()).map_or(1.0, |(b, a)| b - a);
        for value in ticks {
            let at = y.at(value);
            let end = WIDTH - RIGHT;
            let text =
                if self.percent { format!("{} %", short(100.0 * value, 100.0 * step)) } else { short(value, step) };
            body.push_str(&format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{end}\"/>"));
            body.push_str(&format!("<text class=\"y\" x=\"{}\" y=\"{:.1}\">{text}</text>", LEFT - 7.0, at + 4.0));
        }
        let below = HEIGHT - BOTTOM + 17.0;
        match &self.x {
            Across::Names(names) => {
                for (place, name) in names.iter().enumerate() {
                    let at = x.at(place as f64);
                    let name = escape(name);
                    body.push_str(&format!("<text class=\"x\" x=\"{at:.1}\" y=\"{below}\">{name}</text>"));
                }
            }
            Across::Numbers(name) => {
                let ticks = x.ticks(4.0);
                let step = ticks.get(1).zip(ticks.first()).map_or(1.0, |(b, a)| b - a);
                for value in ticks {
                    let at = x.at(value);
                    let text = short(value, step);
                    body.push_str(&format!("<text class=\"x\" x=\"{at:.1}\" y=\"{below}\">{text}</text>"));
                }
                let middle = (LEFT + WIDTH - RIGHT) / 2.0;
                let low = HEIGHT - 5.0;
                body.push_str(&format!("<text class=\"x\" x=\"{middle}\" y=\"{low}\">{name}</text>"));
            }
        }
        body
    }

    fn line(&self, line: &Line, x: &Axis, y: &Axis) -> String {
        let points: Vec<(f64, f64)> = line.points.iter().copied().filter(is_finite).collect();
        let places: Vec<(f64, f64)> = thinned(&points).iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
        if places.is_empty() {
            return String::new();
        }
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let mut body = format!("<path class=\"{} line\" d=\"M{}\"/>", line.class, path.join("L"));
        if places.len() < 2 || matches!(self.x, Across::Names(_)) {
            for (x, y) in places {
                body.push_str(&format!("<circle class=\"{} dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>", line.class));
            }
        }
        body
    }

    /// The chart in words, for screen readers.
    fn words(&self) -> String {
        let value = |y: f64| if self.percent { format!("{:.1} %", 100.0 * y) } else { format!("{y:.4}") };
        let mut words = vec![self.title.clone()];
        for line in &self.lines {
            let finite = || line.points.iter().filter(|point| is_finite(point));
            if let (Some(first), Some(last)) = (finite().next(), finite().next_back()) {
                words.push(format!("{}: from {} to {}", line.name, value(first.1), value(last.1)));
            }
        }
        words.extend(self.levels.iter().map(|(name, _, level)| format!("{name}: {}", value(*level))));
        words.join("; ")
    }
}

/// True if the point can be drawn.
fn is_finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// Means over stretches of points, so that at most [`POINTS`] are left.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let each = points.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / n, sum.1 + point.1 / n))
    };
    points.chunks(each).map(mean).collect()
}

/// A running mean over a hundredth of all points.
pub fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let widest = (points.len() as f64 / 100.0).max(1.0);
    let mut mean = 0.0;
    let follow = |(number, &(x, y)): (usize, &(f64, f64))| {
        mean += (y - mean) / (number as f64 + 1.0).min(widest);
        (x, mean)
    };
    points.iter().enumerate().map(follow).collect()
}

/// A number with the digits that neighbouring ticks need to differ.
pub fn short(value: f64, step: f64) -> String {
    let digits = (-step.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if digits == 0 && value.abs() >= 10_000.0 { format!("{:.0}k", value / 1000.0) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis { low: 0.83, high: 1.27, from: 0.0, to: 440.0 };
        let texts: Vec<String> = axis.ticks(4.0).iter().map(|tick| short(*tick, 0.2)).collect();
        assert_eq!(texts, ["1.0", "1.2"]);
        assert!((axis.at(1.05) - 220.0).abs() < 1e-9);
        let flat = Axis::around([2.0, 2.0].into_iter(), 0.1, 0.0, 1.0);
        assert!(flat.low < 2.0 && flat.high > 2.0 && flat.ticks(4.0).len() > 1);
    }

    #[test]
    fn no_chart_holds_a_nan() {
        let points = [vec![(1.0, 0.5)], vec![(1.0, f64::NAN)], vec![(1.0, f64::INFINITY), (2.0, 0.5)], Vec::new()];
        for points in points {
            let line = Line { name: "line".into(), class: "trained", points };
            let html = Chart { title: "t".into(), lines: vec![line], ..Chart::default() }.html();
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
    }

    #[test]
    fn long_lines_are_thinned_without_losing_their_level() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|x| (f64::from(x), 3.0)).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS && thin.iter().all(|point| (point.1 - 3.0).abs() < 1e-9));
        assert!(smoothed(&points).iter().all(|point| (point.1 - 3.0).abs() < 1e-9));
        assert_eq!(smoothed(&points[..10]), points[..10], "few points are left as they are");
    }

    #[test]
    fn names_from_outside_cannot_break_the_page() {
        let line = Line { name: "<b>".into(), class: "trained", points: vec![(0.0, 0.5), (1.0, 0.75)] };
        let x = Across::Names(vec!["a&b".into(), "c".into()]);
        let html = Chart { title: "t".into(), x, percent: true, lines: vec![line], levels: Vec::new() }.html();
        assert!(html.contains("&lt;b&gt;") && html.contains("a&amp;b") && !html.contains("<b>"), "{html}");
        assert!(html.contains("from 50.0 % to 75.0 %"), "{html}");
    }
}
