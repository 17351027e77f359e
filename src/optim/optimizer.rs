//! Optimiser over the named tensors of a module.
//!
//! Burn's optimisers keep their state private and read it back synchronously, which a browser's GPU does not allow. This one gives
//! its state as named tensors, so that a run resumes exactly on any device.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::gradients::{GradientSum, clip, norm};
use super::in_place::{self, Moved, Moving};
use super::update::ParamStep;
use super::{OptimizerConfig, ParamGroup, Rate};
use crate::error::{Error, Result};
use crate::kernel;
use crate::net::in_place::{Taken, put, take};
use crate::net::named::{self, NamedMapper};
use crate::net::tensors::NamedTensor;

/// State of one parameter: its moments, and the number of its updates.
#[derive(Clone, Debug, Default)]
struct Slots {
    tensors: Vec<Tensor<1>>,
    updates: u64,
}

/// Optimiser for the trainable tensors of a module, with gradient accumulation.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    groups: Vec<ParamGroup>,
    state: BTreeMap<String, Slots>,
    collected: GradientSum,
    /// Measure the gradient norm in the next step.
    measures: bool,
    /// Norm from the last step that measured it, until it is taken.
    gradient_norm: Option<Tensor<1>>,
}

impl Optimizer {
    /// Optimiser without state. If several groups match a parameter, the last one applies.
    pub fn new(config: OptimizerConfig, groups: Vec<ParamGroup>) -> Self {
        Self {
            config,
            groups,
            state: BTreeMap::new(),
            collected: GradientSum::default(),
            measures: false,
            gradient_norm: None,
        }
    }

    /// Accumulates the gradients of a batch or micro-batch for the next [`Optimizer::step`]. Accumulated gradients are not saved with
    /// the state: checkpoints belong after a step, not between micro-batches.
    pub fn collect<M: Module>(&mut self, model: &M, gradients: &mut Gradients) {
        self.collected.add(model, gradients);
    }

    /// Updates the parameters by the mean of the gradients accumulated since the last step. `lr` is the schedule's learning rate at
    /// step number `step` (from 0).
    pub fn step<M: Module>(&mut self, model: M, lr: f64, step: usize) -> M {
        let collected = std::mem::take(&mut self.collected);
        let mut gradients = collected.means(|name, dimensions| self.moves(name, dimensions, step));
        if std::mem::take(&mut self.measures) {
            self.gradient_norm = norm(&gradients);
        }
        if self.config.clip_norm > 0.0 {
            clip(&mut gradients, self.config.clip_norm);
        }
        let on_gpu = gradients.values().next().is_some_and(|gradient| kernel::is_gpu(&gradient.device()));
        if on_gpu && in_place::has_kernel(self.config.kind) {
            return self.step_in_place(model, gradients, lr);
        }
        named::map(model, &mut Update { optimizer: self, gradients, lr })
    }

    /// [`Optimizer::step`] on a GPU, for rules with a kernel: `gradients` by name.
    fn step_in_place<M: Module>(&mut self, model: M, gradients: BTreeMap<String, Tensor<1>>, lr: f64) -> M {
        let (model, mut taken) = take(model, |name, _| gradients.contains_key(name));
        let mut moving = Vec::new();
        for (name, gradient) in gradients {
            let Some(Taken { weights, rank, .. }) = taken.remove(&name) else { continue };
            let Slots { tensors, updates } = self.state.remove(&name).unwrap_or_default();
            let step = self.param_step(&name, rank, lr, updates + 1);
            moving.push(Moving { name, rank, weights, gradient, slots: tensors, step });
        }
        for Moved { name, rank, weights, slots, updates } in in_place::update(&self.config, moving) {
            self.state.insert(name.clone(), Slots { tensors: slots, updates });
            taken.insert(name, Taken { weights, rank, is_trainable: true });
        }
        put(model, taken)
    }

    /// Lets the next step measure its gradient norm.
    pub fn measure_gradient(&mut self) {
        self.measures = true;
    }

    /// Takes the gradient norm measured last: `sqrt(sum g^2)` over all updated parameters, before clipping, `[1]`.
    pub fn gradient_norm(&mut self) -> Option<Tensor<1>> {
        self.gradient_norm.take()
    }

