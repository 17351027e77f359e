//! The events of a run as charts.

use super::chart::{Across, Chart, Line, smoothed};
use super::{escape, section};
use crate::format;
use crate::method::{Info, Unit};
use crate::session::event::{Embedding, Event, Exam, Health, Pretext, Probe, ProbeRow, Source, Started, Step, Verdict};

/// The events of a run by kind.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The start event.
    pub started: Option<Started>,
    steps: Vec<Step>,
    health: Vec<Health>,
    probes: Vec<Probe>,
    exam: Option<Exam>,
    pretext: Option<Pretext>,
    /// Warnings of the run.
    pub warnings: Vec<String>,
}

impl History {
    /// Sorts the events of a run.
    pub fn of(events: Vec<Event>) -> Self {
        let mut history = Self::default();
        for event in events {
            match event {
                Event::Started(started) => history.started = Some(started),
                Event::Step(step) => history.steps.push(step),
                Event::Health(health) => history.health.push(health),
                Event::Probe(probe) => history.probes.push(probe),
                Event::Pretext(pretext) => history.pretext = Some(pretext),
                Event::Warning { message } => history.warnings.push(message),
                Event::Exam(exam) => history.exam = Some(exam),
                Event::Epoch(_) | Event::Saved { .. } | Event::Done(_) => {}
            }
        }
        history
    }

    /// The examination, or else the last round of probes.
    pub fn last_probe(&self) -> Option<&Probe> {
        self.exam.as_ref().map(|exam| &exam.probe).or(self.probes.last())
    }

    /// Steps taken.
    pub fn last_step(&self) -> usize {
        let resumed = self.started.as_ref().map_or(0, |started| started.resumed_at);
        self.steps.last().map_or(resumed, |step| step.step)
    }

    /// Seconds of training.
    pub fn elapsed_seconds(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.elapsed_seconds)
    }

    /// Loss, the method's own metric, learning rate, and probes while training.
    fn training(&self, info: &Info) -> Vec<Chart> {
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
    fn health(&self) -> Vec<Chart> {
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
    fn health_words(&self) -> String {
        let Some(last) = self.health.last() else {
            return "The run was too short to measure its health.".into();
        };
        let unhealthy = self.health.iter().filter(|health| health.verdict != Verdict::Healthy).count();
        let verdict = match (unhealthy, last.verdict) {
            (0, _) => "Healthy at every measurement.".to_string(),
            (_, Verdict::Healthy) => {
                format!("Healthy at the end, after {} that were not.", format::count(unhealthy, "measurement"))
            }
            (_, verdict) => format!("{}.", format::title(verdict.words())),
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
    fn pretext_words(&self) -> Option<String> {
        self.pretext.as_ref().map(pretext_words)
    }

    /// The section on training: charts, the metric on held-out images, warnings.
    pub fn training_section(&self, info: &Info) -> String {
        let charts: String = self.training(info).iter().map(Chart::html).collect();
        let held_out = self.pretext_words().map(|words| format::title(&words));
        let held_out = held_out.map_or(String::new(), |words| format!("<p>{}.</p>", escape(&words)));
        let warnings: String =
            self.warnings.iter().map(|warning| format!("<p>Warning: {}</p>", escape(warning))).collect();
        section("How training went", &format!("{held_out}{warnings}<div class=\"charts\">{charts}</div>"))
    }

    /// The section on the run's health.
    pub fn health_section(&self) -> String {
        let charts: String = self.health().iter().map(Chart::html).collect();
        let words = escape(&self.health_words());
        section("Health", &format!("<p>{words}</p><div class=\"charts\">{charts}</div>"))
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

/// The method's own metric on held-out images, with the value of guessing.
pub fn pretext_words(pretext: &Pretext) -> String {
    let Pretext { images, name, value, chance, unit, .. } = pretext;
    let chance = chance.map(|chance| format!(" (guessing gives {})", format::measured(*unit, chance)));
    let images = format::count(*images, "test image");
    format!("{name} on {images}: {}{}", format::measured(*unit, *value), chance.unwrap_or_default())
}

fn single(title: &str, name: &str, class: &'static str, points: Vec<(f64, f64)>) -> Chart {
    let lines = vec![Line { name: name.into(), class, points }];
    Chart { title: title.into(), x: Across::default(), lines, ..Chart::default() }
}
