// Times the training steps of a library.

import { counts } from "./counters.js";

// Trains `warm` steps and then `steps` steps that are timed, reading the loss of each. `start(n)` gives a library's `step()`, which
// trains one step on batches of n images and may return before the GPU is done, `loss()`, which waits for the loss of the last
// step, and `finish()`, which waits for the last update.
export async function measure(start, n, warm, steps) {
  const training = await start(n);
  const losses = [];
  const times = [];
  const began = performance.now();
  let first, before;
  for (let step = 0; step < warm + steps; step += 1) {
    if (step === warm) {
      await training.finish();
      before = { ...counts };
    }
    const begin = performance.now();
    training.step();
    losses.push(await training.loss());
    times.push(performance.now() - begin);
    if (step === 0) {
      await training.finish();
      first = performance.now() - began;
    }
  }
  const after = { ...counts };
  await training.finish();
  const timed = times.slice(warm).sort((a, b) => a - b);
  const each = (name) => (after[name] - before[name]) / steps;
  return {
    first, median: timed[Math.floor(steps / 2)], fastest: timed[0], losses,
    dispatches: each("dispatches"), submits: each("submits"), pipelines: after.pipelines, adapter: await adapter(),
  };
}

async function adapter() {
  const info = (await navigator.gpu?.requestAdapter())?.info;
  return info ? [info.vendor, info.architecture, info.description].filter(Boolean).join(" ") : "none";
}
