//! Configuration of optimisers.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Update rule of an optimiser and its hyperparameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Update rule.
    pub kind: OptimizerKind,
    /// Base learning rate, before the schedule.
    pub lr: f64,
    /// Momentum of SGD, LARS and RMSprop; beta1 of Adam and AdamW.
    pub momentum: f64,
    /// Decay of the average of squared gradients; Adam, AdamW and RMSprop only.
    pub beta2: f64,
    /// Added to the root of the squared gradients, and to the denominator of the trust ratio in LARC.
    pub epsilon: f64,
    /// Weight decay, added to the gradient as `weight_decay w`; AdamW instead multiplies the weight by `1 - lr weight_decay`.
    pub weight_decay: f64,
    /// Apply weight decay, and the trust ratio of the LARS rules, to vectors too (biases, batch-norm scales and shifts).
    pub decay_vectors: bool,
    /// Trust coefficient of the LARS rules, the factor of |w| / |g|.
    #[serde(default = "thousandth")]
    pub trust: f64,
    /// Largest norm of the gradient over all parameters, above which it is scaled down to it; 0 for no clipping.
    #[serde(default)]
    pub clip_norm: f64,
}

fn thousandth() -> f64 {
    1e-3
}

/// Update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// SGD with momentum: `b = m b + g; w -= lr b`. Dampening is 0, as in PyTorch.
    Sgd,
    /// SGD with Nesterov's momentum as PyTorch computes it: `b = m b + g; w -= lr (g + m b)`.
    Nesterov,
    /// LARS of the BYOL and Barlow Twins code: `g += wd w; g *= trust |w| / |g|`, then SGD with momentum.
    Lars,
    /// LARS of the SimCLR code: as `Lars`, with the learning rate inside the momentum: `b = m b + lr g; w -= b`.
    LarsSimclr,
    /// LARC of apex without clipping, as SwAV uses it: `g = trust |w| / (|g| + wd |w| + eps) (g + wd w)`, then SGD with
    /// momentum.
    Larc,
    /// LARS of solo-learn: as `Larc`, with a trust ratio of at most the learning rate: `min(ratio / lr, 1)`.
    LarsSolo,
    /// Adam (Kingma and Ba 2015) with weight decay in the gradient.
    Adam,
    /// AdamW (Loshchilov and Hutter 2019).
    Adamw,
    /// RMSprop with momentum as PyTorch computes it: `v = beta2 v + (1 - beta2) g^2; b = m b + g / (sqrt(v) + eps); w -= lr b`.
    Rmsprop,
}

impl OptimizerKind {
    /// True if it scales each tensor's step to the tensor's norm (LARS and LARC).
    pub fn is_adaptive(self) -> bool {
        matches!(self, OptimizerKind::Lars | OptimizerKind::LarsSimclr | OptimizerKind::Larc | OptimizerKind::LarsSolo)
    }
}

impl OptimizerConfig {
    /// SGD with momentum 0.9, decaying every weight.
    pub fn sgd(lr: f64, weight_decay: f64) -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            lr,
            momentum: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay,
            decay_vectors: true,
            trust: thousandth(),
            clip_norm: 0.0,
        }
    }

    /// SGD with Nesterov's momentum 0.9, decaying every weight.
    pub fn nesterov(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Nesterov, ..Self::sgd(lr, weight_decay) }
    }

    /// LARS as in the code of BYOL and Barlow Twins: trust 0.001, vectors neither decay nor are scaled.
    pub fn lars(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Lars, decay_vectors: false, ..Self::sgd(lr, weight_decay) }
    }

    /// LARS as in SimCLR's code: trust 0.001, vectors neither decay nor are scaled.
    pub fn lars_simclr(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::LarsSimclr, ..Self::lars(lr, weight_decay) }
    }

    /// LARC as SwAV uses it: trust 0.001, no clipping, vectors like everything else.
    pub fn larc(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Larc, ..Self::sgd(lr, weight_decay) }
    }

    /// LARS as in solo-learn's CIFAR recipes: trust 0.02, vectors neither decay nor are scaled.
    pub fn lars_solo(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::LarsSolo, trust: 0.02, ..Self::lars(lr, weight_decay) }
    }

    /// Adam with PyTorch's constants.
    pub fn adam(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Adam, ..Self::sgd(lr, weight_decay) }
    }

    /// AdamW with PyTorch's constants; vectors do not decay.
    pub fn adamw(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Adamw, decay_vectors: false, ..Self::sgd(lr, weight_decay) }
    }

    /// RMSprop with momentum 0.9 and PyTorch's decay 0.99 of the squared gradients.
    pub fn rmsprop(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Rmsprop, beta2: 0.99, ..Self::sgd(lr, weight_decay) }
    }

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting, if a value is outside its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::Config(message.to_string()));
        let share = |value: f64| (0.0..1.0).contains(&value);
        if !share(self.momentum) || !share(self.beta2) {
            return wrong("optimizer.momentum and optimizer.beta2 must lie in [0, 1)");
        }
        if !(self.weight_decay >= 0.0 && self.epsilon > 0.0) {
            return wrong("optimizer.weight_decay must not be negative and optimizer.epsilon positive");
        }
        if self.kind.is_adaptive() && !(self.trust.is_finite() && self.trust > 0.0) {
            return wrong("optimizer.trust must be a positive number");
        }
        if !(self.clip_norm.is_finite() && self.clip_norm >= 0.0) {
            return wrong("optimizer.clip_norm must be a positive number, or 0 for no clipping");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_setting_out_of_range() {
        let fine = OptimizerConfig::lars(4.8, 1e-6);
        fine.check().expect("learning rates above 1 are usual with LARS");
        let cases = [
            (OptimizerConfig { momentum: 1.0, ..fine.clone() }, "optimizer.momentum"),
            (OptimizerConfig { weight_decay: -1e-4, ..fine.clone() }, "optimizer.weight_decay"),
            (OptimizerConfig { trust: 0.0, ..fine.clone() }, "optimizer.trust"),
            (OptimizerConfig { clip_norm: f64::NAN, ..fine.clone() }, "optimizer.clip_norm"),
        ];
        for (config, name) in cases {
            let message = config.check().expect_err("a wrong setting").to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
