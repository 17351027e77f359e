//! Weight initialisation. Weights are drawn on the host in the order of construction, so one seed gives one network on every
//! device.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::rng::{self, Rng};

/// Most values of a network. Gradients and optimiser moments take memory for up to four times as many, and a browser tab has 4 GB.
/// The native limit of 2^30 turns a typing error in a setting, or a damaged file, into an error message.
const MOST: usize = if cfg!(target_family = "wasm") { 1 << 26 } else { 1 << 30 };

/// Weight initialisation of a layer, for papers that do not use PyTorch's default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightInit {
    /// U(-b, b) with b = sqrt(3 / fan in): Caffe's `xavier`.
    Xavier,
    /// N(0, std^2) with this standard deviation: Caffe's `gaussian`.
    Gaussian(f64),
}

impl WeightInit {
    pub(super) fn draw<const D: usize>(self, shape: [usize; D], fan_in: usize, init: &mut Init) -> Param<Tensor<D>> {
        match self {
            WeightInit::Xavier => init.uniform(shape, (3.0 / fan_in as f64).sqrt()),
            WeightInit::Gaussian(std) => init.normal(shape, std),
        }
    }
}

/// Draws the weights of a network under construction.
#[derive(Debug)]
pub struct Init {
    rng: Rng,
    device: Device,
    norm_groups: usize,
    views: usize,
    values: usize,
    empty: bool,
}

impl Init {
    /// Draws from `rng` and creates tensors on `device`, which tracks gradients if the network is to be trained.
    pub fn new(rng: Rng, device: &Device) -> Self {
        Self { rng, device: device.clone(), norm_groups: 1, views: 1, values: 0, empty: false }
    }

    /// Device of the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets the number of groups that batch norms built from now on split their batches into, see [`super::BatchNorm`]. Returns
    /// the number before.
    pub fn replace_norm_groups(&mut self, groups: usize) -> usize {
        std::mem::replace(&mut self.norm_groups, groups)
    }

    /// Builds networks whose batches hold so many views in turn, see [`super::BatchNorm`].
    pub fn set_views(&mut self, views: usize) {
        self.views = views;
    }

    /// Number of views in the batches of networks built now.
    pub fn views(&self) -> usize {
        self.views
    }

    /// Number of groups of batch norms built now.
    pub fn norm_groups(&self) -> usize {
        self.norm_groups
    }

    /// Checks the network built so far.
    ///
    /// # Errors
    /// [`Error::Config`] if the network has more values than memory can hold, or a layer without any value. Tensors beyond the
    /// limit have their shape only, and sides of 0 were built as 1: such a network must not be used.
    pub fn check(&self) -> Result<()> {
        if self.empty {
            let message =
                "these settings make a layer without a single value: a width, or another size among the options, is 0";
            return Err(Error::Config(message.into()));
        }
        if self.is_too_large() {
            return Err(Error::Config(format!(
                "these settings make a network of more than {} million values, memory banks and queues included; lower encoder.width or the sizes among the options",
                MOST >> 20
            )));
        }
        Ok(())
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.values > MOST
    }

    /// Parameter drawn from U(-bound, bound).
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |rng, n| rng::uniform(rng, n, -bound as f32, bound as f32))
    }

    /// Parameter drawn from N(0, std^2).
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |rng, n| rng::normal(rng, n, std as f32))
    }

    /// Parameter filled with one value.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.parameter(shape, |_, n| vec![value; n])
    }

    /// Frozen rows drawn uniformly from the unit sphere: `[rows, d]`.
    pub fn unit_rows(&mut self, shape: [usize; 2]) -> Param<Tensor<2>> {
        self.frozen_rows(shape, |rng, n| rng::normal(rng, n, 1.0))
    }

    /// Frozen rows from `draw`, normalised to length 1; rows of zeros stay 0.
    pub fn frozen_rows(
        &mut self,
        shape: [usize; 2],
        draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>,
    ) -> Param<Tensor<2>> {
        let rows = self.drawn(shape, |rng, n| {
            let mut values = draw(rng, n);
            for row in values.chunks_mut(shape[1].max(1)) {
                let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
                row.iter_mut().for_each(|x| *x /= norm);
            }
            values
        });
        Param::initialized(ParamId::new(), rows)
    }

    /// Frozen parameter of given values, for state that is saved with the weights but not trained.
    pub fn frozen<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::initialized(ParamId::new(), self.drawn(shape, |_, _| values))
    }

    fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>,
    ) -> Param<Tensor<D>> {
        let tensor = self.drawn(shape, draw);
        let tensor = if self.device.is_autodiff() { tensor.require_grad() } else { tensor };
        Param::initialized(ParamId::new(), tensor)
    }

    /// Draws a tensor. Beyond the limit nothing is drawn or allocated: the tensor is one value expanded to the shape. Sides of 0
    /// become 1. Both let construction finish, so that [`Init::check`] can report the error.
    fn drawn<const D: usize>(
        &mut self,
        shape: [usize; D],
        draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>,
    ) -> Tensor<D> {
        self.empty |= shape.contains(&0);
        let shape = shape.map(|side| side.max(1));
        let count = shape.iter().fold(1, |count: usize, &side| count.saturating_mul(side));
        self.values = self.values.saturating_add(count);
        if self.is_too_large() {
            return Tensor::<D>::zeros([1; D], &self.device).expand(shape);
        }
        Tensor::from_data(TensorData::new(draw(&mut self.rng, count), shape), &self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn a_network_beyond_all_memory_is_an_error() {
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff());
        init.normal([3, 4], 1.0);
        init.check().expect("twelve values fit");
        for shape in [[1 << 15, 1 << 15], [usize::MAX / 2, 8]] {
            let weight = init.uniform(shape, 1.0);
            assert_eq!(weight.dims(), shape);
        }
        let said = init.check().expect_err("too large").to_string();
        assert!(said.contains("1024 million values"), "{said}");
    }

    #[test]
    fn a_layer_without_values_is_an_error() {
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff());
        init.normal([3, 4], 1.0);
        init.check().expect("nothing is empty");
        assert_eq!(init.constant([0, 4], 1.0).dims(), [1, 4]);
        assert!(init.check().expect_err("empty").to_string().contains("is 0"));
    }
}
