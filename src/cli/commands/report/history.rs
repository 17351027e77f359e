//! The events of a run as charts.

use crate::cli::output::html::chart::{Across, Chart, Line, smoothed};
use crate::format;
use crate::method::{Info, Unit};
use crate::session::event::{Embedding, Event, Health, Pretext, Probe, ProbeRow, Source, Started, Step, Verdict};

/// The events of a run by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) started: Option<Started>,
    steps: Vec<Step>,
    health: Vec<Health>,
    probes: Vec<Probe>,
    pretext: Option<Pretext>,
    pub(super) warnings: Vec<String>,
}

impl History {
    pub(super) fn of(events: Vec<Event>) -> Self {
        let mut history = Self::default();
        for event in events {
            match event {
                Event::Started(started) => history.started = Some(started),
                Event::Step(step) => history.steps.push(step),
                Event::Health(health) => history.health.push(health),
                Event::Probe(probe) => history.probes.push(probe),
                Event::Pretext(pretext) => history.pretext = Some(pretext),
                Event::Warning { message } => history.warnings.push(message),
                Event::Epoch(_) | Event::Exam(_) | Event::Saved { .. } | Event::Done(_) => {}
            }
        }
        history
    }

    /// Loss, the method's own metric, learning rate, and probes while training.
    pub(super) fn training(&self, info: &Info) -> Vec<Chart> {
        let mut charts = Vec::new();
        if self.steps.is_empty() {
            return charts;
        }
        charts.push(self.noisy("Loss", |step| Some(step.loss)));
        if self.steps.iter().any(|step| step.metric.is_some()) {
            let mut chart = self.noisy(&format::title(info.metric.name), |step| step.metric);
            chart.percent = info.metric.unit == Unit::Share;
            let chance = self.pretext.as_ref().map_or(info.metric.chance, |pretext| pretext.chance);
            chart.levels.extend(chance.map(|chance| (info.metric.baseline.to_string(), "pixels", chance)));
            charts.push(chart);
        }
        let rate = self.points(|step| Some(step.learning_rate));
        charts.push(single("Learning rate", "", "trained", rate));
        charts.extend(["linear", "knn"].iter().filter_map(|kind| self.probed(kind)));
        charts
    }

    /// The run's health over time.
    pub(super) fn health(&self) -> Vec<Chart> {
        let of = |value: fn(&Embedding) -> Option<f64>| -> Vec<(f64, f64)> {
            let seen = self.health.iter().filter_map(|health| Some((health.step, value(health.embedding.as_ref()?)?)));
            seen.map(|(step, value)| (step as f64, value)).collect()
        };
        let mut spread = single("Spread of unit rows", "spread", "trained", of(|seen| Some(seen.spread)));
        spread.levels = vec![("even directions".into(), "untrained", 1.0), ("all images alike".into(), "pixels", 0.0)];
        let mut rank = single("Directions in use", "of the images", "trained", of(|seen| Some(seen.centred_rank)));
        let whole = of(|seen| Some(seen.rank));
        rank.lines.push(Line { name: "with their mean (RankMe)".into(), class: "untrained", points: whole });
        let lidar = single("Directions that tell images apart (LiDAR)", "", "trained", of(|seen| seen.lidar));
        let mut sphere =
            single("Alignment and uniformity", "views of an image apart", "trained", of(|seen| seen.alignment));
        let even = of(|seen| Some(seen.uniformity));
        sphere.lines.push(Line { name: "unevenness of images".into(), class: "untrained", points: even });
        let decay = single("Decay of the spectrum (alpha-ReQ)", "", "trained", of(|seen| seen.decay));
        let over = |value: fn(&Health) -> Option<f64>| -> Vec<(f64, f64)> {
            self.health.iter().filter_map(|health| Some((health.step as f64, value(health)?))).collect()
        };
        let gradient = single("Norm of the gradient", "", "trained", over(|seen| Some(seen.gradient)));
        let lag = single("Distance of the momentum encoder", "of the weights’ norm", "trained", over(|seen| seen.lag));
        let waiting = over(|seen| Some(seen.waiting));
        let waiting = Chart { percent: true, ..single("Time spent waiting for images", "", "trained", waiting) };
        let charts = vec![spread, rank, lidar, sphere, decay, gradient, lag, waiting];
        charts.into_iter().filter(|chart| chart.lines.iter().any(|line| !line.points.is_empty())).collect()
    }

