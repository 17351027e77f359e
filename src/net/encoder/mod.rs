//! Encoders: the networks whose features are trained and measured, one type for all architectures.

mod alexnet;
mod colour_vgg;
mod config;
pub(super) mod dcgan;
mod dilated_alexnet;
mod graph;
mod input;
mod nin;
mod normalise;
mod pixels;
mod plain;
mod read;
mod resnet;
mod small;
mod staged;
mod state;

use burn::module::Module;
use burn::tensor::Tensor;

pub use config::{EncoderConfig, EncoderKind};
pub use input::Input;
pub use pixels::Pixels;
pub use state::parse_state;

use super::Init;
use super::chain::Chain;
use super::pool::to_grid;
use crate::error::Result;
use resnet::{ResNet, ResNetConfig};
use staged::Staged;

/// Name of the last layer, the global average pooling.
pub const GAP: &str = "gap";

/// An encoder. Its layers are named by the architecture, from pixels to head; the last is [`GAP`], the global average pooling of
/// the last map.
///
/// If [`EncoderConfig::input`] is split, the encoder is two networks without common weights, one for each half of the channels;
/// their maps and features are concatenated.
#[derive(Module, Debug)]
pub struct Encoder {
    body: Body,
    /// Network of the second half, if the input is split.
    second: Option<Body>,
    #[module(skip)]
    input: Input,
    /// Channels of the first half (or of the whole input), and of the second half.
    #[module(skip)]
    first: usize,
    #[module(skip)]
    last: usize,
    #[module(skip)]
    pixels: Pixels,
}

/// Network of an architecture. The variant does not show in the names of its tensors.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a run holds one or two encoders, and a box is no module")]
enum Body {
    Staged(Staged),
    Residual(ResNet),
    Chained(Chain),
}

impl Encoder {
    /// Builds an encoder for images of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) or [`Error::Data`](crate::Error::Data) if the configuration does not fit such images.
    pub fn init(config: &EncoderConfig, channels: usize, init: &mut Init) -> Result<Self> {
        config.check_for(channels)?;
        let groups = init.replace_norm_groups(config.norm_groups);
        let halves = config.input.split_channels(channels)?;
        let half = EncoderConfig { width: config.width / halves.len(), ..config.clone() };
        let body = Body::init(&half, halves[0], init);
        let second = halves.get(1).map(|&channels| Body::init(&half, channels, init));
        init.replace_norm_groups(groups);
        let last = halves.get(1).copied().unwrap_or(0);
        Ok(Self { body, second, input: config.input, first: halves[0], last, pixels: config.pixels() })
    }

    /// Number of features that [`Encoder::forward`] gives an image.
    pub fn width(&self) -> usize {
        self.body.width() + self.second.as_ref().map_or(0, Body::width)
    }

    /// Names of the layers, from pixels to head.
    pub fn layer_names(&self) -> Vec<String> {
        let mut names = self.body.layer_names();
        names.push(GAP.to_string());
        names
    }

    /// Input that it reads of an image.
    pub fn input(&self) -> Input {
        self.input
    }

    /// Normalisation of the input.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Channels of the input, those of both halves together.
    pub fn channels(&self) -> usize {
        self.first + self.last
    }

