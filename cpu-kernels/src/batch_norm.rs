//! Batch normalisation in training mode and its gradients. Each value is read once for the statistics and once to be
//! normalised, and the backward pass reads twice as well. Composed of Burn's operations, the tensor is read and written about
//! twenty times.

use burn_flex::FlexTensor;

use super::parallel::{CHUNKS, fill_chunks, map_chunks};
use super::tensor;

/// Accumulators of a sum. A float sum must keep its order, so only independent accumulators let the compiler use SIMD lanes.
const LANES: usize = 16;

/// Sizes of a batch `[images, channels, positions]`; positions are pixels, or 1 for features.
#[derive(Clone, Copy)]
struct BatchShape {
    images: usize,
    channels: usize,
    positions: usize,
}

impl BatchShape {
    fn of(x: &FlexTensor) -> Self {
        let shape = x.layout().shape();
        Self { images: shape[0], channels: shape[1], positions: shape[2] }
    }

    /// Values per image.
    fn image(&self) -> usize {
        self.channels * self.positions
    }

    /// Values per chunk of the batch.
    fn chunk(&self) -> usize {
        self.images.div_ceil(CHUNKS).max(1) * self.image()
    }

    /// Values per channel over the whole batch.
    fn count(&self) -> f64 {
        (self.images * self.positions) as f64
    }
}

/// Statistics and scale of a channel, as the inner loops take them.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    /// `1 / sqrt(var + epsilon)`.
    inverse: f32,
    scale: f32,
}

fn channels(moments: &FlexTensor, scale: &FlexTensor, epsilon: f64) -> Vec<Channel> {
    let (means, variances) = moments.storage::<f32>().split_at(scale.layout().shape()[0]);
    let channel = |((&mean, &variance), &scale): ((&f32, &f32), &f32)| {
        let inverse = (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32;
        Channel { mean, inverse, scale }
    };
    means.iter().zip(variances).zip(scale.storage::<f32>()).map(channel).collect()
}

/// `sum_i term(values[i])`.
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let whole = values.chunks_exact(LANES);
    let rest: f32 = whole.remainder().iter().map(|&value| term(value)).sum();
    for values in whole {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += term(value));
    }
    sums.iter().sum::<f32>() + rest
}

/// `sum_i g[i]` and `sum_i g[i] (x[i] - mean)`.
fn sums_with(x: &[f32], g: &[f32], mean: f32) -> [f32; 2] {
    let mut alone = [0f32; LANES];
    let mut both = [0f32; LANES];
    let mut add = |x: &[f32; LANES], g: &[f32; LANES]| {
        for lane in 0..LANES {
            alone[lane] += g[lane];
            both[lane] += g[lane] * (x[lane] - mean);
        }
    };
    let (x, x_rest) = x.as_chunks();
    let (g, g_rest) = g.as_chunks();
    x.iter().zip(g).for_each(|(x, g)| add(x, g));
    let rest = x_rest.iter().zip(g_rest).fold([0f32; 2], |[alone, both], (x, g)| [alone + g, both + g * (x - mean)]);
    [alone.iter().sum::<f32>() + rest[0], both.iter().sum::<f32>() + rest[1]]
}

/// Count, mean and sum of squared deviations of some values, which merge with those of other values without cancellation
/// (Chan, Golub and LeVeque 1979).
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = f64::from(sum(values, |value| value)) / count;
        let near = mean as f32;
        // deviations from the rounded mean are too large by count * (mean - rounded mean)^2, which is taken off again
        let squares = f64::from(sum(values, |value| (value - near) * (value - near)));
        Self { count, mean, squares: (squares - count * (mean - f64::from(near)).powi(2)).max(0.0) }
    }

    fn with(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        let count = self.count + other.count;
        let difference = other.mean - self.mean;
        let share = other.count / count;
        let squares = self.squares + other.squares + difference * difference * self.count * share;
        Self { count, mean: self.mean + difference * share, squares }
    }
}

