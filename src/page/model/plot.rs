//! What a chart shows, before it is drawn: curves, level lines, axes and a summary in words.

use super::probe_summary::{self, layer_name};
use super::run_state::Record;
use super::words;
use crate::method::Unit;
use crate::session::event::{Source, Verdict};

/// Steps a chart is wide at least, so that the first ones do not look like a finished curve.
const SHORTEST: f64 = 20.0;

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Thin and pale, behind the others.
    Faint,
    /// The line to follow.
    Main,
    /// The line to follow, each point marked.
    Dotted,
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is, for the legend.
    pub name: String,
    /// Its points in the order of x.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub look: Look,
}

/// A horizontal line to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// What it is, written at the line.
    pub name: String,
    /// Where it lies.
    pub value: f64,
    /// Which of the dash patterns it has.
    pub pattern: usize,
}

/// A chart over training steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// The curves, back to front.
    pub series: Vec<Series>,
    /// The lines.
    pub levels: Vec<Level>,
    /// The range of steps.
    pub x: (f64, f64),
    /// The range of values.
    pub y: (f64, f64),
    /// How values are written.
    pub unit: Unit,
    /// What a person who does not see the chart should know.
    pub summary: String,
}

impl Plot {
    /// Nothing, between two charts.
    pub fn empty() -> Self {
        let (series, levels, summary) = (Vec::new(), Vec::new(), String::new());
        Self { series, levels, x: (0.0, 1.0), y: (0.0, 1.0), unit: Unit::Number, summary }
    }

    /// A value as the axis of this chart writes it.
    pub fn text(&self, value: f64) -> String {
        words::measure(self.unit, value)
    }

    /// The points a reader walks along: those of the front curve.
    pub fn walk(&self) -> &[(f64, f64)] {
        self.series.last().map_or(&[], |series| &series.points)
    }

    /// The place in [`Plot::walk`] nearest to `x`.
    pub fn nearest(&self, x: f64) -> Option<usize> {
        let walk = self.walk();
        let after = walk.partition_point(|point| point.0 < x);
        let candidates = [after.checked_sub(1), Some(after).filter(|place| *place < walk.len())];
        candidates.into_iter().flatten().min_by(|&a, &b| (walk[a].0 - x).abs().total_cmp(&(walk[b].0 - x).abs()))
    }

    /// What stands at place `at` of the walk: `step 320: each step 0.412, smoothed 0.43`.
    pub fn reading(&self, at: usize) -> String {
        let Some(&(x, _)) = self.walk().get(at) else { return String::new() };
        let values = self.series.iter().filter_map(|series| {
            let &(_, y) = series.points.iter().find(|point| point.0 == x)?;
            Some(format!("{} {}", series.name, self.text(y)))
        });
        format!("step {}: {}", words::count(x as usize), values.collect::<Vec<_>>().join(", "))
    }
}

/// A method's own measure, as its card describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// What guessing gives, where that is defined.
    pub chance: Option<f64>,
    /// How it is written.
    pub unit: Unit,
}

/// The loss over the steps.
pub fn loss(record: &Record) -> Plot {
    let values = record.loss.points().iter().map(|point| point.1);
    // zero is part of the picture: how near a loss comes to it is what the eye should judge
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let summary = match (record.loss.points().first(), record.loss_mean.last()) {
        (Some(first), Some(last)) => {
            format!(
                "The loss is about {} after {} steps; it began at {}.",
                words::number(last.1),
                words::count(record.steps()),
                words::number(first.1)
            )
        }
        _ => "No step has been taken yet.".into(),
    };
    let series = pair("each step", &record.loss, &record.loss_mean);
    Plot { series, levels: Vec::new(), x: steps(record), y: padded(low, high), unit: Unit::Number, summary }
}

/// The method's own measure over the steps; nothing where the method has none.
pub fn metric(record: &Record, measure: &Measure) -> Option<Plot> {
    if record.plan.is_some() && record.step.as_ref().is_some_and(|step| step.metric.is_none()) {
        return None;
    }
    let Measure { name, chance, unit } = measure;
    let values = record.metric.points().iter().map(|point| point.1).chain(*chance);
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let guessing =
        chance.map(|chance| format!("Guessing gives {}.", words::measure(*unit, chance))).unwrap_or_default();
    let summary = match record.metric_mean.last() {
        Some((_, value)) => {
            let (steps, value) = (words::count(record.steps()), words::measure(*unit, value));
            format!("{} is about {value} after {steps} steps. {guessing}", words::title(name))
        }
        None => format!("No step has been taken yet. {guessing}"),
    };
    let levels = chance.map(|value| Level { name: "guessing".into(), value, pattern: 0 });
    // most shares lie between none and all, but an error may be larger than that of guessing
    let whole = *unit == Unit::Share && low >= 0.0 && high <= 1.0;
    let y = if whole { (0.0, 1.0) } else { padded(low, if *unit == Unit::Share { high.max(1.0) } else { high }) };
    let series = pair("each step", &record.metric, &record.metric_mean);
    Some(Plot { series, levels: levels.into_iter().collect(), x: steps(record), y, unit: *unit, summary })
}