    /// Maps after each layer but the last: `[n, c, h, w]` in 0 to 1 -> one `[n, c_l, h_l, w_l]` for each of
    /// [`Encoder::layer_names`] but [`GAP`]. All are in memory at once.
    pub fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut maps = Vec::new();
        self.pass(images, |map| maps.push(map.clone()));
        maps
    }

    /// Last map: `[n, c, h, w]` in 0 to 1 -> `[n, width, h_l, w_l]`.
    pub fn last_map(&self, images: Tensor<4>) -> Tensor<4> {
        self.pass(images, |_| ())
    }

    /// Channels, rows and columns of the last map for images of `height` and `width`; 0 rows or columns if images are too small
    /// for the architecture.
    pub fn last_map_size(&self, [height, width]: [usize; 2]) -> [usize; 3] {
        let width = if self.input == Input::Sides { width / 2 } else { width };
        [self.width(), self.body.side(height), self.body.side(width)]
    }

    /// Last maps of both halves: `[n, c, h, w]` in 0 to 1 -> `[n, width / 2, h_l, w_l]` twice.
    ///
    /// # Panics
    /// If the input is not split.
    pub fn halves(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let second = self.second.as_ref().expect("halves: only an encoder of a split input has two");
        let [x1, x2] = self.read_halves(images);
        [self.body.forward(x1, |_| ()), second.forward(x2, |_| ())]
    }

    /// Features of images, the global average pooling of the last map: `[n, c, h, w]` in 0 to 1 -> `[n, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        to_grid(self.last_map(images), 1)
    }

    /// Features of every layer, maps averaged over the cells of a grid: one `[n, c_l * g^2]` for each of [`Encoder::layer_names`],
    /// `g = min(grid, h_l, w_l)`; [`GAP`] is `[n, width]`.
    pub fn layers(&self, images: Tensor<4>, grid: usize) -> Vec<Tensor<2>> {
        let mut layers = Vec::new();
        let last = self.pass(images, |map| layers.push(to_grid(map.clone(), grid)));
        layers.push(to_grid(last, 1));
        layers
    }

    /// Calls `see` with each layer's output and returns the last one.
    fn pass(&self, images: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        let Some(second) = &self.second else {
            return self.body.forward(self.pixels.normalise(self.input.read(images)), see);
        };
        let [x1, x2] = self.read_halves(images);
        let mut first = Vec::new();
        let last = self.body.forward(x1, |map| first.push(map.clone()));
        let mut first = first.into_iter();
        let both = |one, other| Tensor::cat(vec![one, other], 1);
        let other = second.forward(x2, |map| {
            let one = first.next().expect("both halves have the same layers");
            see(&both(one, map.clone()));
        });
        both(last, other)
    }

    /// Normalised input of each half.
    fn read_halves(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let read = self.pixels.normalise(self.input.read(images));
        [read.clone().narrow(1, 0, self.first), read.narrow(1, self.first, self.last)]
    }
}

impl Body {
    fn init(config: &EncoderConfig, channels: usize, init: &mut Init) -> Self {
        let (bottleneck, large) = match config.kind {
            EncoderKind::Small => return Body::Staged(small::small(config.width, channels, init)),
            EncoderKind::Nin => return Body::Staged(nin::nin(config.width, channels, init)),
            EncoderKind::ColourVgg => return Body::Chained(colour_vgg::colour_vgg(config.width, channels, init)),
            EncoderKind::DilatedAlexnet => {
                return Body::Chained(dilated_alexnet::dilated_alexnet(config.width, channels, init));
            }
            EncoderKind::Dcgan => return Body::Chained(dcgan::dcgan(&[1, 1, 2, 4, 8], config.width, channels, init)),
            EncoderKind::DcganCifar => return Body::Chained(dcgan::dcgan(&[1, 2, 4], config.width, channels, init)),
            EncoderKind::OneGroupAlexnet => return Body::Staged(alexnet::one_group(config.width, channels, init)),
            EncoderKind::Cfn => return Body::Staged(alexnet::cfn(config.width, channels, init)),
            EncoderKind::AlexnetBn => return Body::Staged(alexnet::batch_normed(config.width, channels, init)),
            EncoderKind::PlainSmall => return plain(&[64, 64], config, channels, init),
            EncoderKind::PlainMedium => return plain(&[64, 128, 256], config, channels, init),
            EncoderKind::PlainLarge => return plain(&[92, 256, 512], config, channels, init),
            EncoderKind::Resnet18 => (false, true),
            EncoderKind::Resnet18Cifar => (false, false),
            EncoderKind::Resnet50 => (true, true),
            EncoderKind::Resnet50Cifar => (true, false),
        };
        let blocks = if bottleneck { [3, 4, 6, 3] } else { [2; 4] };
        let plan =
            ResNetConfig { blocks, bottleneck, large, width: config.width, zero_init: config.zero_init_residual };
        Body::Residual(ResNet::init(&plan, channels, init))
    }

