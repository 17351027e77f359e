//! A run as the page knows it: everything its events have said so far, ready to be drawn.

use std::collections::VecDeque;

use super::curve::{Curve, Smooth};
use crate::session::event::{Done, Event, Health, Pretext, Probe, Started, Step};
use crate::session::event_log::Past;

/// Step events from which the time left is told.
const PACE_OVER: usize = 40;

/// What the page knows of a run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The plan, once the run is set up.
    pub plan: Option<Started>,
    /// The latest step that said something.
    pub step: Option<Step>,
    /// The loss of each step.
    pub loss: Curve,
    /// The same, smoothed.
    pub loss_mean: Curve,
    /// The method's measure of each step.
    pub metric: Curve,
    /// The same, smoothed.
    pub metric_mean: Curve,
    /// How far the network's answers spread.
    pub spread: Curve,
    /// The share of the directions there could be that they differ in.
    pub directions: Curve,
    /// The latest look at the run's health.
    pub health: Option<Health>,
    /// The rounds of probes.
    pub probes: Vec<Probe>,
    /// The task on held-out images.
    pub pretext: Option<Pretext>,
    /// What the run warned of.
    pub warnings: Vec<String>,
    /// How it ended.
    pub done: Option<Done>,
    smooth: [Smooth; 2],
    pace: VecDeque<(usize, f64)>,
    log: Past,
}

impl Record {
    /// Takes in what the run said.
    pub fn hear(&mut self, event: Event) {
        self.log.hear(event.clone());
        match event {
            Event::Started(plan) => {
                self.pace.clear();
                self.plan = Some(plan);
            }
            Event::Step(step) => self.advance(step),
            Event::Probe(probe) => self.probes.push(probe),
            Event::Health(health) => {
                if let Some(embedding) = &health.embedding {
                    let step = health.step as f64;
                    self.spread.push(step, embedding.spread);
                    self.directions.push(step, embedding.centred_rank / embedding.directions() as f64);
                }
                self.health = Some(health);
            }
            Event::Pretext(pretext) => self.pretext = Some(pretext),
            Event::Warning { message } => self.warnings.push(message),
            Event::Done(done) => self.done = Some(done),
            Event::Epoch(_) | Event::Saved { .. } => {}
        }
    }

    /// Every event in order, the older steps thinned out in very long runs.
    pub fn log(&self) -> &[Event] {
        self.log.events()
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        let resumed = self.plan.as_ref().map_or(0, |plan| plan.resumed_at);
        self.step.as_ref().map_or(resumed, |step| step.step)
    }

    /// Seconds of training still to come, at the latest steps' pace.
    pub fn seconds_left(&self) -> Option<f64> {
        let (first, last) = (self.pace.front()?, self.pace.back()?);
        let steps = last.0.checked_sub(first.0).filter(|steps| *steps > 0)?;
        let left = self.plan.as_ref()?.total_steps.saturating_sub(last.0);
        Some((last.1 - first.1) / steps as f64 * left as f64)
    }

    /// The share of the planned steps that is taken.
    pub fn progress(&self) -> f64 {
        self.plan.as_ref().map_or(0.0, |plan| self.steps() as f64 / plan.total_steps.max(1) as f64)
    }

    fn advance(&mut self, step: Step) {
        let at = step.step as f64;
        self.loss.push(at, step.loss);
        self.loss_mean.push(at, self.smooth[0].next(step.loss));
        if let Some(metric) = step.metric {
            self.metric.push(at, metric);
            self.metric_mean.push(at, self.smooth[1].next(metric));
        }
        self.pace.push_back((step.step, step.elapsed_seconds));
        if self.pace.len() > PACE_OVER {
            self.pace.pop_front();
        }
        self.step = Some(step);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{Preset, RunConfig};
    use crate::net::EncoderConfig;
    use crate::optim::{OptimizerConfig, Schedule};

    /// A configuration that could be any method's.
    pub fn config() -> RunConfig {
        RunConfig {
            method: "some".into(),
            preset: Preset::Small,
            data: "fashion-mnist".into(),
            images: 0,
            seed: 1,
            batch: 64,
            micro_batches: 1,
            epochs: 5,
            steps: 0,
            encoder: EncoderConfig::small(32),
            optimizer: OptimizerConfig::nesterov(0.05, 5e-4),
            schedule: Schedule::Constant,
            options: [("flip".to_string(), false.into())].into_iter().collect(),
        }
    }

    pub fn plan(total_steps: usize, resumed_at: usize) -> Event {
        let device = "CPU".into();
        Event::Started(Started {
            config: config(),
            device,
            images: 640,
            steps_per_epoch: 10,
            total_steps,
            resumed_at,
            parameters: 7,
        })
    }

    pub fn step(step: usize, loss: f64, metric: Option<f64>) -> Event {
        let (epoch, elapsed_seconds) = (step as f64 / 10.0, step as f64 * 0.5);
        Event::Step(Step { step, epoch, loss, metric, learning_rate: 0.1, images_per_second: 128.0, elapsed_seconds })
    }

    #[test]
    fn the_time_left_follows_the_pace() {
        let mut record = Record::default();
        record.hear(plan(100, 0));
        assert_eq!((record.steps(), record.seconds_left()), (0, None));
        (1..=20).for_each(|at| record.hear(step(at, 1.0, None)));
        assert_eq!(record.seconds_left(), Some(40.0));
        assert_eq!(record.progress(), 0.2);
    }

    #[test]
    fn a_run_that_goes_on_has_its_steps_and_a_pace_of_its_own() {
        let mut record = Record::default();
        record.hear(plan(100, 0));
        (1..=20).for_each(|at| record.hear(step(at, 1.0 / at as f64, Some(0.5))));
        record.hear(plan(100, 20));
        assert_eq!((record.steps(), record.seconds_left()), (20, None));
        record.hear(step(21, 0.3, Some(0.5)));
        assert_eq!((record.loss.points().len(), record.metric.last()), (21, Some((21.0, 0.5))));
        assert_eq!(record.log().len(), 23);
    }
}