/// How different the answers to different images are over the steps; nothing where the run does not watch that.
pub fn variety(record: &Record) -> Option<Plot> {
    let health = record.health.as_ref()?;
    let embedding = health.embedding.as_ref()?;
    let state = match health.verdict {
        Verdict::Healthy => "Different images get different answers",
        Verdict::NoVariety => "All images get the same answer: there is nothing to tell apart",
        Verdict::Collapsing => "All images get nearly the same answer: the network has collapsed",
        Verdict::DimensionalCollapse => "Images differ in ever fewer directions: the network is collapsing",
        Verdict::Stalled => "Different images get different answers, but the loss does not move",
    };
    let (rank, most) = (words::number(embedding.centred_rank), words::count(embedding.directions()));
    let summary = format!("{state}. About {rank} of {most} directions are in use.");
    let high = record.spread.points().iter().fold(1.0f64, |high, point| high.max(point.1));
    let line = |name: &str, curve: &super::curve::Curve, look| Series {
        name: name.into(),
        points: curve.points().to_vec(),
        look,
    };
    let series =
        vec![line("spread", &record.spread, Look::Main), line("directions in use", &record.directions, Look::Dotted)];
    let level = |name: &str, value, pattern| Level { name: name.into(), value, pattern };
    let levels = vec![level("evenly spread", 1.0, 0), level("all the same", 0.0, 1)];
    Some(Plot { series, levels, x: steps(record), y: (0.0, high * 1.06), unit: Unit::Number, summary })
}

/// The best layer's accuracy under the probe `kind` against the controls.
pub fn probe(record: &Record, kind: &str) -> Plot {
    let points: Vec<_> = record
        .probes
        .iter()
        .filter_map(|probe| Some((probe.step as f64, probe_summary::best(probe, Source::Trained, kind)?.accuracy)))
        .collect();
    let control = |source, pattern| {
        let best = record.probes.last().and_then(|probe| probe_summary::best(probe, source, kind))?;
        let name = if source == Source::RawPixels {
            source.words().to_string()
        } else {
            format!("untrained, {}", layer_name(&best.layer))
        };
        Some(Level { name, value: best.accuracy, pattern })
    };
    let levels: Vec<_> = [control(Source::Untrained, 0), control(Source::RawPixels, 1)].into_iter().flatten().collect();
    let values = points.iter().map(|point| point.1).chain(levels.iter().map(|level| level.value));
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let y = if low <= high { ((low - 0.03).max(0.0), (high + 0.03).min(1.0)) } else { (0.0, 1.0) };
    let summary = probe_summary(record, kind).unwrap_or_else(|| "Not measured yet.".into());
    let series = vec![Series { name: "trained, best layer".into(), points, look: Look::Dotted }];
    Plot { series, levels, x: steps(record), y, unit: Unit::Share, summary }
}

fn probe_summary(record: &Record, kind: &str) -> Option<String> {
    let probe = record.probes.last()?;
    let of = |source| probe_summary::best(probe, source, kind);
    let trained = of(Source::Trained)?;
    let (layer, accuracy) = (layer_name(&trained.layer), words::percent(trained.accuracy));
    let mut text = match probe.step {
        0 => format!("Before the first step the best layer ({layer}) reaches {accuracy}"),
        step => format!("After {} steps the best layer ({layer}) reaches {accuracy}", words::count(step)),
    };
    if let Some(untrained) = of(Source::Untrained).filter(|_| probe.step > 0) {
        text +=
            &format!("; untrained, {} reaches {}", layer_name(&untrained.layer), words::percent(untrained.accuracy));
    }
    if let Some(pixels) = of(Source::RawPixels) {
        text += &format!("; raw pixels reach {}", words::percent(pixels.accuracy));
    }
    Some(text + ".")
}

fn pair(name: &str, raw: &super::curve::Curve, mean: &super::curve::Curve) -> Vec<Series> {
    let raw = Series { name: name.into(), points: raw.points().to_vec(), look: Look::Faint };
    let mean = Series { name: "smoothed".into(), points: mean.points().to_vec(), look: Look::Main };
    vec![raw, mean]
}

fn steps(record: &Record) -> (f64, f64) {
    let planned = record.plan.as_ref().map_or(SHORTEST, |plan| plan.total_steps as f64);
    (0.0, (record.steps() as f64).max(SHORTEST.min(planned)))
}

