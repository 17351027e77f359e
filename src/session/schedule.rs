//! The intervals at which a run's loss is read back, its health measured and its features probed. None of them changes the
//! result.

use super::work::Next;
use crate::probe::ProbeSettings;

/// Measurements beside training.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Steps between two reads of the loss: 1 on the CPU; more on a GPU, where a read stalls the pipeline.
    pub read_every: usize,
    /// Steps between two measurements of the run's health, beside the one after the first step; 0 means never.
    pub health_every: usize,
    /// Test images for the method's own metric after the last step; 0 means all.
    pub held_out: usize,
    /// Probes while training, if any.
    pub probe: Option<ProbePace>,
}

impl Pace {
    /// True if health is measured after step `step` (from 1): at the intervals of the pace, and after the first step, with which
    /// later ones are compared.
    pub(super) fn measures_health_after(&self, step: usize) -> bool {
        self.health_every > 0 && (step == 1 || step.is_multiple_of(self.health_every))
    }

    /// The unit of work after step `step` (from 1) of `total`.
    pub(super) fn work_after(&self, step: usize, total: usize) -> Next {
        match &self.probe {
            Some(_) if step >= total => Next::Probe,
            None if step >= total => Next::HeldOut,
            Some(probe) if step.is_multiple_of(probe.every.max(1)) => Next::Probe,
            _ => Next::Train,
        }
    }
}

/// Probes while training.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePace {
    /// Steps between two rounds. Further rounds come before the first step and after the last.
    pub every: usize,
    /// Probes, layers and images.
    pub settings: ProbeSettings,
    /// Training and test images that are drawn from: the first of each split. Fewer than all where images arrive while the run
    /// goes on, so that the first probe need not wait for the last of them.
    pub among: [usize; 2],
}
