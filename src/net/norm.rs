//! Batch normalisation, with or without scale and shift, and with its batch split into groups.

use burn::module::{Module, Param};
use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{Device, Tensor, activation};

use super::{Conv2d, Init, Linear, Running};
use crate::kernel::{self, ConvGeometry, NormTensors, UnitConfig};

/// Added to the variance under the root.
const EPSILON: f64 = 1e-5;
/// Weight of a batch in the running statistics, PyTorch's `momentum`.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation: `y = (x - mean) / sqrt(var + 1e-5) * weight + bias` for each channel (Ioffe and Szegedy 2015).
///
/// Training mode is a device that tracks gradients: batch statistics normalise, and running statistics move by a tenth towards
/// them. On any other device the running statistics normalise. A momentum encoder that needs batch statistics therefore runs on
/// the tracking device with frozen parameters. As in PyTorch, the biased variance normalises a batch and the running variance
/// collects the unbiased one.
///
/// With g groups, row i of a batch belongs to group i mod g and each group is normalised by its own statistics, as on g devices;
/// running statistics collect the mean over the groups. MoCo needs groups: with statistics of the whole batch, a query could find
/// its key by them.
///
/// With v views, row i of a batch shows view i mod v and each view is normalised on its own, as if the network saw one view after the
/// other: running statistics move v times. One pass over both views takes half as many kernels as two passes.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale: `[c]`; none for a scale of 1.
    pub weight: Option<Param<Tensor<1>>>,
    /// Shift: `[c]`; none for a shift of 0.
    pub bias: Option<Param<Tensor<1>>>,
    /// Running mean: `[c]`.
    pub running_mean: Running,
    /// Running variance, unbiased: `[c]`.
    pub running_var: Running,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    views: usize,
}

impl BatchNorm {
    /// Layer with a scale of 1 and a shift of 0 to be trained, or with neither if not `affine`.
    pub fn init(channels: usize, affine: bool, init: &mut Init) -> Self {
        let device = init.device().clone();
        Self {
            weight: affine.then(|| init.constant([channels], 1.0)),
            bias: affine.then(|| init.constant([channels], 0.0)),
            running_mean: Running::new(Tensor::zeros([channels], &device)),
            running_var: Running::new(Tensor::ones([channels], &device)),
            groups: init.norm_groups() * init.views(),
            views: init.views(),
        }
    }

    /// Removes the shift and keeps the scale, as TensorFlow's `center=False`.
    pub fn without_shift(self) -> Self {
        Self { bias: None, ..self }
    }

