// Starts the engine in its worker: downloads its program, reports the progress and runs it. The messages are defined in
// src/worker/protocol.rs.

import "./subgroups.js";

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

try {
  const response = await fetch(program, { cache: "no-cache" });
  if (response.ok) {
    // program and script must match: the query keeps a cached script from starting a newer program
    const mark = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
    const { default: start } = await import(`./worker.js?${encodeURIComponent(mark)}`);
    await start({ module_or_path: counted(response) });
  } else {
    fail(`HTTP ${response.status} for ${program.pathname}`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
