//! nolabel trains image encoders without labels, on whatever GPU or CPU is there: in a browser tab (this crate as
//! wasm, WebGPU) and on the desktop (the same crate, native).
//!
//! Layers point one way; a module uses only what stands below it:
//!
//! ```text
//! cli (main.rs)        page (bin/page.rs) <-messages-> worker (bin/worker.rs)
//!          \                                          /
//!           session   a run as a stream of events; pause, save, resume
//!            /     \
//!       method     probe      one file a method, one row in the list; beside them weights: encoders from and for others
//!          |   \
//!        loss   view   net   optim      pure functions and modules, no knowledge of methods
//!                |
//!           data, device, rng, platform, algebra, digest, kernel
//! ```

pub mod algebra;
#[cfg(not(target_family = "wasm"))]
pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod digest;
pub mod error;
#[cfg(not(target_family = "wasm"))]
pub mod format;
pub mod health;
pub mod kernel;
pub mod loss;
pub mod method;
pub mod methods;
pub mod net;
pub mod optim;
// the page is a program of its own, compiled from the same files: see src/bin/page.rs
#[cfg(not(target_family = "wasm"))]
pub mod page;
pub mod platform;
pub mod probe;
pub mod rng;
pub mod session;
pub mod view;
pub mod weights;
pub mod worker;

pub use config::{Preset, RunConfig};
pub use error::{Error, Result};
