//! `nolabel devices`: lists the devices of this machine.

use clap::Args;
use futures_lite::future::block_on;
use serde::Serialize;

use crate::cli::output::exit::Outcome;
use crate::cli::output::print;
use crate::cli::output::table::Table;
use crate::device::{self, DeviceChoice, Kind, Listed, Readout};

const EXAMPLES: &str = "\
Examples:
  nolabel devices           the devices, and the one that `--device auto` takes
  nolabel devices --json    the same, for programs";

/// List the GPUs and the CPU, and the one that is used by default
///
/// The default device is tested with a short computation, so that a GPU with wrong results is noticed here.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Found {
    devices: Vec<Listed>,
    auto: Readout,
}

impl Devices {
    pub(crate) fn run(self) -> Outcome {
        let devices = block_on(device::list());
        let auto = block_on(device::select(DeviceChoice::Auto))?.readout;
        let found = Found { devices, auto };
        if self.json { print::json(&found) } else { print::out(&found.to_string()) }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new(["--device", "kind", "name"], usize::MAX);
        for Listed { choice, kind, name } in &self.devices {
            table.row([choice.clone(), kind_words(*kind).into(), name.clone()]);
        }
        write!(f, "{table}\n\n`--device auto` takes {}: {}.", self.auto.name, self.auto.why)
    }
}

fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Gpu => "GPU",
        Kind::SoftwareGpu => "GPU emulated by the CPU: slow",
        Kind::Cpu => "CPU",
    }
}
