//! Requests for a device and descriptions of devices: the part of this module that the page shares.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A request for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU by its index in the list. Software adapters are used only when they are named here.
    Gpu(Option<usize>),
    /// The CPU, with Burn's flex backend.
    Cpu,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Gpu(None) => f.write_str("gpu"),
            DeviceChoice::Gpu(Some(index)) => write!(f, "gpu:{index}"),
            DeviceChoice::Cpu => f.write_str("cpu"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "gpu" => Ok(DeviceChoice::Gpu(None)),
            "cpu" => Ok(DeviceChoice::Cpu),
            _ => text
                .strip_prefix("gpu:")
                .and_then(|index| index.parse().ok())
                .map(|index| DeviceChoice::Gpu(Some(index)))
                .ok_or_else(|| {
                    Error::Device(format!("there is no device `{text}`; choose auto, gpu, gpu:0, ... or cpu"))
                }),
        }
    }
}

/// The kind of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A real GPU.
    Gpu,
    /// A GPU emulated by the CPU (llvmpipe, SwiftShader): correct and slow.
    SoftwareGpu,
    /// The CPU itself.
    Cpu,
}

/// A chosen device, described for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readout {
    /// Its kind.
    pub kind: Kind,
    /// Its name, for example `NVIDIA RTX 4070 (Vulkan)` or `CPU (flex, 2 threads)`.
    pub name: String,
    /// The reason for the choice, in one sentence.
    pub why: String,
    /// True if a GPU, real or emulated, could be chosen here.
    pub gpu_available: bool,
}

/// One entry of the list of processors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The text that asks for it: `gpu:0`, `cpu`.
    pub choice: String,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_as_written() {
        for text in ["auto", "gpu", "gpu:3", "cpu"] {
            assert_eq!(text.parse::<DeviceChoice>().expect("a valid choice").to_string(), text);
        }
        for text in ["", "GPU", "gpu:", "gpu:-1", "cuda"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "`{text}` must be refused");
        }
    }
}
