//! A run as the page knows it: the sum of its events, ready to be drawn.

use std::collections::VecDeque;

use super::curve::{Curve, Smooth};
use crate::session::event::{Done, Event, Exam, Health, Pretext, Probe, Started, Step};
use crate::session::event_log::EventLog;

/// Step events that the remaining time is estimated from.
const PACE_OVER: usize = 40;

/// A run, summed up from its events.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    /// The start event, once the run is set up.
    pub plan: Option<Started>,
    /// The latest step whose loss was read back.
    pub step: Option<Step>,
    /// Loss of each step.
    pub loss: Curve,
    /// Smoothed loss.
    pub loss_mean: Curve,
    /// The method's own measure of each step.
    pub metric: Curve,
    /// Smoothed measure.
    pub metric_mean: Curve,
    /// Spread of the embeddings; see [`Embedding::spread`](crate::session::event::Embedding::spread).
    pub spread: Curve,
    /// Effective rank of the centred embeddings as a share of the largest possible.
    pub directions: Curve,
    /// The latest health check.
    pub health: Option<Health>,
    /// All rounds of probes.
    pub probes: Vec<Probe>,
    /// The latest examination.
    pub exam: Option<Exam>,
    /// The pretext task on held-out images.
    pub pretext: Option<Pretext>,
    /// Warnings of the run.
    pub warnings: Vec<String>,
    /// The end event.
    pub done: Option<Done>,
    smooth: [Smooth; 2],
    pace: VecDeque<(usize, f64)>,
    log: EventLog,
}

impl RunState {
    /// Applies an event of the run.
    pub fn apply(&mut self, event: Event) {
        self.log.hear(event.clone());
        match event {
            Event::Started(plan) => {
                self.pace.clear();
                self.plan = Some(plan);
            }
            Event::Step(step) => self.apply_step(step),
            Event::Probe(probe) => self.probes.push(probe),
            Event::Health(health) => {
                if let Some(embedding) = &health.embedding {
                    let step = health.step as f64;
                    self.spread.push(step, embedding.spread);
                    self.directions.push(step, embedding.centred_rank / embedding.directions() as f64);
                }
                self.health = Some(health);
            }
            Event::Exam(exam) => self.exam = Some(exam),
            Event::Pretext(pretext) => self.pretext = Some(pretext),
            Event::Warning { message } => self.warnings.push(message),
            Event::Done(done) => self.done = Some(done),
            Event::Epoch(_) | Event::Saved { .. } => {}
        }
    }

    /// All events in order; in very long runs older steps are thinned out.
    pub fn log(&self) -> &[Event] {
        self.log.events()
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        let resumed = self.plan.as_ref().map_or(0, |plan| plan.resumed_at);
        self.step.as_ref().map_or(resumed, |step| step.step)
    }

    /// Estimated seconds of training left, from the pace of the latest steps.
    pub fn seconds_left(&self) -> Option<f64> {
        let first = self.pace.front()?;
        let last = self.pace.back()?;
        let steps = last.0.checked_sub(first.0).filter(|steps| *steps > 0)?;
        let left = self.plan.as_ref()?.total_steps.saturating_sub(last.0);
        Some((last.1 - first.1) / steps as f64 * left as f64)
    }

    /// Share of the planned steps that is taken, 0 to 1.
    pub fn progress(&self) -> f64 {
        self.plan.as_ref().map_or(0.0, |plan| self.steps() as f64 / plan.total_steps.max(1) as f64)
    }

    fn apply_step(&mut self, step: Step) {
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
            draw_images: true,
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
        Event::Step(Step {
            step,
            epoch: step as f64 / 10.0,
            loss,
            metric,
            images_per_second: 128.0,
            elapsed_seconds: step as f64 * 0.5,
            ..Step::default()
        })
    }

    #[test]
    fn the_time_left_follows_the_pace() {
        let mut run = RunState::default();
        run.apply(plan(100, 0));
        assert_eq!((run.steps(), run.seconds_left()), (0, None));
        (1..=20).for_each(|at| run.apply(step(at, 1.0, None)));
        assert_eq!(run.seconds_left(), Some(40.0));
        assert_eq!(run.progress(), 0.2);
    }

    #[test]
    fn a_run_that_goes_on_has_its_steps_and_a_pace_of_its_own() {
        let mut run = RunState::default();
        run.apply(plan(100, 0));
        (1..=20).for_each(|at| run.apply(step(at, 1.0 / at as f64, Some(0.5))));
        run.apply(plan(100, 20));
        assert_eq!((run.steps(), run.seconds_left()), (20, None));
        run.apply(step(21, 0.3, Some(0.5)));
        assert_eq!((run.loss.points().len(), run.metric.last()), (21, Some((21.0, 0.5))));
        assert_eq!(run.log().len(), 23);
    }
}
