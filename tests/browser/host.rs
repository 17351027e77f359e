//! A server for the built page, with variants in which the engine's worker finds another browser, or other data.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, id};

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower_http::services::ServeDir;

/// Variants of the page: the folder that each is served in, and the script that runs before the engine.
const VARIANTS: [(&str, &str); 10] = [
    ("no-adapter", NO_ADAPTER),
    ("no-timers", NO_TIMERS),
    ("least", LEAST),
    ("wrong-numbers", WRONG_NUMBERS),
    ("lost", LOST),
    ("no-storage", NO_STORAGE),
    ("full", FULL),
    ("crowded", CROWDED),
    ("counted", COUNTED),
    ("polled", POLLED),
];

const NO_ADAPTER: &str = "GPU.prototype.requestAdapter = async () => null;";

const NO_TIMERS: &str = r#"
const features = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features").get;
Object.defineProperty(GPUAdapter.prototype, "features", {
  get() { return new Set([...features.call(this)].filter((name) => name !== "timestamp-query")); },
});
"#;

/// Offers the least limits that the WebGPU standard allows, and creates devices with these.
const LEAST: &str = r#"
const least = {
  maxStorageBuffersPerShaderStage: 8, maxUniformBuffersPerShaderStage: 12, maxBindGroups: 4, maxBindingsPerBindGroup: 1000,
  maxStorageBufferBindingSize: 2 ** 27, maxUniformBufferBindingSize: 2 ** 16, maxBufferSize: 2 ** 28,
  minStorageBufferOffsetAlignment: 256, minUniformBufferOffsetAlignment: 256,
  maxComputeWorkgroupStorageSize: 16384, maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256, maxComputeWorkgroupSizeY: 256, maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
};
for (const [name, value] of Object.entries(least)) {
  Object.defineProperty(GPUSupportedLimits.prototype, name, { get: () => value });
}
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = function (wishes) {
  return request.call(this, { ...wishes, requiredLimits: {} });
};
"#;

/// Reads zeros back from the GPU, as after a shader that failed to compile; timestamps stay as they are.
const WRONG_NUMBERS: &str = r#"
const mapped = GPUBuffer.prototype.getMappedRange;
GPUBuffer.prototype.getMappedRange = function (...range) {
  const bytes = mapped.apply(this, range);
  if (bytes.byteLength >= 400) new Uint8Array(bytes).fill(0);
  return bytes;
};
"#;

/// Loses the device after some steps, once the page has a checkpoint.
const LOST: &str = r#"
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...wishes) {
  const device = await request.apply(this, wishes);
  const post = self.postMessage;
  let steps = 0;
  self.postMessage = function (message, ...rest) {
    post.call(self, message, ...rest);
    if (message.Event?.event === "step") steps += 1;
    if (message.Checkpoint && steps > 20) device.destroy();
  };
  return device;
};
"#;

/// Refuses storage, as a private window does.
const NO_STORAGE: &str = r#"
StorageManager.prototype.getDirectory = async () => { throw new DOMException("not here", "SecurityError"); };
"#;

/// Refuses writes, as a full disk does.
const FULL: &str = r#"
FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("no room", "QuotaExceededError"); };
"#;

/// Refuses writes until a run has been deleted, as a disk does that is just full.
const CROWDED: &str = r#"
const write = FileSystemSyncAccessHandle.prototype.write;
const remove = FileSystemDirectoryHandle.prototype.removeEntry;
let room = false;
FileSystemDirectoryHandle.prototype.removeEntry = async function (name, ...options) {
  await remove.call(this, name, ...options);
  room ||= name.startsWith("run-");
};
FileSystemSyncAccessHandle.prototype.write = function (...bytes) {
  if (!room) throw new DOMException("no room", "QuotaExceededError");
  return write.apply(this, bytes);
};
"#;

/// Counts what the engine asks of the GPU, and reports with every step that is read, on the channel `counts`, what was asked from the
/// message before to the first reading. That is the reading of the loss; a picture is read after it.
const COUNTED: &str = r#"
const counts = { dispatches: 0, submits: 0 };
let last = { ...counts };
let asked = null;
const map = GPUBuffer.prototype.mapAsync;
GPUBuffer.prototype.mapAsync = function (...range) {
  asked ??= { dispatches: counts.dispatches - last.dispatches, submits: counts.submits - last.submits };
  return map.apply(this, range);
};
const dispatch = GPUComputePassEncoder.prototype.dispatchWorkgroups;
GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...size) {
  counts.dispatches += 1;
  return dispatch.apply(this, size);
};
const submit = GPUQueue.prototype.submit;
GPUQueue.prototype.submit = function (...commands) {
  counts.submits += 1;
  return submit.apply(this, commands);
};
const channel = new BroadcastChannel("counts");
const post = self.postMessage;
self.postMessage = function (message, ...rest) {
  post.call(self, message, ...rest);
  if (message.Event?.event === "step") channel.postMessage(asked);
  last = { ...counts };
  asked = null;
};
"#;

/// Calls itself Firefox, and ends the mapping of buffers as that does: with the next submission, or at a tick of 100 ms. Reports
/// what ended each mapping on the channel `polls`.
const POLLED: &str = r#"
Object.defineProperty(WorkerNavigator.prototype, "userAgent", { get: () => "Gecko/20100101 Firefox/153.0" });
const channel = new BroadcastChannel("polls");
let waiting = [];
function poll(cause) {
  for (const end of waiting) end();
  if (waiting.length) channel.postMessage(cause);
  waiting = [];
}
const map = GPUBuffer.prototype.mapAsync;
GPUBuffer.prototype.mapAsync = async function (...range) {
  await map.apply(this, range);
  await new Promise((resolve) => waiting.push(resolve));
};
const submit = GPUQueue.prototype.submit;
GPUQueue.prototype.submit = function (commands) {
  submit.call(this, commands);
  poll("submission");
};
setInterval(() => poll("tick"), 100);
"#;