fn padded(low: f64, high: f64) -> (f64, f64) {
    let span = if high > low { high - low } else { 1.0 };
    let pad = |edge: f64| if edge == 0.0 { 0.0 } else { 0.06 * span };
    (low - pad(low), if high > low { high + pad(high) } else { low + span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::probe_summary::tests::round;
    use crate::page::model::run_state::tests::{plan, step};
    use crate::session::event::{Embedding, Event, Health};

    fn turns() -> Measure {
        Measure { name: "turn accuracy".into(), chance: Some(0.25), unit: Unit::Share }
    }

    fn record(steps: usize) -> Record {
        let mut record = Record::default();
        record.hear(plan(1000, 0));
        (1..=steps).for_each(|at| record.hear(step(at, 2.0 / at as f64, Some(0.25 + 0.01 * at as f64))));
        record
    }

    #[test]
    fn an_empty_record_can_be_drawn() {
        let empty = Record::default();
        for plot in [loss(&empty), probe(&empty, "knn"), metric(&empty, &turns()).expect("not known to lack one")] {
            assert!(plot.x.1 > plot.x.0 && plot.y.1 > plot.y.0, "{plot:?}");
            assert!(!plot.summary.is_empty());
            assert_eq!((plot.nearest(3.0), plot.reading(0)), (None, String::new()));
        }
    }

    #[test]
    fn the_loss_chart_reaches_from_zero_over_its_highest_value() {
        let plot = loss(&record(40));
        assert_eq!((plot.x, plot.y.0), ((0.0, 40.0), 0.0));
        assert!(plot.y.1 > 2.0 && plot.y.1 < 2.3);
        assert_eq!(plot.reading(0), "step 1: each step 2.00, smoothed 2.00");
        assert!(plot.summary.contains("after 40 steps; it began at 2.00"), "{}", plot.summary);
    }

    #[test]
    fn a_loss_below_zero_has_room() {
        let mut record = Record::default();
        record.hear(step(1, -0.5, None));
        let plot = loss(&record);
        assert!(plot.y.0 < -0.5 && plot.y.1 == 0.0, "{:?}", plot.y);
    }

    #[test]
    fn a_method_without_a_measure_has_no_such_chart() {
        let mut silent = Record::default();
        silent.hear(plan(10, 0));
        silent.hear(step(1, 1.0, None));
        assert_eq!(metric(&silent, &turns()), None);
        let spoken = metric(&record(5), &turns()).expect("it has one");
        assert_eq!((spoken.y, spoken.levels[0].value), ((0.0, 1.0), 0.25));
        assert!(spoken.summary.ends_with("Guessing gives 25.0%."));
    }

    #[test]
    fn a_collapse_is_drawn_and_said() {
        let mut run = record(20);
        assert_eq!(variety(&run), None);
        for (step, spread, rank, verdict) in
            [(10, 0.9, 32.0, Verdict::Healthy), (20, 0.8, 8.0, Verdict::DimensionalCollapse)]
        {
            let embedding = Some(Embedding {
                rows: 64,
                width: 128,
                spread,
                rank: 60.0,
                centred_rank: rank,
                lidar: None,
                alignment: None,
                uniformity: -1.0,
                decay: None,
                spectrum: vec![1.0],
            });
            run.hear(Event::Health(Health { step, verdict, embedding, ..Health::default() }));
        }
        let plot = variety(&run).expect("it was watched");
        let drawn: Vec<_> = plot.series.iter().map(|series| (series.name.as_str(), series.points.clone())).collect();
        let expected =
            [("spread", vec![(10.0, 0.9), (20.0, 0.8)]), ("directions in use", vec![(10.0, 0.5), (20.0, 0.125)])];
        assert_eq!(drawn, expected);
        assert!(plot.summary.contains("is collapsing. About 8.00 of 64 directions"), "{}", plot.summary);
    }

    #[test]
    fn the_nearest_point_is_found() {
        let plot = loss(&record(10));
        assert_eq!([plot.nearest(-5.0), plot.nearest(3.4), plot.nearest(99.0)], [Some(0), Some(2), Some(9)]);
    }

    #[test]
    fn probes_are_drawn_against_their_controls() {
        let mut record = record(30);
        [round(0, 0.0), round(20, 0.02)].into_iter().for_each(|probe| record.hear(Event::Probe(probe)));
        let plot = probe(&record, "linear");
        assert_eq!(plot.walk(), [(0.0, 0.74), (20.0, 0.76)]);
        let levels: Vec<_> = plot.levels.iter().map(|level| (level.name.as_str(), level.value)).collect();
        assert_eq!(levels, [("untrained, block 2", 0.74), ("raw pixels", 0.69)]);
        assert!(plot.y.0 < 0.69 && plot.y.1 > 0.76);
        assert!(plot.summary.contains("(block 2) reaches 76.0%; untrained, block 2 reaches 74.0%"), "{}", plot.summary);
    }
}
