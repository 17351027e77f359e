//! Trust ratios of LARS and its variants, which scale a gradient to the norm of its weight (You, Gitman and Ginsburg 2017). They stay
//! on the device.

use burn::tensor::Tensor;

use super::{OptimizerConfig, OptimizerKind};

/// Gradient with weight decay, scaled by the trust ratio of the rule, see [`OptimizerKind`]. `w`, `g`: one tensor, flattened: `[n]` ->
/// `[n]`. If either norm is zero, the gradient is not scaled, and LARC and solo-learn's LARS apply no decay, as in their code.
pub(super) fn scaled(config: &OptimizerConfig, w: &Tensor<1>, g: Tensor<1>, lr: f64, decay: f64) -> Tensor<1> {
    match config.kind {
        OptimizerKind::Lars | OptimizerKind::LarsRateInMomentum => {
            let g = decayed(w, g, decay);
            let w_norm = norm(w);
            let g_norm = norm(&g);
            let ratio = w_norm.clone().mul_scalar(config.trust) / g_norm.clone().clamp_min(f32::MIN_POSITIVE);
            let ratio = ratio.mask_fill(both_positive(w_norm, g_norm).bool_not(), 1.0);
            g * ratio
        }
        _ => {
            let w_norm = norm(w);
            let g_norm = norm(&g);
            let denominator = g_norm.clone() + w_norm.clone().mul_scalar(decay) + config.epsilon;
            let ratio = w_norm.clone().mul_scalar(config.trust) / denominator;
            let limited = config.kind == OptimizerKind::LarsSolo;
            let ratio = if limited { ratio.div_scalar(lr).clamp_max(1.0) } else { ratio };
            let applies = both_positive(w_norm, g_norm);
            let decay = applies.clone().float().mul_scalar(decay); // [1]
            (w.clone() * decay + g) * ratio.mask_fill(applies.bool_not(), 1.0)
        }
    }
}

/// Gradient with weight decay, `g + decay w`.
pub(super) fn decayed(w: &Tensor<1>, g: Tensor<1>, decay: f64) -> Tensor<1> {
    if decay == 0.0 { g } else { w.clone().mul_scalar(decay) + g }
}

/// Euclidean norm: `[n]` -> `[1]`.
fn norm(x: &Tensor<1>) -> Tensor<1> {
    x.clone().square().sum().sqrt()
}

fn both_positive(a: Tensor<1>, b: Tensor<1>) -> Tensor<1, burn::tensor::Bool> {
    a.greater_elem(0.0).bool_and(b.greater_elem(0.0))
}
