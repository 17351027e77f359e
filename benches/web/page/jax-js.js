// The same network in jax-js: gradient and Adam in one compiled function.

import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { ADAM, BATCHES, CLASSES, SIDE, batches, layers } from "./network.js";

export async function start(n) {
  if (!(await init("webgpu")).includes("webgpu")) throw new Error("jax-js found no WebGPU");
  defaultDevice("webgpu");
  let weights = {};
  layers().forEach(({ shape, weight, bias }, number) => {
    weights[`w${number}`] = np.array(weight).reshape(shape);
    weights[`b${number}`] = np.array(bias);
  });
  const data = batches(n).map(({ images, classes }) => {
    const hot = new Float32Array(n * CLASSES);
    classes.forEach((label, row) => { hot[row * CLASSES + label] = 1; });
    return { images: np.array(images).reshape([n, 1, SIDE, SIDE]), hot: np.array(hot).reshape([n, CLASSES]) };
  });

  const block = (x, w, b) => {
    const y = lax.convGeneralDilated(x, w, [1, 1], "SAME").add(b.reshape([-1, 1, 1]));
    return lax.reduceWindow(nn.relu(y), np.max, [2, 2], [2, 2]);
  };
  const linear = (x, w, b) => np.dot(x, w.transpose()).add(b);
  const crossEntropy = (w, images, hot) => {
    let x = block(block(images, w.w0, w.b0), w.w1, w.b1).reshape([n, -1]);
    x = linear(nn.relu(linear(x, w.w2, w.b2)), w.w3, w.b3);
    return nn.logSoftmax(x).mul(hot).sum().mul(-1 / n);
  };
  // `ref` keeps an array for another use; jax-js frees each with its last one
  const update = jit((weights, means, squares, meanScale, squareScale, images, hot) => {
    const [loss, gradients] = valueAndGrad(crossEntropy)(tree.ref(weights), images, hot);
    const moved = { weights: {}, means: {}, squares: {} };
    const names = Object.keys(weights);
    names.forEach((name, number) => {
      const own = (scale) => (number === names.length - 1 ? scale : scale.ref);
      const gradient = gradients[name];
      const mean = means[name].mul(ADAM.beta1).add(gradient.ref.mul(1 - ADAM.beta1));
      const square = squares[name].mul(ADAM.beta2).add(np.square(gradient).mul(1 - ADAM.beta2));
      moved.means[name] = mean.ref;
      moved.squares[name] = square.ref;
      const root = np.sqrt(square.mul(own(squareScale))).add(ADAM.epsilon);
      moved.weights[name] = weights[name].sub(mean.mul(own(meanScale)).div(root).mul(ADAM.rate));
    });
    return [loss, moved.weights, moved.means, moved.squares];
  });

  let means = tree.map((x) => np.zerosLike(x), tree.ref(weights));
  let squares = tree.map((x) => np.zerosLike(x), tree.ref(weights));
  let steps = 0;
  let loss;
  return {
    step() {
      const { images, hot } = data[steps % BATCHES];
      steps += 1;
      const [meanScale, squareScale] = [ADAM.beta1, ADAM.beta2].map((beta) => np.array([1 / (1 - beta ** steps)]));
      [loss, weights, means, squares] = update(weights, means, squares, meanScale, squareScale, images.ref, hot.ref);
    },
    loss: async () => (await loss.data())[0],
    finish: () => blockUntilReady(tree.ref(weights)),
  };
}
