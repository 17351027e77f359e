//! A server for the built page, with variants in which the engine's worker finds another browser, or other data.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

/// Variants of the page: the folder that each is served in, and the script that runs before the engine.
const VARIANTS: [(&str, &str); 7] = [
    ("no-adapter", NO_ADAPTER),
    ("no-timers", NO_TIMERS),
    ("wrong-numbers", WRONG_NUMBERS),
    ("lost", LOST),
    ("no-storage", NO_STORAGE),
    ("full", FULL),
    ("counted", COUNTED),
];

const NO_ADAPTER: &str = "GPU.prototype.requestAdapter = async () => null;";

const NO_TIMERS: &str = r#"
const features = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features").get;
Object.defineProperty(GPUAdapter.prototype, "features", {
  get() { return new Set([...features.call(this)].filter((name) => name !== "timestamp-query")); },
});
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

/// The folder of the built page.
pub fn dist() -> PathBuf {
    let built = std::env::var_os("NOLABEL_DIST").map(PathBuf::from);
    let folder = built.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dist")));
    assert!(
        folder.join("worker_bg.wasm").is_file(),
        "there is no built page in {}: `make test` builds it, or name its folder in NOLABEL_DIST",
        folder.display()
    );
    folder
}

/// A made-up file of CIFAR-10: stripes in a colour for each class. The first training file and the test file are served, the
/// others never arrive.
async fn stripes(Path(file): Path<String>) -> Vec<u8> {
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

/// Serves the page at `/`, in the depths of `/some/folder/`, each variant at `/NAME/`, without CIFAR-10 at `/gray/` and with
/// the beginning of it at `/colour/`. Ends with the test's runtime.
pub async fn serve() -> SocketAddr {
    let folder = dist();
    let engine = std::fs::read_to_string(folder.join("engine.js")).expect("engine.js is part of the page");
    let mut router = Router::new().nest_service("/some/folder", ServeDir::new(&folder));
    for (name, prelude) in VARIANTS {
        let script = format!("{prelude}\n{engine}");
        let script = move || async move { ([(CONTENT_TYPE, "text/javascript")], script) };
        let variant = Router::new().route("/engine.js", get(script)).fallback_service(ServeDir::new(&folder));
        router = router.nest_service(&format!("/{name}"), variant);
    }
    let photographs = "/data/cifar-10/{file}";
    let gray = Router::new().route(photographs, get(async || StatusCode::NOT_FOUND));
    let colour = Router::new().route(photographs, get(stripes));
    for (name, variant) in [("/gray", gray), ("/colour", colour)] {
        router = router.nest_service(name, variant.fallback_service(ServeDir::new(&folder)));
    }
    let router = router.fallback_service(ServeDir::new(&folder));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
