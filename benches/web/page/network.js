// The network that every library trains, and its data:
// 28x28 -> conv 3x3, 32 -> ReLU -> max pool 2x2 -> conv 3x3, 64 -> ReLU -> max pool 2x2 -> linear 128 -> ReLU -> linear 4,
// softmax cross-entropy, Adam. Weights and images come from one generator, so that all libraries must print the same losses.

export const CLASSES = 4;
export const SIDE = 28;
// Batches, which take turns: losses that fall say that it trains.
export const BATCHES = 4;
// Adam's learning rate, factors of its moments, and the number added to the root.
export const ADAM = { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

// Numbers from 0 to 1 from a seed: a linear congruential generator of 32 bits, whose bits are then mixed.
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let bits = state ^ (state >>> 16);
    bits = Math.imul(bits, 0x45d9f3b) >>> 0;
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
}

// Layers: the shape of the weights, `[out, in, rows, columns]` or `[out, in]`, and the bound b of their start, U(-b, b). Biases start at 0.
const LAYERS = [
  { shape: [32, 1, 3, 3], bound: Math.sqrt(6 / 9) },
  { shape: [64, 32, 3, 3], bound: Math.sqrt(6 / 288) },
  { shape: [128, 64 * 49], bound: Math.sqrt(6 / 3136) },
  { shape: [CLASSES, 128], bound: Math.sqrt(1 / 128) },
];

// Weights and biases of the layers, with their shapes.
export function layers() {
  const next = random(1);
  return LAYERS.map(({ shape, bound }) => {
    const count = shape.reduce((a, b) => a * b);
    return { shape, weight: Float32Array.from({ length: count }, () => (2 * next() - 1) * bound), bias: new Float32Array(shape[0]) };
  });
}

// Batches of images `[n, 28, 28]` in 0 to 1 and their classes.
export function batches(n) {
  const next = random(2);
  return Array.from({ length: BATCHES }, () => {
    const images = Float32Array.from({ length: n * SIDE * SIDE }, next);
    return { images, classes: Int32Array.from({ length: n }, () => Math.floor(next() * CLASSES)) };
  });
}
