// Keeps the engine from using kernels that need subgroups.
//
// The engine's compiler offers such kernels to autotuning everywhere, but its WebGPU layer never requests subgroups from the
// browser (cubek-matmul 0.3.1, wgpu 30.0.1): their shaders do not compile, and the first one loses the device. This script
// replaces such a shader by an empty one with the same bindings, and drops its launches and their timestamps. Autotuning takes
// a candidate without a measured time for a failed one and tries the next.

// shaders, pipelines and timestamp query sets of dropped kernels
const out = new WeakSet();
// the timestamp query set that each compute pass writes
const clocks = new WeakMap();
// compute passes whose current pipeline is a dropped one
const idle = new WeakSet();

function wrap(type, name, around) {
  const method = type.prototype[name];
  type.prototype[name] = function (...given) {
    return around.call(this, (...changed) => method.apply(this, changed), ...given);
  };
}

// A shader with the same bindings and entry point and an empty body.
function emptied(code) {
  const all = (pattern) => [...code.matchAll(pattern)];
  const [, entry] = code.match(/@compute[^{]*?\bfn\s+(\w+)/);
  const structs = all(/struct\s+\w+\s*\{[^}]*\}/g).map(([text]) => text);
  const bindings = all(/@group\(\d+\)\s*@binding\(\d+\)\s*var(?:<[^>]*>)?\s+(\w+)\s*:[^;]*;/g);
  const uses = bindings.map(([, name]) => `_ = &${name};`);
  const enables = all(/^enable\s+(?!subgroups)[^;]*;/gm).map(([text]) => text);
  const main = `@compute @workgroup_size(1) fn ${entry}() { ${uses.join(" ")} }`;
  return [...enables, ...structs, ...bindings.map(([text]) => text), main].join("\n");
}

if (self.GPUDevice) {
  wrap(GPUDevice, "createShaderModule", function (make, wishes) {
    if (!/^\s*enable\s+subgroups\s*;/m.test(wishes.code)) return make(wishes);
    const module = make({ ...wishes, code: emptied(wishes.code) });
    out.add(module);
    return module;
  });
  wrap(GPUDevice, "createComputePipeline", function (make, wishes) {
    const pipeline = make(wishes);
    if (out.has(wishes.compute.module)) out.add(pipeline);
    return pipeline;
  });
  wrap(GPUCommandEncoder, "beginComputePass", function (begin, wishes) {
    const pass = begin(wishes);
    const { querySet, beginningOfPassWriteIndex } = wishes?.timestampWrites ?? {};
    if (beginningOfPassWriteIndex !== undefined) out.delete(querySet);
    clocks.set(pass, querySet);
    return pass;
  });
  wrap(GPUComputePassEncoder, "setPipeline", function (set, pipeline) {
    if (out.has(pipeline)) idle.add(this);
    else idle.delete(this);
    set(pipeline);
  });
  for (const launch of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]) {
    wrap(GPUComputePassEncoder, launch, function (dispatch, ...size) {
      if (!idle.has(this)) return dispatch(...size);
      const clock = clocks.get(this);
      if (!clock) {
        const message = "The GPU was to run a kernel that browsers do not allow.";
        self.postMessage({ Failed: { message, kind: "DeviceLost" } });
        throw new Error(message);
      }
      out.add(clock);
    });
  }
  // the target buffer is new, so it holds zeros, which mean no measurement
  wrap(GPUCommandEncoder, "resolveQuerySet", function (resolve, set, ...rest) {
    if (!out.has(set)) resolve(set, ...rest);
  });
}
