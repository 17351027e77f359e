// Starts the engine in its worker: downloads its program, reports the progress and runs it. The messages are defined in
// src/worker/protocol.rs.

import { hurryReadback } from "./readback.js";
import "./subgroups.js";

// filled in by scripts/seal.py: the build, and for each data file the name that carries its digest
const SEALED = null;

// time in milliseconds that a server has to answer a question
const PATIENCE = 5000;
// seconds until the service worker must have made the cache
const CACHE_WAITS = 120;

const CACHE = `nolabel ${new URL("./", self.location.href).pathname} ${SEALED?.build}`;
const program = new URL("worker_bg.wasm", self.location.href);

function fail(why) {
  const message = `The engine could not be loaded: ${why}. Check that the page's server still runs, then start it again.`;
  self.postMessage({ Failed: { message, kind: "Engine" } });
}

// Counts the bytes of the body as they arrive. A compressed body is longer than its content-length, so it has no total.
function counted(response) {
  const packed = response.headers.get("content-encoding");
  const length = Number(response.headers.get("content-length"));
  const total = packed || !length ? null : length;
  let loaded = 0;
  const count = new TransformStream({
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      self.postMessage({ Fetching: { loaded, total } });
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(count), { headers: { "content-type": "application/wasm" } });
}

// Puts a data file into the cache of this build: the service worker does not see what a worker fetches that is older than
// itself. It makes the cache when it is installed, which may be later than the data arrives; in a browser that allows none, there
// is no cache in the end.
async function keep(url, response) {
  const bytes = await response.blob();
  for (let tries = 0; tries < CACHE_WAITS && !(await caches.has(CACHE)); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  if (await caches.has(CACHE)) await (await caches.open(CACHE)).put(url, new Response(bytes));
}

// True if the cache of this build holds the file. Another build's cache may go before this one does.
async function isKept(url) {
  return (await caches.has(CACHE)) && !!(await (await caches.open(CACHE)).match(url));
}

// Has the engine fetch data files by the names it knows. Its questions whether a file is there are answered by the build, or by
// the server if that answers soon.
function sealData() {
  const plain = self.fetch;
  self.fetch = async (address, options) => {
    const name = SEALED.data[address];
    if (options?.method === "HEAD") {
      return name ? new Response(null) : plain(address, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    }
    if (!name) return plain(address, options);
    const url = new URL(name, self.location.href).href;
    const response = await plain(url);
    // a full disk, or a browser that keeps nothing, must not stop the engine
    if (response.ok && self.caches && !(await isKept(url).catch(() => true))) keep(url, response.clone()).catch(() => {});
    return response;
  };
}

try {
  hurryReadback();
  if (SEALED) sealData();
  const response = await fetch(program, { cache: SEALED ? "default" : "no-cache" });
  if (response.ok) {
    // program and script must match: where their names carry no digests, the query keeps a cached script from starting a
    // newer program
    const mark = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
    const { default: start } = await import(SEALED ? "./worker.js" : `./worker.js?${encodeURIComponent(mark)}`);
    await start({ module_or_path: counted(response) });
  } else {
    fail(`HTTP ${response.status} for ${program.pathname}`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
