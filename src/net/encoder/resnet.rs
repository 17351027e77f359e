//! Residual networks (He et al. 2016) as in torchvision, names of tensors included (`layer1.0.conv1.weight`).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::net::computation_graph::{GraphBuilder, Operation};
use crate::net::{BatchNorm, Conv2d, Init, Pool};

/// Sizes of a residual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResNetConfig {
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Bottleneck blocks of three convolutions instead of basic blocks of two 3x3 ones.
    pub bottleneck: bool,
    /// Stem for large images.
    pub large: bool,
    /// Channels of the stem.
    pub width: usize,
    /// Start blocks as the identity.
    pub zero_init: bool,
}

/// Residual block, basic or bottleneck.
#[derive(Module, Debug)]
pub struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    /// Third convolution of a bottleneck.
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    /// Projection of the shortcut, if the block changes the size or the channels.
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    /// Block of `width` channels; the output of a bottleneck has four times as many. The stride of a bottleneck is in its 3x3
    /// convolution, as in torchvision ("v1.5"), not in the first 1x1 as in the paper.
    fn init(plan: &ResNetConfig, input: usize, width: usize, stride: usize, init: &mut Init) -> Self {
        let output = width * plan.expansion();
        let conv3x3 = |channels, stride, init: &mut Init| conv(channels, 3, stride, init);
        let norm = |channels, init: &mut Init| BatchNorm::init(channels, true, init);
        // the order of construction is the order of random draws
        let [conv1, conv2] = if plan.bottleneck {
            [conv([input, width], 1, 1, init), conv3x3([width, width], stride, init)]
        } else {
            [conv3x3([input, width], stride, init), conv3x3([width, width], 1, init)]
        };
        let conv3 = plan.bottleneck.then(|| conv([width, output], 1, 1, init));
        let changes = stride != 1 || input != output;
        let downsample = changes.then(|| (conv([input, output], 1, stride, init), norm(output, init)));
        let bn1 = norm(width, init);
        let bn2 = norm(width, init);
        let bn3 = plan.bottleneck.then(|| norm(output, init));
        let block = Self { conv1, bn1, conv2, bn2, conv3, bn3, downsample };
        if plan.zero_init { block.identity(init) } else { block }
    }

    /// With a scale of 0 in the last batch norm.
    fn identity(mut self, init: &mut Init) -> Self {
        let last = self.bn3.as_mut().unwrap_or(&mut self.bn2);
        last.weight = last.weight.as_ref().map(|weight| init.constant(weight.dims(), 0.0));
        self
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.after_convolution(conv, x.clone(), false, 1),
            None => x.clone(),
        };
        let y = self.bn1.after_convolution(&self.conv1, x, true, 1);
        match (&self.conv3, &self.bn3) {
            (Some(conv), Some(norm)) => {
                let y = self.bn2.after_convolution(&self.conv2, y, true, 1);
                norm.after_convolution_with_residual(conv, y, shortcut)
            }
            _ => self.bn2.after_convolution_with_residual(&self.conv2, y, shortcut),
        }
    }

    fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        let Self { conv1, bn1, conv2, bn2, conv3, bn3, downsample } = self;
        let shortcut = downsample.as_ref().map_or(x, |(conv, norm)| to.normed(conv, norm, x));
        let y = to.normed(conv1, bn1, x);
        let y = to.relu(y);
        let y = to.normed(conv2, bn2, y);
        let y = conv3.iter().zip(bn3).fold(y, |y, (conv, norm)| {
            let y = to.relu(y);
            to.normed(conv, norm, y)
        });
        let y = to.push(Operation::Add, vec![y, shortcut]);
        to.relu(y)
    }
}

/// Residual network: a stem and four stages of blocks. Its layers are `conv1`, the output of the stem after pooling, and `layer1` to
/// `layer4`.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    width: usize,
}

impl ResNet {
    pub(super) fn init(plan: &ResNetConfig, channels: usize, init: &mut Init) -> Self {
        let width = plan.width;
        let (kernel, stride, pool) = if plan.large { (7, 2, Pool::Max3) } else { (3, 1, Pool::None) };
        let conv1 = conv([channels, width], kernel, stride, init);
        let bn1 = BatchNorm::init(width, true, init);
        let mut input = width;
        let mut stage = |number: usize| {
            let width = width << number;
            let block = |index: usize| {
                let stride = if index == 0 && number > 0 { 2 } else { 1 };
                let block = Block::init(plan, input, width, stride, init);
                input = width * plan.expansion();
                block
            };
            (0..plan.blocks[number]).map(block).collect()
        };
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(&mut stage);
        Self { conv1, bn1, layer1, layer2, layer3, layer4, pool, width: input }
    }