/// The folder of the built page.
pub fn dist() -> PathBuf {
    let built = std::env::var_os("NOLABEL_DIST").map(PathBuf::from);
    let folder = built.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dist")));
    assert!(
        folder.join("sw.js").is_file(),
        "there is no built page in {}: `make test` builds it, or name its folder in NOLABEL_DIST",
        folder.display()
    );
    folder
}

/// The file NAME.ENDING of a built page, whose real name carries a digest.
pub fn sealed_file(folder: &Path, name: &str, ending: &str) -> PathBuf {
    let mut entries = fs::read_dir(folder).expect("the folder can be read").flatten().map(|entry| entry.path());
    let start = format!("{name}-");
    let found = entries.find(|path| {
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start));
        named && path.extension().is_some_and(|extension| extension == ending)
    });
    found.unwrap_or_else(|| panic!("{name}.{ending} is part of the page"))
}

/// The script of a built page that starts the engine.
pub fn engine_script(folder: &Path) -> PathBuf {
    sealed_file(folder, "engine", "js")
}

/// A made-up file of CIFAR-10: stripes in a colour for each class. The first training file and the test file are served, the
/// others never arrive.
async fn stripes(extract::Path(file): extract::Path<String>) -> Vec<u8> {
    if !["data_batch_1.bin", "test_batch.bin"].contains(&file.as_str()) {
        std::future::pending::<()>().await;
    }
    let record = |number: usize| {
        let class = number % 10;
        let pixels = (0..3072).map(move |at| (60 * (at / 1024) + 20 * class + 8 * (at % 32 * number % 7)) as u8);
        std::iter::once(class as u8).chain(pixels)
    };
    (0..10_000).flat_map(record).collect()
}

/// Copies the built page to the place that is served as `/deployed/PLACE/`, in place of the build there, with `prelude` before
/// the engine's script and the names and the build that go with it. Each test has a place of its own, which is emptied when the
/// result is dropped.
pub fn deploy(place: &str, prelude: &str) -> Deployed {
    let folder = deployed().join(place);
    fs::create_dir_all(deployed()).expect("a folder");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the build before can be deleted");
    }
    let copied = Command::new("cp").arg("-r").arg(dist()).arg(&folder).status();
    assert!(copied.expect("cp runs").success(), "the page can be copied to {}", folder.display());
    let script = engine_script(&folder);
    let engine = fs::read_to_string(&script).expect("text");
    fs::write(&script, format!("{prelude}\n{engine}")).expect("it can be changed");
    let seal = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/seal.py");
    let sealed = Command::new("python3").arg(seal).arg(&folder).status();
    assert!(sealed.expect("python3 is installed").success(), "the changed page can be sealed");
    Deployed(folder)
}

/// A page put in place by [`deploy`].
#[must_use = "the page is deleted when this is dropped"]
pub struct Deployed(PathBuf);

impl Deployed {
    /// The file NAME.ENDING of this page.
    pub fn file(&self, name: &str, ending: &str) -> PathBuf {
        sealed_file(&self.0, name, ending)
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        // the folder of another build in the same place may be gone already
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn deployed() -> PathBuf {
    std::env::temp_dir().join(format!("nolabel-deployed-{}", id()))
}

/// A server of the page, until it is dropped.
pub struct Host {
    /// Its address.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Host {
    /// Ends the server: open connections are closed, new ones refused.
    pub async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // if nobody listens, it has ended already
            let _ = stop.send(());
        }
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

/// Serves the page at `/`, in the depths of `/some/folder/`, each variant at `/NAME/`, without CIFAR-10 at `/gray/`, with
/// the beginning of it at `/colour/`, and what [`deploy`] has put there at
/// `/deployed/PLACE/`.
pub async fn serve() -> Host {
    let folder = dist();
    let script = engine_script(&folder);
    let name = format!("/{}", script.file_name().expect("a file").to_string_lossy());
    let engine = fs::read_to_string(script).expect("engine.js is part of the page");
    let variant = |engine: String| {
        let script = move || async move { ([(CONTENT_TYPE, "text/javascript")], engine) };
        Router::new().route(&name, get(script)).fallback_service(ServeDir::new(&folder))
    };
    let mut router = Router::new()
        .nest_service("/some/folder", ServeDir::new(&folder))
        .nest_service("/deployed", ServeDir::new(deployed()));
    for (name, prelude) in VARIANTS {
        router = router.nest_service(&format!("/{name}"), variant(format!("{prelude}\n{engine}")));
    }
    // as in a build without CIFAR-10: the engine then asks for the files by their plain names
    let bare = engine.replace("data/cifar-10/", "data/none/");
    let photographs = "/data/cifar-10/{file}";
    let gray = variant(bare.clone()).route(photographs, get(async || StatusCode::NOT_FOUND));
    let colour = variant(bare).route(photographs, get(stripes));
    let router = router.nest_service("/gray", gray).nest_service("/colour", colour);
    let router = router.fallback_service(ServeDir::new(&folder));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let (stop, stopped) = oneshot::channel::<()>();
    // it ends with whoever holds it, too
    let stopped = async { drop(stopped.await) };
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
    Host { address, stop: Some(stop) }
}
