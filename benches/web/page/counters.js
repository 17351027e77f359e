// Counts what a page asks of WebGPU. It is imported before any library.

export const counts = { dispatches: 0, submits: 0, pipelines: 0 };

function count(prototype, method, name) {
  const original = prototype[method];
  prototype[method] = function (...values) {
    counts[name] += 1;
    return original.apply(this, values);
  };
}

if (globalThis.GPUDevice) {
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatches");
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", "dispatches");
  count(GPUQueue.prototype, "submit", "submits");
  count(GPUDevice.prototype, "createComputePipeline", "pipelines");
  count(GPUDevice.prototype, "createComputePipelineAsync", "pipelines");
}