    pub(super) fn layer_names(&self) -> Vec<String> {
        ["conv1", "layer1", "layer2", "layer3", "layer4"].map(str::to_string).into()
    }

    /// Channels of the last stage.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Rows (or columns) of the last map, for images with `side` of them.
    pub(super) fn side(&self, side: usize) -> usize {
        let stem = self.pool.side(self.conv1.side(side));
        (0..3).fold(stem, |side, _| side.div_ceil(2))
    }

    /// Calls `see` with each layer's output and returns the last one.
    pub(super) fn forward(&self, x: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        let x = match self.pool {
            Pool::None => self.bn1.after_convolution(&self.conv1, x, true, 1),
            pool => pool.after_relu(self.bn1.after_convolution(&self.conv1, x, false, 1)),
        };
        see(&x);
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().fold(x, |x, blocks| {
            let x = blocks.iter().fold(x, |x, block| block.forward(x));
            see(&x);
            x
        })
    }
}

impl ResNet {
    /// Adds the operations of [`ResNet::forward`] to a graph; returns the index of the last value.
    pub(super) fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        let Self { conv1, bn1, layer1, layer2, layer3, layer4, pool, width: _ } = self;
        let x = to.normed(conv1, bn1, x);
        let x = to.relu(x);
        let x = to.pool(*pool, x);
        to.layer(x);
        [layer1, layer2, layer3, layer4].into_iter().fold(x, |x, blocks| {
            let x = blocks.iter().fold(x, |x, block| block.trace(x, to));
            to.layer(x);
            x
        })
    }
}

impl ResNetConfig {
    fn expansion(&self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }
}

