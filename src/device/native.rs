//! The desktop's devices: every adapter that wgpu finds, and the CPU.

use std::sync::{Mutex, PoisonError};

use burn::tensor::wgpu::WgpuInitError;
use burn::tensor::{Device, DeviceKind};
use wgpu::{AdapterInfo, Backends, DeviceType, Instance, InstanceDescriptor};

use super::self_test::self_test;
use super::{DeviceChoice, Kind, Listed, Readout, Selected};
use crate::error::{Error, Result};

/// The graphics interfaces in the order in which they are preferred; the first that knows a real GPU is used.
const INTERFACES: [Backends; 4] = [Backends::METAL, Backends::VULKAN, Backends::DX12, Backends::GL];

/// An adapter and how Burn calls it.
struct Adapter {
    info: AdapterInfo,
    kind: DeviceKind,
}

impl Adapter {
    fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    fn name(&self) -> String {
        format!("{} ({:?})", self.info.name, self.info.backend)
    }
}

/// The processors of this machine.
pub async fn list() -> Vec<Listed> {
    let adapters = adapters().await;
    let listed = adapters.iter().enumerate().map(|(index, adapter)| {
        let kind = if adapter.is_software() { Kind::SoftwareGpu } else { Kind::Gpu };
        Listed { choice: format!("gpu:{index}"), kind, name: adapter.name() }
    });
    listed.chain([Listed { choice: "cpu".into(), kind: Kind::Cpu, name: cpu_name() }]).collect()
}

/// Chooses a device and tests it. The CPU is chosen without asking the graphics drivers.
///
/// # Errors
/// When a GPU is asked for by name and cannot be used; the sentence says why and what to do.
pub async fn select(choice: DeviceChoice) -> Result<Selected> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu("you chose it".into(), false)),
        DeviceChoice::Gpu(wanted) => {
            let adapters = adapters().await;
            let adapter = adapters.get(wanted.unwrap_or(0)).ok_or_else(|| absent(wanted, adapters.len()))?;
            let why = if adapter.is_software() {
                "you chose it; it is no real GPU: the CPU plays one, which takes many times longer than the CPU itself"
            } else {
                "you chose it, and it passed a test calculation"
            };
            gpu(adapter, why).await
        }
        DeviceChoice::Auto => auto(adapters().await).await,
    }
}

async fn auto(adapters: Vec<Adapter>) -> Result<Selected> {
    let Some(first) = adapters.first() else { return Ok(cpu("no GPU was found".into(), false)) };
    if first.is_software() {
        let why = format!(
            "the only GPU here is played by the CPU ({}), which takes many times longer than the CPU itself",
            first.name()
        );
        return Ok(cpu(why, true));
    }
    let chosen = gpu(first, "it is the first GPU found, and it passed a test calculation").await;
    Ok(chosen.unwrap_or_else(|error| cpu(format!("{} could not be used: {error}", first.name()), true)))
}

async fn gpu(adapter: &Adapter, why: &str) -> Result<Selected> {
    let device = start(&adapter.kind)
        .map_err(|error| Error::Device(format!("{} did not start ({error}); use `--device cpu`", adapter.name())))?;
    self_test(&device).await?;
    let kind = if adapter.is_software() { Kind::SoftwareGpu } else { Kind::Gpu };
    Ok(Selected { device, readout: Readout { kind, name: adapter.name(), why: why.into(), gpu_available: true } })
}

/// Starts an adapter, or finds it started: Burn starts each only once, and commands that go through several runs ask for
/// it again.
fn start(kind: &DeviceKind) -> Result<Device, WgpuInitError> {
    static STARTED: Mutex<Vec<(DeviceKind, Device)>> = Mutex::new(Vec::new());
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device)) = started.iter().find(|(known, _)| known == kind) {
        return Ok(device.clone());
    }
    let device = Device::wgpu_options().device_kind(kind.clone()).init()?;
    started.push((kind.clone(), device.clone()));
    Ok(device)
}

fn cpu(why: String, gpu_available: bool) -> Selected {
    let readout = Readout { kind: Kind::Cpu, name: cpu_name(), why, gpu_available };
    Selected { device: Device::flex(), readout }
}

fn cpu_name() -> String {
    match rayon::current_num_threads() {
        1 => "CPU (flex, 1 thread)".to_string(),
        threads => format!("CPU (flex, {threads} threads)"),
    }
}

fn absent(wanted: Option<usize>, found: usize) -> Error {
    let asked = wanted.map_or_else(|| "gpu".to_string(), |index| format!("gpu:{index}"));
    Error::Device(match found {
        0 => format!("`{asked}` cannot be used: no GPU was found; update the graphics driver or use `--device cpu`"),
        _ => format!("there is no `{asked}`; run `nolabel devices` for the list"),
    })
}

/// The adapters of the first interface that knows a real GPU, or else of the first that knows any: the same choice as
/// Burn's, whose numbers count each kind of adapter by itself. Real GPUs come first, discrete ones before integrated.
async fn adapters() -> Vec<Adapter> {
    let mut software = Vec::new();
    for interface in INTERFACES {
        let descriptor = InstanceDescriptor { backends: interface, ..InstanceDescriptor::new_without_display_handle() };
        let found = Instance::new(descriptor).enumerate_adapters(interface).await;
        let found = numbered(found.iter().map(|adapter| adapter.get_info()));
        if found.iter().any(|adapter| !adapter.is_software()) {
            return found;
        }
        if software.is_empty() {
            software = found;
        }
    }
    software
}

fn numbered(infos: impl Iterator<Item = AdapterInfo>) -> Vec<Adapter> {
    let mut seen = Vec::new();
    let mut found: Vec<Adapter> = infos
        .map(|info| {
            let index = seen.iter().filter(|&&kind| kind == info.device_type).count();
            seen.push(info.device_type);
            let kind = match info.device_type {
                DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(index),
                DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(index),
                DeviceType::VirtualGpu => DeviceKind::VirtualGpu(index),
                DeviceType::Cpu => DeviceKind::Cpu,
                // OpenGL does not say what its adapter is: it has one, and that is the default
                DeviceType::Other => DeviceKind::DefaultDevice,
            };
            Adapter { info, kind }
        })
        .collect();
    found.sort_by_key(|adapter| match adapter.info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    #[test]
    fn the_cpu_is_always_there_and_listed_last() {
        let selected = block_on(select(DeviceChoice::Cpu)).expect("the CPU");
        assert_eq!((selected.readout.kind, selected.device), (Kind::Cpu, Device::flex()));
        let listed = block_on(list());
        assert_eq!(listed.last().map(|entry| (entry.choice.as_str(), entry.kind)), Some(("cpu", Kind::Cpu)));
    }

    #[test]
    fn a_gpu_that_is_not_there_is_refused_in_words() {
        let error = block_on(select(DeviceChoice::Gpu(Some(77)))).expect_err("nobody has 78 GPUs").to_string();
        assert!(error.contains("gpu:77"), "{error}");
    }

    #[test]
    fn automatic_choice_never_takes_a_software_adapter() {
        let selected = block_on(select(DeviceChoice::Auto)).expect("a device");
        assert_ne!(selected.readout.kind, Kind::SoftwareGpu);
        assert!(!selected.readout.why.is_empty());
    }
}
