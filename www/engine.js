// Starts the engine in its worker: fetches its program with progress, then hands over to it. The messages are those of
// src/worker/protocol.rs.

import "./subgroups.js";

const program = new URL("worker_bg.wasm", self.location.href);

function fail(why) {
  const message = `The engine could not be loaded: ${why}. Check that the page's server still runs, then start it again.`;
  self.postMessage({ Failed: { message, kind: "Engine" } });
}

// The body as it passes by, counted. A packed body is longer than its announced length: then there is no total.
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
    // program and script belong together: a script kept from an older visit must not start a newer program
    const mark = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
    const { default: start } = await import(`./worker.js?${encodeURIComponent(mark)}`);
    await start({ module_or_path: counted(response) });
  } else {
    fail(`HTTP ${response.status} for ${program.pathname}`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
