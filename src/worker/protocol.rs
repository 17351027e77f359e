//! The messages between the page and the engine in its worker. Both sides are this crate, so the types are the contract.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::device::{DeviceChoice, Readout};
use crate::session::event::Event;
use crate::session::picture::Picture;

/// From the page to the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Choose and test a device, and begin to load the data. Answered by [`Reply::Device`].
    Prepare {
        /// What the visitor asked for.
        device: DeviceChoice,
    },
    /// Set up a run and train, or take one step and pause when `paused`.
    Start {
        /// The whole configuration.
        config: Box<RunConfig>,
        /// Set up and stay paused; [`Command::Step`] and [`Command::Resume`] go on.
        paused: bool,
    },
    /// Stop after the current step; the run is kept.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Take one step and pause.
    Step,
    /// Drop the run.
    Reset,
    /// Go on with the last saved state of a run whose device was lost, on this worker's device.
    Restore {
        /// The bytes of [`Reply::Saved`].
        #[serde(with = "serde_bytes")]
        checkpoint: Vec<u8>,
    },
}

/// From the worker to the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The engine runs and listens.
    Awake,
    /// The device is chosen and tested.
    Device(Readout),
    /// Progress of the data's download.
    Loading {
        /// What is being fetched, for a person.
        what: String,
        /// Training images that can be used already.
        images: usize,
        /// Training images there will be.
        total: usize,
    },
    /// The first images are there: a run can start.
    Ready,
    /// The run said something.
    Event(Box<Event>),
    /// The latest batch, drawn.
    Picture(Picture),
    /// Whether steps are being taken.
    Running(bool),
    /// A copy of the run, kept by the page in case the device is lost.
    Saved {
        /// Steps taken.
        step: usize,
        /// A checkpoint as [`crate::session::checkpoint`] writes it.
        #[serde(with = "serde_bytes")]
        checkpoint: Vec<u8>,
    },
    /// Something failed; the sentence says what to do.
    Failed {
        /// The sentence.
        message: String,
        /// The device is gone: the run can go on elsewhere from the last [`Reply::Saved`].
        device_lost: bool,
    },
}
