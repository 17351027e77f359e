//! Agreement of tasks: cosines of their gradients on a shared network.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::loss::unit_rows;

/// Cosines between the gradients of each pair of losses on the trainable parameters of `shared`: 1 if both want the same change, 0 if
/// they are unrelated, below 0 if they conflict.
///
/// `t` losses `[1]`, each with a graph of its own, which is consumed -> `[t, t]`, without gradient.
pub(crate) fn cosines<M: Module>(shared: &M, losses: Vec<Tensor<1>>) -> Tensor<2> {
    let rows = losses.into_iter().map(|loss| flat(shared, &loss.backward()).unsqueeze_dim::<2>(0)).collect();
    let rows = unit_rows(Tensor::cat(rows, 0)); // [t, parameters]
    rows.clone().matmul(rows.transpose())
}

/// All gradients, concatenated; 0 for parameters that the loss does not use.
fn flat<M: Module>(module: &M, gradients: &Gradients) -> Tensor<1> {
    let mut found = Flat { gradients, parts: Vec::new() };
    module.visit(&mut found);
    Tensor::cat(found.parts, 0)
}

struct Flat<'a> {
    gradients: &'a Gradients,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        let value = param.val();
        let gradient = value.grad(self.gradients).unwrap_or_else(|| value.inner().zeros_like());
        let count = gradient.shape().num_elements();
        self.parts.push(gradient.reshape([count]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Init, Linear};
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    #[test]
    fn losses_agree_conflict_or_are_unrelated() {
        let device = Device::flex().autodiff();
        let shared = Linear::init(2, 2, false, &mut Init::new(stream(1, Purpose::Weights, 0), &device));
        let x = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
        let y = Tensor::<2>::from_floats([[0.0, 3.0]], &device);
        let of = |x: &Tensor<2>, factor: f64| shared.forward(x.clone()).sum() * factor;
        let found = cosines(&shared, vec![of(&x, 2.0), of(&x, 0.1), of(&x, -1.0), of(&y, 1.0)]);
        let found: Vec<f32> = found.into_data().try_to_vec().expect("floats");
        let expected = [1.0, 1.0, -1.0, 0.0, 1.0, 1.0, -1.0, 0.0, -1.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
    }
}
