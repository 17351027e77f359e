//! Intervals of readback, health checks and probes, by device.

use super::protocol::ReadbackPace;
use crate::device::Kind;
use crate::probe::ProbeSettings;
use crate::session::SHARD;
use crate::session::schedule::{ExamPace, Pace, ProbePace};

/// L2 penalties of the linear probe. Two of them, so that a probe sets images aside for validation: the best layer must not be
/// chosen by test accuracy.
const PENALTIES: [f64; 2] = [1e-1, 1e-2];
/// Images that are there when a run begins: the page's data sets are in random order, so that they stand for all.
const FIRST: [usize; 2] = [SHARD, 1000];

/// Defaults of a device.
struct Defaults {
    read_every: usize,
    probe_every: usize,
    held_out: usize,
}

/// The pace of a run on a device of this kind: `asked`, completed by defaults. Readback stalls a GPU, so it is rarer there;
/// probes take about a fifth of the time.
pub(super) fn of(kind: Kind, asked: ReadbackPace) -> Pace {
    let defaults = match kind {
        Kind::Cpu => Defaults { read_every: 1, probe_every: 150, held_out: 500 },
        Kind::Gpu => Defaults { read_every: 10, probe_every: 300, held_out: 2000 },
        // a step takes seconds, so each one is shown
        Kind::SoftwareGpu => Defaults { read_every: 1, probe_every: 0, held_out: 250 },
    };
    let every = asked.probe_every.unwrap_or(defaults.probe_every);
    let settings = ProbeSettings {
        train_images: 1000,
        test_images: 500,
        penalties: PENALTIES.to_vec(),
        ..ProbeSettings::default()
    };
    Pace {
        read_every: asked.read_every.unwrap_or(defaults.read_every),
        health_every: 25,
        held_out: defaults.held_out,
        probe: (every > 0).then_some(ProbePace { every, settings, among: FIRST }),
        // a run without probes ends without the examination, which can still be asked for
        exam: Some(ExamPace { at_end: every > 0, ..ExamPace::default() }),
    }
}
