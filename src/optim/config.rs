//! Configuration of optimisers.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::options::{Options, above, options, words};

options! {
    /// Update rule of an optimiser and its hyperparameters.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct OptimizerConfig {
        /// Update rule.
        kind: OptimizerKind = OptimizerKind::Sgd;
        /// Learning rate, before the schedule.
        lr: f64 = 0.05, in above(0.0);
        /// Momentum of SGD, LARS and RMSprop; beta1 of Adam and AdamW.
        momentum: f64 = 0.9, in 0.0..1.0;
        /// Decay of the average of squared gradients; Adam, AdamW and RMSprop only.
        beta2: f64 = 0.999, in 0.0..1.0;
        /// Epsilon, added to the root of the squared gradients, and to the denominator of the trust ratio in LARC.
        epsilon: f64 = 1e-8, in above(0.0);
        /// Weight decay, added to the gradient as `weight_decay w`; AdamW instead multiplies the weight by `1 - lr weight_decay`.
        weight_decay: f64 = 0.0, in 0.0..;
        /// Decay of vectors: weight decay, and the trust ratio of the LARS rules, apply to biases and batch norms too.
        decay_vectors: bool = true;
        /// Trust coefficient of the LARS rules, the factor of |w| / |g|.
        #[serde(default = "thousandth")]
        trust: f64 = thousandth(), in above(0.0);
        /// Largest norm of the gradient over all parameters, above which it is scaled down to it; 0 for no clipping.
        #[serde(default)]
        clip_norm: f64 = 0.0, in 0.0..;
    }
}

fn thousandth() -> f64 {
    1e-3
}

words! {
    /// Update rule.
    pub enum OptimizerKind {
        /// SGD with momentum: `b = m b + g; w -= lr b`. Dampening is 0, as in PyTorch.
        Sgd = "sgd",
        /// SGD with Nesterov's momentum as PyTorch computes it: `b = m b + g; w -= lr (g + m b)`.
        Nesterov = "nesterov",
        /// LARS of the BYOL and Barlow Twins code: `g += wd w; g *= trust |w| / |g|`, then SGD with momentum.
        Lars = "lars",
        /// LARS of the SimCLR code: as `Lars`, with the learning rate inside the momentum: `b = m b + lr g; w -= b`.
        LarsRateInMomentum = "lars-simclr",
        /// LARC of apex without clipping, as SwAV uses it: `g = trust |w| / (|g| + wd |w| + eps) (g + wd w)`, then SGD with
        /// momentum.
        Larc = "larc",
        /// LARS of solo-learn: as `Larc`, with a trust ratio of at most the learning rate: `min(ratio / lr, 1)`.
        LarsSolo = "lars-solo",
        /// Adam (Kingma and Ba 2015) with weight decay in the gradient.
        Adam = "adam",
        /// AdamW (Loshchilov and Hutter 2019).
        Adamw = "adamw",
        /// RMSprop with momentum as PyTorch computes it: `v = beta2 v + (1 - beta2) g^2; b = m b + g / (sqrt(v) + eps);
        /// w -= lr b`.
        Rmsprop = "rmsprop",
    }
}

impl OptimizerKind {
    /// True if it scales each tensor's step to the tensor's norm (LARS and LARC).
    pub fn is_adaptive(self) -> bool {
        use OptimizerKind::{Larc, Lars, LarsRateInMomentum, LarsSolo};
        matches!(self, Lars | LarsRateInMomentum | Larc | LarsSolo)
    }
}

impl OptimizerConfig {
    /// SGD with momentum 0.9, decaying every weight.
    pub fn sgd(lr: f64, weight_decay: f64) -> Self {
        Self { lr, weight_decay, ..Self::default() }
    }

    /// SGD with Nesterov's momentum 0.9, decaying every weight.
    pub fn nesterov(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Nesterov, ..Self::sgd(lr, weight_decay) }
    }

    /// LARS as in the code of BYOL and Barlow Twins: trust 0.001, vectors neither decay nor are scaled.
    pub fn lars(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Lars, decay_vectors: false, ..Self::sgd(lr, weight_decay) }
    }

    /// LARC as SwAV uses it: trust 0.001, no clipping, vectors like everything else.
    pub fn larc(lr: f64, weight_decay: f64) -> Self {
        Self { kind: OptimizerKind::Larc, ..Self::sgd(lr, weight_decay) }
    }

    /// The same constants under another rule.
    pub fn with_kind(self, kind: OptimizerKind) -> Self {
        Self { kind, ..self }
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
    /// [`Error::Config`](crate::error::Error::Config) that names the setting, if a value is outside its range.
    pub fn check(&self) -> Result<()> {
        self.check_ranges("optimizer.")
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
