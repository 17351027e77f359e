//! Update rules on flattened tensors.

use burn::tensor::Tensor;

use super::trust::{decayed, scaled};
use super::{OptimizerConfig, OptimizerKind};

/// Hyperparameters of one parameter's update.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParamStep {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay.
    pub decay: f64,
    /// Apply the trust ratio of a LARS rule.
    pub adapt: bool,
    /// Number of this parameter's updates, including this one.
    pub count: u64,
}

impl OptimizerConfig {
    /// Updated weights, from weights `w` and gradient `g`, both flattened. `slots` is the state of the parameter, empty at first.
    pub(super) fn apply(&self, w: Tensor<1>, g: Tensor<1>, slots: &mut Vec<Tensor<1>>, step: ParamStep) -> Tensor<1> {
        match self.kind {
            OptimizerKind::Adam | OptimizerKind::Adamw => self.adaptive(w, g, slots, step),
            OptimizerKind::Rmsprop => {
                let g = decayed(&w, g, step.decay);
                let b = slots.pop().unwrap_or_else(|| g.zeros_like());
                let v = slots.pop().unwrap_or_else(|| g.zeros_like());
                let v = v * self.beta2 + g.clone().square() * (1.0 - self.beta2);
                let b = b * self.momentum + g / (v.clone().sqrt() + self.epsilon);
                slots.extend([v, b.clone()]);
                w - b * step.lr
            }
            _ => {
                let g = if self.kind.is_adaptive() && step.adapt {
                    scaled(self, &w, g, step.lr, step.decay)
                } else {
                    decayed(&w, g, step.decay)
                };
                self.with_momentum(w, g, slots, step.lr)
            }
        }
    }

    fn with_momentum(&self, w: Tensor<1>, g: Tensor<1>, slots: &mut Vec<Tensor<1>>, lr: f64) -> Tensor<1> {
        let inside = self.kind == OptimizerKind::LarsRateInMomentum;
        let g = if inside { g * lr } else { g };
        let nesterov = (self.kind == OptimizerKind::Nesterov).then(|| g.clone());
        let b = match slots.pop() {
            Some(b) => b * self.momentum + g,
            None => g,
        };
        slots.push(b.clone());
        match nesterov {
            Some(g) => w - (b * self.momentum + g) * lr,
            None if inside => w - b,
            None => w - b * lr,
        }
    }

