//! The update rules on flat tensors.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which rule, and its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The rule.
    pub kind: OptimizerKind,
    /// Base learning rate, before the schedule.
    pub lr: f64,
    /// Momentum of SGD; beta1 of AdamW.
    pub momentum: f64,
    /// Decay of the squared gradients; AdamW only.
    pub beta2: f64,
    /// Added to the root of the squared gradients; AdamW only.
    pub epsilon: f64,
    /// SGD adds it times the weight to the gradient; AdamW shrinks the weight by lr times it.
    pub weight_decay: f64,
    /// Whether vectors (biases, batch-norm scales and shifts) decay too.
    pub decay_vectors: bool,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// SGD with momentum: `b = m b + g; w -= lr b`. Dampening is 0, as in PyTorch.
    Sgd,
    /// SGD with Nesterov's momentum as PyTorch computes it: `b = m b + g; w -= lr (g + m b)`.
    Nesterov,
    /// AdamW (Loshchilov and Hutter 2019).
    Adamw,
}

impl OptimizerConfig {
    /// SGD with Nesterov's momentum 0.9, decaying every weight.
    pub fn nesterov(lr: f64, weight_decay: f64) -> Self {
        let kind = OptimizerKind::Nesterov;
        Self { kind, lr, momentum: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay, decay_vectors: true }
    }

    /// AdamW with PyTorch's constants.
    pub fn adamw(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Adamw, decay_vectors: false, ..Self::nesterov(lr, weight_decay) }
    }

    /// Refuses constants outside their range.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        if !share(self.momentum) || !share(self.beta2) {
            return Err(Error::Config("optimizer.momentum and optimizer.beta2 must lie in [0, 1)".into()));
        }
        if !(self.weight_decay >= 0.0 && self.epsilon > 0.0) {
            return Err(Error::Config(
                "optimizer.weight_decay must not be negative and optimizer.epsilon positive".into(),
            ));
        }
        Ok(())
    }

    /// Moves `w` against gradient `g`, all flat and on one device. `slots` is this parameter's state, empty at first.
    /// `t` counts this parameter's updates from 1.
    pub(super) fn apply(
        &self,
        w: Tensor<1>,
        g: Tensor<1>,
        slots: &mut Vec<Tensor<1>>,
        t: u64,
        lr: f64,
        decay: f64,
    ) -> Tensor<1> {
        match self.kind {
            OptimizerKind::Sgd | OptimizerKind::Nesterov => {
                let g = if decay == 0.0 { g } else { g + w.clone() * decay };
                let b = match slots.pop() {
                    Some(b) => b * self.momentum + g.clone(),
                    None => g.clone(),
                };
                slots.push(b.clone());
                let direction = if self.kind == OptimizerKind::Nesterov { g + b * self.momentum } else { b };
                w - direction * lr
            }
            OptimizerKind::Adamw => {
                let zeros = || w.zeros_like();
                let (v, m) = (slots.pop().unwrap_or_else(zeros), slots.pop().unwrap_or_else(zeros));
                let m = m * self.momentum + g.clone() * (1.0 - self.momentum);
                let v = v * self.beta2 + g.square() * (1.0 - self.beta2);
                slots.extend([m.clone(), v.clone()]);
                let m = m / (1.0 - self.momentum.powf(t as f64));
                let v = v / (1.0 - self.beta2.powf(t as f64));
                w * (1.0 - lr * decay) - m / (v.sqrt() + self.epsilon) * lr
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn walk(config: &OptimizerConfig, steps: u64, decay: f64) -> Vec<f32> {
        let device = Device::flex();
        let mut slots = Vec::new();
        let mut w = Tensor::<1>::from_floats([3.0, 4.0], &device);
        for t in 1..=steps {
            let g = Tensor::<1>::from_floats([0.6, -0.8], &device);
            w = config.apply(w, g, &mut slots, t, config.lr, decay);
        }
        w.into_data().try_to_vec().expect("floats")
    }

    fn close(found: &[f32], expected: [f32; 2]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn sgd_by_hand() {
        let sgd = OptimizerConfig { kind: OptimizerKind::Sgd, ..OptimizerConfig::nesterov(0.1, 0.0) };
        // g = (.6, -.8); b1 = g, b2 = 1.9 g: w = w0 - .1 (1 + 1.9) g
        close(&walk(&sgd, 2, 0.0), [3.0 - 0.29 * 0.6, 4.0 + 0.29 * 0.8]);
        // decay .5 adds (1.5, 2): one step of (2.1, 1.2)
        close(&walk(&sgd, 1, 0.5), [3.0 - 0.21, 4.0 - 0.12]);
    }

    #[test]
    fn nesterov_looks_ahead() {
        // step 1: g + .9 g = 1.9 g; step 2: b = 1.9 g, g + 1.71 g = 2.71 g
        close(&walk(&OptimizerConfig::nesterov(0.1, 0.0), 2, 0.0), [3.0 - 0.461 * 0.6, 4.0 + 0.461 * 0.8]);
    }

    #[test]
    fn adamw_moves_by_the_rate_and_shrinks_apart_from_the_gradient() {
        // the first corrected step is g / |g| = sign(g), whatever its size
        close(&walk(&OptimizerConfig::adamw(0.01, 0.0), 1, 0.0), [2.99, 4.01]);
        close(&walk(&OptimizerConfig::adamw(0.01, 0.0), 1, 0.1), [3.0 * 0.999 - 0.01, 4.0 * 0.999 + 0.01]);
    }
}