    /// Channels of the last map.
    fn width(&self) -> usize {
        match self {
            Body::Staged(body) => body.width(),
            Body::Residual(body) => body.width(),
            Body::Chained(body) => body.width(),
        }
    }

    fn side(&self, side: usize) -> usize {
        match self {
            Body::Staged(body) => body.side(side),
            Body::Residual(body) => body.side(side),
            Body::Chained(body) => body.side(side),
        }
    }

    fn layer_names(&self) -> Vec<String> {
        match self {
            Body::Staged(body) => body.layer_names(),
            Body::Residual(body) => body.layer_names(),
            Body::Chained(body) => body.layer_names(),
        }
    }

    /// Calls `see` with each layer's output and returns the last one.
    fn forward(&self, x: Tensor<4>, see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        match self {
            Body::Staged(body) => body.forward(x, see),
            Body::Residual(body) => body.forward(x, see),
            Body::Chained(body) => body.forward(x, see),
        }
    }
}

fn plain(published: &[usize], config: &EncoderConfig, channels: usize, init: &mut Init) -> Body {
    Body::Staged(plain::plain(published, config.width, channels, init))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::net::tensors;
    use crate::rng::{Purpose, stream, uniform};
    use burn::tensor::{Device, TensorData};

    pub(crate) fn build(config: &EncoderConfig, channels: usize, device: &Device) -> Encoder {
        let mut init = Init::new(stream(3, Purpose::Weights, 0), device);
        Encoder::init(config, channels, &mut init).expect("a configuration that works")
    }

    /// Every architecture.
    pub(crate) const KINDS: [EncoderKind; 16] = [
        EncoderKind::Small,
        EncoderKind::Nin,
        EncoderKind::OneGroupAlexnet,
        EncoderKind::Cfn,
        EncoderKind::AlexnetBn,
        EncoderKind::PlainSmall,
        EncoderKind::PlainMedium,
        EncoderKind::PlainLarge,
        EncoderKind::Resnet18,
        EncoderKind::Resnet18Cifar,
        EncoderKind::Resnet50,
        EncoderKind::Resnet50Cifar,
        EncoderKind::ColourVgg,
        EncoderKind::DilatedAlexnet,
        EncoderKind::Dcgan,
        EncoderKind::DcganCifar,
    ];

    /// Encoder whose norms and biases differ from their initial values, under which a wrong name or order would not show.
    pub(crate) fn with_random_vectors(config: &EncoderConfig, channels: usize) -> Encoder {
        let encoder = build(config, channels, &Device::flex());
        let state = futures_lite::future::block_on(tensors::read(encoder.state())).expect("flex reads");
        let mut rng = stream(5, Purpose::Weights, 0);
        let changed = state.into_iter().map(|(name, data)| {
            let shape: Vec<usize> = data.shape().iter().copied().collect();
            let mut values: Vec<f32> = data.try_into_vec().expect("floats");
            if let [count] = shape[..] {
                let more = uniform(&mut rng, count, 0.0, 0.5);
                values.iter_mut().zip(more).for_each(|(value, more)| *value += more);
            }
            (name, TensorData::new(values, shape))
        });
        encoder.with_state(changed.collect()).expect("its own state")
    }

    #[test]
    fn the_last_layer_agrees_with_forward() {
        for kind in [EncoderKind::Small, EncoderKind::Resnet18Cifar] {
            let config = EncoderConfig { width: 4, ..EncoderConfig::published(kind, "fashion-mnist") };
            let encoder = build(&config, 1, &Device::flex());
            let x = Tensor::<4>::from_data([[[[0.5f32; 28]; 28]]], &Device::flex());
            let layers = encoder.layers(x.clone(), 3);
            assert_eq!(layers.len(), encoder.layer_names().len());
            let last = layers.last().expect("gap").clone();
            assert_eq!(last.dims(), [1, encoder.width()]);
            assert_eq!(last.into_data(), encoder.forward(x).into_data());
        }
    }

    #[test]
    fn last_map_size_predicts_the_size_of_the_last_map() {
        let kinds = [
            EncoderKind::Small,
            EncoderKind::Nin,
            EncoderKind::Resnet18,
            EncoderKind::Resnet18Cifar,
            EncoderKind::ColourVgg,
            EncoderKind::DilatedAlexnet,
            EncoderKind::Dcgan,
            EncoderKind::DcganCifar,
        ];
        for kind in kinds {
            let config = EncoderConfig { width: 2, kind, ..EncoderConfig::small(2) };
            let encoder = build(&config, 1, &Device::flex());
            for side in [32, 45] {
                let last = encoder.last_map(Tensor::zeros([1, 1, side, side + 8], &Device::flex())).dims();
                assert_eq!(encoder.last_map_size([side, side + 8]), last[1..], "{kind:?} at {side}");
            }
        }
        let sides = EncoderConfig::small(4).reading(Input::Sides, &[0.0], &[1.0]);
        let encoder = build(&sides, 1, &Device::flex());
        let last = encoder.last_map(Tensor::zeros([1, 1, 28, 28], &Device::flex())).dims();
        assert_eq!(encoder.last_map_size([28, 28]), last[1..]);
        let dcgan = build(&EncoderConfig { kind: EncoderKind::Dcgan, ..EncoderConfig::small(2) }, 1, &Device::flex());
        assert_eq!(dcgan.last_map_size([28, 28])[1..], [0, 0]);
    }

    #[test]
    fn each_half_reads_its_own_channels_only() {
        let config = EncoderConfig::small(8).reading(Input::Lab, &[50.0, 0.0, 0.0], &[25.0, 25.0, 25.0]);
        let encoder = build(&config, 3, &Device::flex());
        let x = Tensor::<4>::random([2, 3, 16, 16], burn::tensor::Distribution::Uniform(0.2, 0.8), &Device::flex());
        // images of the same lightness with other colours
        let lab = crate::view::lab::to_lab(x.clone());
        let [l, ab] = [lab.clone().narrow(1, 0, 1), lab.narrow(1, 1, 2)];
        let other = crate::view::lab::from_lab(Tensor::cat(vec![l, ab * 0.5], 1));
        for (map, changed) in encoder.maps(x.clone()).into_iter().zip(encoder.maps(other)) {
            let width = map.dims()[1] / 2;
            let change = |index: usize| -> f32 {
                let half = |map: &Tensor<4>| map.clone().narrow(1, index * width, width);
                (half(&map) - half(&changed)).abs().max().into_scalar()
            };
            assert!(change(0) < 2e-3, "the half for lightness reads colours: {}", change(0));
            assert!(change(1) > 0.05, "the half for colours does not read them");
        }
        assert_eq!(encoder.width(), 32);
        assert_eq!(encoder.layers(x.clone(), 3).last().expect("gap").dims(), [2, 32]);
        let [one, other] = encoder.halves(x.clone());
        assert_eq!(Tensor::cat(vec![one, other], 1).into_data(), encoder.last_map(x).into_data());
    }

    #[test]
    fn wrong_channels_are_an_error_not_a_panic() {
        let config = EncoderConfig::small(4).normalised_for("cifar-10");
        let built = Encoder::init(&config, 1, &mut Init::new(stream(3, Purpose::Weights, 0), &Device::flex()));
        let said = built.expect_err("three means for one channel").to_string();
        assert!(said.contains("encoder.input_mean") && said.contains("of the images (1)"), "{said}");
    }
}
