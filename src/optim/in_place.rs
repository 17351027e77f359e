//! Optimiser steps on a GPU: weights are taken out of the module, updated in place, and put back.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::update::ParamStep;
use super::{OptimizerConfig, OptimizerKind};
use crate::kernel::{self, AdamStep, AnyRank, SgdStep, SgdTensors};
use crate::net::tensors::Path;

/// Takes the weights of the named parameters out of a module and leaves placeholders. What only this map refers to can be updated in
/// place.
pub(super) fn take<M: Module>(model: M, has: impl Fn(&str) -> bool) -> (M, BTreeMap<String, Taken>) {
    let mut taker = Taker { has, taken: BTreeMap::new(), path: Path::default() };
    let model = model.map(&mut taker);
    (model, taker.taken)
}

/// Puts weights back under the names under which [`take`] took them out.
pub(super) fn put<M: Module>(model: M, taken: BTreeMap<String, Taken>) -> M {
    model.map(&mut Putter { taken, path: Path::default() })
}

/// Weights of a parameter, without autodiff.
#[derive(Debug)]
pub(super) struct Taken {
    /// Values.
    pub weights: AnyRank,
    /// Number of dimensions.
    pub rank: usize,
}

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
    matches!(kind, OptimizerKind::Sgd | OptimizerKind::Nesterov | OptimizerKind::Adam | OptimizerKind::Adamw)
}

/// Updates parameters by the rules of [`OptimizerConfig::apply`], in the same order.
pub(super) fn update(config: &OptimizerConfig, parameters: Vec<Moving>) -> Vec<Moved> {
    match config.kind {
        OptimizerKind::Adam | OptimizerKind::Adamw => {
            parameters.into_iter().map(|parameter| adam(config, parameter)).collect()
        }
        _ => sgd(config, parameters),
    }
}

fn sgd(config: &OptimizerConfig, parameters: Vec<Moving>) -> Vec<Moved> {
    let mut named = Vec::with_capacity(parameters.len());
    let mut steps = Vec::with_capacity(parameters.len());
    for Moving { name, rank, weights, gradient, mut slots, step } in parameters {
        let momentum = slots.pop().unwrap_or_else(|| gradient.zeros_like());
        let rule = SgdStep {
            lr: step.lr as f32,
            decay: step.decay as f32,
            momentum: config.momentum as f32,
            nesterov: config.kind == OptimizerKind::Nesterov,
        };
        steps.push((SgdTensors { weights, gradient, momentum }, rule));
        named.push((name, rank, step.count));
    }
    let updated = named.into_iter().zip(kernel::sgd(steps));
    updated
        .map(|((name, rank, updates), (weights, momentum))| Moved {
            name,
            rank,
            weights,
            slots: vec![momentum],
            updates,
        })
        .collect()
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

struct Taker<F> {
    has: F,
    taken: BTreeMap<String, Taken>,
    path: Path,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Taker<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        if !(self.has)(&name) {
            return param;
        }
        param.map(|weights| {
            let placeholder = Tensor::empty([1; D], &weights.device());
            self.taken.insert(name, Taken { weights: AnyRank::of(weights.inner()), rank: D });
            placeholder
        })
    }
}

struct Putter {
    taken: BTreeMap<String, Taken>,
    path: Path,
}

impl ModuleMapper for Putter {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(Taken { weights, .. }) = self.taken.remove(&self.path.name()) else { return param };
        param.map(|_| Tensor::from_inner(weights.tensor()).require_grad())
    }
}