    /// `[n, c, ...]` -> the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if x.device().is_autodiff() { self.by_batch(x) } else { self.by_running(x) }
    }

    /// Norm after a convolution, with ReLU and max pooling over `pool` x `pool` windows (1: none) if asked for:
    /// `[n, in, h, w]` -> `[n, c, h' / pool, w' / pool]`. On a GPU training takes one kernel for all of it ([`kernel::unit`]).
    pub fn after_convolution(&self, conv: &Conv2d, x: Tensor<4>, relu: bool, pool: usize) -> Tensor<4> {
        let geometry = conv.geometry();
        if conv.bias.is_some() || !kernel::has_unit(&x.device(), geometry) {
            let y = self.forward(conv.forward(x));
            let y = if pool == 2 { kernel::max_pool_2x2(y) } else { y };
            return if relu { activation::relu(y) } else { y };
        }
        self.by_unit(x, conv.weight.val(), None, self.unit(geometry, relu, pool))
    }

    /// Norm after a convolution, then a residual and ReLU, the end of a residual block: `[n, in, h, w]` and `[n, c, h', w']` ->
    /// `[n, c, h', w']`. On a GPU training takes one kernel for all of it ([`kernel::unit()`]).
    pub fn after_convolution_with_residual(&self, conv: &Conv2d, x: Tensor<4>, residual: Tensor<4>) -> Tensor<4> {
        let geometry = conv.geometry();
        if conv.bias.is_some() || !kernel::has_unit(&x.device(), geometry) {
            return activation::relu(self.forward(conv.forward(x)) + residual);
        }
        self.by_unit(x, conv.weight.val(), Some(residual), self.unit(geometry, true, 1))
    }

    /// Norm after a linear layer, `w`: `[c, in]`, with ReLU if asked for: `[n, in]` -> `[n, c]`.
    pub fn after_linear(&self, linear: &Linear, x: Tensor<2>, relu: bool) -> Tensor<2> {
        let geometry = ConvGeometry::POINTWISE;
        if linear.bias.is_some() || !kernel::has_unit(&x.device(), geometry) {
            let y = self.forward(linear.forward(x));
            return if relu { activation::relu(y) } else { y };
        }
        let [rows, _] = x.dims();
        let [output, _] = linear.weight.dims();
        let config = self.unit(geometry, relu, 1);
        self.by_unit(kernel::pixels(x), kernel::pixels(linear.weight.val()), None, config).reshape([rows, output])
    }

    fn unit(&self, geometry: ConvGeometry, relu: bool, pool: usize) -> UnitConfig {
        let Self { groups, views, .. } = *self;
        UnitConfig { geometry, groups, views, relu, pool, epsilon: EPSILON as f32, momentum: MOMENTUM as f32 }
    }

    fn by_unit(&self, x: Tensor<4>, w: Tensor<4>, residual: Option<Tensor<4>>, config: UnitConfig) -> Tensor<4> {
        let groups = config.groups;
        assert_eq!(x.dims()[0] % groups, 0, "batch norm: the batch must divide into {groups} groups");
        let (scale, shift) = self.affine(&x.device());
        let running_mean = self.running_mean.value();
        let running_var = self.running_var.value();
        let norm = NormTensors { scale, shift, running_mean, running_var };
        let (y, [mean, var]) = kernel::unit(x, w, norm, residual, config);
        self.running_mean.set(mean.detach());
        self.running_var.set(var.detach());
        y
    }

    /// Inference: running statistics, scale and shift folded into one scale and one shift a channel.
    fn by_running<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (scale, shift) = self.affine(&x.device());
        let scale = scale / (self.running_var.value() + EPSILON).sqrt();
        let shift = shift - self.running_mean.value() * scale.clone();
        let mut shape = [1; D];
        shape[1] = x.dims()[1];
        x * scale.reshape(shape) + shift.reshape(shape)
    }

    fn by_batch<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let shape = x.dims();
        let groups = self.groups;
        assert_eq!(shape[0] % groups, 0, "batch norm: the batch must divide into {groups} groups");
        let rows = shape[0] / groups;
        let channels = shape[1] * groups;
        let positions = shape[2..].iter().product::<usize>();
        let (scale, shift) = self.affine(&x.device());
        let x = x.reshape([rows, channels, positions]);
        let BatchNormTrainOutput { output, mean, variance } =
            normalise(x, repeat(scale, groups), repeat(shift, groups));
        let count = (rows * positions) as f64;
        self.collect(&self.running_mean, mean);
        self.collect(&self.running_var, variance.mul_scalar(count / (count - 1.0).max(1.0)));
        output.reshape(shape)
    }

    /// Moves running statistics, once for each view, towards the mean over its groups of the batch's: `[groups * c]`.
    fn collect(&self, running: &Running, batch: Tensor<1>) {
        let channels = batch.dims()[0] / self.groups;
        let inner = self.groups / self.views;
        let batch = batch.detach().reshape([inner, self.views, channels]);
        let moved = (0..self.views).fold(running.value(), |running, view| {
            let batch = batch.clone().narrow(1, view, 1).mean_dim(0).reshape([channels]);
            running.mul_scalar(1.0 - MOMENTUM) + batch.mul_scalar(MOMENTUM)
        });
        running.set(moved.detach());
    }

    /// Scale and shift, 1 and 0 if the layer has none.
    fn affine(&self, device: &Device) -> (Tensor<1>, Tensor<1>) {
        let channels = self.running_mean.value().dims()[0];
        let scale = self.weight.as_ref().map_or_else(|| Tensor::ones([channels], device), Param::val);
        let shift = self.bias.as_ref().map_or_else(|| Tensor::zeros([channels], device), Param::val);
        (scale, shift)
    }
}

/// Normalisation by batch statistics: `[n, c, s]`, `[c]`, `[c]` -> the output, the means and the biased variances.
///
/// On the CPU, vectors (s = 1) go through elementary operations with derived gradients. Burn's own operation permutes its input
/// four times there and takes about three times as long.
fn normalise(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>) -> BatchNormTrainOutput<3> {
    let [_, channels, positions] = x.dims();
    if positions > 1 || !kernel::is_cpu(&x.device()) {
        return kernel::batch_norm(x, scale, shift, EPSILON);
    }
    let mean = |x: Tensor<3>| x.mean_dim(0);
    let wide = |x: Tensor<1>| x.reshape([1, channels, 1]);
    let mu = mean(x.clone()); // [1, c, 1]
    let centred = x - mu.clone();
    // 2 mean(q sg(q)) - sg(mean(q sg(q))) has the value and the gradient of mean(q q), with one product in the backward pass
    // instead of two
    let half = mean(centred.clone() * centred.clone().detach());
    let variance = half.clone().mul_scalar(2.0) - half.detach();
    let output = centred * (wide(scale) / (variance.clone() + EPSILON).sqrt()) + wide(shift);
    let flat = |x: Tensor<3>| x.reshape([channels]).detach();
    BatchNormTrainOutput { output, mean: flat(mu), variance: flat(variance) }
}

