//! The gradients of a step as flat tensors by parameter name: summed over micro-batches, clipped together.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::net::tensors::Path;

/// Sums of gradients by the name of their parameter.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// With the number of dimensions of the parameter.
    sums: BTreeMap<String, (usize, Tensor<1>)>,
    batches: usize,
}

impl Collected {
    /// Takes the gradients of `model`'s parameters out of `gradients` and adds them.
    pub(super) fn add<M: Module>(&mut self, model: &M, gradients: &mut Gradients) {
        self.batches += 1;
        model.visit(&mut Take { collected: self, gradients, path: Path::default() });
    }

    /// The means over the batches added, for the parameters that `moves` lets through.
    pub(super) fn means(self, moves: impl Fn(&str, usize) -> bool) -> BTreeMap<String, Tensor<1>> {
        let batches = self.batches as f64;
        let chosen = self.sums.into_iter().filter(|(name, (dimensions, _))| moves(name, *dimensions));
        chosen.map(|(name, (_, sum))| (name, if batches > 1.0 { sum / batches } else { sum })).collect()
    }
}

struct Take<'a> {
    collected: &'a mut Collected,
    gradients: &'a mut Gradients,
    path: Path,
}

impl ModuleVisitor for Take<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad_remove(self.gradients) else { return };
        let count = gradient.shape().num_elements();
        let (name, flat) = (self.path.name(), gradient.reshape([count]));
        let sum = match self.collected.sums.remove(&name) {
            Some((_, sum)) => sum + flat,
            None => flat,
        };
        self.collected.sums.insert(name, (D, sum));
    }
}

/// `sqrt(sum g^2)` over all gradients `[1]`; none where there are none.
pub(super) fn norm(gradients: &BTreeMap<String, Tensor<1>>) -> Option<Tensor<1>> {
    gradients.values().map(|gradient| gradient.clone().square().sum()).reduce(|a, b| a + b).map(Tensor::sqrt)
}

/// Scales all gradients by `min(1, limit / (norm + 1e-6))`, `norm = sqrt(sum g^2)` over all of them, as PyTorch does; the
/// norm stays on the device.
pub(super) fn clip(gradients: &mut BTreeMap<String, Tensor<1>>, limit: f64) {
    let Some(norm) = norm(gradients) else { return };
    let scale = (norm + 1e-6).recip().mul_scalar(limit).clamp_max(1.0); // [1]
    for gradient in gradients.values_mut() {
        *gradient = gradient.clone() * scale.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values(x: &Tensor<1>) -> Vec<f32> {
        x.clone().into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn the_norm_is_taken_over_all_parameters_together() {
        let device = Device::flex();
        let three = || {
            let pairs = [("a", [3.0f32, 0.0]), ("b", [0.0, 4.0])];
            pairs
                .into_iter()
                .map(|(name, g)| (name.to_string(), Tensor::from_floats(g, &device)))
                .collect::<BTreeMap<_, _>>()
        };
        let mut long = three();
        clip(&mut long, 1.0);
        // the norm is 5: each becomes a fifth
        assert!((values(&long["a"])[0] - 0.6).abs() < 1e-6 && (values(&long["b"])[1] - 0.8).abs() < 1e-6);
        let mut short = three();
        clip(&mut short, 6.0);
        assert_eq!(values(&short["a"]), [3.0, 0.0]);
    }
}
