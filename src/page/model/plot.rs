//! Contents of a chart before it is drawn: curves, level lines, axes and a summary in words.

use super::probe_summary::{self, layer_name};
use super::run_state::RunState;
use crate::format;
use crate::method::Unit;
use crate::session::event::{Probe, Source, Verdict};
use crate::worker::protocol::MetricCard;

/// Summary of a chart without points.
const NOTHING_YET: &str = "No step has been taken yet.";
/// Smallest width of a chart in steps, so that the first ones do not look like a finished curve.
const SHORTEST: f64 = 20.0;

/// Style of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Thin and pale, in the background.
    Faint,
    /// The main line.
    Main,
    /// The main line with each point marked.
    Dotted,
    /// The line of another run, in the colour with this index.
    Other(usize),
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name for the legend.
    pub name: String,
    /// Points in the order of x.
    pub points: Vec<(f64, f64)>,
    /// Style.
    pub look: Look,
}

impl Series {
    /// The latest point up to `x`, unless the curve ends before.
    pub fn at(&self, x: f64) -> Option<(f64, f64)> {
        let after = self.points.partition_point(|point| point.0 <= x);
        let point = *self.points.get(after.checked_sub(1)?)?;
        (after < self.points.len() || point.0 == x).then_some(point)
    }
}

/// A horizontal reference line.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Name, written at the line.
    pub name: String,
    /// Value on the y axis.
    pub value: f64,
    /// Index of its dash pattern.
    pub pattern: usize,
}

/// A chart over training steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// Curves, back to front.
    pub series: Vec<Series>,
    /// Reference lines.
    pub levels: Vec<Level>,
    /// Range of steps.
    pub x: (f64, f64),
    /// Range of values.
    pub y: (f64, f64),
    /// Unit of the values.
    pub unit: Unit,
    /// The chart in a sentence or two, for screen readers too.
    pub summary: String,
}

impl Plot {
    /// A chart without curves.
    pub fn empty() -> Self {
        Self {
            series: Vec::new(),
            levels: Vec::new(),
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            unit: Unit::Number,
            summary: String::new(),
        }
    }

    /// A value in the unit of this chart.
    pub fn text(&self, value: f64) -> String {
        format::measured(self.unit, value)
    }

    /// Points that the cursor moves along: those of the front curve.
    pub fn walk(&self) -> &[(f64, f64)] {
        self.series.last().map_or(&[], |series| &series.points)
    }

    /// Index in [`Plot::walk`] of the point nearest to `x`.
    pub fn nearest(&self, x: f64) -> Option<usize> {
        let walk = self.walk();
        let after = walk.partition_point(|point| point.0 < x);
        let candidates = [after.checked_sub(1), Some(after).filter(|place| *place < walk.len())];
        candidates.into_iter().flatten().min_by(|&a, &b| (walk[a].0 - x).abs().total_cmp(&(walk[b].0 - x).abs()))
    }

    /// Readout at index `at` of the walk: `step 320: each step 0.412, smoothed 0.43`.
    pub fn reading(&self, at: usize) -> String {
        let Some(&(x, _)) = self.walk().get(at) else { return String::new() };
        let values = self.series.iter().filter_map(|series| {
            let (_, y) = series.at(x)?;
            Some(format!("{} {}", series.name, self.text(y)))
        });
        format!("step {}: {}", format::thousands(x as usize), values.collect::<Vec<_>>().join(", "))
    }
}

/// Chart of the loss.
pub fn loss(run: &RunState) -> Plot {
    let values = run.loss.points().iter().map(|point| point.1);
    // the axis includes zero, so that the eye can judge how near to it a loss comes
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let summary = match (run.loss.points().first(), run.loss_mean.last()) {
        (Some(first), Some(last)) => {
            format!(
                "The loss is about {} after {} steps; it began at {}.",
                format::number(last.1),
                format::thousands(run.steps()),
                format::number(first.1)
            )
        }
        _ => NOTHING_YET.into(),
    };
    let series = pair("each step", &run.loss, &run.loss_mean);
    Plot { series, levels: Vec::new(), x: steps(run), y: padded(low, high), unit: Unit::Number, summary }
}

/// Chart of the method's own measure, if the method has one.
pub fn metric(run: &RunState, measure: &MetricCard) -> Option<Plot> {
    if run.plan.is_some() && run.step.as_ref().is_some_and(|step| step.metric.is_none()) {
        return None;
    }
    let MetricCard { name, baseline, chance, unit, .. } = measure;
    let values = run.metric.points().iter().map(|point| point.1).chain(*chance);
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let summary = match run.metric_mean.last() {
        Some((_, value)) => {
            let steps = format::thousands(run.steps());
            let value = format::measured(*unit, value);
            format!("{}: about {value} after {steps} steps.", format::title(name))
        }
        None => NOTHING_YET.into(),
    };
    let levels = chance.map(|value| Level { name: baseline.clone(), value, pattern: 0 });
    // shares lie in 0 to 1, except for an error larger than the baseline's
    let whole = *unit == Unit::Share && low >= 0.0 && high <= 1.0;
    let y = if whole { (0.0, 1.0) } else { padded(low, if *unit == Unit::Share { high.max(1.0) } else { high }) };
    let series = pair("each step", &run.metric, &run.metric_mean);
    Some(Plot { series, levels: levels.into_iter().collect(), x: steps(run), y, unit: *unit, summary })
}

