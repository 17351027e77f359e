//! Runs kept in the browser's storage, as the page lists them.

use serde::{Deserialize, Serialize};

use crate::session::event::{Event, ProbeRow, Source, Started};

/// Latest step events that the loss of a run is averaged over.
const LOSS_OVER: usize = 20;

/// Identity of a run among those of this browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTag {
    /// Time of its start in milliseconds since 1970, which orders runs and which no two runs share.
    pub id: u64,
    /// Number for people, counted from 1.
    pub number: usize,
    /// Name given by the visitor; empty if there is none.
    pub name: String,
}

impl RunTag {
    /// The name, or `Run` and the number.
    pub fn title(&self) -> String {
        if self.name.is_empty() { format!("Run {}", self.number) } else { self.name.clone() }
    }
}

/// Summary of a run kept in the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRun {
    /// Its identity.
    pub tag: RunTag,
    /// Configuration, device and length.
    pub started: Started,
    /// Steps taken.
    pub step: usize,
    /// Mean loss of the latest steps.
    pub loss: Option<f64>,
    /// Accuracy of the linear probe at its best layer, of the latest round.
    pub linear: Option<f64>,
    /// Time of saving, in milliseconds since 1970.
    pub saved: f64,
    /// True if a checkpoint is kept, so that the run can be continued.
    pub has_checkpoint: bool,
}

impl KeptRun {
    /// The summary of a run with these events. None before its start.
    pub fn of(tag: RunTag, events: &[Event], saved: f64, has_checkpoint: bool) -> Option<Self> {
        let latest = || events.iter().rev();
        let started = latest().find_map(|event| match event {
            Event::Started(started) => Some(started.clone()),
            _ => None,
        })?;
        let steps = latest().filter_map(|event| match event {
            Event::Step(step) => Some(step),
            _ => None,
        });
        let losses: Vec<f64> = steps.clone().take(LOSS_OVER).map(|step| step.loss).collect();
        let linear = latest().find_map(|event| match event {
            Event::Probe(probe) => Some(ProbeRow::best(&probe.rows, Source::Trained, "linear")?.accuracy),
            _ => None,
        });
        let step = steps.clone().next().map_or(started.resumed_at, |step| step.step.max(started.resumed_at));
        let loss = (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64);
        Some(Self { tag, started, step, loss, linear, saved, has_checkpoint })
    }

    /// True if no step is left.
    pub fn is_finished(&self) -> bool {
        self.step >= self.started.total_steps
    }
}