    /// The run's health in words.
    pub(super) fn health_words(&self) -> String {
        let Some(last) = self.health.last() else {
            return "The run was too short to measure its health.".into();
        };
        let unhealthy = self.health.iter().filter(|health| health.verdict != Verdict::Healthy).count();
        let verdict = match (unhealthy, last.verdict) {
            (0, _) => "Healthy at every measurement.".to_string(),
            (_, Verdict::Healthy) => {
                format!("Healthy at the end, after {} that were not.", format::count(unhealthy, "measurement"))
            }
            (_, Verdict::NoVariety) => "No variety: all images look the same to the network.".to_string(),
            (_, Verdict::Collapsing) => "Collapsing: all images get nearly the same embedding.".to_string(),
            (_, Verdict::DimensionalCollapse) => "Collapsing: images differ in ever fewer directions.".to_string(),
            (_, Verdict::Stalled) => "Stalled: the loss is where it began.".to_string(),
        };
        let Some(seen) = &last.embedding else {
            return format!("{verdict} This method’s loss compares no embeddings, so none can collapse.");
        };
        format!(
            "{verdict} At the end the spread is {:.2} (1 where directions are even, 0 where all images get the same embedding) and \
             the {} images measured differ in {:.1} of at most {} directions. No labels are needed for that.",
            seen.spread,
            seen.rows,
            seen.centred_rank,
            seen.directions()
        )
    }

    /// The method's own metric on held-out images.
    pub(super) fn pretext_words(&self) -> Option<String> {
        self.pretext.as_ref().map(crate::cli::output::progress::pretext_words)
    }

    fn points(&self, value: impl Fn(&Step) -> Option<f64>) -> Vec<(f64, f64)> {
        self.steps.iter().filter_map(|step| Some((step.step as f64, value(step)?))).collect()
    }

    /// A value at every step with its running mean.
    fn noisy(&self, title: &str, value: impl Fn(&Step) -> Option<f64>) -> Chart {
        let points = self.points(value);
        let mean = smoothed(&points);
        let line = |name: &str, class, points| Line { name: name.into(), class, points };
        let lines = vec![line("each step", "faint", points), line("running mean", "trained", mean)];
        Chart { title: title.into(), lines, ..Chart::default() }
    }

    /// The best layer at every round of probes, where there were several.
    fn probed(&self, kind: &str) -> Option<Chart> {
        let best = |source| {
            let accuracy = |probe: &Probe| Some(ProbeRow::best(&probe.rows, source, kind)?.accuracy);
            self.probes.iter().filter_map(|probe| Some((probe.step as f64, accuracy(probe)?))).collect::<Vec<_>>()
        };
        let [trained, untrained] = [Source::Trained, Source::Untrained].map(best);
        let control = untrained.last()?.1;
        let title = format!("{} while training", if kind == "knn" { "kNN" } else { "Linear probe" });
        let chart = Chart { percent: true, ..single(&title, "best layer", "trained", trained) };
        let levels = vec![("before training".to_string(), "untrained", control)];
        (self.probes.len() > 1).then_some(Chart { levels, ..chart })
    }
}

fn single(title: &str, name: &str, class: &'static str, points: Vec<(f64, f64)>) -> Chart {
    let lines = vec![Line { name: name.into(), class, points }];
    Chart { title: title.into(), x: Across::default(), lines, ..Chart::default() }
}
