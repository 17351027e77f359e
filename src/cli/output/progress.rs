//! Progress of a training: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::device::{Kind, Readout};
use crate::format;
use crate::method::Metric;
use crate::methods::find;
use crate::platform;
use crate::session::event::{Epoch, Event, Probe, ProbeRow, Source, Started, Step};

/// Seconds between two plain lines.
const LINE_EVERY: f64 = 5.0;
/// Smallest weight of the latest step in the smoothed speed, from which the time left is computed.
const LATEST: f64 = 0.05;
/// Shown after the last step.
const MEASURING: &str = "training is done; measuring on test images";

/// Position of a run in a sweep.
#[derive(Clone, Debug)]
pub(crate) struct SweepPosition {
    /// Number of the run; the first is 1.
    pub(crate) number: usize,
    /// Number of runs.
    pub(crate) of: usize,
    /// The command that resumes the sweep.
    pub(crate) again: String,
    /// Estimated seconds for the runs after it, where they can be estimated.
    pub(crate) after: Option<f64>,
}

/// Shows a run's progress.
pub(crate) struct ProgressReporter {
    face: Face,
    sweep: Option<SweepPosition>,
    totals: Option<RunTotals>,
    speed: Speed,
    said: f64,
}

/// Images per second, smoothed.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    heard: usize,
    smooth: f64,
}

impl Speed {
    /// The smoothed speed, once there is one.
    pub(crate) fn images_per_second(&self) -> Option<f64> {
        Some(self.smooth).filter(|speed| *speed > 0.0)
    }

    /// Adds the latest speed. The first has little weight: it includes work that is done once only.
    pub(crate) fn hear(&mut self, latest: f64) -> f64 {
        let weight = (1.0 / self.heard.max(1) as f64).max(LATEST);
        self.smooth += weight * (latest - self.smooth);
        self.heard += 1;
        self.smooth
    }
}

enum Face {
    Quiet,
    Lines,
    Bar(ProgressBar),
}

/// Totals and metric that the numbers of a run refer to.
struct RunTotals {
    metric: Metric,
    total: usize,
    epochs: usize,
    batch: usize,
}

