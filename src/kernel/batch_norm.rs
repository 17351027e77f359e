//! Batch normalisation by the batch's own statistics, and its gradients: each value is read once for the statistics and once
//! to be normalised, and likewise on the way back. Composed of Burn's operations it is read and written some twenty times.

use burn_flex::FlexTensor;

use super::parallel::{PARTS, made, of_each};
use super::tensor;

/// Sums that run beside one another, so that the processor can add as many values at once.
const LANES: usize = 16;

/// Images, channels and the places of each channel.
#[derive(Clone, Copy)]
struct Plan {
    images: usize,
    channels: usize,
    places: usize,
}

impl Plan {
    fn of(x: &FlexTensor) -> Self {
        let shape = x.layout().shape();
        Self { images: shape[0], channels: shape[1], places: shape[2] }
    }

    /// Values of an image.
    fn image(&self) -> usize {
        self.channels * self.places
    }

    /// Values of a part of the batch.
    fn part(&self) -> usize {
        self.images.div_ceil(PARTS).max(1) * self.image()
    }

    /// Values of a channel.
    fn count(&self) -> f64 {
        (self.images * self.places) as f64
    }
}

/// What normalises a channel.
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

/// The sum of `term` over the values.
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let whole = values.chunks_exact(LANES);
    let rest: f32 = whole.remainder().iter().map(|&value| term(value)).sum();
    for values in whole {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += term(value));
    }
    sums.iter().sum::<f32>() + rest
}

/// The sums of the second values, and of the products of both, the first less `mean`.
fn sums_with(x: &[f32], g: &[f32], mean: f32) -> [f32; 2] {
    let (mut alone, mut both) = ([0f32; LANES], [0f32; LANES]);
    let mut add = |x: &[f32; LANES], g: &[f32; LANES]| {
        for lane in 0..LANES {
            alone[lane] += g[lane];
            both[lane] += g[lane] * (x[lane] - mean);
        }
    };
    let ((x, x_rest), (g, g_rest)) = (x.as_chunks(), g.as_chunks());
    x.iter().zip(g).for_each(|(x, g)| add(x, g));
    let rest = x_rest.iter().zip(g_rest).fold([0f32; 2], |[alone, both], (x, g)| [alone + g, both + g * (x - mean)]);
    [alone.iter().sum::<f32>() + rest[0], both.iter().sum::<f32>() + rest[1]]
}

/// Mean and squared deviations of so many values, merged with those of others (Chan, Golub and LeVeque 1979).
#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = f64::from(sum(values, |value| value)) / count;
        let near = mean as f32;
        // about a mean that is rounded: what it lies beside the true one counts too much, once for each value
        let squares = f64::from(sum(values, |value| (value - near) * (value - near)));
        Self { count, mean, squares: (squares - count * (mean - f64::from(near)).powi(2)).max(0.0) }
    }

    fn with(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        let (count, off) = (self.count + other.count, other.mean - self.mean);
        let share = other.count / count;
        let squares = self.squares + other.squares + off * off * self.count * share;
        Self { count, mean: self.mean + off * share, squares }
    }
}

/// Mean and biased variance of each channel: `[n, c, s]` -> `[2, c]`.
pub(super) fn moments(x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let plan = Plan::of(&x);
    let of_part = |[x]: [&[f32]; 1]| {
        let mut spreads = vec![Spread::default(); plan.channels];
        for image in x.chunks_exact(plan.image()) {
            for (spread, values) in spreads.iter_mut().zip(image.chunks_exact(plan.places)) {
                *spread = spread.with(Spread::of(values));
            }
        }
        spreads
    };
    let parts = of_each([(x.storage(), plan.part())], of_part);
    let mut spreads = vec![Spread::default(); plan.channels];
    for part in parts {
        spreads.iter_mut().zip(part).for_each(|(all, part)| *all = all.with(part));
    }
    let means = spreads.iter().map(|spread| spread.mean as f32);
    let variances = spreads.iter().map(|spread| (spread.squares / spread.count) as f32);
    tensor(means.chain(variances).collect(), &[2, plan.channels])
}

/// `y = (x - mean) / sqrt(var + epsilon) * scale + shift`.
pub(super) fn value(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    moments: &FlexTensor,
    epsilon: f64,
) -> FlexTensor {
    let [x, scale, shift] = [x, scale, shift].map(FlexTensor::to_contiguous);
    let (plan, channels) = (Plan::of(&x), channels(moments, &scale, epsilon));
    let shift: &[f32] = shift.storage();
    let work = |_: &mut (), y: &mut [f32], [x]: [&[f32]; 1]| {
        let maps = y.chunks_exact_mut(plan.places).zip(x.chunks_exact(plan.places));
        for ((y, x), (channel, &shift)) in maps.zip(channels.iter().zip(shift)) {
            let (mean, factor) = (channel.mean, channel.inverse * channel.scale);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * factor + shift);
        }
    };
    let image = plan.image();
    let y = made((plan.images * image, image), [(x.storage(), image)], || (), work);
    tensor(y, &[plan.images, plan.channels, plan.places])
}

