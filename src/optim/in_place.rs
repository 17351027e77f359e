//! Optimiser steps on a GPU, in the memory of the weights and moments.

use burn::tensor::Tensor;

use super::update::ParamStep;
use super::{OptimizerConfig, OptimizerKind};
use crate::kernel::{self, AdamStep, AnyRank, LarsStep, MomentumRule, SgdStep, SgdTensors, TrustRule};

/// A parameter before its update.
#[derive(Debug)]
pub(super) struct Moving {
    /// Name of the parameter.
    pub name: String,
    /// Number of its dimensions.
    pub rank: usize,
    /// Weights, without autodiff.
    pub weights: AnyRank,
    /// Gradient, flattened.
    pub gradient: Tensor<1>,
    /// Moments, flattened; none before the first update.
    pub slots: Vec<Tensor<1>>,
    /// Hyperparameters of the update.
    pub step: ParamStep,
}

/// A parameter after its update.
#[derive(Debug)]
pub(super) struct Moved {
    /// Name of the parameter.
    pub name: String,
    /// Number of its dimensions.
    pub rank: usize,
    /// Weights, without autodiff.
    pub weights: AnyRank,
    /// Moments, flattened.
    pub slots: Vec<Tensor<1>>,
    /// Number of updates so far.
    pub updates: u64,
}

/// True if [`update`] has a kernel for this rule.
pub(super) fn has_kernel(kind: OptimizerKind) -> bool {
    kind != OptimizerKind::Rmsprop
}

/// Updates parameters by the rules of [`OptimizerConfig::apply`].
pub(super) fn update(config: &OptimizerConfig, parameters: Vec<Moving>) -> Vec<Moved> {
    if matches!(config.kind, OptimizerKind::Adam | OptimizerKind::Adamw) {
        return parameters.into_iter().map(|parameter| adam(config, parameter)).collect();
    }
    let Some(rule) = trust_rule(config.kind) else { return sgd(config, parameters) };
    let (adapted, others): (Vec<_>, Vec<_>) = parameters.into_iter().partition(|parameter| parameter.step.adapt);
    let mut moved = sgd(config, others);
    moved.extend(adapted.into_iter().map(|parameter| lars(config, parameter, rule)));
    moved
}

fn trust_rule(kind: OptimizerKind) -> Option<TrustRule> {
    match kind {
        OptimizerKind::Lars => Some(TrustRule::Lars),
        OptimizerKind::LarsRateInMomentum => Some(TrustRule::LarsRateInside),
        OptimizerKind::Larc => Some(TrustRule::Larc),
        OptimizerKind::LarsSolo => Some(TrustRule::LarcLimited),
        _ => None,
    }
}

fn sgd(config: &OptimizerConfig, parameters: Vec<Moving>) -> Vec<Moved> {
    let rule = match (config.kind, trust_rule(config.kind)) {
        (OptimizerKind::Nesterov, _) => MomentumRule::Nesterov,
        (_, Some(rule)) => rule.momentum(),
        _ => MomentumRule::Plain,
    };
    let mut named = Vec::with_capacity(parameters.len());
    let mut steps = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let Moving { name, rank, step, .. } = &parameter;
        named.push((name.clone(), *rank, step.count));
        let step = SgdStep { lr: step.lr as f32, decay: step.decay as f32, momentum: config.momentum as f32, rule };
        steps.push((with_momentum(parameter), step));
    }
    let updated = named.into_iter().zip(kernel::sgd(steps));
    updated
        .map(|((name, rank, updates), (weights, b))| Moved { name, rank, weights, slots: vec![b], updates })
        .collect()
}

fn lars(config: &OptimizerConfig, parameter: Moving, rule: TrustRule) -> Moved {
    let Moving { name, rank, step, .. } = &parameter;
    let (name, rank, updates) = (name.clone(), *rank, step.count);
    let step = LarsStep {
        lr: step.lr as f32,
        decay: step.decay as f32,
        momentum: config.momentum as f32,
        trust: config.trust as f32,
        epsilon: config.epsilon as f32,
        rule,
    };
    let (weights, momentum) = kernel::lars(with_momentum(parameter), step);
    Moved { name, rank, weights, slots: vec![momentum], updates }
}

/// Tensors of a parameter with momentum, which is 0 before the first update.
fn with_momentum(parameter: Moving) -> SgdTensors {
    let Moving { weights, gradient, mut slots, .. } = parameter;
    let momentum = slots.pop().unwrap_or_else(|| gradient.zeros_like());
    SgdTensors { weights, gradient, momentum }
}

fn adam(config: &OptimizerConfig, parameter: Moving) -> Moved {
    let Moving { name, rank, weights, gradient, mut slots, step } = parameter;
    let v = slots.pop().unwrap_or_else(|| gradient.zeros_like());
    let m = slots.pop().unwrap_or_else(|| gradient.zeros_like());
    let decoupled = config.kind == OptimizerKind::Adamw;
    let correction = |beta: f64| 1.0 - beta.powf(step.count as f64);
    let rule = AdamStep {
        rate: (step.lr / correction(config.momentum)) as f32,
        root: (1.0 / correction(config.beta2).sqrt()) as f32,
        keep: if decoupled { (1.0 - step.lr * step.decay) as f32 } else { 1.0 },
        decay: if decoupled { 0.0 } else { step.decay as f32 },
        beta1: config.momentum as f32,
        beta2: config.beta2 as f32,
        epsilon: config.epsilon as f32,
    };
    let (weights, moments) = kernel::adam(weights, gradient, [m, v], rule);
    Moved { name, rank, weights, slots: moments.into(), updates: step.count }
}
