//! Momentum encoders: copies of a network whose weights are an exponential moving average (EMA) of its own.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::in_place::{Taken, put, take};
use super::named::{self, NamedMapper, NamedVisitor};
use crate::kernel;

/// Cosine schedule of the EMA momentum, from `m0` at step `k` = 0 to 1 at step K = `total`:
/// `m_k = 1 - (1 - m0) (cos(pi k / K) + 1) / 2`. Grill et al. 2020, section 3.3.
pub fn cosine_momentum(m0: f64, k: usize, total: usize) -> f64 {
    let share = k as f64 / total.max(1) as f64;
    1.0 - (1.0 - m0) * ((std::f64::consts::PI * share).cos() + 1.0) / 2.0
}

/// Momentum encoder of `online`: a copy with frozen parameters and running statistics of its own.
///
/// It stays on the device that tracks gradients, where batch norm uses batch statistics, as the targets of MoCo and BYOL need.
/// Its output carries no gradient.
pub fn momentum_copy<M: Module>(online: &M) -> M {
    // through the plain device and back: `clone` alone would share the cells that hold the running statistics
    online.valid().train().no_grad()
}

/// EMA update with momentum `m`: `xi <- m xi + (1 - m) theta` for every trainable theta of `online` and the parameter xi of the
/// same name in `target`. Running statistics are not parameters: the target keeps its own.
pub fn ema_update<M: Module>(target: M, online: &M, m: f64) -> M {
    if online.devices().iter().all(kernel::is_gpu) {
        return ema_in_place(target, online, m);
    }
    named::map(target, &mut Follow { online: trainable(online), m })
}

/// [`ema_update`] on a GPU, in the memory of the target's weights.
fn ema_in_place<M: Module>(target: M, online: &M, m: f64) -> M {
    let (_, mut sources) = take(online.clone(), |_, is_trainable| is_trainable);
    let (target, taken) = take(target, |name, _| sources.contains_key(name));
    let mut followers = Vec::with_capacity(taken.len());
    let mut pairs = Vec::with_capacity(taken.len());
    for (name, Taken { weights, rank, is_trainable }) in taken {
        let Some(source) = sources.remove(&name) else { continue };
        pairs.push((weights, source.weights));
        followers.push((name, rank, is_trainable));
    }
    let moved = followers.into_iter().zip(kernel::ema(pairs, m as f32));
    put(
        target,
        moved.map(|((name, rank, is_trainable), weights)| (name, Taken { weights, rank, is_trainable })).collect(),
    )
}

/// Lag of a momentum encoder, its relative distance from the network: `|theta - xi| / |theta|` over every trainable theta of
/// `online` and the parameter xi of the same name in `target`, `[1]`.
///
/// It is 0 right after [`momentum_copy`]. Larger steps of the network and a larger momentum raise it. If it keeps growing, the
/// momentum encoder's features are those of a network many steps back.
pub fn lag<M: Module>(target: &M, online: &M) -> Tensor<1> {
    let mut followed = trainable(online);
    let copy = parameters(target, |_| true);
    let pairs: Vec<_> = copy.into_iter().filter_map(|(name, xi)| Some((followed.remove(&name)?, xi))).collect();
    let sum =
        |square: fn(&(Tensor<1>, Tensor<1>)) -> Tensor<1>| Tensor::cat(pairs.iter().map(square).collect(), 0).sum();
    let apart = sum(|(theta, xi)| (theta.clone() - xi.clone()).square().sum());
    (apart / sum(|(theta, _)| theta.clone().square().sum())).sqrt()
}

/// Trainable tensors of a module by name, flattened.
fn trainable<M: Module>(module: &M) -> BTreeMap<String, Tensor<1>> {
    parameters(module, |tracked| tracked)
}

/// Tensors of a module by name, flattened: those for which `wanted`, called with whether the tensor is trainable, is true.
fn parameters<M: Module>(module: &M, wanted: fn(bool) -> bool) -> BTreeMap<String, Tensor<1>> {
    let mut snapshot = Snapshot { wanted, found: BTreeMap::new() };
    named::visit(module, &mut snapshot);
    snapshot.found
}

struct Snapshot {
    wanted: fn(bool) -> bool,
    found: BTreeMap<String, Tensor<1>>,
}

impl NamedVisitor for Snapshot {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        if (self.wanted)(param.is_require_grad()) {
            let tensor = param.val().inner();
            let count = tensor.shape().num_elements();
            self.found.insert(name, tensor.reshape([count]));
        }
    }
}

struct Follow {
    online: BTreeMap<String, Tensor<1>>,
    m: f64,
}