/// The gradients with respect to x, scale and shift, from that with respect to y. With `q = (x - mean) / sqrt(var + epsilon)`:
/// `dx = scale / sqrt(var + epsilon) (g - mean(g) - q mean(g q))`, `dscale = sum(g q)`, `dshift = sum(g)` (Ioffe and Szegedy
/// 2015, section 3).
pub(super) fn gradients(
    x: &FlexTensor,
    scale: &FlexTensor,
    moments: &FlexTensor,
    g: &FlexTensor,
    epsilon: f64,
) -> [FlexTensor; 3] {
    let [x, scale, g] = [x, scale, g].map(FlexTensor::to_contiguous);
    let (plan, channels) = (Plan::of(&x), channels(moments, &scale, epsilon));
    let sums = gradient_sums(&plan, &channels, x.storage(), g.storage());
    let work = |_: &mut (), dx: &mut [f32], [x, g]: [&[f32]; 2]| {
        let maps = dx.chunks_exact_mut(plan.places).zip(x.chunks_exact(plan.places)).zip(g.chunks_exact(plan.places));
        for (((dx, x), g), (channel, sums)) in maps.zip(channels.iter().zip(&sums)) {
            let [alone, both] = sums.map(|sum| (sum / plan.count()) as f32);
            let (mean, factor, along) = (channel.mean, channel.inverse * channel.scale, channel.inverse * both);
            for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
                *dx = factor * (g - alone - (x - mean) * along);
            }
        }
    };
    let image = plan.image();
    let dx = made((plan.images * image, image), [(x.storage(), image), (g.storage(), image)], || (), work);
    let sum = |which: usize| tensor(sums.iter().map(|sums| sums[which] as f32).collect(), &[plan.channels]);
    [tensor(dx, &[plan.images, plan.channels, plan.places]), sum(1), sum(0)]
}

/// `sum(g)` and `sum(g q)` of each channel.
fn gradient_sums(plan: &Plan, channels: &[Channel], x: &[f32], g: &[f32]) -> Vec<[f64; 2]> {
    let of_part = |[x, g]: [&[f32]; 2]| {
        let mut sums = vec![[0f64; 2]; plan.channels];
        for (x, g) in x.chunks_exact(plan.image()).zip(g.chunks_exact(plan.image())) {
            let maps = x.chunks_exact(plan.places).zip(g.chunks_exact(plan.places));
            for ((sums, channel), (x, g)) in sums.iter_mut().zip(channels).zip(maps) {
                let [alone, both] = sums_with(x, g, channel.mean).map(f64::from);
                *sums = [sums[0] + alone, sums[1] + both * f64::from(channel.inverse)];
            }
        }
        sums
    };
    let mut sums = vec![[0f64; 2]; plan.channels];
    for part in of_each([(x, plan.part()), (g, plan.part())], of_part) {
        sums.iter_mut().zip(part).for_each(|(all, part)| *all = [all[0] + part[0], all[1] + part[1]]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::batch_norm_train;
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::kernel::batch_norm;
    use crate::rng::{Purpose, normal, stream};

    const EPSILON: f64 = 1e-5;

    fn random(seed: u64, n: usize) -> Vec<f32> {
        normal(&mut stream(seed, Purpose::Views, 0), n, 1.5)
    }

    fn assert_close(found: &[f32], expected: &[f32], allowed: f32) {
        assert_eq!(found.len(), expected.len());
        for (place, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= allowed * b.abs().max(1.0), "{place}: {a} is not {b}");
        }
    }

    #[test]
    fn values_moments_and_gradients_are_burns() {
        let device = Device::flex().autodiff();
        // more and fewer images than parts, places that fill lanes and that do not
        for shape in [[3, 2, 5], [40, 3, 49], [17, 4, 16], [1, 2, 64]] {
            let (n, channels) = (shape.iter().product::<usize>(), shape[1]);
            let leaf =
                |seed, n: usize| Tensor::<1>::from_data(TensorData::new(random(seed, n), [n]), &device).require_grad();
            let (x, scale, shift, weights) = (leaf(1, n), leaf(2, channels), leaf(3, channels), leaf(4, n).detach());
            let [ours, burns] = [true, false].map(|own| {
                let input = x.clone().reshape(shape) * 3.0 + 20.0;
                let (y, mean, variance) = if own {
                    let (y, moments) = batch_norm(input, scale.clone(), shift.clone(), EPSILON);
                    let [mean, variance] = [0, 1].map(|row| moments.clone().narrow(0, row, 1).reshape([channels]));
                    (y, mean, variance)
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
    fn a_spread_that_is_small_beside_the_mean_is_seen() {
        // 1000 and 1000.5 by turns: variance 1/16 in steps of single precision
        let values: Vec<f32> = (0..640).map(|at| 1000.0 + 0.5 * (at % 2) as f32).collect();
        let x = Tensor::<3>::from_data(TensorData::new(values, [20, 1, 32]), &Device::flex().autodiff());
        let ones = Tensor::<1>::ones([1], &x.device());
        let (y, moments) = batch_norm(x, ones.clone(), ones - 1.0, 0.0);
        assert_close(&moments.into_data().try_to_vec::<f32>().expect("floats"), &[1000.25, 0.0625], 1e-6);
        let y: Vec<f32> = y.into_data().try_to_vec().expect("floats");
        assert!(y.iter().enumerate().all(|(at, y)| (y - if at % 2 == 0 { -1.0 } else { 1.0 }).abs() < 1e-4));
    }

    #[test]
    fn a_turned_view_is_read_as_it_looks() {
        let device = Device::flex().autodiff();
        let turned = Tensor::<3>::from_data(TensorData::new(random(5, 60), [4, 5, 3]), &device).swap_dims(1, 2);
        let copied = Tensor::from_data(turned.clone().into_data(), &device);
        let ones = Tensor::<1>::ones([3], &device);
        let [a, b] = [turned, copied].map(|x| batch_norm(x, ones.clone(), ones.clone(), EPSILON).0.into_data());
        assert_eq!(a, b);
    }
}
