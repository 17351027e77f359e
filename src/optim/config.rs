//! Which update rule, and its constants.

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
    /// Momentum of SGD, LARS and RMSprop; beta1 of Adam and AdamW.
    pub momentum: f64,
    /// Decay of the squared gradients; Adam, AdamW and RMSprop only.
    pub beta2: f64,
    /// Added to the root of the squared gradients, and to the denominator of a trust ratio where the rule has it there.
    pub epsilon: f64,
    /// Added, times the weight, to the gradient; AdamW instead shrinks the weight by lr times it.
    pub weight_decay: f64,
    /// Whether vectors (biases, batch-norm scales and shifts) decay too, and whether the LARS rules scale them too.
    pub decay_vectors: bool,
    /// What a LARS rule multiplies |w| / |g| by.
    #[serde(default = "thousandth")]
    pub trust: f64,
    /// Gradients are scaled down to this norm over all parameters together where they exceed it; 0 leaves them alone.
    #[serde(default)]
    pub clip_norm: f64,
}

fn thousandth() -> f64 {
    1e-3
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// SGD with momentum: `b = m b + g; w -= lr b`. Dampening is 0, as in PyTorch.
    Sgd,
    /// SGD with Nesterov's momentum as PyTorch computes it: `b = m b + g; w -= lr (g + m b)`.
    Nesterov,
    /// LARS of the BYOL and Barlow Twins code: `g += wd w; g *= trust |w| / |g|`, then SGD with momentum.
    Lars,
    /// LARS of the SimCLR code: as `Lars`, but the rate of each step goes into the momentum: `b = m b + lr g; w -= b`.
    LarsSimclr,
    /// LARC of apex without clipping, as SwAV uses it: `g = trust |w| / (|g| + wd |w| + eps) (g + wd w)`, then SGD with
    /// momentum.
    Larc,
    /// LARS of solo-learn: as `Larc`, but the ratio is at most the learning rate: `min(ratio / lr, 1)`.
    LarsSolo,
    /// Adam (Kingma and Ba 2015) with weight decay in the gradient.
    Adam,
    /// AdamW (Loshchilov and Hutter 2019).
    Adamw,
    /// RMSprop with momentum as PyTorch computes it: `v = beta2 v + (1 - beta2) g^2; b = m b + g / (sqrt(v) + eps); w -= lr b`.
    Rmsprop,
}

impl OptimizerKind {
    /// Whether it scales each tensor's step to the tensor's norm.
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

    /// Refuses constants outside their range.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
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
    fn constants_out_of_range_are_refused_by_name() {
        let fine = OptimizerConfig::lars(4.8, 1e-6);
        fine.check().expect("rates above 1 are usual with LARS");
        let cases = [
            (OptimizerConfig { momentum: 1.0, ..fine.clone() }, "optimizer.momentum"),
            (OptimizerConfig { weight_decay: -1e-4, ..fine.clone() }, "optimizer.weight_decay"),
            (OptimizerConfig { trust: 0.0, ..fine.clone() }, "optimizer.trust"),
            (OptimizerConfig { clip_norm: f64::NAN, ..fine.clone() }, "optimizer.clip_norm"),
        ];
        for (config, name) in cases {
            let said = config.check().expect_err("must be refused").to_string();
            assert!(said.contains(name), "{said}");
        }
    }
}
