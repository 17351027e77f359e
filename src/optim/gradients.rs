//! Gradient accumulation over micro-batches, gradient norm and gradient clipping, on flat tensors by parameter name.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Gradients, Tensor};

use crate::net::named::{self, NamedVisitor};

/// Gradient accumulation: the sum of each parameter's gradients over micro-batches.
#[derive(Debug, Default)]
pub(super) struct GradientSum {
    /// Number of dimensions of the parameter, and the sum of its gradients, by name.
    sums: BTreeMap<String, (usize, Tensor<1>)>,
    batches: usize,
}

impl GradientSum {
    /// Moves the gradients of `model`'s parameters out of `gradients` and adds them to the sums.
    pub(super) fn add<M: Module>(&mut self, model: &M, gradients: &mut Gradients) {
        self.batches += 1;
        named::visit(model, &mut Collector { collected: self, gradients });
    }

    /// Mean gradients over the micro-batches, of the parameters for which `moves(name, dimensions)` is true.
    pub(super) fn means(self, moves: impl Fn(&str, usize) -> bool) -> BTreeMap<String, Tensor<1>> {
        let batches = self.batches as f64;
        let chosen = self.sums.into_iter().filter(|(name, (dimensions, _))| moves(name, *dimensions));
        chosen.map(|(name, (_, sum))| (name, if batches > 1.0 { sum / batches } else { sum })).collect()
    }
}

struct Collector<'a> {
    collected: &'a mut GradientSum,
    gradients: &'a mut Gradients,
}

impl NamedVisitor for Collector<'_> {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad_remove(self.gradients) else { return };
        let count = gradient.shape().num_elements();
        let flat = gradient.reshape([count]);
        let sum = match self.collected.sums.remove(&name) {
            Some((_, sum)) => sum + flat,
            None => flat,
        };
        self.collected.sums.insert(name, (D, sum));
    }
}

/// Norm over all gradients, `sqrt(sum g^2)`: `[1]`; `None` if there are no gradients.
pub(super) fn norm(gradients: &BTreeMap<String, Tensor<1>>) -> Option<Tensor<1>> {
    gradients.values().map(|gradient| gradient.clone().square().sum()).reduce(|a, b| a + b).map(Tensor::sqrt)
}

/// Gradient clipping by the norm over all gradients, as PyTorch's `clip_grad_norm_`: scales them by `min(1, limit / (norm + 1e-6))`.
/// The norm stays on the device.
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
    fn gradients_are_clipped_by_their_common_norm() {
        let device = Device::flex();
        let of_norm_5 = || {
            let pairs = [("a", [3.0f32, 0.0]), ("b", [0.0, 4.0])];
            pairs
                .into_iter()
                .map(|(name, g)| (name.to_string(), Tensor::from_floats(g, &device)))
                .collect::<BTreeMap<_, _>>()
        };
        let mut long = of_norm_5();
        clip(&mut long, 1.0);
        assert!((values(&long["a"])[0] - 0.6).abs() < 1e-6 && (values(&long["b"])[1] - 0.8).abs() < 1e-6);
        let mut short = of_norm_5();
        clip(&mut short, 6.0);
        assert_eq!(values(&short["a"]), [3.0, 0.0]);
    }
}
