//! nolabel trains image encoders without labels (self-supervised learning), on any GPU or on the CPU: in a browser tab
//! (this crate as wasm, with WebGPU) and on the desktop (the same crate, native).
//!
//! Layers point one way: a module uses only modules below it. `docs/architecture.md` walks through them.
//!
//! ```text
//! shells        cli                      page  <- messages ->  worker
//!                |                                               |
//! measuring     evaluate      report  <--------------------------+
//!                |               |                               |
//! running       session  <---------------------------------------+
//!                |
//! learning      methods     probe     health     weights
//!                |
//! the contract  method
//!                |
//! parts         loss     view     net     optim     device
//!                |
//! kernels       kernel
//!                |
//! foundations   data   config   options   rng   format   algebra   digest   pickle   platform   error
//! ```

#[cfg(feature = "engine")]
pub mod algebra;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod cli;
pub mod config;
#[cfg(feature = "engine")]
pub mod data;
#[cfg(feature = "engine")]
pub mod device;
#[cfg(feature = "engine")]
pub mod digest;
pub mod error;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod evaluate;
pub mod format;
#[cfg(feature = "engine")]
pub mod health;
#[cfg(feature = "engine")]
pub mod kernel;
#[cfg(feature = "engine")]
pub mod loss;
#[cfg(feature = "engine")]
pub mod method;
#[cfg(feature = "engine")]
pub mod methods;
#[cfg(feature = "engine")]
pub mod net;
#[cfg(feature = "engine")]
pub mod optim;
pub mod options;
// the worker does not need it
#[cfg(any(feature = "page", not(target_family = "wasm")))]
pub mod page;
#[cfg(feature = "engine")]
pub mod pickle;
#[cfg(feature = "engine")]
pub mod platform;
#[cfg(feature = "engine")]
pub mod probe;
#[cfg(feature = "engine")]
pub mod report;
#[cfg(feature = "engine")]
pub mod rng;
#[cfg(feature = "engine")]
pub mod session;
#[cfg(feature = "engine")]
pub mod view;
#[cfg(feature = "engine")]
pub mod weights;
#[cfg(feature = "engine")]
pub mod worker;

// The page's program is built without the feature `engine`. It contains the files of these modules that do not use Burn.

/// Requests for a device and descriptions of devices.
#[cfg(not(feature = "engine"))]
pub mod device {
    mod choice;
    pub use choice::{DeviceChoice, Kind, Listed, Readout};
}

/// Descriptions of methods.
#[cfg(not(feature = "engine"))]
pub mod method {
    mod info;
    pub use info::{Better, Experiment, Group, Info, Metric, Needs, Unit};
}

/// Configuration of encoders.
#[cfg(not(feature = "engine"))]
pub mod net {
    mod encoder {
        mod config;
        mod input;
        mod pixels;
        pub use config::{EncoderConfig, EncoderKind};
        pub use input::Input;
        pub use pixels::Pixels;
    }
    pub use encoder::{EncoderConfig, EncoderKind, Input, Pixels};
}

/// Configuration of optimiser and learning-rate schedule.
#[cfg(not(feature = "engine"))]
pub mod optim {
    mod config;
    mod schedule;
    pub use config::{OptimizerConfig, OptimizerKind};
    pub use schedule::{Cosine, Schedule, ScheduleKind, Steps, StepsThenLine, scaled_rate};
}

/// Rows of probe results, and the verdict on them.
#[cfg(not(feature = "engine"))]
pub mod probe {
    mod gain;
    pub mod interval;
    mod row;
    mod standing;
    pub use gain::Gain;
    pub use row::{ProbeRow, Source};
    pub use standing::{CONTROLS, MARGIN, Standing, best_control};
}

/// Events and pictures of a run.
#[cfg(not(feature = "engine"))]
pub mod session {
    pub mod event;
    pub mod event_log;
    pub mod picture;
}

/// Messages between page and engine.
#[cfg(not(feature = "engine"))]
pub mod worker {
    #[cfg(target_family = "wasm")]
    pub mod js_value;
    pub mod kept_run;
    pub mod protocol;
    pub mod run_history;
}

pub use config::{Preset, RunConfig};
pub use error::{Error, Result};
