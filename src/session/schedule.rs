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
    /// The examination, if there can be one.
    pub exam: Option<ExamPace>,
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
    /// Steps between two rounds. Further rounds measure the encoder before its first step and after the last.
    pub every: usize,
    /// Probes, layers and images.
    pub settings: ProbeSettings,
    /// Training and test images that are drawn from: the first of each split. Fewer than all where images arrive while the run
    /// goes on, so that the first probe need not wait for the last of them.
    pub among: [usize; 2],
}

/// The examination of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamPace {
    /// Probes, layers and images.
    pub settings: ProbeSettings,
    /// True if one follows the last step, and not only on request.
    pub at_end: bool,
}

/// Labelled images, and test images: with 5,000 test images a gain of a point can be told from chance.
const EXAMINED: usize = 5000;
/// L2 penalty of the linear probe: for so many images, validation mostly chooses it out of powers of ten.
const PENALTY: f64 = 1e-2;

impl Default for ExamPace {
    /// On request, up to 5,000 labelled and 5,000 test images. The linear probe alone decides, so that there is one answer;
    /// nearest neighbours among as many images would take as long again. One penalty and one fit a layer keep it short.
    fn default() -> Self {
        let settings = ProbeSettings {
            knn: false,
            train_images: EXAMINED,
            test_images: EXAMINED,
            penalties: vec![PENALTY],
            once: true,
            ..ProbeSettings::default()
        };
        Self { settings, at_end: false }
    }
}