/// Convolution with torchvision's initial weights, padded so that stride 1 keeps the size.
fn conv(channels: [usize; 2], kernel: usize, stride: usize, init: &mut Init) -> Conv2d {
    Conv2d::init(channels, kernel, stride, kernel / 2, init).he_fan_out(init)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::encoder::parse_state;
    use crate::net::encoder::tests::build;
    use crate::net::{Encoder, EncoderConfig, EncoderKind, tensors};
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, TensorData, Tolerance};
    use std::collections::HashMap;

    fn residual(kind: EncoderKind, width: usize) -> Encoder {
        let config = EncoderConfig { width, ..EncoderConfig::published(kind, "cifar-10") };
        build(&config, 3, &Device::flex().autodiff())
    }

    fn shapes(encoder: &Encoder, side: usize) -> Vec<[usize; 3]> {
        let maps = encoder.valid_maps(Tensor::zeros([1, 3, side, side], &Device::flex()));
        let last = maps.last().expect("a map").dims();
        assert_eq!(encoder.last_map_size([side, side]), [last[1], last[2], last[3]]);
        maps.iter().map(|map| [map.dims()[1], map.dims()[2], map.dims()[3]]).collect()
    }

    impl Encoder {
        fn valid_maps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
            burn::module::Module::valid(self).maps(x)
        }
    }

    #[test]
    fn parameter_counts_are_torchvisions_without_classifier() {
        // sum(p.numel() for p in torchvision.models.resnet18().parameters()) - 513_000, and so on; the CIFAR stem has
        // 64 * 3 * (49 - 9) fewer
        let counts = [
            (EncoderKind::Resnet18, 11_176_512),
            (EncoderKind::Resnet18Cifar, 11_168_832),
            (EncoderKind::Resnet50, 23_508_032),
            (EncoderKind::Resnet50Cifar, 23_500_352),
        ];
        for (kind, expected) in counts {
            assert_eq!(tensors::count(&residual(kind, 64)), expected, "{kind:?}");
        }
    }

    #[test]
    fn maps_have_the_published_sizes() {
        let [small, large] = [EncoderKind::Resnet18Cifar, EncoderKind::Resnet50].map(|kind| residual(kind, 4));
        assert_eq!(shapes(&small, 32), [[4, 32, 32], [4, 32, 32], [8, 16, 16], [16, 8, 8], [32, 4, 4]]);
        assert_eq!(shapes(&large, 64), [[4, 16, 16], [16, 16, 16], [32, 8, 8], [64, 4, 4], [128, 2, 2]]);
        assert_eq!((small.width(), large.width()), (32, 128));
        assert_eq!(small.layer_names(), ["conv1", "layer1", "layer2", "layer3", "layer4", "gap"]);
    }

    #[test]
    fn initial_weights_are_distributed_as_torchvisions() {
        let encoder = residual(EncoderKind::Resnet18Cifar, 32);
        let named = tensors::gather(&encoder);
        let values = |name: &str| -> Vec<f32> {
            let found = named.iter().find(|named| named.name == name).expect(name);
            found.values.clone().into_data().try_to_vec().expect("floats")
        };
        let kernel = values("body.layer3.1.conv2.weight");
        let variance = kernel.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / kernel.len() as f64;
        // variance 2 / fan out, for a 3x3 convolution to 128 channels
        assert!((variance * 9.0 * 128.0 / 2.0 - 1.0).abs() < 0.02, "{variance}");
        assert_eq!(values("body.layer2.0.downsample.1.weight"), [1.0; 64]);
        assert_eq!(values("body.layer2.0.bn1.bias"), [0.0; 64]);
    }

    #[test]
    fn zero_initialised_blocks_pass_their_input_on() {
        let config = EncoderConfig {
            width: 4,
            zero_init_residual: true,
            ..EncoderConfig::published(EncoderKind::Resnet18Cifar, "x")
        };
        let encoder = build(&config, 1, &Device::flex());
        let x = Tensor::<4>::random([2, 1, 8, 8], burn::tensor::Distribution::Uniform(0.0, 1.0), &Device::flex());
        let maps = encoder.maps(x);
        // the blocks of layer1 have no projection: they add 0 to an input that is already positive
        assert_eq!(maps[0].clone().into_data(), maps[1].clone().into_data());
    }

    /// Written by tests/reference/residual_blocks.py.
    const BLOCKS: &[u8] = include_bytes!("../../../tests/fixtures/residual_blocks.safetensors");

    /// Tensors of a block in the fixture, and a block with its weights.
    fn fixture(name: &str, device: &Device) -> (HashMap<String, TensorData>, Block) {
        let all = parse_state(BLOCKS).expect("the fixture");
        let tensors_under = |prefix: String| -> HashMap<String, TensorData> {
            let inside =
                all.iter().filter_map(|(key, data)| Some((key.strip_prefix(&prefix)?.to_string(), data.clone())));
            inside.collect()
        };
        let bottleneck = name == "bottleneck";
        let plan = ResNetConfig { blocks: [1; 4], bottleneck, large: false, width: 4, zero_init: false };
        let (input, width, stride) = match name {
            "basic" => (3, 4, 2),
            "bottleneck" => (4, 2, 2),
            _ => (4, 4, 1),
        };
        let block = Block::init(&plan, input, width, stride, &mut Init::new(stream(1, Purpose::Weights, 0), device));
        let mut state = tensors_under(format!("{name}/state/"));
        let block = tensors::scatter(block, &mut state).expect("torchvision's names");
        assert!(state.is_empty(), "{state:?}");
        (tensors_under(format!("{name}/")), block)
    }

    #[test]
    fn outputs_of_blocks_are_torchvisions() {
        let tolerance = Tolerance::<f32>::absolute(2e-5);
        for name in ["basic", "bottleneck", "plain"] {
            let (expected, block) = fixture(name, &Device::flex());
            let x = Tensor::<4>::from_data(expected["input"].clone(), &Device::flex());
            block.forward(x).into_data().assert_approx_eq::<f32>(&expected["inference"], tolerance);
        }
    }

    #[test]
    fn gradients_of_blocks_are_torchvisions() {
        let device = Device::flex().autodiff();
        for name in ["basic", "bottleneck", "plain"] {
            let (expected, block) = fixture(name, &device);
            let x = Tensor::<4>::from_data(expected["input"].clone(), &device).require_grad();
            let y = block.forward(x.clone());
            y.clone().into_data().assert_approx_eq::<f32>(&expected["training"], Tolerance::absolute(2e-5));
            let variance = block.bn2.running_var.value().into_data();
            variance.assert_approx_eq::<f32>(&expected["running_var"], Tolerance::absolute(1e-5));
            let gradients = y.square().sum().backward();
            let close = |found: TensorData, key: &str| {
                found.assert_approx_eq::<f32>(&expected[&format!("gradient/{key}")], Tolerance::absolute(2e-3));
            };
            close(x.grad(&gradients).expect("a gradient").into_data(), "input");
            close(block.conv1.weight.val().grad(&gradients).expect("a gradient").into_data(), "conv1.weight");
            close(block.conv2.weight.val().grad(&gradients).expect("a gradient").into_data(), "conv2.weight");
            let scale = block.bn1.weight.as_ref().expect("a scale").val();
            close(scale.grad(&gradients).expect("a gradient").into_data(), "bn1.weight");
        }
    }
}