    fn adaptive(&self, w: Tensor<1>, g: Tensor<1>, slots: &mut Vec<Tensor<1>>, step: ParamStep) -> Tensor<1> {
        let decoupled = self.kind == OptimizerKind::Adamw;
        let g = if decoupled { g } else { decayed(&w, g, step.decay) };
        let v = slots.pop().unwrap_or_else(|| g.zeros_like());
        let m = slots.pop().unwrap_or_else(|| g.zeros_like());
        let m = m * self.momentum + g.clone() * (1.0 - self.momentum);
        let v = v * self.beta2 + g.square() * (1.0 - self.beta2);
        slots.extend([m.clone(), v.clone()]);
        // the bias corrections are scalar factors, which saves a pass over each tensor
        let correction = |beta: f64| 1.0 - beta.powf(step.count as f64);
        let root = v.sqrt() / correction(self.beta2).sqrt() + self.epsilon;
        let w = if decoupled && step.decay > 0.0 { w * (1.0 - step.lr * step.decay) } else { w };
        w - m * (step.lr / correction(self.momentum)) / root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Weights after `steps` updates at learning rate `config.lr`, from (3, 4) with the gradient (0.6, -0.8).
    fn walk(config: &OptimizerConfig, steps: u64) -> Vec<f32> {
        let device = Device::flex();
        let mut slots = Vec::new();
        let mut w = Tensor::<1>::from_floats([3.0, 4.0], &device);
        for count in 1..=steps {
            let g = Tensor::<1>::from_floats([0.6, -0.8], &device);
            let step = ParamStep { lr: config.lr, decay: config.weight_decay, adapt: true, count };
            w = config.apply(w, g, &mut slots, step);
        }
        w.into_data().try_to_vec().expect("floats")
    }

    fn close(found: &[f32], expected: [f32; 2]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    fn rate_in_momentum(lr: f64, weight_decay: f64) -> OptimizerConfig {
        OptimizerConfig::lars(lr, weight_decay).with_kind(OptimizerKind::LarsRateInMomentum)
    }

    fn solo(lr: f64, weight_decay: f64) -> OptimizerConfig {
        OptimizerConfig { trust: 0.02, ..OptimizerConfig::lars(lr, weight_decay).with_kind(OptimizerKind::LarsSolo) }
    }

    #[test]
    fn sgd_agrees_with_the_formula() {
        // b1 = g, b2 = 1.9 g: w = w0 - .1 (1 + 1.9) g
        close(&walk(&OptimizerConfig::sgd(0.1, 0.0), 2), [3.0 - 0.29 * 0.6, 4.0 + 0.29 * 0.8]);
        // weight decay .5 adds (1.5, 2) to the gradient: one step of (2.1, 1.2)
        close(&walk(&OptimizerConfig::sgd(0.1, 0.5), 1), [3.0 - 0.21, 4.0 - 0.12]);
    }

    #[test]
    fn nesterov_agrees_with_the_formula() {
        // step 1: g + .9 g = 1.9 g; step 2: b = 1.9 g, g + 1.71 g = 2.71 g
        close(&walk(&OptimizerConfig::nesterov(0.1, 0.0), 2), [3.0 - 0.461 * 0.6, 4.0 + 0.461 * 0.8]);
    }

    #[test]
    fn lars_rules_have_their_golden_values() {
        // |w| = 5, |g| = 1, decay .1: g + wd w = (.9, -.4) of norm .984886
        let lars = OptimizerConfig::lars(0.2, 0.1);
        let inside = rate_in_momentum(0.2, 0.1);
        close(&walk(&lars, 1), [2.999_086, 4.000_406]);
        close(&walk(&inside, 1), [2.999_086, 4.000_406]);
        close(&walk(&lars, 2), [2.997_35, 4.001_178]);
        close(&walk(&inside, 2), [2.997_35, 4.001_178]);
        close(&walk(&OptimizerConfig::larc(0.2, 0.1), 1), [2.999_4, 4.000_267]);
        // the trust ratio is .02 * 5 / 1.5 = .066667: below the learning rate .2, above .05
        close(&walk(&solo(0.2, 0.1), 1), [3.0 - 0.066_666_7 * 0.9, 4.0 + 0.066_666_7 * 0.4]);
        close(&walk(&solo(0.05, 0.1), 1), [3.0 - 0.05 * 0.9, 4.0 + 0.05 * 0.4]);
    }

    #[test]
    fn a_momentum_may_contain_the_learning_rate() {
        let config = rate_in_momentum(0.0, 0.0);
        let other = OptimizerConfig::lars(0.0, 0.0);
        let twice = |config: &OptimizerConfig| -> Vec<f32> {
            let mut slots = Vec::new();
            let mut w = Tensor::<1>::from_floats([3.0, 4.0], &Device::flex());
            for (count, lr) in [(1, 1.0), (2, 0.0)] {
                let g = Tensor::<1>::from_floats([0.6, -0.8], &Device::flex());
                w = config.apply(w, g, &mut slots, ParamStep { lr, decay: 0.0, adapt: true, count });
            }
            w.into_data().try_to_vec().expect("floats")
        };
        // one step of .005 (.6, -.8); at rate 0 the buffer still moves the weights by .9 of it where the rate is in it
        close(&twice(&other), [3.0 - 0.003, 4.0 + 0.004]);
        close(&twice(&config), [3.0 - 0.0057, 4.0 + 0.0076]);
    }

    #[test]
    fn weights_or_gradients_of_zero_are_not_scaled() {
        let step = |config: &OptimizerConfig, w: [f32; 2], g: [f32; 2]| -> Vec<f32> {
            let [w, g] = [w, g].map(|x| Tensor::from_floats(x, &Device::flex()));
            let moved = config.apply(w, g, &mut Vec::new(), ParamStep { lr: 1.0, decay: 0.1, adapt: true, count: 1 });
            moved.into_data().try_to_vec().expect("floats")
        };
        for config in [OptimizerConfig::lars(1.0, 0.1), OptimizerConfig::larc(1.0, 0.1), solo(1.0, 0.1)] {
            close(&step(&config, [0.0, 0.0], [0.5, -0.25]), [-0.5, 0.25]);
        }
        // apex and solo-learn apply no weight decay without a gradient
        close(&step(&OptimizerConfig::larc(1.0, 0.1), [3.0, 4.0], [0.0, 0.0]), [3.0, 4.0]);
    }

    #[test]
    fn excluded_vectors_take_plain_momentum_steps() {
        for config in [OptimizerConfig::lars(0.2, 0.1), rate_in_momentum(0.2, 0.1)] {
            let [w, g] = [[3.0, 4.0], [0.6, -0.8]].map(|x| Tensor::from_floats(x, &Device::flex()));
            let moved = config.apply(w, g, &mut Vec::new(), ParamStep { lr: 0.2, decay: 0.0, adapt: false, count: 1 });
            close(&moved.into_data().try_to_vec::<f32>().expect("floats"), [2.88, 4.16]);
        }
    }

    #[test]
    fn adamw_decouples_weight_decay_from_the_gradient() {
        // the first bias-corrected step is g / |g| = sign(g)
        close(&walk(&OptimizerConfig::adamw(0.01, 0.0), 1), [2.99, 4.01]);
        close(&walk(&OptimizerConfig::adamw(0.01, 0.1), 1), [3.0 * 0.999 - 0.01, 4.0 * 0.999 + 0.01]);
    }

    #[test]
    fn adam_and_rmsprop_agree_with_pytorch() {
        // w = torch.nn.Parameter(torch.tensor([3., 4.])); o = torch.optim.Adam([w], lr=.01, weight_decay=.1), or
        // torch.optim.RMSprop([w], lr=.01, alpha=.99, momentum=.9, weight_decay=.1);
        // for _ in range(3): w.grad = torch.tensor([.6, -.8]); o.step()
        close(&walk(&OptimizerConfig::adam(0.01, 0.1), 3), [2.970_001, 4.029_998]);
        close(&walk(&OptimizerConfig::rmsprop(0.01, 0.1), 3), [2.537_954, 4.459_903]);
    }
}
