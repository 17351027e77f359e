//! Steps of optimisers and momentum encoders, which exist on a GPU only: they are compared with their formulas.

use burn::tensor::{Device, Tensor};

use super::{Outputs, drawn};
use crate::kernel::{self, AdamStep, AnyRank, LarsStep, MomentumRule, SgdStep, SgdTensors, TrustRule};

const LR: f32 = 0.1;
const DECAY: f32 = 0.01;
const MOMENTUM: f32 = 0.9;
/// Of Adam's squares, and of the momentum encoder.
const SLOW: f32 = 0.99;
const EPSILON: f32 = 1e-8;
const TRUST: f32 = 0.02;
/// Lengths of the parameters: one more than a launch of SGD or of a momentum encoder takes.
const LENGTHS: [usize; 4] = [7, 300, 1, 33];

/// All updates.
pub(super) fn all(device: &Device) -> Outputs {
    [sgd(device), lars(device), adam(device), ema(device)].concat()
}

fn values(seed: u64, length: usize, device: &Device) -> Tensor<1> {
    drawn(seed, [length], device)
}

fn sgd(device: &Device) -> Outputs {
    let parameters = LENGTHS[..3].iter().map(|&length| [20, 21, 22].map(|seed| values(seed, length, device)));
    let updated: Vec<(Tensor<1>, Tensor<1>)> = if kernel::is_gpu(device) {
        let step = SgdStep { lr: LR, decay: DECAY, momentum: MOMENTUM, rule: MomentumRule::Nesterov };
        let steps = parameters
            .map(|[w, gradient, momentum]| (SgdTensors { weights: AnyRank::of(w), gradient, momentum }, step));
        kernel::sgd(steps.collect()).into_iter().map(|(w, b)| (w.tensor(), b)).collect()
    } else {
        let update = |[w, g, b]: [Tensor<1>; 3]| {
            let g = g + w.clone() * DECAY;
            let b = b * MOMENTUM + g.clone();
            (w - (b.clone() * MOMENTUM + g) * LR, b)
        };
        parameters.map(update).collect()
    };
    let (weights, momenta): (Vec<_>, Vec<_>) = updated.into_iter().unzip();
    vec![("weights of SGD", Tensor::cat(weights, 0)), ("momentum of SGD", Tensor::cat(momenta, 0))]
}

fn lars(device: &Device) -> Outputs {
    let [w, g, b] = [23, 24, 25].map(|seed| values(seed, LENGTHS[1], device));
    let (w, b) = if kernel::is_gpu(device) {
        let step = LarsStep {
            lr: LR,
            decay: DECAY,
            momentum: MOMENTUM,
            trust: TRUST,
            epsilon: EPSILON,
            rule: TrustRule::Lars,
        };
        let (w, b) = kernel::lars(SgdTensors { weights: AnyRank::of(w), gradient: g, momentum: b }, step);
        (w.tensor(), b)
    } else {
        let norm = |x: &Tensor<1>| x.clone().square().sum().sqrt();
        let g = g + w.clone() * DECAY;
        let ratio = norm(&w) / norm(&g) * TRUST;
        let b = b * MOMENTUM + g * ratio;
        (w - b.clone() * LR, b)
    };
    vec![("weights of LARS", w), ("momentum of LARS", b)]
}

fn adam(device: &Device) -> Outputs {
    let [w, g, m, v] = [26, 27, 28, 29].map(|seed| values(seed, LENGTHS[1], device));
    let v = v.square();
    let (w, m, v) = if kernel::is_gpu(device) {
        let step = AdamStep {
            rate: LR,
            root: 1.0,
            keep: 1.0 - DECAY,
            decay: 0.0,
            beta1: MOMENTUM,
            beta2: SLOW,
            epsilon: EPSILON,
        };
        let (w, [m, v]) = kernel::adam(AnyRank::of(w), g, [m, v], step);
        (w.tensor(), m, v)
    } else {
        let m = m * MOMENTUM + g.clone() * (1.0 - MOMENTUM);
        let v = v * SLOW + g.square() * (1.0 - SLOW);
        (w * (1.0 - DECAY) - m.clone() * LR / (v.clone().sqrt() + EPSILON), m, v)
    };
    vec![("weights of Adam", w), ("first moment of Adam", m), ("second moment of Adam", v)]
}

fn ema(device: &Device) -> Outputs {
    let pairs = LENGTHS.iter().map(|&length| [30, 31].map(|seed| values(seed, length, device)));
    let moved: Vec<Tensor<1>> = if kernel::is_gpu(device) {
        let pairs = pairs.map(|[target, source]| (AnyRank::of(target), AnyRank::of(source)));
        kernel::ema(pairs.collect(), SLOW).into_iter().map(AnyRank::tensor).collect()
    } else {
        pairs.map(|[target, source]| target * SLOW + source * (1.0 - SLOW)).collect()
    };
    vec![("weights of a momentum encoder", Tensor::cat(moved, 0))]
}
