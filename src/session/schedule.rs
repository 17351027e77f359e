//! How often a run looks at itself. None of it changes what the run computes.

use crate::probe::ProbeSettings;

/// What a session does beside training.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Read the loss back every so many steps: 1 on the CPU; more on a GPU, where a read stalls the pipeline.
    pub read_every: usize,
    /// Look at the run's health after the first step and every so many; 0 means never.
    pub health_every: usize,
    /// Test images for the pretext task after the last step; 0 means all.
    pub held_out: usize,
    /// Probe the features while training.
    pub probe: Option<ProbePace>,
}

/// When and how to probe while training.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePace {
    /// Steps between two probes; there is one before the first step and one after the last too.
    pub every: usize,
    /// What is measured.
    pub settings: ProbeSettings,
}