impl NamedMapper for Follow {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(theta) = self.online.remove(&name) else { return param };
        param.map(|xi| {
            let shape = xi.dims();
            let tracked = xi.is_require_grad();
            let moved = xi.inner().mul_scalar(self.m) + theta.reshape(shape).mul_scalar(1.0 - self.m);
            Tensor::from_inner(moved).set_require_grad(tracked)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Encoder, EncoderConfig, Init, tensors};
    use crate::rng::{Purpose, stream};
    use burn::module::ModuleVisitor;
    use burn::tensor::{Device, TensorData, Tolerance};

    fn encoder(seed: u64) -> Encoder {
        let mut init = Init::new(stream(seed, Purpose::Weights, 0), &Device::flex().autodiff());
        Encoder::init(&EncoderConfig::small(2), 1, &mut init).expect("a model")
    }

    fn values(encoder: &Encoder) -> BTreeMap<String, Vec<f32>> {
        let named = tensors::gather(&encoder.valid());
        named.into_iter().map(|named| (named.name, named.values.into_data().try_to_vec().expect("floats"))).collect()
    }

    fn images(seed: u64) -> Tensor<4> {
        let pixels = crate::rng::uniform(&mut stream(seed, Purpose::Views, 0), 4 * 64, 0.0, 1.0);
        Tensor::from_data(TensorData::new(pixels, [4, 1, 8, 8]), &Device::flex().autodiff())
    }

    #[test]
    fn cosine_momentum_reaches_one_at_the_end() {
        for (k, expected) in [(0, 0.996), (500, 0.998), (1000, 1.0)] {
            let momentum = cosine_momentum(0.996, k, 1000);
            assert!((momentum - expected).abs() < 1e-12, "{k}: {momentum}");
        }
    }

    #[test]
    fn parameters_follow_and_running_statistics_do_not() {
        let online = encoder(1);
        let target = momentum_copy(&encoder(2));
        online.forward(images(1));
        let before = values(&target);
        let theta = values(&online);
        let after = values(&ema_update(target, &online, 0.9));
        for (name, after) in &after {
            let expected: Vec<f32> = if name.contains("running") {
                before[name].clone()
            } else {
                before[name].iter().zip(&theta[name]).map(|(xi, theta)| 0.9 * xi + 0.1 * theta).collect()
            };
            assert!(after.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
        }
        assert_ne!(theta["body.stages.0.units.0.norm.running_mean"], before["body.stages.0.units.0.norm.running_mean"]);
    }

    #[test]
    fn lag_agrees_with_a_slow_loop() {
        let online = encoder(1);
        let target = momentum_copy(&encoder(2));
        let xi = values(&target);
        let theta = values(&online);
        let mut apart = 0.0;
        let mut whole = 0.0;
        for (name, theta) in theta.iter().filter(|(name, _)| !name.contains("running")) {
            for (theta, xi) in theta.iter().zip(&xi[name]) {
                apart += f64::from(theta - xi).powi(2);
                whole += f64::from(*theta).powi(2);
            }
        }
        let found = |target: &Encoder| lag(target, &online).into_scalar::<f32>();
        assert!((f64::from(found(&target)) - (apart / whole).sqrt()).abs() < 1e-5);
        assert_eq!(found(&momentum_copy(&online)), 0.0);
        assert!(
            found(&ema_update(target.clone(), &online, 0.5)) < 0.51 * found(&target),
            "an update of momentum 0.5 halves it"
        );
    }

    #[test]
    fn momentum_1_keeps_the_target_and_0_copies() {
        let online = encoder(1);
        let target = momentum_copy(&encoder(2));
        assert_eq!(values(&ema_update(target.clone(), &online, 1.0)), values(&target));
        let copied = values(&ema_update(target, &online, 0.0));
        assert_eq!(copied["body.stages.3.units.0.conv.weight"], values(&online)["body.stages.3.units.0.conv.weight"]);
    }

    #[test]
    fn a_target_has_own_batch_statistics_and_no_gradient() {
        let online = encoder(1);
        let target = momentum_copy(&online);
        let x = images(1);
        let before = values(&online);
        let from_target = target.forward(x.clone());
        // both have the same weights and use batch statistics
        let expected = online.forward(x.clone()).into_data();
        from_target.clone().into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
        assert_ne!(from_target.clone().inner().into_data(), target.valid().forward(x.clone().inner()).into_data());
        let name = "body.stages.0.units.0.norm.running_mean";
        // a forward pass of the target moves its running statistics, not those of the online network
        let fresh = encoder(1);
        let copy = momentum_copy(&fresh);
        copy.forward(x.clone());
        assert_eq!(values(&fresh)[name], before[name]);
        assert_ne!(values(&copy)[name], before[name]);
        let gradients = (from_target.square().sum() + online.forward(x).sum()).backward();
        assert_eq!(moved_by(&gradients, &target), 0);
        assert!(moved_by(&gradients, &online) > 0);
    }

    /// Number of parameters with a gradient.
    fn moved_by(gradients: &burn::tensor::Gradients, encoder: &Encoder) -> usize {
        struct Seen<'a>(&'a burn::tensor::Gradients, usize);
        impl ModuleVisitor for Seen<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1 += usize::from(param.val().grad(self.0).is_some());
            }
        }
        let mut seen = Seen(gradients, 0);
        encoder.visit(&mut seen);
        seen.1
    }
}
