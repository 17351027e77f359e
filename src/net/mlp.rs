//! MLP heads (projectors and predictors): linear layers, optional batch norm, ReLU.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::{BatchNorm, Init, Linear, WeightInit};

/// Norm after a linear layer, before its ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// No norm.
    None,
    /// Batch norm with scale and shift.
    Batch,
    /// Batch norm with scale and without shift.
    Scaled,
    /// Batch norm without scale and shift.
    Plain,
}

/// Configuration of an [`Mlp`] head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpPlan {
    /// Width of each layer; all but the last are followed by ReLU.
    pub widths: Vec<usize>,
    /// Norm of every layer but the last.
    pub hidden_norm: Norm,
    /// Bias in every layer but the last.
    pub hidden_bias: bool,
    /// Norm of the last layer.
    pub output_norm: Norm,
    /// Bias in the last layer.
    pub output_bias: bool,
}

impl MlpPlan {
    /// One linear layer with bias.
    pub fn linear(width: usize) -> Self {
        Self {
            widths: vec![width],
            hidden_norm: Norm::None,
            hidden_bias: true,
            output_norm: Norm::None,
            output_bias: true,
        }
    }

    /// Two layers with biases, no norm.
    pub fn plain(hidden: usize, output: usize) -> Self {
        Self { widths: vec![hidden, output], ..Self::linear(output) }
    }

    /// Batch norm and no bias in every layer but the last, which has neither. Variants change a field:
    /// `MlpPlan { output_norm: Norm::Batch, ..MlpPlan::normed(widths) }`.
    pub fn normed(widths: Vec<usize>) -> Self {
        Self { widths, hidden_norm: Norm::Batch, hidden_bias: false, output_norm: Norm::None, output_bias: false }
    }

    /// Builds the head for `input` features; weights and biases by the default of PyTorch's `nn.Linear`.
    pub fn init(&self, input: usize, init: &mut Init) -> Mlp {
        let inputs = std::iter::once(input).chain(self.widths.iter().copied());
        let last = self.widths.len() - 1;
        let layers = inputs.zip(&self.widths).enumerate().map(|(index, (input, &output))| {
            let (norm, bias) =
                if index == last { (self.output_norm, self.output_bias) } else { (self.hidden_norm, self.hidden_bias) };
            let linear = Linear::init(input, output, bias, init).with_uniform_bias(init);
            Layer { linear, norm: norm.init(output, init) }
        });
        Mlp { layers: layers.collect() }
    }
}

impl Norm {
    fn init(self, channels: usize, init: &mut Init) -> Option<BatchNorm> {
        match self {
            Norm::None => None,
            Norm::Batch => Some(BatchNorm::init(channels, true, init)),
            Norm::Scaled => Some(BatchNorm::init(channels, true, init).without_shift()),
            Norm::Plain => Some(BatchNorm::init(channels, false, init)),
        }
    }
}

/// Linear layer and its norm.
#[derive(Module, Debug)]
pub struct Layer {
    linear: Linear,
    norm: Option<BatchNorm>,
}

impl Layer {
    /// With ReLU after the norm if asked for.
    fn forward(&self, x: Tensor<2>, with_relu: bool) -> Tensor<2> {
        match &self.norm {
            Some(norm) => norm.after_linear(&self.linear, x, with_relu),
            None if with_relu => relu(self.linear.forward(x)),
            None => self.linear.forward(x),
        }
    }
}

/// MLP head: a projector or a predictor.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
}

impl Mlp {
    /// Redraws the weights of every layer by another initialisation and sets biases to 0.
    pub fn redrawn(mut self, start: WeightInit, init: &mut Init) -> Self {
        let layers = self.layers.into_iter();
        self.layers = layers.map(|layer| Layer { linear: layer.linear.redrawn(start, init), ..layer }).collect();
        self
    }

    /// Width of the output.
    pub fn width(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.linear.weight.dims()[0])
    }

    /// `[n, in]` -> `[n, width]`: ReLU between layers, none after the last.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |x, (index, layer)| layer.forward(x, index != last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(plan: &MlpPlan, input: usize, device: &Device) -> Mlp {
        plan.init(input, &mut Init::new(stream(2, Purpose::Weights, 0), device))
    }

    #[test]
    fn plans_have_the_parameters_they_describe() {
        let device = Device::flex().autodiff();
        let cases = [
            // 2048 * 128 + 128
            (MlpPlan::linear(128), 2048, 262_272),
            // 2048 * 2048 + 2048 more
            (MlpPlan::plain(2048, 128), 2048, 262_272 + 2048 * 2048 + 2048),
            // three matrices, two batch norms with scale and shift
            (MlpPlan::normed(vec![1024; 3]), 2048, 2048 * 1024 + 2 * 1024 * 1024 + 2 * 2 * 1024),
            // a norm without shift at the end, a bias in front of a norm
            (MlpPlan { output_norm: Norm::Scaled, ..MlpPlan::normed(vec![64, 8]) }, 32, 32 * 64 + 2 * 64 + 64 * 8 + 8),
            (MlpPlan { hidden_bias: true, ..MlpPlan::normed(vec![64, 8]) }, 32, 32 * 64 + 3 * 64 + 64 * 8),
        ];
        for (plan, input, expected) in cases {
            let head = build(&plan, input, &device);
            assert_eq!(tensors::count(&head), expected, "{plan:?}");
            assert_eq!(head.width(), *plan.widths.last().expect("a layer"));
        }
    }

    #[test]
    fn the_last_layer_has_no_relu() {
        let head = build(&MlpPlan::plain(3, 16), 4, &Device::flex());
        let x = Tensor::<2>::from_floats([[0.5, -1.0, 2.0, 0.1], [-0.3, 0.8, -1.2, 0.4]], &Device::flex());
        let hidden = head.layers[0].linear.forward(x.clone()).clamp_min(0.0);
        let expected = head.layers[1].linear.forward(hidden);
        assert_eq!(head.forward(x).into_data(), expected.clone().into_data());
        let lowest: f32 = expected.min().into_scalar();
        assert!(lowest < 0.0, "the output has negative values");
    }

    #[test]
    fn a_plain_norm_leaves_mean_0_and_variance_1() {
        let head =
            build(&MlpPlan { output_norm: Norm::Plain, ..MlpPlan::normed(vec![8; 2]) }, 4, &Device::flex().autodiff());
        let values = crate::rng::normal(&mut stream(5, Purpose::Views, 0), 64 * 4, 1.0);
        let x = Tensor::<2>::from_data(burn::tensor::TensorData::new(values, [64, 4]), &Device::flex().autodiff());
        let z = head.forward(x);
        let mean: f32 = z.clone().mean_dim(0).abs().max().into_scalar();
        let power: Vec<f32> = z.square().mean_dim(0).into_data().try_to_vec().expect("floats");
        assert!(mean < 1e-5 && power.iter().all(|power| (power - 1.0).abs() < 1e-2), "{mean} {power:?}");
    }

    #[test]
    fn biases_have_pytorchs_default_distribution() {
        let head = build(&MlpPlan::linear(400), 25, &Device::flex());
        let bias: Vec<f32> =
            head.layers[0].linear.bias.as_ref().expect("a bias").val().into_data().try_to_vec().expect("floats");
        let variance = bias.iter().map(|b| b * b).sum::<f32>() / bias.len() as f32;
        // U(-1/5, 1/5) has variance 1/75
        assert!(bias.iter().all(|b| b.abs() <= 0.2) && (variance * 75.0 - 1.0).abs() < 0.1, "{variance}");
    }
}
