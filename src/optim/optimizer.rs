//! An optimiser over the named tensors of a module.
//!
//! Burn's own keeps its state private and can only read it back synchronously, which a browser's GPU does not allow; this
//! one hands its state out as named tensors, so that a run resumes exactly on any device.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::OptimizerConfig;
use crate::error::{Error, Result};
use crate::net::tensors::{Named, Path};

/// Parameters that learn differently from the rest.
#[derive(Clone, Copy, Debug)]
pub struct ParamGroup {
    /// Whether the parameter of this name belongs to the group.
    pub matches: fn(&str) -> bool,
    /// Their learning rate.
    pub rate: Rate,
    /// Their weight decay, if not that of the others.
    pub weight_decay: Option<f64>,
    /// The first step (from 0) at which they move at all.
    pub from_step: usize,
}

/// The learning rate of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// That of the schedule, times this.
    Factor(f64),
    /// This, whatever the schedule says.
    Fixed(f64),
}

/// The state of one parameter.
#[derive(Clone, Debug)]
struct Slots {
    tensors: Vec<Tensor<1>>,
    updates: u64,
}

/// Moves the trainable tensors of a module against their gradients.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    groups: Vec<ParamGroup>,
    state: BTreeMap<String, Slots>,
}

impl Optimizer {
    /// Of several groups that match a parameter the last wins.
    pub fn new(config: OptimizerConfig, groups: Vec<ParamGroup>) -> Self {
        Self { config, groups, state: BTreeMap::new() }
    }

    /// Step `step` (from 0) at learning rate `lr`.
    pub fn step<M: Module>(&mut self, model: M, gradients: &mut Gradients, lr: f64, step: usize) -> M {
        model.map(&mut Update { optimizer: self, gradients, lr, step, path: Path::default() })
    }

    /// The state as named tensors: `NAME#SLOT` and `NAME#updates`.
    pub fn tensors(&self, device: &Device) -> Vec<Named> {
        let mut named = Vec::new();
        for (name, slots) in &self.state {
            for (index, values) in slots.tensors.iter().enumerate() {
                named.push(Named {
                    name: format!("{name}#{index}"),
                    shape: values.dims().to_vec(),
                    values: values.clone(),
                });
            }
            let updates = Tensor::from_data(split(slots.updates), device);
            named.push(Named { name: format!("{name}#updates"), shape: vec![2], values: updates });
        }
        named
    }

    /// Takes up the state that [`Optimizer::tensors`] gave.
    ///
    /// # Errors
    /// When a name is not one that it gives.
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

    fn settings(&self, name: &str, vector: bool, lr: f64, step: usize) -> Option<(f64, f64)> {
        let mut decay = if vector && !self.config.decay_vectors { 0.0 } else { self.config.weight_decay };
        let Some(group) = self.groups.iter().rev().find(|group| (group.matches)(name)) else {
            return Some((lr, decay));
        };
        decay = group.weight_decay.unwrap_or(decay);
        let lr = match group.rate {
            Rate::Factor(factor) => lr * factor,
            Rate::Fixed(rate) => rate,
        };
        (step >= group.from_step).then_some((lr, decay))
    }
}

/// A count as two floats that hold it exactly.
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
    gradients: &'a mut Gradients,
    lr: f64,
    step: usize,
    path: Path,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad_remove(self.gradients) else { return param };
        let name = self.path.name();
        let Some((lr, decay)) = self.optimizer.settings(&name, D == 1, self.lr, self.step) else { return param };
        let slots = self.optimizer.state.entry(name).or_insert(Slots { tensors: Vec::new(), updates: 0 });
        slots.updates += 1;
        let config = &self.optimizer.config;
        param.map(|weight| {
            let (shape, count) = (weight.dims(), weight.shape().num_elements());
            let (w, g) = (weight.inner().reshape([count]), gradient.reshape([count]));
            let moved = config.apply(w, g, &mut slots.tensors, slots.updates, lr, decay);
            Tensor::from_inner(moved.reshape(shape)).require_grad()
        })
    }
}
