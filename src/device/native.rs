//! The desktop's devices: the adapters that wgpu finds, without those on which kernels go wrong, and the CPU.

use std::sync::{Mutex, PoisonError};

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError};
use burn::tensor::{Device, DeviceKind};
use wgpu::{AdapterInfo, Backend, Backends, DeviceType, Instance, InstanceDescriptor};

use super::self_test::self_test;
use super::{DeviceChoice, Kind, Listed, Readout, Selected};
use crate::error::{Error, Result};

/// The graphics APIs in the order in which they are preferred; the first that knows a real GPU is used.
const INTERFACES: [Backends; 4] = [Backends::METAL, Backends::VULKAN, Backends::DX12, Backends::GL];
/// The Vulkan extension without which kernels with shared memory are miscompiled.
#[cfg(not(target_os = "macos"))]
const EXPLICIT_LAYOUT: &std::ffi::CStr = c"VK_KHR_workgroup_memory_explicit_layout";
/// The rest of the sentence on an adapter without it.
const UNSOUND: &str = "lacks the Vulkan extension VK_KHR_workgroup_memory_explicit_layout, without which kernels come out wrong \
                       or end the program";

/// An adapter, and the selector by which Burn finds it.
#[derive(Clone, Debug)]
struct Adapter {
    info: AdapterInfo,
    kind: DeviceKind,
    /// True if kernels with shared memory work on it; see [`has_sound_shared_memory`].
    is_sound: bool,
}

/// The adapters of a machine.
#[derive(Default)]
struct Adapters {
    /// Those that can be used, in the order of their numbers.
    usable: Vec<Adapter>,
    /// Names of those that cannot.
    unsound: Vec<String>,
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
    let adapters = adapters().await.usable;
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
            let adapter = adapters.usable.get(wanted.unwrap_or(0)).ok_or_else(|| absent(wanted, &adapters))?;
            let why = if adapter.is_software() {
                "you chose it; it is emulated by the CPU, which takes many times longer than the CPU itself"
            } else {
                "you chose it, and it passed a test calculation"
            };
            gpu(adapter, why).await
        }
        DeviceChoice::Auto => auto(adapters().await).await,
    }
}

async fn auto(adapters: Adapters) -> Result<Selected> {
    let Some(first) = adapters.usable.first() else {
        return Ok(match adapters.unsound.first() {
            Some(name) => cpu(format!("the only GPU here cannot be used: {name} {UNSOUND}"), false),
            None => cpu("no GPU was found".into(), false),
        });
    };
    if first.is_software() {
        let why = format!(
            "the only GPU here is emulated by the CPU ({}), which takes many times longer than the CPU itself",
            first.name()
        );
        return Ok(cpu(why, true));
    }
    let chosen = gpu(first, "it is the first GPU found, and it passed a test calculation").await;
    Ok(chosen.unwrap_or_else(|error| cpu(format!("{} could not be used: {error}", first.name()), true)))
}

async fn gpu(adapter: &Adapter, why: &str) -> Result<Selected> {
    let device = start(adapter)
        .map_err(|error| Error::Device(format!("{} did not start ({error}); use `--device cpu`", adapter.name())))?;
    self_test(&device).await?;
    let kind = if adapter.is_software() { Kind::SoftwareGpu } else { Kind::Gpu };
    Ok(Selected { device, readout: Readout { kind, name: adapter.name(), why: why.into(), gpu_available: true } })
}

/// Starts an adapter, or finds it started: Burn starts each only once, and commands that go through several runs ask for
/// it again.
fn start(adapter: &Adapter) -> Result<Device, WgpuInitError> {
    static STARTED: Mutex<Vec<(DeviceKind, Device)>> = Mutex::new(Vec::new());
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device)) = started.iter().find(|(known, _)| *known == adapter.kind) {
        return Ok(device.clone());
    }
    let options = Device::wgpu_options().device_kind(adapter.kind.clone()).graphics_api(api(adapter.info.backend));
    let device = options.init()?;
    started.push((adapter.kind.clone(), device.clone()));
    Ok(device)
}

