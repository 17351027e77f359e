//! What a run said of itself while it went, as charts.

use super::chart::{Across, Chart, Line, smoothed};
use crate::cli::words;
use crate::method::{Info, Unit};
use crate::session::event::{Event, Health, Pretext, Probe, Source, Started, Step, Verdict};

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
                Event::Epoch(_) | Event::Saved { .. } | Event::Done(_) => {}
            }
        }
        history
    }

    /// Loss, the method's measure, the learning rate, probes under way.
    pub(super) fn training(&self, info: &Info) -> Vec<Chart> {
        let mut charts = Vec::new();
        if self.steps.is_empty() {
            return charts;
        }
        charts.push(self.noisy("Loss", |step| Some(step.loss)));
        if self.steps.iter().any(|step| step.metric.is_some()) {
            let mut chart = self.noisy(&capital(info.metric.name), |step| step.metric);
            chart.percent = info.metric.unit == Unit::Share;
            let chance = self.pretext.as_ref().map_or(info.metric.chance, |pretext| pretext.chance);
            chart.levels.extend(chance.map(|chance| ("guessing".to_string(), "pixels", chance)));
            charts.push(chart);
        }
        let rate = self.points(|step| Some(step.learning_rate));
        charts.push(single("Learning rate", "", "trained", rate));
        charts.extend(["linear", "knn"].iter().filter_map(|kind| self.probed(kind)));
        charts
    }

    /// The two figures of health.
    pub(super) fn health(&self) -> Vec<Chart> {
        let points = |value: fn(&Health) -> f64| {
            self.health.iter().map(|health| (health.step as f64, value(health))).collect::<Vec<_>>()
        };
        if self.health.is_empty() {
            return Vec::new();
        }
        let mut spread = single("Spread of unit rows", "spread", "trained", points(|health| health.spread));
        spread.levels = vec![("even directions".into(), "untrained", 1.0), ("all images alike".into(), "pixels", 0.0)];
        let rank = single("Effective rank", "", "trained", points(|health| health.rank));
        vec![spread, rank]
    }

    /// What the figures of health come to.
    pub(super) fn health_words(&self) -> String {
        let Some(last) = self.health.last() else {
            return "What this method’s loss compares are no embeddings, or the run was too short for a look: there is no \
                    collapse to watch for."
                .into();
        };
        let falls = self.health.iter().filter(|health| health.verdict == Verdict::Collapsing).count();
        let verdict = match (falls, last.verdict) {
            (0, _) => "Healthy at every look.".to_string(),
            (_, Verdict::Healthy) => {
                format!("Healthy at the end, after {} with signs of collapse.", words::count(falls, "look"))
            }
            (_, Verdict::Collapsing) => "Collapsing: nearly all images get the same answer.".to_string(),
        };
        format!(
            "{verdict} At the end the spread is {:.2} (1 where directions are even, 0 where all images get the same answer) and \
             {:.1} of at most {} directions are in use (RankMe on {} images, no labels needed).",
            last.spread,
            last.rank,
            last.rows.min(last.width),
            last.rows
        )
    }

    /// The task on held-out images.
    pub(super) fn pretext_words(&self) -> Option<String> {
        self.pretext.as_ref().map(crate::cli::progress::pretext_words)
    }

    fn points(&self, value: impl Fn(&Step) -> Option<f64>) -> Vec<(f64, f64)> {
        self.steps.iter().filter_map(|step| Some((step.step as f64, value(step)?))).collect()
    }

    /// A value of every step with its running mean.
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
            let accuracy = |probe: &Probe| Some(crate::cli::progress::best_of(&probe.rows, source, kind)?.accuracy);
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

/// The first letter made large.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