/// Chart of the variety of the embeddings, if the run monitors it.
pub fn variety(run: &RunState) -> Option<Plot> {
    let health = run.health.as_ref()?;
    let embedding = health.embedding.as_ref()?;
    let state = match health.verdict {
        Verdict::Healthy => "Different pictures get different descriptions",
        Verdict::NoVariety => "All pictures get the same description: there is nothing to tell apart",
        Verdict::Collapsing => "All pictures get nearly the same description: the network has collapsed",
        Verdict::DimensionalCollapse => "Descriptions differ in ever fewer directions: the network is collapsing",
        Verdict::Stalled => "Different pictures get different descriptions, but the loss does not move",
    };
    let rank = format::thousands(embedding.centred_rank.round() as usize);
    let most = format::thousands(embedding.directions());
    let summary =
        format!("{state}. Of {most} independent directions in which they could differ, about {rank} are in use.");
    let high = run.spread.points().iter().fold(1.0f64, |high, point| high.max(point.1));
    let line = |name: &str, curve: &super::curve::Curve, look| Series {
        name: name.into(),
        points: curve.points().to_vec(),
        look,
    };
    let series =
        vec![line("spread", &run.spread, Look::Main), line("directions in use", &run.directions, Look::Dotted)];
    let level = |name: &str, value, pattern| Level { name: name.into(), value, pattern };
    let levels = vec![level("as different as can be", 1.0, 0), level("all alike (collapsed)", 0.0, 1)];
    Some(Plot { series, levels, x: steps(run), y: (0.0, high * 1.06), unit: Unit::Number, summary })
}

/// Chart of the best layer's accuracy under the probe `kind`, with the controls.
pub fn probe(run: &RunState, kind: &str) -> Plot {
    let points = probe_points(run, kind);
    let control = |source, pattern| {
        let best = run.probes.last().and_then(|probe| probe_summary::best(probe, source, kind))?;
        let name = match source {
            Source::Untrained => format!("untrained, {}", layer_name(&best.layer)),
            control => control.words().to_string(),
        };
        Some(Level { name, value: best.accuracy, pattern })
    };
    let controls = [control(Source::Untrained, 0), control(Source::RawPixels, 1), control(Source::Pca, 2)];
    let levels: Vec<_> = controls.into_iter().flatten().collect();
    let values = points.iter().map(|point| point.1).chain(levels.iter().map(|level| level.value));
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let y = if low <= high { ((low - 0.03).max(0.0), (high + 0.03).min(1.0)) } else { (0.0, 1.0) };
    let summary = probe_summary(run, kind).unwrap_or_else(|| "Not measured yet.".into());
    let series = vec![Series { name: "trained, best layer".into(), points, look: Look::Dotted }];
    Plot { series, levels, x: steps(run), y, unit: Unit::Share, summary }
}

/// Steps and accuracies of the best layer under the probe `kind`.
pub fn probe_points(run: &RunState, kind: &str) -> Vec<(f64, f64)> {
    let point = |probe: &Probe| Some((probe.step as f64, probe_summary::best(probe, Source::Trained, kind)?.accuracy));
    run.probes.iter().filter_map(point).collect()
}

fn probe_summary(run: &RunState, kind: &str) -> Option<String> {
    let probe = run.probes.last()?;
    let of = |source| probe_summary::best(probe, source, kind);
    let trained = of(Source::Trained)?;
    let layer = layer_name(&trained.layer);
    let accuracy = format::percent(trained.accuracy);
    let mut text = match probe.step {
        0 => format!("Before the first step the best layer ({layer}) reaches {accuracy}"),
        step => format!("After {} steps the best layer ({layer}) reaches {accuracy}", format::thousands(step)),
    };
    if let Some(untrained) = of(Source::Untrained).filter(|_| probe.step > 0) {
        text +=
            &format!("; untrained, {} reaches {}", layer_name(&untrained.layer), format::percent(untrained.accuracy));
    }
    for control in [Source::RawPixels, Source::Pca].into_iter().filter_map(of) {
        text += &format!("; {}: {}", control.source.words(), format::percent(control.accuracy));
    }
    Some([text + ".", probe_summary::standing(probe, kind).unwrap_or_default()].join(" ").trim_end().to_string())
}

fn pair(name: &str, raw: &super::curve::Curve, mean: &super::curve::Curve) -> Vec<Series> {
    let raw = Series { name: name.into(), points: raw.points().to_vec(), look: Look::Faint };
    let mean = Series { name: "smoothed".into(), points: mean.points().to_vec(), look: Look::Main };
    vec![raw, mean]
}

