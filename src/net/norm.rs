//! Batch normalisation with and without scale and shift.

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

use super::Init;

/// Added to the variance under the root.
const EPSILON: f64 = 1e-5;
/// Share of the running statistics that one batch replaces.
const MOMENTUM: f64 = 0.1;

/// `y = (x - mean) / sqrt(var + 1e-5) * weight + bias`, per channel (Ioffe and Szegedy 2015).
///
/// On a device that tracks gradients the statistics are those of the batch, and the running ones move by a tenth;
/// elsewhere the running ones are used. A slow target network that needs batch statistics therefore runs on the
/// tracking device with its parameters frozen. As in PyTorch, the batch is normalised with the biased variance and the
/// running variance collects the unbiased one.
///
/// With g groups, row i of a batch belongs to group i mod g and each group is normalised by its own statistics, as on g
/// devices; the running ones collect the groups' means. MoCo needs this on one device: with statistics over the whole
/// batch a query could find its key by them.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale `[c]`; none without affine part.
    pub weight: Option<Param<Tensor<1>>>,
    /// Shift `[c]`; none without affine part.
    pub bias: Option<Param<Tensor<1>>>,
    /// Mean collected while training `[c]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Variance collected while training `[c]`.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

impl BatchNorm {
    /// With scale 1 and shift 0, or without either when not `affine`.
    pub fn init(channels: usize, affine: bool, init: &mut Init) -> Self {
        let device = init.device().clone();
        Self {
            weight: affine.then(|| init.constant([channels], 1.0)),
            bias: affine.then(|| init.constant([channels], 0.0)),
            running_mean: RunningState::new(Tensor::zeros([channels], &device)),
            running_var: RunningState::new(Tensor::ones([channels], &device)),
            groups: init.norm_groups(),
        }
    }

    /// Without shift, the scale kept, as TensorFlow's `center=False`.
    pub fn without_shift(self) -> Self {
        Self { bias: None, ..self }
    }

    /// `[n, c, ...]` -> the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (device, channels) = (x.device(), x.dims()[1]);
        let scale = self.weight.as_ref().map_or_else(|| Tensor::ones([channels], &device), Param::val);
        let shift = self.bias.as_ref().map_or_else(|| Tensor::zeros([channels], &device), Param::val);
        if !device.is_autodiff() {
            return batch_norm(x, scale, shift, self.running_mean.value_sync(), self.running_var.value_sync(), EPSILON);
        }
        let (shape, groups) = (x.dims(), self.groups);
        let mut split = shape;
        assert_eq!(shape[0] % groups, 0, "batch norm: the batch must divide into {groups} groups");
        (split[0], split[1]) = (shape[0] / groups, channels * groups);
        let count = (split.iter().product::<usize>() / split[1]) as f64;
        let normalised = batch_norm_train(x.reshape(split), repeat(scale, groups), repeat(shift, groups), EPSILON);
        collect(&self.running_mean, mean_of(normalised.mean, groups));
        let unbiased = normalised.variance.mul_scalar(count / (count - 1.0).max(1.0));
        collect(&self.running_var, mean_of(unbiased, groups));
        normalised.output.reshape(shape)
    }
}

/// `[c]` -> `[g * c]`.
fn repeat(x: Tensor<1>, groups: usize) -> Tensor<1> {
    if groups == 1 { x } else { x.repeat(&[groups]) }
}

/// The mean over groups: `[g * c]` -> `[c]`.
fn mean_of(x: Tensor<1>, groups: usize) -> Tensor<1> {
    if groups == 1 {
        return x;
    }
    let channels = x.dims()[0] / groups;
    x.reshape([groups, channels]).mean_dim(0).squeeze_dim(0)
}

fn collect(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let moved = running.value_sync().mul_scalar(1.0 - MOMENTUM) + batch.detach().mul_scalar(MOMENTUM);
    running.update(moved.detach());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Tolerance};

    fn layer(affine: bool, device: &Device) -> BatchNorm {
        BatchNorm::init(2, affine, &mut Init::new(stream(0, Purpose::Weights, 0), device))
    }

    #[test]
    fn training_normalises_each_channel_and_collects_unbiased_variance() {
        let device = Device::flex().autodiff();
        let norm = layer(true, &device);
        let x = Tensor::<2>::from_floats([[1.0, 10.0], [3.0, 30.0]], &device);
        let y = norm.forward(x);
        let expected = Tensor::<2>::from_floats([[-1.0, -1.0], [1.0, 1.0]], &device);
        y.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        // one batch from mean 0, variance 1: 0.1 * (2, 20) and 0.9 + 0.1 * (2, 200), the unbiased variances
        let mean = norm.running_mean.value_sync().into_data();
        let var = norm.running_var.value_sync().into_data();
        mean.assert_approx_eq::<f32>(
            &Tensor::<1>::from_floats([0.2, 2.0], &device).into_data(),
            Tolerance::absolute(1e-6),
        );
        var.assert_approx_eq::<f32>(
            &Tensor::<1>::from_floats([1.1, 20.9], &device).into_data(),
            Tolerance::absolute(1e-5),
        );
    }

    #[test]
    fn groups_are_normalised_apart_and_collected_together() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(stream(0, Purpose::Weights, 0), &device);
        init.replace_norm_groups(2);
        let norm = BatchNorm::init(1, true, &mut init);
        // rows 0 and 2 are one group, 1 and 3 the other
        let y = norm.forward(Tensor::<2>::from_floats([[1.0], [10.0], [3.0], [30.0]], &device));
        let expected = Tensor::<2>::from_floats([[-1.0], [-1.0], [1.0], [1.0]], &device);
        y.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        // means 2 and 20, unbiased variances 2 and 200
        let mean: f32 = norm.running_mean.value_sync().into_scalar();
        let var: f32 = norm.running_var.value_sync().into_scalar();
        assert!((mean - 1.1).abs() < 1e-6 && (var - (0.9 + 10.1)).abs() < 1e-5, "{mean} {var}");
    }

    #[test]
    fn inference_uses_running_statistics() {
        let device = Device::flex();
        for affine in [true, false] {
            let x = Tensor::<2>::from_floats([[1.0, 10.0], [3.0, 30.0]], &device);
            let y = layer(affine, &device).forward(x.clone());
            y.into_data().assert_approx_eq::<f32>(&x.into_data(), Tolerance::relative(1e-4));
        }
    }
}
