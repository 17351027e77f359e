//! The messages between the page and the engine in its worker. Both sides are this crate, so the types are the contract.

use serde::{Deserialize, Serialize};

use crate::config::{Preset, RunConfig};
use crate::device::{DeviceChoice, Kind, Readout};
use crate::method::{Needs, Unit};
use crate::session::event::Event;
use crate::session::picture::Picture;

pub use super::run_history::Story;

/// Where the built page keeps the files of data sets, a folder each, relative to the worker's own address.
pub const DATA_FOLDER: &str = "data/";
/// Channels of the encoder's first stage on the CPU path, where something shall happen within seconds.
pub const CPU_WIDTH: usize = 16;

/// A method as the page shows it: the facts of [`crate::method::Info`], and its presets as full configurations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodCard {
    /// The name in links.
    pub id: String,
    /// The name among people.
    pub title: String,
    /// Year of the paper.
    pub year: u16,
    /// Authors and title.
    pub paper: String,
    /// Where the paper is.
    pub url: String,
    /// What the network is asked to do.
    pub task: String,
    /// Why that needs no labels.
    pub lesson: String,
    /// The name of the method's own measure.
    pub metric: String,
    /// What guessing gives, where that is defined.
    pub chance: Option<f64>,
    /// How the measure is written.
    pub unit: Unit,
    /// What the data must have.
    pub needs: Needs,
    /// Every preset for every data set as a full configuration.
    pub presets: Vec<RunConfig>,
    /// True if published learning rates follow the batch: [`RunConfig::follow_batch`].
    pub linear_rate: bool,
}

/// A data set as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetCard {
    /// The name in links.
    pub name: String,
    /// The name among people.
    pub title: String,
    /// What is in it, in a few words.
    pub about: String,
    /// Whether its images have colours.
    pub colour: bool,
    /// Whether they are frames of clips.
    pub clips: bool,
    /// Where it is not part of this site, a sentence that says so and how it gets there.
    pub missing: Option<String>,
}

/// What a visitor can choose from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Menu {
    /// Every method, in the order menus show them.
    pub methods: Vec<MethodCard>,
    /// The id of the one that who has not chosen yet sees.
    pub first: String,
    /// Every data set; of those that suit a method the first is taken by default.
    pub sets: Vec<SetCard>,
}

impl MethodCard {
    /// The configuration the page starts from: the preset's, with the small encoder narrowed on the CPU.
    pub fn config(&self, preset: Preset, data: &str, kind: Kind) -> Option<RunConfig> {
        let mut config = self.published(preset, data)?.clone();
        if preset == Preset::Small && kind == Kind::Cpu {
            config.encoder.width = config.encoder.width.min(CPU_WIDTH);
        }
        Some(config)
    }

    /// The preset for data of this name as it is.
    pub fn published(&self, preset: Preset, data: &str) -> Option<&RunConfig> {
        self.presets.iter().find(|config| config.preset == preset && config.data == data)
    }
}

/// How often a run looks at itself; what is left out, the engine chooses by the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadbackPace {
    /// Read the loss back every so many steps.
    pub read_every: Option<usize>,
    /// Probe every so many steps; 0 means never.
    pub probe_every: Option<usize>,
}

/// The largest checkpoint that is read, in bytes: what a browser's memory holds a few times.
pub const LARGEST_CHECKPOINT: u64 = 512 << 20;

/// A run that the browser keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Method id.
    pub method: String,
    /// The name of the data set.
    pub data: String,
    /// Steps taken.
    pub step: usize,
    /// Whether they are all there were to take.
    pub finished: bool,
    /// When it was saved, in milliseconds since 1970.
    pub saved: f64,
    /// Whether a later state was saved and is damaged.
    pub damaged: bool,
}

/// From the page to the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Choose and test a device, and begin to load the data. Answered by [`Reply::Device`] and, once the first images are
    /// there, [`Reply::Ready`], or by [`Reply::Failed`]. May be sent again to choose another device; drops the run.
    Prepare {
        /// What the visitor asked for.
        device: DeviceChoice,
        /// The name of the data set.
        data: String,
    },
    /// Load another data set. Answered like [`Command::Prepare`], but for the device; drops the run.
    Load {
        /// The name of the data set.
        data: String,
    },
    /// Set up a run and train, or take one step and pause when `paused`.
    Start {
        /// The whole configuration.
        config: Box<RunConfig>,
        /// Set up and stay paused; [`Command::Step`] and [`Command::Resume`] go on.
        paused: bool,
        /// How often the run looks at itself.
        looks: ReadbackPace,
    },
    /// Stop after the current step; the run is kept.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Take one step and pause.
    Step,
    /// Drop the run. Answered by [`Reply::Kept`].
    Reset,
    /// Go on with a checkpoint: of a run whose device was lost, or out of a file. Answered by [`Reply::Past`].
    Restore {
        /// The bytes of a file, of [`Reply::Saved`] or of [`Reply::File`].
        #[serde(with = "serde_bytes")]
        checkpoint: Vec<u8>,
        /// What is known beside it.
        story: Story,
    },
    /// Go on with the run that the browser keeps. Answered like [`Command::Restore`].
    GoOn,
    /// Keep it no longer.
    Forget,
    /// Hand out the run as it is now, or else the one that is kept. Answered by [`Reply::File`].
    Download,
}

/// What a failure leaves the page with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The run, or the attempt to set one up, ended; the engine listens.
    Run,
    /// The device asked for cannot be used; another can be chosen.
    Device,
    /// The device is gone: the run can go on elsewhere, in a new worker, from the last [`Reply::Saved`].
    DeviceLost,
    /// The data did not come whole; [`Command::Prepare`] tries again.
    Data,
    /// The engine itself is gone; a new worker is needed.
    Engine,
}

/// From the worker to the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Progress of the engine's own download, told by the script that starts it (`www/engine.js`).
    Fetching {
        /// Bytes that arrived.
        loaded: f64,
        /// Bytes there will be, where the server says so.
        total: Option<f64>,
    },
    /// The engine runs and listens.
    Awake {
        /// What there is to choose from.
        menu: Menu,
    },
    /// The device is chosen and tested.
    Device(Readout),
    /// How much of the data is there.
    Loading {
        /// The name of the data, for a person.
        what: String,
        /// Training images that can be used already.
        images: usize,
        /// Training images there will be.
        total: usize,
    },
    /// Device and first images are there: a run can start.
    Ready,
    /// The features are about to be examined, which takes a moment; the next event ends it.
    Examining,
    /// Some of what the run that goes on has said before, in order. [`Event::Started`] ends it.
    Past(Vec<Event>),
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
    /// The run that the browser keeps, if there is one.
    Kept(Option<Kept>),
    /// The browser does not keep the run; it goes on all the same.
    Unkept {
        /// A sentence that says why.
        message: String,
    },
    /// A run as a file.
    File {
        /// A name for it.
        name: String,
        /// A checkpoint as [`crate::session::checkpoint`] writes it.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Something failed; the sentence says what to do.
    Failed {
        /// The sentence.
        message: String,
        /// What is left.
        what: Failure,
    },
}