fn steps(run: &RunState) -> (f64, f64) {
    let planned = run.plan.as_ref().map_or(SHORTEST, |plan| plan.total_steps as f64);
    (0.0, (run.steps() as f64).max(SHORTEST.min(planned)))
}

fn padded(low: f64, high: f64) -> (f64, f64) {
    let span = if high > low { high - low } else { 1.0 };
    let pad = |edge: f64| if edge == 0.0 { 0.0 } else { 0.06 * span };
    (low - pad(low), if high > low { high + pad(high) } else { low + span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Better;
    use crate::page::model::probe_summary::tests::round;
    use crate::page::model::run_state::tests::{plan, step};
    use crate::session::event::{Embedding, Event, Health};

    fn turns() -> MetricCard {
        MetricCard {
            name: "turn accuracy".into(),
            better: Better::Higher,
            baseline: "guessing".into(),
            chance: Some(0.25),
            unit: Unit::Share,
        }
    }

    fn run(steps: usize) -> RunState {
        let mut run = RunState::default();
        run.apply(plan(1000, 0));
        (1..=steps).for_each(|at| run.apply(step(at, 2.0 / at as f64, Some(0.25 + 0.01 * at as f64))));
        run
    }

    #[test]
    fn an_empty_record_can_be_drawn() {
        let empty = RunState::default();
        for plot in [loss(&empty), probe(&empty, "knn"), metric(&empty, &turns()).expect("not known to lack one")] {
            assert!(plot.x.1 > plot.x.0 && plot.y.1 > plot.y.0, "{plot:?}");
            assert!(!plot.summary.is_empty());
            assert_eq!((plot.nearest(3.0), plot.reading(0)), (None, String::new()));
        }
    }

    #[test]
    fn the_loss_chart_reaches_from_zero_over_its_highest_value() {
        let plot = loss(&run(40));
        assert_eq!((plot.x, plot.y.0), ((0.0, 40.0), 0.0));
        assert!(plot.y.1 > 2.0 && plot.y.1 < 2.3);
        assert_eq!(plot.reading(0), "step 1: each step 2.00, smoothed 2.00");
        assert!(plot.summary.contains("after 40 steps; it began at 2.00"), "{}", plot.summary);
    }

    #[test]
    fn a_loss_below_zero_has_room() {
        let mut run = RunState::default();
        run.apply(step(1, -0.5, None));
        let plot = loss(&run);
        assert!(plot.y.0 < -0.5 && plot.y.1 == 0.0, "{:?}", plot.y);
    }

    #[test]
    fn a_method_without_a_measure_has_no_such_chart() {
        let mut silent = RunState::default();
        silent.apply(plan(10, 0));
        silent.apply(step(1, 1.0, None));
        assert_eq!(metric(&silent, &turns()), None);
        let spoken = metric(&run(5), &turns()).expect("it has one");
        assert_eq!((spoken.y, spoken.levels[0].value), ((0.0, 1.0), 0.25));
        assert_eq!(spoken.summary, "Turn accuracy: about 30.0 % after 5 steps.");
        assert_eq!(spoken.levels[0].name, "guessing");
    }

    #[test]
    fn a_collapse_is_drawn_and_said() {
        let mut run = run(20);
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
            run.apply(Event::Health(Health { step, verdict, embedding, ..Health::default() }));
        }
        let plot = variety(&run).expect("it was watched");
        let drawn: Vec<_> = plot.series.iter().map(|series| (series.name.as_str(), series.points.clone())).collect();
        let expected =
            [("spread", vec![(10.0, 0.9), (20.0, 0.8)]), ("directions in use", vec![(10.0, 0.5), (20.0, 0.125)])];
        assert_eq!(drawn, expected);
        assert!(
            plot.summary
                .contains("is collapsing. Of 64 independent directions in which they could differ, about 8 are"),
            "{}",
            plot.summary
        );
    }

    #[test]
    fn the_nearest_point_is_found() {
        let plot = loss(&run(10));
        assert_eq!([plot.nearest(-5.0), plot.nearest(3.4), plot.nearest(99.0)], [Some(0), Some(2), Some(9)]);
    }

    #[test]
    fn probes_are_drawn_against_their_controls() {
        let mut run = run(30);
        [round(0, 0.0), round(20, 0.02)].into_iter().for_each(|probe| run.apply(Event::Probe(probe)));
        let plot = probe(&run, "linear");
        assert_eq!(plot.walk(), [(0.0, 0.74), (20.0, 0.76)]);
        let levels: Vec<_> = plot.levels.iter().map(|level| (level.name.as_str(), level.value)).collect();
        assert_eq!(levels, [("untrained, block 2", 0.74), ("raw pixels", 0.69), ("PCA of raw pixels", 0.67)]);
        assert!(plot.y.0 < 0.67 && plot.y.1 > 0.76);
        assert!(
            plot.summary.contains("(block 2) reaches 76.0 %; untrained, block 2 reaches 74.0 %"),
            "{}",
            plot.summary
        );
    }
}
