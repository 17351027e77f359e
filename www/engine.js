// Starts the engine in its worker: downloads its program, reports the progress and runs it. The messages are defined in
// src/worker/protocol.rs.

import "./subgroups.js";

// filled in by scripts/seal.py: the build, and for each data file the name that carries its digest
const SEALED = null;

// time in milliseconds that a server has to answer a question
const PATIENCE = 5000;

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

// Puts a data file into the cache of this build, if there is one: the service worker makes it (www/sw.js), but does not see
// what a worker fetches that is older than itself.
async function keep(url, response) {
  const bytes = await response.blob();
  const cache = `nolabel ${new URL("./", self.location.href).pathname} ${SEALED.build}`;
  if (await caches.has(cache)) await (await caches.open(cache)).put(url, new Response(bytes));
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
    if (response.ok && self.caches && !(await caches.match(url).catch(() => true))) keep(url, response.clone()).catch(() => {});
    return response;
  };
}

try {
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
