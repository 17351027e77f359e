//! How often the engine looks at a run, by what it runs on.

use super::protocol::ReadbackPace;
use crate::device::Kind;
use crate::probe::ProbeSettings;
use crate::session::schedule::{Pace, ProbePace};

/// The pace for a run on such a device. A read stalls a GPU, and probing shall take no more than about a fifth of the time.
pub(super) fn of(kind: Kind, looks: ReadbackPace) -> Pace {
    let (read_every, held_out, probe_every) = match kind {
        Kind::Cpu => (1, 500, 150),
        Kind::Gpu => (10, 2000, 300),
        // each step takes seconds, and the visitor wants to see each
        Kind::SoftwareGpu => (1, 250, 0),
    };
    let every = looks.probe_every.unwrap_or(probe_every);
    let settings =
        ProbeSettings { train_images: 1000, test_images: 500, penalties: vec![1e-1], ..ProbeSettings::default() };
    Pace {
        read_every: looks.read_every.unwrap_or(read_every),
        health_every: 25,
        held_out,
        probe: (every > 0).then_some(ProbePace { every, settings }),
    }
}