    /// State as named tensors on `device`: `NAME#SLOT` and `NAME#updates`.
    pub fn tensors(&self, device: &Device) -> Vec<NamedTensor> {
        let mut named = Vec::new();
        for (name, slots) in &self.state {
            for (index, values) in slots.tensors.iter().enumerate() {
                named.push(NamedTensor {
                    name: format!("{name}#{index}"),
                    shape: values.dims().to_vec(),
                    values: values.clone(),
                });
            }
            let updates = Tensor::from_data(split(slots.updates), device);
            named.push(NamedTensor { name: format!("{name}#updates"), shape: vec![2], values: updates });
        }
        named
    }

    /// Loads the state that [`Optimizer::tensors`] returned.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if a name is not of that form, or a count of updates is unreadable.
    pub fn load(&mut self, tensors: HashMap<String, TensorData>, device: &Device) -> Result<()> {
        let mut sorted: Vec<_> = tensors.into_iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        self.state.clear();
        for (label, data) in sorted {
            let (name, slot) =
                label.rsplit_once('#').ok_or_else(|| Error::Checkpoint(format!("`{label}` is no optimiser state")))?;
            let entry = self.state.entry(name.to_string()).or_insert(Slots { tensors: Vec::new(), updates: 0 });
            if slot == "updates" {
                entry.updates = join(&data)?;
            } else {
                entry.tensors.push(Tensor::from_data(data, device));
            }
        }
        Ok(())
    }

    fn group(&self, name: &str, dimensions: usize) -> Option<&ParamGroup> {
        self.groups.iter().rev().find(|group| (group.matches)(name, dimensions))
    }

    fn moves(&self, name: &str, dimensions: usize, step: usize) -> bool {
        self.group(name, dimensions).is_none_or(|group| step >= group.from_step)
    }

    fn param_step(&self, name: &str, dimensions: usize, lr: f64, count: u64) -> ParamStep {
        let adapt = dimensions > 1 || self.config.decay_vectors;
        let decay = if adapt { self.config.weight_decay } else { 0.0 };
        let Some(group) = self.group(name, dimensions) else { return ParamStep { lr, decay, adapt, count } };
        let lr = match group.rate {
            Rate::Factor(factor) => lr * factor,
            Rate::Fixed(rate) => rate,
        };
        ParamStep { lr, decay: group.weight_decay.unwrap_or(decay), adapt, count }
    }
}

/// Count of updates as two floats that represent it exactly.
fn split(updates: u64) -> [f32; 2] {
    [(updates >> 20) as f32, (updates & 0xf_ffff) as f32]
}

