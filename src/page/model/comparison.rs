//! Curves of other runs in the charts of the run on show.

use super::curve::Curve;
use super::plot::{self, Look, Plot, Series};
use super::probe_summary;
use super::run_list::RunList;
use super::run_state::RunState;
use super::run_text::{self, NamedRun};
use crate::worker::protocol::MethodCard;

/// Points of a curve of another run at most: a chart is narrower than twice as many pixels.
const POINTS: usize = 400;

/// The run on show beside others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Name of the run on show in the legend, once it has started.
    pub own: Option<String>,
    /// The other runs, the newest first.
    pub others: Vec<Overlay>,
}

/// Another run in the charts.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// Id of the run.
    pub id: u64,
    /// Name in the legend: the title, and the settings that tell it from the others.
    pub label: String,
    /// Index of its colour; 0 is the colour of the run on show.
    pub colour: usize,
    method: String,
    curves: Curves,
}

/// A point: step and value.
type Point = (f64, f64);

#[derive(Clone, Debug, Default, PartialEq)]
struct Curves {
    loss: Vec<Point>,
    metric: Vec<Point>,
    variety: Vec<Point>,
    probes: Vec<(String, Vec<Point>)>,
}

/// A chart in which runs are compared.
#[derive(Clone, Copy, Debug)]
pub enum ChartPart<'a> {
    /// Smoothed loss.
    Loss,
    /// Smoothed measure of the method with this id: measures of two methods are not comparable.
    Metric(&'a str),
    /// Directions in use.
    Variety,
    /// Best layer's accuracy under a kind of probe.
    Probe(&'a str),
}

impl Comparison {
    /// The compared runs of a list beside the run on show.
    pub fn of(list: &RunList, shown: Option<&NamedRun>, methods: &[MethodCard]) -> Self {
        let is_shown = |id: u64| shown.is_some_and(|run| run.tag.id == id);
        let compared = list.runs().iter().filter(|run| {
            let id = run.kept.tag.id;
            list.compared().contains(&id) && !is_shown(id)
        });
        let known: Vec<_> = compared.filter_map(|run| Some((run, run.state.as_ref()?))).collect();
        let names =
            known.iter().map(|(run, _)| NamedRun { tag: run.kept.tag.clone(), started: run.kept.started.clone() });
        let all: Vec<NamedRun> = shown.cloned().into_iter().chain(names).collect();
        let mut labels = run_text::legend(&all, methods).into_iter();
        let own = shown.and_then(|_| labels.next());
        let first = usize::from(own.is_some());
        let others = known.iter().zip(labels).enumerate().map(|(at, ((run, state), label))| Overlay {
            id: run.kept.tag.id,
            label,
            colour: first + at,
            method: run.kept.started.config.method.clone(),
            curves: Curves::of(state),
        });
        Self { own, others: others.collect() }
    }

    /// The chart with the curves of the other runs behind its own, the newest in front.
    pub fn draw(&self, mut chart: Plot, part: ChartPart<'_>) -> Plot {
        let series = self.others.iter().rev().filter_map(|other| {
            let points = other.points(part).filter(|points| !points.is_empty())?;
            Some(Series { name: other.label.clone(), points: points.to_vec(), look: Look::Other(other.colour) })
        });
        let series: Vec<Series> = series.collect();
        for (x, y) in series.iter().flat_map(|series| &series.points) {
            let pad = 0.03 * (chart.y.1 - chart.y.0);
            chart.x.1 = chart.x.1.max(*x);
            if *y > chart.y.1 {
                chart.y.1 = y + pad;
            }
            if *y < chart.y.0 {
                chart.y.0 = y - pad;
            }
        }
        if !series.is_empty() {
            // the cursor walks along the curve in front
            chart.series.retain(|own| !own.points.is_empty());
        }
        chart.series.splice(0..0, series);
        chart
    }

    /// Index of the colour of a run in the charts.
    pub fn colour(&self, id: u64) -> Option<usize> {
        self.others.iter().find(|other| other.id == id).map(|other| other.colour)
    }
}

impl Overlay {
    fn points(&self, part: ChartPart<'_>) -> Option<&[Point]> {
        let Curves { loss, metric, variety, probes } = &self.curves;
        match part {
            ChartPart::Loss => Some(loss),
            ChartPart::Metric(method) => (method == self.method).then_some(metric.as_slice()),
            ChartPart::Variety => Some(variety),
            ChartPart::Probe(kind) => probes.iter().find(|(name, _)| name == kind).map(|(_, points)| points.as_slice()),
        }
    }
}

impl Curves {
    fn of(run: &RunState) -> Self {
        let kinds = run.probes.last().map(probe_summary::kinds).unwrap_or_default();
        let probes = kinds.into_iter().map(|kind| {
            let points = plot::probe_points(run, &kind);
            (kind, points)
        });
        Self {
            loss: thinned(&run.loss_mean),
            metric: thinned(&run.metric_mean),
            variety: thinned(&run.directions),
            probes: probes.collect(),
        }
    }
}

/// Evenly chosen points of a curve, the last among them.
fn thinned(curve: &Curve) -> Vec<Point> {
    let points = curve.points();
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().wrapping_sub(1);
    let kept = points.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last);
    kept.map(|(_, point)| *point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::probe_summary::tests::round;
    use crate::page::model::run_list::tests::run;
    use crate::session::event::Event;

    fn list() -> RunList {
        let mut list = RunList::new(vec![1, 2, 3]);
        for number in 1..=4 {
            let (tag, mut state) = run(number, 20 * number);
            state.apply(Event::Probe(round(5, 0.01 * number as f64)));
            list.keep(&tag, &state, 0.0);
        }
        list
    }

    fn shown(number: usize) -> NamedRun {
        let (tag, state) = run(number, 0);
        NamedRun { tag, started: state.plan.expect("it has started") }
    }

    #[test]
    fn the_chosen_runs_are_drawn_behind_the_one_on_show() {
        let comparison = Comparison::of(&list(), Some(&shown(3)), &[]);
        assert_eq!(comparison.own.as_deref(), Some("Run 3"));
        let others: Vec<_> = comparison.others.iter().map(|other| (other.label.as_str(), other.colour)).collect();
        assert_eq!(others, [("Run 2", 1), ("Run 1", 2)]);
        assert_eq!((comparison.colour(2), comparison.colour(3), comparison.colour(4)), (Some(1), None, None));

        let (_, own) = run(3, 10);
        let chart = comparison.draw(plot::loss(&own), ChartPart::Loss);
        let drawn: Vec<_> = chart.series.iter().map(|series| (series.name.as_str(), series.points.len())).collect();
        assert_eq!(drawn, [("Run 1", 20), ("Run 2", 40), ("each step", 10), ("smoothed", 10)]);
        assert_eq!((chart.x, chart.walk().len()), ((0.0, 40.0), 10));
        let (_, other) = run(2, 40);
        assert_eq!(chart.series[1].points, other.loss_mean.points());
    }

    #[test]
    fn without_a_run_on_show_the_newest_of_the_others_leads() {
        let comparison = Comparison::of(&list(), None, &[]);
        assert_eq!(comparison.own, None);
        assert_eq!(comparison.others.iter().map(|other| other.colour).collect::<Vec<_>>(), [0, 1, 2]);
        let chart = comparison.draw(plot::loss(&RunState::default()), ChartPart::Loss);
        assert!(chart.y.1 > 2.0, "the first loss is 2: {:?}", chart.y);
        assert_eq!(chart.walk().len(), 60, "the cursor has a curve to walk along");
    }

    #[test]
    fn probes_are_compared_and_measures_of_one_method_alone() {
        let comparison = Comparison::of(&list(), None, &[]);
        let probe = comparison.draw(Plot::empty(), ChartPart::Probe("linear"));
        let tops: Vec<_> = probe.series.iter().map(|series| series.points.clone()).collect();
        assert_eq!(tops, [[(5.0, 0.75)], [(5.0, 0.76)], [(5.0, 0.77)]]);
        assert!(comparison.draw(Plot::empty(), ChartPart::Probe("none")).series.is_empty());
        let count = |method| comparison.draw(Plot::empty(), ChartPart::Metric(method)).series.len();
        assert_eq!((count("some"), count("other")), (3, 0));
    }

    #[test]
    fn long_curves_are_thinned_to_their_ends() {
        let mut curve = Curve::default();
        (1..=1001).for_each(|step| curve.push(f64::from(step), 1.0));
        let points = thinned(&curve);
        assert!(points.len() <= POINTS + 1, "{}", points.len());
        assert_eq!((points[0].0, points[points.len() - 1].0), (1.0, 1001.0));
        assert_eq!(thinned(&Curve::default()), []);
    }
}