impl ProgressReporter {
    pub(crate) fn new(quiet: bool, sweep: Option<SweepPosition>) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let face = match (quiet, stderr().is_terminal() && !dumb) {
            (true, _) => Face::Quiet,
            (false, false) => Face::Lines,
            (false, true) => Face::Bar(ProgressBar::no_length()),
        };
        Self { face, sweep, totals: None, speed: Speed::default(), said: f64::NEG_INFINITY }
    }

    /// Prints a line, unless quiet.
    pub(crate) fn say(&self, text: &str) {
        match &self.face {
            Face::Quiet => {}
            Face::Lines => print::err(text),
            Face::Bar(bar) => bar.suspend(|| print::err(text)),
        }
    }

    /// Prints a line even when quiet.
    pub(crate) fn warn(&self, text: &str) {
        match &self.face {
            Face::Bar(bar) => bar.suspend(|| print::err(text)),
            Face::Quiet | Face::Lines => print::err(text),
        }
    }

    /// A function that prints a line from another thread, without breaking the bar.
    pub(crate) fn voice(&self) -> impl Fn(&str) + Send + 'static {
        let bar = match &self.face {
            Face::Bar(bar) => Some(bar.clone()),
            Face::Quiet | Face::Lines => None,
        };
        move |text| match &bar {
            Some(bar) => bar.suspend(|| print::err(text)),
            None => print::err(text),
        }
    }

    /// Prints the plan and the device of a training of this process, and starts the bar.
    pub(crate) fn begin(&mut self, started: &Started, device: &Readout) {
        self.plan(started);
        self.say(&format!("device: {}; {}", device.name, device.why));
        if device.kind == Kind::Gpu {
            self.say("the first steps take longer: GPU kernels are compiled and tuned");
        }
        if started.resumed_at > 0 {
            self.say(&format!("resumed after step {}", format::thousands(started.resumed_at)));
        }
        self.open_bar(started, started.resumed_at);
    }

    /// Prints the plan of a training of another process, and starts the bar after step `taken`.
    pub(crate) fn join(&mut self, started: &Started, taken: usize) {
        self.plan(started);
        self.open_bar(started, taken);
    }

    fn plan(&mut self, started: &Started) {
        let config = &started.config;
        let Ok(entry) = find(&config.method) else { return };
        let epochs = started.total_steps.div_ceil(started.steps_per_epoch.max(1));
        self.totals =
            Some(RunTotals { metric: entry.info().metric, total: started.total_steps, epochs, batch: config.batch });
        self.say(&format!(
            "{} on {} ({}): {}, {} an epoch, {} in all; {}",
            entry.info().title,
            config.data,
            config.preset,
            format::count(started.images, "image"),
            format::count(started.steps_per_epoch, "step"),
            format::thousands(started.total_steps),
            format::count(started.parameters, "trainable parameter"),
        ));
    }

    fn open_bar(&self, started: &Started, taken: usize) {
        if let Face::Bar(bar) = &self.face {
            let style = ProgressStyle::with_template("{prefix}{bar:20} {pos}/{len}  {wide_msg}")
                .expect("the template is right");
            bar.set_style(style.progress_chars("━╸─"));
            bar.set_message(if taken < started.total_steps { "starting" } else { MEASURING });
            bar.set_prefix(self.place());
            bar.set_length(started.total_steps as u64);
            bar.set_position(taken as u64);
            bar.enable_steady_tick(Duration::from_millis(250));
        }
    }

    /// Shows an event.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Step(step) => self.step(step),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Probe(probe) => self.say(&probe_words(probe)),
            Event::Warning { message } => self.warn(&format!("warning: {message}")),
            // shown by `begin` and in the result
            Event::Exam(exam) => self.say(&probe_words(&exam.probe)),
            Event::Started(_) | Event::Saved { .. } | Event::Pretext(_) | Event::Health(_) | Event::Done(_) => {}
        }
    }

    /// Clears the bar.
    pub(crate) fn end(&mut self) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
    }

    fn step(&mut self, step: &Step) {
        let speed = self.speed.hear(step.images_per_second);
        let Some(totals) = &self.totals else { return };
        let text = totals.words(step, speed, self.sweep.as_ref().and_then(|position| position.after));
        match &self.face {
            Face::Quiet => {}
            Face::Bar(bar) => {
                bar.set_message(if step.step == totals.total { MEASURING.to_string() } else { text });
                bar.set_position(step.step as u64);
            }
            Face::Lines => {
                let now = platform::now();
                if now - self.said >= LINE_EVERY || step.step == totals.total {
                    self.said = now;
                    print::err(&format!("{}step {}/{}  {text}", self.place(), step.step, totals.total));
                }
                if step.step == totals.total {
                    print::err(MEASURING);
                }
            }
        }
    }

    /// `run 2/4  ` in a sweep, else empty.
    fn place(&self) -> String {
        self.sweep.as_ref().map_or(String::new(), |position| format!("run {}/{}  ", position.number, position.of))
    }

    fn epoch(&mut self, epoch: &Epoch) {
        let Some(totals) = &self.totals else { return };
        let metric = epoch.metric.map(|value| format!("  {}", format::measure(&totals.metric, value)));
        let metric = metric.unwrap_or_default();
        self.say(&format!("epoch {}/{}  mean loss {:.4}{metric}", epoch.epoch, totals.epochs, epoch.loss));
    }
}

impl RunTotals {
    fn words(&self, step: &Step, speed: f64, after: Option<f64>) -> String {
        let metric = step.metric.map(|value| format!("  {}", format::measure(&self.metric, value))).unwrap_or_default();
        let left = seconds_left(self.total, step.step, self.batch, speed);
        let overall = after.map_or(String::new(), |after| format!(", {} overall", format::duration(left + after)));
        let left = format::duration(left);
        let speed = if speed < 10.0 { format!("{speed:.1}") } else { format!("{speed:.0}") };
        // the most important comes first: a narrow terminal cuts off the rest
        format!("{left} left{overall}  loss {:.4}{metric}  {speed} images/s", step.loss)
    }
}

/// Seconds for the steps that are left, at a speed in images per second.
pub(crate) fn seconds_left(total_steps: usize, taken: usize, batch: usize, speed: f64) -> f64 {
    (total_steps.saturating_sub(taken) * batch) as f64 / speed.max(1e-9)
}

/// The best layers of a round of probes, in one line.
fn probe_words(probe: &Probe) -> String {
    let mut text = format!("probe at step {} ({} labelled images)", probe.step, format::thousands(probe.train_images));
    for (kind, title) in [("linear", "linear"), ("knn", "kNN")] {
        let best = |source| ProbeRow::best(&probe.rows, source, kind);
        let (Some(trained), Some(untrained)) = (best(Source::Trained), best(Source::Untrained)) else { continue };
        let own = format::percent(trained.accuracy);
        let control = format::percent(untrained.accuracy);
        text.push_str(&format!("; {title} {own} at {} (untrained {control} at {})", trained.layer, untrained.layer));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_forgets_a_slow_start_and_follows_slowly_after() {
        let mut speed = Speed::default();
        assert_eq!([0.1, 100.0, 200.0, 300.0].map(|latest| speed.hear(latest)), [0.1, 100.0, 150.0, 200.0]);
        for _ in 0..1000 {
            speed.hear(200.0);
        }
        assert!((speed.hear(1200.0) - 250.0).abs() < 1e-6, "a step counts for a twentieth");
    }
}