/// Mean (row 0) and biased variance (row 1) of each channel: `[n, c, s]` -> `[2, c]`.
pub(super) fn moments(x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let shape = BatchShape::of(&x);
    let of_chunk = |[x]: [&[f32]; 1]| {
        let mut channels = vec![Moments::default(); shape.channels];
        for image in x.chunks_exact(shape.image()) {
            for (channel, values) in channels.iter_mut().zip(image.chunks_exact(shape.positions)) {
                *channel = channel.with(Moments::of(values));
            }
        }
        channels
    };
    let chunks = map_chunks([(x.storage(), shape.chunk())], of_chunk);
    let mut channels = vec![Moments::default(); shape.channels];
    for chunk in chunks {
        channels.iter_mut().zip(chunk).for_each(|(all, chunk)| *all = all.with(chunk));
    }
    let means = channels.iter().map(|channel| channel.mean as f32);
    let variances = channels.iter().map(|channel| (channel.squares / channel.count) as f32);
    tensor(means.chain(variances).collect(), &[2, shape.channels])
}

/// `y = (x - mean) / sqrt(var + epsilon) * scale + shift`: `[n, c, s]`, with `scale` and `shift` `[c]` and `moments` `[2, c]`.
pub(super) fn forward(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    moments: &FlexTensor,
    epsilon: f64,
) -> FlexTensor {
    let [x, scale, shift] = [x, scale, shift].map(FlexTensor::to_contiguous);
    let shape = BatchShape::of(&x);
    let channels = channels(moments, &scale, epsilon);
    let shift: &[f32] = shift.storage();
    let work = |_: &mut (), y: &mut [f32], [x]: [&[f32]; 1]| {
        let maps = y.chunks_exact_mut(shape.positions).zip(x.chunks_exact(shape.positions));
        for ((y, x), (channel, &shift)) in maps.zip(channels.iter().zip(shift)) {
            let mean = channel.mean;
            let factor = channel.inverse * channel.scale;
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * factor + shift);
        }
    };
    let image = shape.image();
    let y = fill_chunks((shape.images * image, image), [(x.storage(), image)], || (), work);
    tensor(y, &[shape.images, shape.channels, shape.positions])
}

/// Gradients of the loss with respect to x, scale and shift, given its gradient `g` with respect to y. With `q = (x - mean) /
/// sqrt(var + epsilon)`: `dx = scale / sqrt(var + epsilon) (g - mean(g) - q mean(g q))`, `dscale = sum(g q)`, `dshift =
/// sum(g)`. Ioffe and Szegedy 2015, section 3.
pub(super) fn gradients(
    x: &FlexTensor,
    scale: &FlexTensor,
    moments: &FlexTensor,
    g: &FlexTensor,
    epsilon: f64,
) -> [FlexTensor; 3] {
    let [x, scale, g] = [x, scale, g].map(FlexTensor::to_contiguous);
    let shape = BatchShape::of(&x);
    let channels = channels(moments, &scale, epsilon);
    let sums = gradient_sums(&shape, &channels, x.storage(), g.storage());
    let work = |_: &mut (), dx: &mut [f32], [x, g]: [&[f32]; 2]| {
        let inputs = x.chunks_exact(shape.positions).zip(g.chunks_exact(shape.positions));
        let maps = dx.chunks_exact_mut(shape.positions).zip(inputs);
        for ((dx, (x, g)), (channel, sums)) in maps.zip(channels.iter().zip(&sums)) {
            let [alone, both] = sums.map(|sum| (sum / shape.count()) as f32);
            let mean = channel.mean;
            let factor = channel.inverse * channel.scale;
            let along = channel.inverse * both;
            for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
                *dx = factor * (g - alone - (x - mean) * along);
            }
        }
    };
    let image = shape.image();
    let dx = fill_chunks((shape.images * image, image), [(x.storage(), image), (g.storage(), image)], || (), work);
    let sum = |index: usize| tensor(sums.iter().map(|sums| sums[index] as f32).collect(), &[shape.channels]);
    [tensor(dx, &[shape.images, shape.channels, shape.positions]), sum(1), sum(0)]
}

