// Keeps Firefox from answering late when the engine reads from the GPU.
//
// Firefox looks only every 100 ms whether the GPU has finished (bug 1870699), unless work is submitted meanwhile: then it looks at
// once. While a buffer is being mapped, this script submits empty work.

// time in milliseconds between two empty submissions
const PAUSE = 2;

// the queue that can finish the work on each buffer
const queues = new WeakMap();

// Wraps what the engine calls, in Firefox only.
export function hurryReadback() {
  if (!self.GPUDevice || !navigator.userAgent.includes("Firefox/")) return;
  const create = GPUDevice.prototype.createBuffer;
  GPUDevice.prototype.createBuffer = function (wishes) {
    const buffer = create.call(this, wishes);
    queues.set(buffer, this.queue);
    return buffer;
  };
  const map = GPUBuffer.prototype.mapAsync;
  GPUBuffer.prototype.mapAsync = function (...range) {
    const mapped = map.apply(this, range);
    const queue = queues.get(this);
    const nudge = setInterval(() => queue.submit([]), PAUSE);
    const end = () => clearInterval(nudge);
    mapped.then(end, end);
    return mapped;
  };
}
