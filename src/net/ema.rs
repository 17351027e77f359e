//! Slow copies: modules that follow another one's weights instead of learning.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::tensors::Path;

/// A slow copy's decay at step `k` (from 0) of `total`, from `m0` up to 1: `m_k = 1 - (1 - m0) (cos(pi k / K) + 1) / 2` (Grill
/// et al. 2020, section 3.3).
pub fn rising_decay(m0: f64, k: usize, total: usize) -> f64 {
    let share = k as f64 / total.max(1) as f64;
    1.0 - (1.0 - m0) * ((std::f64::consts::PI * share).cos() + 1.0) / 2.0
}

/// A copy of `online` that no gradient moves, with running statistics of its own.
///
/// It stays on the device that tracks gradients, where batch norm uses the batch's statistics as the targets of MoCo and
/// BYOL must; nothing in it requires gradients, so its output carries none.
pub fn slow_copy<M: Module>(online: &M) -> M {
    // through the plain device and back: `clone` alone would share the cells that hold the running statistics
    online.valid().train().no_grad()
}

/// `xi <- m xi + (1 - m) theta` for every trainable theta of `online` and the parameter of the same name in `target`.
/// Running statistics are no parameters: the target keeps its own.
pub fn ema<M: Module>(target: M, online: &M, m: f64) -> M {
    target.map(&mut Follow { online: trainable(online), m, path: Path::default() })
}

/// How far a slow copy lies behind: `|theta - xi| / |theta|` over every trainable theta of `online` and the parameter xi of
/// the same name in `target`, `[1]`.
///
/// Right after [`slow_copy`] it is 0. It grows with the steps that the network takes and shrinks with the copy's decay; where
/// it goes on growing the copy has lost touch, and what it says belongs to a network of long ago.
pub fn lag<M: Module>(target: &M, online: &M) -> Tensor<1> {
    let (mut followed, copy) = (trainable(online), parameters(target, |_| true));
    let pairs: Vec<_> = copy.into_iter().filter_map(|(name, xi)| Some((followed.remove(&name)?, xi))).collect();
    let sum =
        |square: fn(&(Tensor<1>, Tensor<1>)) -> Tensor<1>| Tensor::cat(pairs.iter().map(square).collect(), 0).sum();
    let apart = sum(|(theta, xi)| (theta.clone() - xi.clone()).square().sum());
    (apart / sum(|(theta, _)| theta.clone().square().sum())).sqrt()
}

/// The trainable tensors of a module, flat, by name.
fn trainable<M: Module>(module: &M) -> BTreeMap<String, Tensor<1>> {
    parameters(module, |tracked| tracked)
}

/// The tensors of a module that `wanted` takes, by whether they are trained; flat, by name.
fn parameters<M: Module>(module: &M, wanted: fn(bool) -> bool) -> BTreeMap<String, Tensor<1>> {
    let mut snapshot = Snapshot { wanted, path: Path::default(), found: BTreeMap::new() };
    module.visit(&mut snapshot);
    snapshot.found
}

struct Snapshot {
    wanted: fn(bool) -> bool,
    path: Path,
    found: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Snapshot {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if (self.wanted)(param.is_require_grad()) {
            let tensor = param.val().inner();
            let count = tensor.shape().num_elements();
            self.found.insert(self.path.name(), tensor.reshape([count]));
        }
    }
}

struct Follow {
    online: BTreeMap<String, Tensor<1>>,
    m: f64,
    path: Path,
}

impl ModuleMapper for Follow {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(theta) = self.online.remove(&self.path.name()) else { return param };
        param.map(|xi| {
            let (shape, tracked) = (xi.dims(), xi.is_require_grad());
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
    fn the_decay_reaches_one_at_the_end() {
        for (k, expected) in [(0, 0.996), (500, 0.998), (1000, 1.0)] {
            let decay = rising_decay(0.996, k, 1000);
            assert!((decay - expected).abs() < 1e-12, "{k}: {decay}");
        }
    }

    #[test]
    fn parameters_follow_and_running_statistics_do_not() {
        let (online, target) = (encoder(1), slow_copy(&encoder(2)));
        online.forward(images(1));
        let (before, theta) = (values(&target), values(&online));
        let after = values(&ema(target, &online, 0.9));
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
    fn the_lag_is_the_distance_that_a_slow_loop_finds() {
        let (online, target) = (encoder(1), slow_copy(&encoder(2)));
        let (xi, theta) = (values(&target), values(&online));
        let (mut apart, mut whole) = (0.0, 0.0);
        for (name, theta) in theta.iter().filter(|(name, _)| !name.contains("running")) {
            for (theta, xi) in theta.iter().zip(&xi[name]) {
                apart += f64::from(theta - xi).powi(2);
                whole += f64::from(*theta).powi(2);
            }
        }
        let found = |target: &Encoder| lag(target, &online).into_scalar::<f32>();
        assert!((f64::from(found(&target)) - (apart / whole).sqrt()).abs() < 1e-5);
        assert_eq!(found(&slow_copy(&online)), 0.0);
        assert!(found(&ema(target.clone(), &online, 0.5)) < 0.51 * found(&target), "half of the way is made up");
    }

    #[test]
    fn the_extremes_copy_or_leave_alone() {
        let (online, target) = (encoder(1), slow_copy(&encoder(2)));
        assert_eq!(values(&ema(target.clone(), &online, 1.0)), values(&target));
        let copied = values(&ema(target, &online, 0.0));
        assert_eq!(copied["body.stages.3.units.0.conv.weight"], values(&online)["body.stages.3.units.0.conv.weight"]);
    }

    #[test]
    fn a_target_uses_batch_statistics_of_its_own_and_carries_no_gradient() {
        let online = encoder(1);
        let target = slow_copy(&online);
        let (x, before) = (images(1), values(&online));
        let from_target = target.forward(x.clone());
        // the same weights and the batch's statistics in both
        let expected = online.forward(x.clone()).into_data();
        from_target.clone().into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
        assert_ne!(from_target.clone().inner().into_data(), target.valid().forward(x.clone().inner()).into_data());
        let name = "body.stages.0.units.0.norm.running_mean";
        // the first forward moved the target's statistics, not those of the online network
        let fresh = encoder(1);
        let copy = slow_copy(&fresh);
        copy.forward(x.clone());
        assert_eq!(values(&fresh)[name], before[name]);
        assert_ne!(values(&copy)[name], before[name]);
        let gradients = (from_target.square().sum() + online.forward(x).sum()).backward();
        assert_eq!(moved_by(&gradients, &target), 0);
        assert!(moved_by(&gradients, &online) > 0);
    }

    /// Parameters that a gradient belongs to.
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
