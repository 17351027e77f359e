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
    /// One linear layer with bias: heads of MoCo v1 and PIRL.
    pub fn linear(width: usize) -> Self {
        let (hidden_norm, output_norm) = (Norm::None, Norm::None);
        Self { widths: vec![width], hidden_norm, hidden_bias: true, output_norm, output_bias: true }
    }

    /// Two layers with biases, no norm: MoCo v2 (2048-128), the first version of SimCLR's paper, PIRL's MLP variant.
    pub fn plain(hidden: usize, output: usize) -> Self {
        Self { widths: vec![hidden, output], ..Self::linear(output) }
    }

    /// SimSiam's projector: `layers` layers of one width, each with batch norm, the last without scale and shift (its bias,
    /// which the code freezes, would be cancelled). Three layers for ImageNet, two for CIFAR.
    pub fn simsiam_projector(width: usize, layers: usize) -> Self {
        let widths = vec![width; layers];
        Self { widths, hidden_norm: Norm::Batch, hidden_bias: false, output_norm: Norm::Plain, output_bias: false }
    }

    /// SimSiam's predictor: a bottleneck, batch norm on the hidden layer only, a bias at the output.
    pub fn simsiam_predictor(hidden: usize, output: usize) -> Self {
        Self { hidden_norm: Norm::Batch, hidden_bias: false, ..Self::plain(hidden, output) }
    }

    /// BYOL's projector and predictor (4096-256): batch norm on the hidden layer, whose bias is kept, nothing at the output.
    pub fn byol(hidden: usize, output: usize) -> Self {
        Self { hidden_norm: Norm::Batch, output_bias: false, ..Self::plain(hidden, output) }
    }

    /// The head of SimCLR's code: `hidden` as often as it is given (2048, 2048), then `output` (128); batch norm after every
    /// layer, the last without shift.
    pub fn simclr(hidden: &[usize], output: usize) -> Self {
        let widths = hidden.iter().copied().chain([output]).collect();
        Self { widths, hidden_norm: Norm::Batch, hidden_bias: false, output_norm: Norm::Scaled, output_bias: false }
    }

    /// SwAV's projector (2048-128): biases kept, batch norm on the hidden layer.
    pub fn swav(hidden: usize, output: usize) -> Self {
        Self { hidden_norm: Norm::Batch, ..Self::plain(hidden, output) }
    }

    /// Barlow Twins' projector (8192-8192-8192): no biases, batch norm on hidden layers, nothing at the output, which the
    /// loss normalises itself.
    pub fn barlow(width: usize, layers: usize) -> Self {
        Self { output_norm: Norm::None, ..Self::simsiam_projector(width, layers) }
    }

    /// The fully connected layers of AlexNet with batch norm (4096-4096), as RotNet and AET have them for ImageNet: no biases,
    /// batch norm after both.
    pub fn alexnet(width: usize) -> Self {
        Self { output_norm: Norm::Batch, ..Self::barlow(width, 2) }
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
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = self.linear.forward(x);
        match &self.norm {
            Some(norm) => norm.forward(y),
            None => y,
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
        self.layers.iter().enumerate().fold(x, |x, (index, layer)| {
            let y = layer.forward(x);
            if index == last { y } else { relu(y) }
        })
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
    fn parameter_counts_agree_with_the_papers() {
        let device = Device::flex().autodiff();
        let cases = [
            // MoCo v1: 2048 * 128 + 128
            (MlpPlan::linear(128), 2048, 262_272),
            // MoCo v2: 2048 * 2048 + 2048 more
            (MlpPlan::plain(2048, 128), 2048, 262_272 + 2048 * 2048 + 2048),
            // SimSiam: three matrices, two batch norms with scale and shift
            (MlpPlan::simsiam_projector(2048, 3), 2048, 3 * 2048 * 2048 + 2 * 2 * 2048),
            (MlpPlan::simsiam_predictor(512, 2048), 2048, 2 * 2048 * 512 + 2 * 512 + 2048),
            // BYOL: a bias and a batch norm on 4096, no bias on 256
            (MlpPlan::byol(4096, 256), 2048, 2048 * 4096 + 3 * 4096 + 4096 * 256),
            // SimCLR's code: the last batch norm has a scale only
            (MlpPlan::simclr(&[2048, 2048], 128), 2048, 2 * (2048 * 2048 + 2 * 2048) + 2048 * 128 + 128),
            (MlpPlan::swav(2048, 128), 2048, 2048 * 2048 + 3 * 2048 + 2048 * 128 + 128),
            (MlpPlan::barlow(1024, 3), 2048, 2048 * 1024 + 2 * 1024 * 1024 + 2 * 2 * 1024),
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
    fn simsiams_output_is_normalised_per_feature() {
        let head = build(&MlpPlan::simsiam_projector(8, 2), 4, &Device::flex().autodiff());
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
