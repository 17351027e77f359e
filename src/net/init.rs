//! Initial weights: drawn on the host in the order of construction, so one seed gives one network on every device.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::rng::{self, Rng};

/// How the weights of a layer are drawn, where a paper does not draw them as PyTorch would.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// U(-b, b) with b = sqrt(3 / fan in): Caffe's `xavier`.
    Xavier,
    /// N(0, this squared): Caffe's `gaussian`.
    Gaussian(f64),
}

impl Start {
    pub(super) fn draw<const D: usize>(self, shape: [usize; D], fan_in: usize, init: &mut Init) -> Param<Tensor<D>> {
        match self {
            Start::Xavier => init.uniform(shape, (3.0 / fan_in as f64).sqrt()),
            Start::Gaussian(std) => init.normal(shape, std),
        }
    }
}

/// Draws the weights of a network under construction.
#[derive(Debug)]
pub struct Init {
    rng: Rng,
    device: Device,
    norm_groups: usize,
}

impl Init {
    /// Weights come from `rng` and go to `device`, which tracks gradients if the network is to be trained.
    pub fn new(rng: Rng, device: &Device) -> Self {
        Self { rng, device: device.clone(), norm_groups: 1 }
    }

    /// Where the weights go.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many groups the batch norms built from now on split their batches into; see [`super::BatchNorm`]. Returns what
    /// held before.
    pub fn replace_norm_groups(&mut self, groups: usize) -> usize {
        std::mem::replace(&mut self.norm_groups, groups)
    }

    /// Groups of the batch norms built now.
    pub fn norm_groups(&self) -> usize {
        self.norm_groups
    }

    /// A parameter drawn uniformly from `[-bound, bound)`.
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        let values = rng::uniform(&mut self.rng, shape.iter().product(), -bound as f32, bound as f32);
        self.parameter(values, shape)
    }

    /// A parameter drawn from the normal distribution with mean 0.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f64) -> Param<Tensor<D>> {
        let values = rng::normal(&mut self.rng, shape.iter().product(), std as f32);
        self.parameter(values, shape)
    }

    /// A parameter with one value everywhere.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.parameter(vec![value; shape.iter().product()], shape)
    }

    /// Rows of length 1 in directions drawn evenly from the sphere; not to be trained.
    pub fn unit_rows(&mut self, shape: [usize; 2]) -> Param<Tensor<2>> {
        self.frozen_rows(shape, |rng, n| rng::normal(rng, n, 1.0))
    }

    /// Rows as `draw` draws them, set to length 1 (rows of zeros stay); not to be trained.
    pub fn frozen_rows(
        &mut self,
        shape: [usize; 2],
        draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>,
    ) -> Param<Tensor<2>> {
        let mut values = draw(&mut self.rng, shape.iter().product());
        for row in values.chunks_mut(shape[1].max(1)) {
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
            row.iter_mut().for_each(|x| *x /= norm);
        }
        Param::initialized(ParamId::new(), Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// Values as they are, not to be trained: what a model measures or has to keep beside its weights.
    pub fn frozen<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::initialized(ParamId::new(), Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn parameter<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        let tensor = Tensor::from_data(TensorData::new(values, shape), &self.device);
        let tensor = if self.device.is_autodiff() { tensor.require_grad() } else { tensor };
        Param::initialized(ParamId::new(), tensor)
    }
}
