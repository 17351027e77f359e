//! The page's program for the browser.
//!
//! It is compiled from the library's files, not linked against the library: whatever links Burn carries its compiler's
//! registers along, which fill themselves at start and weigh 8 MB. So the files named here use nothing of Burn.

// the library's files hold more than the page needs
#![cfg_attr(target_family = "wasm", allow(dead_code, unused_imports))]

#[cfg(target_family = "wasm")]
#[path = "../config.rs"]
mod config;
#[cfg(target_family = "wasm")]
#[path = "../error.rs"]
mod error;
#[cfg(target_family = "wasm")]
#[path = "../page/mod.rs"]
mod page;

#[cfg(target_family = "wasm")]
#[path = "../device"]
mod device {
    mod choice;
    pub use choice::{DeviceChoice, Kind, Listed, Readout};
}

#[cfg(target_family = "wasm")]
#[path = "../method"]
mod method {
    mod info;
    pub use info::{Needs, Unit};
}

#[cfg(target_family = "wasm")]
#[path = "../net/encoder"]
mod net {
    mod config;
    mod input;
    mod pixels;
    pub use config::{EncoderConfig, EncoderKind};
}

#[cfg(target_family = "wasm")]
#[path = "../optim"]
mod optim {
    mod config;
    mod schedule;
    pub use config::{OptimizerConfig, OptimizerKind};
    pub use schedule::Schedule;
}

#[cfg(target_family = "wasm")]
#[path = "../probe"]
mod probe {
    mod row;
    pub use row::{ProbeRow, Source};
}

#[cfg(target_family = "wasm")]
#[path = "../session"]
mod session {
    pub mod event;
    pub mod event_log;
    pub mod picture;
}

#[cfg(target_family = "wasm")]
#[path = "../worker"]
mod worker {
    pub mod js_value;
    pub mod protocol;
    pub mod run_history;
}

#[cfg(target_family = "wasm")]
fn main() {
    page::run();
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("the page runs in a browser only; `make demo` builds and serves it");
    std::process::exit(2);
}
