//! SwAV's prototypes.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::kernel;
use crate::loss::unit_rows;
use crate::net::Init;

/// Prototypes of K clusters: a linear layer without bias whose rows are normalised to length 1 after every step. To freeze them in
/// the first steps, put them into a parameter group with a `from_step`.
#[derive(Module, Debug)]
pub struct Prototypes {
    /// `[K, d]`.
    pub weight: Param<Tensor<2>>,
}

impl Prototypes {
    /// Rows drawn by PyTorch's default for linear layers and normalised to length 1.
    pub fn init(count: usize, width: usize, init: &mut Init) -> Self {
        let drawn = Self { weight: init.uniform([count, width], 1.0 / (width as f64).sqrt()) };
        if init.is_too_large() { drawn } else { drawn.normalised() }
    }

    /// With rows normalised to length 1; no gradient passes through the normalisation.
    pub fn normalised(self) -> Self {
        let weight = self.weight.map(|rows| {
            let tracked = rows.is_require_grad();
            if rows.device().is_autodiff() {
                Tensor::from_inner(unit_rows(rows.inner())).set_require_grad(tracked)
            } else {
                unit_rows(rows)
            }
        });
        Self { weight }
    }

    /// Scores `s = z C^T`: `[n, d]` -> `[n, K]`.
    pub fn scores(&self, z: Tensor<2>) -> Tensor<2> {
        kernel::linear(z, self.weight.val(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn lengths(prototypes: &Prototypes) -> Vec<f32> {
        let rows: Vec<f32> = prototypes.weight.val().into_data().try_to_vec().expect("floats");
        rows.chunks(3).map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()).collect()
    }

    #[test]
    fn rows_are_unit_trainable_and_scored() {
        let device = Device::flex().autodiff();
        let prototypes = Prototypes::init(6, 3, &mut Init::new(stream(1, Purpose::Weights, 0), &device));
        assert!(lengths(&prototypes).iter().all(|length| (length - 1.0).abs() < 1e-6));
        let z = prototypes.weight.val().detach();
        let scores: Vec<f32> = prototypes.scores(z.clone()).into_data().try_to_vec().expect("floats");
        assert!((scores[0] - 1.0).abs() < 1e-6 && (scores[7] - 1.0).abs() < 1e-6, "a prototype scores 1 with itself");
        let gradients = prototypes.scores(z).sum().backward();
        assert!(prototypes.weight.val().grad(&gradients).is_some());
        let stretched =
            Prototypes { weight: prototypes.weight.map(|rows| Tensor::from_inner(rows.inner() * 7.0).require_grad()) };
        let back = stretched.normalised();
        assert!(lengths(&back).iter().all(|length| (length - 1.0).abs() < 1e-6));
        assert!(back.weight.val().is_require_grad());
    }
}
