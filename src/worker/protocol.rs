//! Messages between the page and the engine in its worker. Both programs are built from this crate, so the types are the
//! contract.

use serde::{Deserialize, Serialize};

use crate::config::{Preset, RunConfig};
use crate::device::{DeviceChoice, Kind, Readout};
use crate::method::{Better, Group, Needs, Unit};
use crate::options::Declared;
use crate::session::event::{Event, ExamProgress};
use crate::session::picture::Picture;

pub use super::kept_run::{KeptRun, RunTag};
pub use super::run_history::RunHistory;

/// Folder of the built page that holds a folder for each data set, relative to the worker's own address.
pub const DATA_FOLDER: &str = "data/";
/// Encoder width on the CPU, narrow enough for the first steps to take seconds.
pub const CPU_WIDTH: usize = 16;

/// A method as the page shows it: the fields of its `Info`, and its presets as full configurations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodCard {
    /// Id in links.
    pub id: String,
    /// Display name.
    pub title: String,
    /// Year of the paper.
    pub year: u16,
    /// Authors and title.
    pub paper: String,
    /// Address of the paper.
    pub url: String,
    /// Family of its task.
    pub group: Group,
    /// The pretext task in a sentence.
    pub task: String,
    /// The reason why the task needs no labels.
    pub lesson: String,
    /// Meaning of the loss.
    pub loss: String,
    /// The method's own measure.
    pub metric: MetricCard,
    /// A setting whose change shows why the method is made as it is.
    pub experiment: Option<ExperimentCard>,
    /// Requirements on the data.
    pub needs: Needs,
    /// Full configurations: every preset for every data set.
    pub presets: Vec<RunConfig>,
    /// Declarations of the method's own options: labels, help and ranges of the form.
    pub options: Vec<Declared>,
    /// True if published learning rates follow the batch: [`RunConfig::follow_batch`].
    pub linear_rate: bool,
}

/// A method's own measure as the page shows it: the fields of its `Metric`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricCard {
    /// Name.
    pub name: String,
    /// Direction of improvement.
    pub better: Better,
    /// The value to compare with, in words.
    pub baseline: String,
    /// Value of the baseline, if it is the same in every run.
    pub chance: Option<f64>,
    /// Unit of the values.
    pub unit: Unit,
}

/// An experiment as the page offers it: the fields of the method's `Experiment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExperimentCard {
    /// Label of its button.
    pub label: String,
    /// Name of the setting.
    pub key: String,
    /// Its value in the experiment.
    pub value: String,
    /// The effect to look for, in a sentence.
    pub watch: String,
}

/// A data set as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetCard {
    /// Name in links.
    pub name: String,
    /// Display name.
    pub title: String,
    /// Contents in a few words.
    pub about: String,
    /// Names of the classes, which only the probes see.
    pub classes: Vec<String>,
    /// True if the images have three channels.
    pub colour: bool,
    /// True if the images are frames of video clips.
    pub clips: bool,
    /// A sentence for a data set that this site lacks: how to add it.
    pub missing: Option<String>,
}

/// The methods and data sets on offer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Menu {
    /// All methods in menu order.
    pub methods: Vec<MethodCard>,
    /// Id of the default method.
    pub default_method: String,
    /// Ids of the methods to begin with.
    pub starters: Vec<String>,
    /// All data sets. The default for a method is the first that suits it.
    pub datasets: Vec<DatasetCard>,
}

impl MethodCard {
    /// Configuration that the form starts from: the preset, its small encoder narrowed to [`CPU_WIDTH`] on the CPU.
    pub fn config(&self, preset: Preset, data: &str, kind: Kind) -> Option<RunConfig> {
        let mut config = self.published(preset, data)?.clone();
        if preset == Preset::Small && kind == Kind::Cpu {
            config.encoder.width = config.encoder.width.min(CPU_WIDTH);
        }
        Some(config)
    }

    /// The preset for the data set `data`, unchanged.
    pub fn published(&self, preset: Preset, data: &str) -> Option<&RunConfig> {
        self.presets.iter().find(|config| config.preset == preset && config.data == data)
    }
}

/// Intervals of readback and probes, in steps. The engine chooses the missing ones by the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadbackPace {
    /// Steps between two readbacks of the loss.
    pub read_every: Option<usize>,
    /// Steps between two rounds of probes; 0 switches them off.
    pub probe_every: Option<usize>,
}

/// Size limit of a checkpoint in bytes: restoring one takes a few copies in the browser's memory.
pub const LARGEST_CHECKPOINT: u64 = 512 << 20;

/// The newest checkpoint in the browser's storage, of the current run or of the one offered to be continued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRun {
    /// Id of the run; see [`RunTag::id`].
    pub id: u64,
    /// Method id.
    pub method: String,
    /// Name of the data set.
    pub data: String,
    /// Steps taken.
    pub step: usize,
    /// True if no step is left.
    pub finished: bool,
    /// Time of saving, in milliseconds since 1970.
    pub saved: f64,
    /// True if a later checkpoint exists and is damaged.
    pub damaged: bool,
}