/// The API that Burn is held to, for by itself it would take Vulkan wherever that is. Metal is left to Burn, which falls back
/// to WGSL there unless Metal was asked for by name.
fn api(backend: Backend) -> WgpuBackend {
    match backend {
        Backend::Vulkan => WgpuBackend::Vulkan,
        Backend::Dx12 => WgpuBackend::Dx12,
        Backend::Gl => WgpuBackend::Gl,
        _ => WgpuBackend::Auto,
    }
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

fn absent(wanted: Option<usize>, adapters: &Adapters) -> Error {
    let asked = wanted.map_or_else(|| "gpu".to_string(), |index| format!("gpu:{index}"));
    Error::Device(match (adapters.usable.len(), adapters.unsound.first()) {
        (0, Some(name)) => {
            format!("`{asked}` cannot be used: {name} {UNSOUND}; update the graphics driver or use `--device cpu`")
        }
        (0, None) => {
            format!("`{asked}` cannot be used: no GPU was found; update the graphics driver or use `--device cpu`")
        }
        _ => format!("there is no `{asked}`; run `nolabel devices` for the list"),
    })
}

/// The adapters of the first API that knows a real GPU, or else of the first that knows any. Real GPUs come first, discrete
/// ones before integrated. Adapters without sound shared memory count as not there: the next API may know the same GPU.
async fn adapters() -> Adapters {
    let mut found = Adapters::default();
    for api in INTERFACES {
        let descriptor = InstanceDescriptor { backends: api, ..InstanceDescriptor::new_without_display_handle() };
        let listed = Instance::new(descriptor).enumerate_adapters(api).await;
        let listed = numbered(listed.iter().map(|adapter| (adapter.get_info(), has_sound_shared_memory(adapter))));
        let (usable, unsound): (Vec<Adapter>, Vec<Adapter>) = listed.into_iter().partition(|adapter| adapter.is_sound);
        found.unsound.extend(unsound.iter().map(Adapter::name));
        let is_real = usable.iter().any(|adapter| !adapter.is_software());
        if is_real || found.usable.is_empty() {
            found.usable = usable;
        }
        if is_real {
            break;
        }
    }
    found
}

/// False for a Vulkan driver without `VK_KHR_workgroup_memory_explicit_layout`, such as lavapipe and SwiftShader: for those
/// cubecl-spirv 0.11.3 writes invalid modules for every kernel with shared memory (it swaps two types in
/// `lower_shared_implicit`). SwiftShader computes garbage from them and lavapipe ends the process, which no test calculation
/// could report. Other APIs get their kernels as WGSL or MSL.
#[cfg(not(target_os = "macos"))]
fn has_sound_shared_memory(adapter: &wgpu::Adapter) -> bool {
    // SAFETY: the adapter is only asked for its extensions, and is let go of here
    match unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() } {
        Some(vulkan) => vulkan.physical_device_capabilities().supports_extension(EXPLICIT_LAYOUT),
        None => true,
    }
}

/// True: there is no Vulkan on macOS.
#[cfg(target_os = "macos")]
fn has_sound_shared_memory(_: &wgpu::Adapter) -> bool {
    true
}

/// The adapters of one API with Burn's numbers, which count each kind of adapter by itself.
fn numbered(infos: impl Iterator<Item = (AdapterInfo, bool)>) -> Vec<Adapter> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for (info, is_sound) in infos {
        let index = seen.iter().filter(|&&kind| kind == info.device_type).count();
        seen.push(info.device_type);
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(index),
            DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(index),
            DeviceType::VirtualGpu => DeviceKind::VirtualGpu(index),
            // Burn has no number for these, and reaches the first alone
            DeviceType::Cpu if index > 0 => continue,
            DeviceType::Cpu => DeviceKind::Cpu,
            // OpenGL does not tell the kind of its adapter: it has one, and that is the default
            DeviceType::Other => DeviceKind::DefaultDevice,
        };
        found.push(Adapter { info, kind, is_sound });
    }
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
    fn an_adapter_without_sound_shared_memory_is_refused_by_name() {
        let none = Adapters::default();
        assert!(absent(None, &none).to_string().contains("`gpu` cannot be used: no GPU was found"));
        let unsound = Adapters { unsound: vec!["llvmpipe (Vulkan)".into()], ..Adapters::default() };
        let said = absent(Some(0), &unsound).to_string();
        assert!(said.starts_with("`gpu:0` cannot be used: llvmpipe (Vulkan) lacks the Vulkan extension"), "{said}");
        assert!(said.ends_with("use `--device cpu`"), "{said}");
        let chosen = block_on(auto(unsound)).expect("the CPU").readout;
        assert!(chosen.kind == Kind::Cpu && chosen.why.contains("llvmpipe (Vulkan) lacks"), "{}", chosen.why);
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
