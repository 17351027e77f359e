//! The browser's two devices: WebGPU, where the browser offers all that the engine needs, and the CPU.

use std::cell::RefCell;

use burn::tensor::Device;
use cubecl_runtime::config::autotune::{AutotuneConfig, AutotuneLevel, BenchConfig};
use cubecl_runtime::config::{CubeClRuntimeConfig, RuntimeConfig};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::self_test::self_test;
use super::{DeviceChoice, Kind, Listed, Readout, Selected};
use crate::error::{Error, Result};

/// Words in the names of software adapters.
const SOFTWARE: [&str; 5] = ["swiftshader", "llvmpipe", "lavapipe", "basic render", "software"];
/// The WebGPU feature without which the engine panics.
const TIMERS: &str = "timestamp-query";
const CPU_NAME: &str = "CPU (one core, in this tab)";

/// Kernel launches that are collected before they are submitted to the GPU. A step of the small presets is one submission between two
/// uploads.
const TASKS: usize = 160;

type Listener = Box<dyn Fn(String)>;

thread_local! {
    /// The GPU after start and test; it cannot be started twice.
    static STARTED: RefCell<Option<Device>> = const { RefCell::new(None) };
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// The reason why the GPU is not used, and a remedy for the visitor.
struct Obstacle {
    reason: String,
    remedy: &'static str,
}

impl Obstacle {
    fn new(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { reason: reason.into(), remedy }
    }
}

impl From<Obstacle> for Error {
    fn from(Obstacle { reason, remedy }: Obstacle) -> Self {
        Error::Device(format!("The GPU cannot be used: {reason}. {remedy}"))
    }
}

/// The browser's description of its GPU.
struct Adapter {
    name: String,
    software: bool,
}

/// Registers a listener for the loss of the GPU; it gets the browser's message.
pub fn on_lost(listener: impl Fn(String) + 'static) {
    LISTENER.set(Some(Box::new(listener)));
}

/// All devices of this browser.
pub async fn list() -> Vec<Listed> {
    let gpu = adapter().await.ok().map(|Adapter { name, software }| {
        let kind = if software { Kind::SoftwareGpu } else { Kind::Gpu };
        Listed { choice: "gpu".into(), kind, name }
    });
    let cpu = Listed { choice: "cpu".into(), kind: Kind::Cpu, name: CPU_NAME.into() };
    gpu.into_iter().chain([cpu]).collect()
}

/// Chooses a device and tests it.
///
/// # Errors
/// If a GPU is asked for by name and cannot be used; the message says why and what to do.
pub async fn select(choice: DeviceChoice) -> Result<Selected> {
    if let DeviceChoice::Gpu(Some(index @ 1..)) = choice {
        return Err(Error::Device(format!("a browser offers one GPU, `gpu`; there is no `gpu:{index}`")));
    }
    let found = adapter().await;
    let available = found.is_ok();
    match (choice, found) {
        (DeviceChoice::Cpu, _) => Ok(cpu("You chose it.".into(), available)),
        (DeviceChoice::Gpu(_), found) => gpu(found?).await.map_err(Error::from),
        (DeviceChoice::Auto, Ok(Adapter { name, software: true })) => Ok(cpu(
            format!(
                "The only GPU here is emulated by the CPU ({name}), which takes many times longer than the CPU itself."
            ),
            true,
        )),
        (DeviceChoice::Auto, Ok(adapter)) => Ok(gpu(adapter).await.unwrap_or_else(|obstacle| fallback(obstacle, true))),
        (DeviceChoice::Auto, Err(obstacle)) => Ok(fallback(obstacle, false)),
    }
}

fn fallback(Obstacle { reason, .. }: Obstacle, available: bool) -> Selected {
    cpu(format!("The GPU cannot be used: {reason}."), available)
}

fn cpu(why: String, gpu_available: bool) -> Selected {
    let readout = Readout { kind: Kind::Cpu, name: CPU_NAME.into(), why, gpu_available };
    Selected { device: Device::flex(), readout }
}

/// Starts and tests the adapter.
async fn gpu(adapter: Adapter) -> Result<Selected, Obstacle> {
    let device = match STARTED.with_borrow(Clone::clone) {
        Some(device) => device,
        None => start(adapter.software).await?,
    };
    let Adapter { name, software } = adapter;
    let (kind, why) = if software {
        let why = "You chose it. It is emulated by the CPU, which takes many times longer than the CPU itself.";
        (Kind::SoftwareGpu, why)
    } else {
        (Kind::Gpu, "It is the GPU this browser offers, and it passed a test calculation.")
    };
    let readout = Readout { kind, name: format!("{name} (WebGPU)"), why: why.into(), gpu_available: true };
    Ok(Selected { device, readout })
}

async fn start(software: bool) -> Result<Device, Obstacle> {
    const REMEDY: &str = "Update the browser and the graphics driver, or choose the CPU.";
    limit_autotune(if software { 1 } else { 3 });
    let begun = Device::wgpu_options().tasks_max(TASKS).init_with_setup_async().await;
    let (device, setup) = begun.map_err(|error| Obstacle::new(format!("it did not start ({error})"), REMEDY))?;
    setup.device.set_device_lost_callback(|_, message| {
        LISTENER.with_borrow(|listener| listener.as_ref().inspect(|listener| listener(message)).is_some());
    });
    self_test(&device)
        .await
        .map_err(|error| Obstacle::new(format!("it failed a test calculation ({error})"), REMEDY))?;
    STARTED.set(Some(device.clone()));
    Ok(device)
}

/// Limits autotuning to `samples` runs of the likely kernels; without effect once a GPU was started.
///
/// The engine times all kernels that can do a piece of work when it first meets it. Natively it drops slow ones early; in a
/// browser each runs ten times by default, and the first steps wait for that.
fn limit_autotune(samples: usize) {
    let bench = BenchConfig { min_samples: 1, max_samples: samples, ..BenchConfig::default() };
    let autotune = AutotuneConfig { level: AutotuneLevel::Minimal, bench, ..AutotuneConfig::default() };
    CubeClRuntimeConfig::try_set(CubeClRuntimeConfig { autotune, ..CubeClRuntimeConfig::default() });
}

/// The browser's GPU, or the obstacle to its use.
async fn adapter() -> Result<Adapter, Obstacle> {
    let global: JsValue = js_sys::global().into();
    if get(&global, "isSecureContext").is_falsy() {
        let reason = "browsers offer it only to pages that came over https or from this machine";
        return Err(Obstacle::new(reason, "Open the page over https or from localhost, or choose the CPU."));
    }
    let gpu = get(&get(&global, "navigator"), "gpu");
    if gpu.is_falsy() {
        let remedy = "Use a recent Chrome, Edge, Firefox or Safari, or choose the CPU.";
        return Err(Obstacle::new("this browser has no WebGPU, or has it switched off", remedy));
    }
    let remedy = "Switch on hardware acceleration in the browser's settings, or choose the CPU.";
    let adapter = request(&gpu).await.filter(JsValue::is_object);
    let adapter = adapter.ok_or_else(|| Obstacle::new("the browser found none", remedy))?;
    let has = method(&get(&adapter, "features"), "has", &TIMERS.into());
    if !has.is_some_and(|has| has.is_truthy()) {
        let remedy = "Update the browser and the graphics driver, or choose the CPU.";
        return Err(Obstacle::new(format!("it offers no timers (`{TIMERS}`), which the engine needs"), remedy));
    }
    Ok(describe(&adapter))
}

async fn request(gpu: &JsValue) -> Option<JsValue> {
    let options = js_sys::Object::new();
    // setting a property of a new object cannot fail
    let _ = Reflect::set(&options, &"powerPreference".into(), &"high-performance".into());
    let promise = method(gpu, "requestAdapter", &options)?.dyn_into::<Promise>().ok()?;
    JsFuture::from(promise).await.ok()
}

fn describe(adapter: &JsValue) -> Adapter {
    let info = get(adapter, "info");
    let part = |name: &str| get(&info, name).as_string().unwrap_or_default();
    let description = part("description");
    let vendor = part("vendor");
    let architecture = part("architecture");
    let all = format!("{description} {vendor} {architecture} {}", part("device")).to_lowercase();
    let fallback = get(&info, "isFallbackAdapter").is_truthy() || get(adapter, "isFallbackAdapter").is_truthy();
    let software = fallback || SOFTWARE.iter().any(|word| all.contains(word));
    let name = match (description.is_empty(), format!("{vendor} {architecture}").trim()) {
        (false, _) => description,
        (true, "") => "a GPU the browser does not name".to_string(),
        (true, known) => known.to_string(),
    };
    Adapter { name, software }
}

/// A property of an object; undefined where there is none.
fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Calls a method with one argument; nothing where there is none or it throws.
fn method(object: &JsValue, name: &str, argument: &JsValue) -> Option<JsValue> {
    get(object, name).dyn_into::<Function>().ok()?.call1(object, argument).ok()
}