/// `sum(g)` and `sum(g q)` of each channel, in double precision.
fn gradient_sums(shape: &BatchShape, channels: &[Channel], x: &[f32], g: &[f32]) -> Vec<[f64; 2]> {
    let of_chunk = |[x, g]: [&[f32]; 2]| {
        let mut sums = vec![[0f64; 2]; shape.channels];
        for (x, g) in x.chunks_exact(shape.image()).zip(g.chunks_exact(shape.image())) {
            let maps = x.chunks_exact(shape.positions).zip(g.chunks_exact(shape.positions));
            for ((sums, channel), (x, g)) in sums.iter_mut().zip(channels).zip(maps) {
                let [alone, both] = sums_with(x, g, channel.mean).map(f64::from);
                *sums = [sums[0] + alone, sums[1] + both * f64::from(channel.inverse)];
            }
        }
        sums
    };
    let mut sums = vec![[0f64; 2]; shape.channels];
    for chunk in map_chunks([(x, shape.chunk()), (g, shape.chunk())], of_chunk) {
        sums.iter_mut().zip(chunk).for_each(|(all, chunk)| *all = [all[0] + chunk[0], all[1] + chunk[1]]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::batch_norm_train;
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::{batch_norm, test_support};

    const EPSILON: f64 = 1e-5;

    fn random(seed: u64, n: usize) -> Vec<f32> {
        test_support::values(seed, n).into_iter().map(|value| 3.0 * value).collect()
    }

    fn assert_close(found: &[f32], expected: &[f32], allowed: f32) {
        assert_eq!(found.len(), expected.len());
        for (place, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= allowed * b.abs().max(1.0), "{place}: {a} is not {b}");
        }
    }

    #[test]
    fn batch_norm_and_its_gradients_agree_with_burns() {
        let device = Device::flex().autodiff();
        // more and fewer images than chunks, positions that are and are not a multiple of the lanes
        for shape in [[3, 2, 5], [40, 3, 49], [17, 4, 16], [1, 2, 64]] {
            let n: usize = shape.iter().product();
            let channels = shape[1];
            let leaf =
                |seed, n: usize| Tensor::<1>::from_data(TensorData::new(random(seed, n), [n]), &device).require_grad();
            let x = leaf(1, n);
            let scale = leaf(2, channels);
            let shift = leaf(3, channels);
            let weights = leaf(4, n).detach();
            let [ours, burns] = [true, false].map(|own| {
                let input = x.clone().reshape(shape) * 3.0 + 20.0;
                let (y, mean, variance) = if own {
                    let found = batch_norm(input, scale.clone(), shift.clone(), EPSILON);
                    (found.output, found.mean, found.variance)
                } else {
                    let out = batch_norm_train(input, scale.clone(), shift.clone(), EPSILON);
                    (out.output, out.mean, out.variance)
                };
                let gradients = (y.clone().reshape([n]) * weights.clone()).sum().backward();
                let gradient = |of: &Tensor<1>| of.grad(&gradients).expect("a gradient").into_data();
                let found = [
                    y.into_data(),
                    mean.into_data(),
                    variance.into_data(),
                    gradient(&x),
                    gradient(&scale),
                    gradient(&shift),
                ];
                found.map(|data| data.try_to_vec::<f32>().expect("floats"))
            });
            for (ours, burns) in ours.iter().zip(&burns) {
                assert_close(ours, burns, 3e-5);
            }
        }
    }

    #[test]
    fn a_variance_far_below_the_mean_is_exact() {
        // 1000 and 1000.5 in turn: variance 1/16, which E[x^2] - E[x]^2 would lose in single precision
        let values: Vec<f32> = (0..640).map(|at| 1000.0 + 0.5 * (at % 2) as f32).collect();
        let x = Tensor::<3>::from_data(TensorData::new(values, [20, 1, 32]), &Device::flex().autodiff());
        let ones = Tensor::<1>::ones([1], &x.device());
        let found = batch_norm(x, ones.clone(), ones - 1.0, 0.0);
        let number = |x: Tensor<1>| x.into_data().try_to_vec::<f32>().expect("floats");
        assert_close(&[number(found.mean), number(found.variance)].concat(), &[1000.25, 0.0625], 1e-6);
        let y: Vec<f32> = found.output.into_data().try_to_vec().expect("floats");
        assert!(y.iter().enumerate().all(|(at, y)| (y - if at % 2 == 0 { -1.0 } else { 1.0 }).abs() < 1e-4));
    }

    #[test]
    fn a_transposed_tensor_is_read_in_its_logical_order() {
        let device = Device::flex().autodiff();
        let turned = Tensor::<3>::from_data(TensorData::new(random(5, 60), [4, 5, 3]), &device).swap_dims(1, 2);
        let copied = Tensor::from_data(turned.clone().into_data(), &device);
        let ones = Tensor::<1>::ones([3], &device);
        let [a, b] = [turned, copied].map(|x| batch_norm(x, ones.clone(), ones.clone(), EPSILON).output.into_data());
        assert_eq!(a, b);
    }
}
