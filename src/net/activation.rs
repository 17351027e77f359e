//! Activation functions.

use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu};

/// Activation after a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// ReLU, `max(x, 0)`.
    Relu,
    /// Leaky ReLU: `x` above 0, `0.2 x` below (Maas et al. 2013).
    Leaky,
}

impl Activation {
    /// Slope of the leaky ReLU for negative values.
    pub const SLOPE: f64 = 0.2;

    /// Applies the activation to each value; the shape stays.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => relu(x),
            Activation::Leaky => leaky_relu(x, Self::SLOPE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn leaky_relu_keeps_a_fifth_of_negative_values() {
        let x = Tensor::<1>::from_floats([-2.0, 0.5], &Device::flex());
        let y: Vec<f32> = Activation::Leaky.forward(x).into_data().try_to_vec().expect("floats");
        assert!((y[0] + 0.4).abs() < 1e-6 && y[1] == 0.5, "{y:?}");
    }
}
