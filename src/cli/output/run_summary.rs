//! Summary of a run: the result that `train` prints.

use crate::format;
use crate::report::history::pretext_words;
use crate::session::event::{Done, Epoch, Event, Pretext, Probe, Started};

/// The latest of each kind of event.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    started: Option<Started>,
    epoch: Option<Epoch>,
    loss: Option<f64>,
    pretext: Option<Pretext>,
    done: Option<Done>,
    /// The round of probes after the last step.
    pub(crate) probe: Option<Probe>,
}

impl Summary {
    pub(crate) fn hear(&mut self, event: &Event) {
        match event.clone() {
            Event::Started(started) => *self = Self { started: Some(started), ..Self::default() },
            Event::Epoch(epoch) => self.epoch = Some(epoch),
            Event::Step(step) => self.loss = Some(step.loss),
            Event::Pretext(pretext) => self.pretext = Some(pretext),
            Event::Done(done) => self.done = Some(done),
            Event::Probe(probe) => self.probe = self.is_finished().then_some(probe),
            Event::Exam(_) | Event::Health(_) | Event::Warning { .. } | Event::Saved { .. } => {}
        }
    }

    /// True if all planned steps were taken.
    pub(crate) fn is_finished(&self) -> bool {
        self.done.as_ref().is_some_and(|done| done.finished)
    }

    /// The summary in a few lines.
    pub(crate) fn words(&self) -> String {
        let (Some(started), Some(done)) = (&self.started, &self.done) else { return String::new() };
        let config = &started.config;
        let mut lines = vec![format!(
            "{} on {}, seed {}: {} in {} on {}",
            config.method,
            config.data,
            config.seed,
            format::count(done.step, "step"),
            format::duration(done.elapsed_seconds),
            started.device,
        )];
        match (&self.epoch, self.loss) {
            (Some(epoch), _) => lines.push(format!("mean loss of epoch {}: {:.4}", epoch.epoch, epoch.loss)),
            (None, Some(loss)) => lines.push(format!("loss of the last step: {loss:.4}")),
            (None, None) => {}
        }
        lines.extend(self.pretext.as_ref().map(pretext_words));
        lines.join("\n")
    }
}