/// From the page to the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Choose and test a device, and start loading the data. Drops the run. Answered by [`Reply::Device`], then
    /// [`Reply::Ready`] once a run can start, or by [`Reply::Failed`].
    Prepare {
        /// The device asked for.
        device: DeviceChoice,
        /// Name of the data set.
        data: String,
    },
    /// Load another data set on the same device. Drops the run. Answered by [`Reply::Ready`] or [`Reply::Failed`].
    Load {
        /// Name of the data set.
        data: String,
    },
    /// Set up a new run and train.
    Start {
        /// Identity of the run.
        tag: RunTag,
        /// The full configuration.
        config: Box<RunConfig>,
        /// True to set up only; [`Command::Step`] or [`Command::Resume`] then takes the first step.
        paused: bool,
        /// Intervals of readback and probes.
        pace: ReadbackPace,
    },
    /// Pause after the current step.
    Pause,
    /// Continue a paused run.
    Resume,
    /// Take one step and pause.
    Step,
    /// Drop the run. Answered by [`Reply::SavedRun`].
    Reset,
    /// Continue from a checkpoint: of a run whose device was lost, or out of a file. Answered by [`Reply::History`].
    Restore {
        /// Identity of the run.
        tag: RunTag,
        /// The bytes of a file, of [`Reply::Checkpoint`] or of [`Reply::File`].
        #[serde(with = "serde_bytes")]
        checkpoint: Vec<u8>,
        /// The pace and the events of the run so far.
        history: RunHistory,
    },
    /// Continue a run kept in the browser. Answered like [`Command::Restore`].
    ResumeKept {
        /// Id of the run.
        id: u64,
    },
    /// Send the events of a run kept in the browser. Answered by [`Reply::KeptEvents`].
    ReadKept {
        /// Id of the run.
        id: u64,
    },
    /// Delete a run kept in the browser. Answered by [`Reply::Kept`].
    DeleteKept {
        /// Id of the run.
        id: u64,
    },
    /// Name a run, current or kept. Answered by [`Reply::Kept`].
    Rename {
        /// Id of the run.
        id: u64,
        /// The name; empty for none.
        name: String,
    },
    /// Send a run as a file. Answered by [`Reply::File`].
    Download {
        /// Id of the run, current or kept.
        id: u64,
    },
    /// Send a report of the current run. Answered by [`Reply::File`].
    Report {
        /// Address of the page that repeats the run.
        link: String,
    },
    /// Examine the current run as it is now, whatever its state. Answered by [`Reply::Exam`], and [`Event::Exam`] at the end.
    Exam,
    /// End the examination without a result.
    SkipExam,
    /// Send the encoder of the current run as a file. Answered by [`Reply::File`].
    Export {
        /// Kind of the file.
        kind: EncoderFile,
    },
}

/// Kind of a file with an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EncoderFile {
    /// Named tensors, for PyTorch and others.
    Safetensors,
    /// The whole network with its weights, for ONNX runtimes.
    Onnx,
}

impl EncoderFile {
    /// Ending of the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            EncoderFile::Safetensors => "safetensors",
            EncoderFile::Onnx => "onnx",
        }
    }
}

/// Extent of a failure, and so the ways out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The run, or the attempt to set one up, ended. The engine still takes commands.
    Run,
    /// The device asked for cannot be used. Another can be chosen.
    Device,
    /// The device is lost. A new worker can continue on the CPU from the last [`Reply::Checkpoint`].
    DeviceLost,
    /// The data did not arrive in full. [`Command::Prepare`] tries again.
    Data,
    /// The engine has stopped. A new worker is needed.
    Engine,
}

/// From the worker to the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Progress of the engine's own download, from the script that starts it (`www/engine.js`).
    Fetching {
        /// Bytes received.
        loaded: f64,
        /// Bytes in all, if the server announces them.
        total: Option<f64>,
    },
    /// The engine is up and takes commands.
    Awake {
        /// The methods and data sets on offer.
        menu: Menu,
    },
    /// The device is chosen and tested.
    Device(Readout),
    /// Progress of loading the data.
    LoadingData {
        /// Display name of the data set.
        title: String,
        /// Training images received.
        images: usize,
        /// Training images in all.
        total: usize,
    },
    /// A run can start: the device is tested and the first images are loaded.
    Ready,
    /// A round of probes begins. The next event ends it.
    Probing,
    /// A part of the examination begins, or with none it ended without a result. [`Event::Exam`] is its result.
    Exam(Option<ExamProgress>),
    /// Some of the earlier events of a continued run, in order. [`Event::Started`] follows the last.
    History(Vec<Event>),
    /// An event of the run.
    Event(Box<Event>),
    /// The latest batch as pixels.
    Picture(Picture),
    /// True if the run is training, false if it is paused.
    Running(bool),
    /// A checkpoint for the page's own memory, in case the device is lost.
    Checkpoint {
        /// Steps taken.
        step: usize,
        /// The checkpoint file.
        #[serde(with = "serde_bytes")]
        checkpoint: Vec<u8>,
    },
    /// The run saved in the browser, if there is one.
    SavedRun(Option<SavedRun>),
    /// All runs kept in the browser, the newest first.
    Kept {
        /// The runs.
        runs: Vec<KeptRun>,
        /// False if another tab holds them: this one may only read them.
        writable: bool,
    },
    /// Some of the events of a kept run, in order.
    KeptEvents {
        /// Id of the run.
        id: u64,
        /// The events.
        events: Vec<Event>,
        /// True if no others follow.
        last: bool,
    },
    /// Kept runs were changed otherwise than the visitor asked for.
    KeptNotice {
        /// What happened, and the reason, as a sentence.
        message: String,
    },
    /// Saving the run in the browser failed. Training continues.
    NotSaved {
        /// The reason, as a sentence.
        message: String,
    },
    /// A file for the visitor.
    File {
        /// The proposed file name.
        name: String,
        /// Its content.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A failure.
    Failed {
        /// A sentence that says what is wrong and what to do.
        message: String,
        /// Extent of the failure.
        kind: FailureKind,
    },
}