/// One copy a group: `[c]` -> `[g * c]`.
fn repeat(x: Tensor<1>, groups: usize) -> Tensor<1> {
    if groups == 1 { x } else { x.repeat(&[groups]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::module::batch_norm_train;
    use burn::tensor::{TensorData, Tolerance};

    fn layer(affine: bool, device: &Device) -> BatchNorm {
        BatchNorm::init(2, affine, &mut Init::new(stream(0, Purpose::Weights, 0), device))
    }

    #[test]
    fn running_statistics_collect_the_unbiased_variance() {
        let device = Device::flex().autodiff();
        let norm = layer(true, &device);
        let x = Tensor::<2>::from_floats([[1.0, 10.0], [3.0, 30.0]], &device);
        let y = norm.forward(x);
        let expected = Tensor::<2>::from_floats([[-1.0, -1.0], [1.0, 1.0]], &device);
        y.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        // starting at mean 0 and variance 1: 0.1 * (2, 20) and 0.9 + 0.1 * (2, 200) with the unbiased variances
        let mean = norm.running_mean.value().into_data();
        let var = norm.running_var.value().into_data();
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
    fn groups_have_own_batch_and_common_running_statistics() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(stream(0, Purpose::Weights, 0), &device);
        init.replace_norm_groups(2);
        let norm = BatchNorm::init(1, true, &mut init);
        // rows 0 and 2 are one group, 1 and 3 the other
        let y = norm.forward(Tensor::<2>::from_floats([[1.0], [10.0], [3.0], [30.0]], &device));
        let expected = Tensor::<2>::from_floats([[-1.0], [-1.0], [1.0], [1.0]], &device);
        y.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        // means 2 and 20, unbiased variances 2 and 200
        let mean: f32 = norm.running_mean.value().into_scalar();
        let var: f32 = norm.running_var.value().into_scalar();
        assert!((mean - 1.1).abs() < 1e-6 && (var - (0.9 + 10.1)).abs() < 1e-5, "{mean} {var}");
    }

    #[test]
    fn maps_and_vectors_agree_with_burns_batch_norm() {
        let device = Device::flex().autodiff();
        for shape in [[6, 3, 4], [8, 5, 1]] {
            let random = |seed, n| crate::rng::normal(&mut stream(seed, Purpose::Views, 0), n, 2.0);
            let count = shape.iter().product();
            let leaf = |seed: u64, n: usize| {
                Tensor::<1>::from_data(TensorData::new(random(seed, n), [n]), &device).require_grad()
            };
            let x = leaf(1, count);
            let scale = leaf(2, shape[1]);
            let shift = leaf(3, shape[1]);
            let g = leaf(4, count).detach();
            let both = [normalise as fn(_, _, _) -> _, |x, scale, shift| batch_norm_train(x, scale, shift, EPSILON)];
            let results = both.map(|batch_norm| {
                let found = batch_norm(x.clone().reshape(shape) + 3.0, scale.clone(), shift.clone());
                let gradients = (found.output.clone().reshape([count]) * g.clone()).sum().backward();
                let gradient = |of: &Tensor<1>| of.grad(&gradients).expect("a gradient").into_data();
                let values = [found.output.into_data(), found.mean.into_data(), found.variance.into_data()];
                [values.to_vec(), [&x, &scale, &shift].map(gradient).to_vec()].concat()
            });
            for (composed, own) in results[0].iter().zip(&results[1]) {
                composed.assert_approx_eq::<f32>(own, Tolerance::absolute(2e-5));
            }
        }
    }

    #[test]
    fn gradient_agrees_with_central_differences() {
        let x0 = [0.3f32, -1.2, 2.0, 0.1, 1.5, -0.4];
        let weights = [0.7f32, -0.2, 1.1, 0.4, -0.9, 0.5];
        // for one channel: sum_i g_i (x_i - mean) / sqrt(var + eps)
        let slowly = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            x.iter().zip(weights).map(|(x, g)| f64::from(g) * (x - mean) / (var + EPSILON).sqrt()).sum::<f64>()
        };
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::from_data(TensorData::new(x0.to_vec(), [2, 1, 3, 1]), &device).require_grad();
        let g = Tensor::<4>::from_data(TensorData::new(weights.to_vec(), [2, 1, 3, 1]), &device);
        let norm = BatchNorm::init(1, false, &mut Init::new(stream(0, Purpose::Weights, 0), &device));
        let gradients = (norm.forward(x.clone()) * g).sum().backward();
        let found: Vec<f32> = x.grad(&gradients).expect("a gradient").into_data().try_to_vec().expect("floats");
        for (index, found) in found.into_iter().enumerate() {
            let shifted = |by: f64| {
                let mut moved = x0.map(f64::from);
                moved[index] += by;
                slowly(&moved)
            };
            let expected = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
            assert!((f64::from(found) - expected).abs() < 1e-5, "{index}: {found} is not {expected}");
        }
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
