//! How often a run looks at itself. None of it changes what the run computes.

/// What a session does beside training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Read the loss back every so many steps: 1 on the CPU; more on a GPU, where a read stalls the pipeline.
    pub read_every: usize,
    /// Probe the features while training.
    pub probe: Option<ProbePace>,
}

/// When and on how much to probe while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbePace {
    /// Steps between two probes; there is one before the first step and one after the last too.
    pub every: usize,
    /// Labelled training images (the first of the split).
    pub train_images: usize,
    /// Test images (the first of the split).
    pub test_images: usize,
}
