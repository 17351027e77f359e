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
        }
    }

    /// `[n, c, ...]` -> the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (device, channels) = (x.device(), x.dims()[1]);
        let scale = self.weight.as_ref().map_or_else(|| Tensor::ones([channels], &device), Param::val);
        let shift = self.bias.as_ref().map_or_else(|| Tensor::zeros([channels], &device), Param::val);
        if !device.is_autodiff() {
            return batch_norm(x, scale, shift, self.running_mean.value_sync(), self.running_var.value_sync(), EPSILON);
        }
        let count = (x.dims().iter().product::<usize>() / channels) as f64;
        let normalised = batch_norm_train(x, scale, shift, EPSILON);
        let unbiased = normalised.variance.mul_scalar(count / (count - 1.0).max(1.0));
        collect(&self.running_mean, normalised.mean);
        collect(&self.running_var, unbiased);
        normalised.output
    }
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
    fn inference_uses_running_statistics() {
        let device = Device::flex();
        for affine in [true, false] {
            let x = Tensor::<2>::from_floats([[1.0, 10.0], [3.0, 30.0]], &device);
            let y = layer(affine, &device).forward(x.clone());
            y.into_data().assert_approx_eq::<f32>(&x.into_data(), Tolerance::relative(1e-4));
        }
    }
}