fn join(data: &TensorData) -> Result<u64> {
    match data.try_to_vec::<f32>().as_deref() {
        Ok([high, low]) => Ok(((*high as u64) << 20) | *low as u64),
        _ => Err(Error::Checkpoint("the optimiser's count of updates is not readable".into())),
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    gradients: BTreeMap<String, Tensor<1>>,
    lr: f64,
}

impl NamedMapper for Update<'_> {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove(&name) else { return param };
        let count = self.optimizer.state.get(&name).map_or(1, |slots| slots.updates + 1);
        let step = self.optimizer.param_step(&name, D, self.lr, count);
        let slots = self.optimizer.state.entry(name).or_insert(Slots { tensors: Vec::new(), updates: 0 });
        slots.updates = count;
        let config = &self.optimizer.config;
        param.map(|weight| {
            let shape = weight.dims();
            let count = weight.shape().num_elements();
            let moved = config.apply(weight.inner().reshape([count]), gradient, &mut slots.tensors, step);
            Tensor::from_inner(moved.reshape(shape)).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::net::{BatchNorm, Init, Linear};
    use crate::optim::OptimizerKind;
    use crate::rng::{Purpose, stream};

    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        norm: BatchNorm,
        head: Linear,
    }

    fn net() -> Net {
        let mut init = Init::new(stream(4, Purpose::Weights, 0), &Device::flex().autodiff());
        let first = Linear::init(3, 4, true, &mut init);
        Net { first, norm: BatchNorm::init(4, true, &mut init), head: Linear::init(4, 2, false, &mut init) }
    }

    fn images(seed: u64) -> Tensor<2> {
        let values = crate::rng::normal(&mut stream(seed, Purpose::Views, 0), 12, 1.0);
        Tensor::from_data(TensorData::new(values, [4, 3]), &Device::flex().autodiff())
    }

    fn gradients(net: &Net, x: Tensor<2>) -> Gradients {
        net.head.forward(net.norm.forward(net.first.forward(x))).square().mean().backward()
    }

    fn values(net: &Net) -> HashMap<String, Vec<f32>> {
        let read = |named: NamedTensor| (named.name, named.values.into_data().try_to_vec().expect("floats"));
        tensors::gather(net).into_iter().map(read).collect()
    }

    #[test]
    fn groups_have_their_own_rate_and_first_step() {
        let groups = vec![
            ParamGroup { rate: Rate::Fixed(0.0), ..ParamGroup::of(|name, _| name.starts_with("first")) },
            ParamGroup { from_step: 2, ..ParamGroup::of(|name, _| name.starts_with("head")) },
            ParamGroup { rate: Rate::Factor(0.0), weight_decay: Some(0.0), ..ParamGroup::vectors() },
        ];
        let mut optimizer = Optimizer::new(OptimizerConfig::sgd(0.1, 0.1), groups);
        let mut model = net();
        let before = values(&model);
        for step in 0..3 {
            optimizer.collect(&model, &mut gradients(&model, images(step as u64)));
            model = optimizer.step(model, 0.1, step);
            let now = values(&model);
            assert_eq!(now["first.weight"], before["first.weight"], "a fixed rate of 0");
            assert_eq!(now["norm.weight"], before["norm.weight"], "a factor of 0");
            assert_eq!(now["head.weight"] == before["head.weight"], step < 2, "frozen until step 2, at step {step}");
        }
        let names: Vec<_> = optimizer.tensors(&Device::flex()).into_iter().map(|named| named.name).collect();
        assert!(names.contains(&"head.weight#0".to_string()) && names.len() == 10, "{names:?}");
    }

    #[test]
    fn gradient_accumulation_averages_over_micro_batches() {
        // the same micro-batch twice has the gradient of one
        let config = OptimizerConfig { clip_norm: 0.05, ..OptimizerConfig::lars(0.5, 1e-3) };
        let mut once = Optimizer::new(config.clone(), Vec::new());
        let model = net();
        once.collect(&model, &mut gradients(&model, images(1)));
        let whole = once.step(model, 0.5, 0);
        assert_ne!(values(&whole)["first.weight"], values(&net())["first.weight"]);
        let mut twice = Optimizer::new(config.clone(), Vec::new());
        let model = net();
        (0..2).for_each(|_| twice.collect(&model, &mut gradients(&model, images(1))));
        let accumulated = twice.step(model, 0.5, 0);
        assert_eq!(values(&whole)["first.weight"], values(&accumulated)["first.weight"]);
        // two different micro-batches differ from the last one alone
        let model = net();
        let mut mixed = Optimizer::new(config, Vec::new());
        for seed in [2, 1] {
            mixed.collect(&model, &mut gradients(&model, images(seed)));
        }
        assert_ne!(values(&mixed.step(model, 0.5, 0))["first.weight"], values(&whole)["first.weight"]);
    }

    #[test]
    fn a_loaded_state_resumes_bit_for_bit() {
        for config in [
            OptimizerConfig::adam(0.1, 1e-3),
            OptimizerConfig::lars(0.5, 1e-3).with_kind(OptimizerKind::LarsRateInMomentum),
            OptimizerConfig::rmsprop(0.1, 0.0),
        ] {
            let mut optimizer = Optimizer::new(config.clone(), Vec::new());
            let mut model = net();
            for step in 0..2 {
                optimizer.collect(&model, &mut gradients(&model, images(step)));
                model = optimizer.step(model, config.lr, step as usize);
            }
            let state =
                futures_lite::future::block_on(tensors::read(optimizer.tensors(&Device::flex()))).expect("flex reads");
            let mut other = Optimizer::new(config.clone(), Vec::new());
            other.load(state.into_iter().collect(), &Device::flex()).expect("its own state");
            optimizer.collect(&model, &mut gradients(&model, images(9)));
            other.collect(&model, &mut gradients(&model, images(9)));
            let straight = optimizer.step(model.clone(), config.lr, 2);
            let resumed = other.step(model, config.lr, 2);
            assert_eq!(values(&straight), values(&resumed));
        }
    }
}
