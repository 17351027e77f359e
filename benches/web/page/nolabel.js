// nolabel's layers, loss and optimiser.

import init, { Training } from "./bench_web.js";
import { batches, layers } from "./network.js";

export async function start(n) {
  await init();
  const values = layers().flatMap(({ weight, bias }) => [...weight, ...bias]);
  const training = await Training.open(Float32Array.from(values));
  batches(n).forEach(({ images, classes }) => training.add_batch(images, classes));
  return { step: () => training.step(), loss: () => training.read_loss(), finish: () => training.finish() };
}
