//! The network whose features are wanted: one face over several architectures, readable after every stage.

mod config;
mod nin;
mod normalise;
mod pixels;
mod resnet;
mod small;
mod staged;
mod state;

use burn::module::Module;
use burn::tensor::Tensor;

pub use config::{EncoderConfig, EncoderKind};
pub use pixels::Pixels;
pub use state::parse_state;

use super::Init;
use super::pool::to_grid;
use crate::error::Result;
use resnet::{Plan, ResNet};
use staged::Staged;

/// The name of the mean over positions of the last stage.
pub const GAP: &str = "gap";

/// An encoder. Its layers are named by its architecture, from pixels to head, and the last is [`GAP`], the mean over all
/// positions of the last map.
#[derive(Module, Debug)]
pub struct Encoder {
    body: Body,
    #[module(skip)]
    pixels: Pixels,
}

/// The architectures' bodies. Which one it is leaves no trace in the names of tensors.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a run holds one or two encoders, and a box is no module")]
enum Body {
    Staged(Staged),
    Residual(ResNet),
}

impl Encoder {
    /// Builds the encoder for images of `channels` channels.
    ///
    /// # Errors
    /// When the configuration cannot work with such images.
    pub fn init(config: &EncoderConfig, channels: usize, init: &mut Init) -> Result<Self> {
        config.check_for(channels)?;
        let groups = init.replace_norm_groups(config.norm_groups);
        let body = Body::init(config, channels, init);
        init.replace_norm_groups(groups);
        Ok(Self { body, pixels: config.pixels() })
    }

    /// Features a vector of [`Encoder::forward`].
    pub fn width(&self) -> usize {
        match &self.body {
            Body::Staged(body) => body.width(),
            Body::Residual(body) => body.width(),
        }
    }

    /// The layers' names from pixels to head.
    pub fn layer_names(&self) -> Vec<String> {
        let mut names = match &self.body {
            Body::Staged(body) => body.layer_names(),
            Body::Residual(body) => body.layer_names(),
        };
        names.push(GAP.to_string());
        names
    }

    /// The maps after each stage: `[n, c, h, w]` in 0 to 1 -> one `[n, c_l, h_l, w_l]` a name of [`Encoder::layer_names`]
    /// but the last. All stay in memory at once.
    pub fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut maps = Vec::new();
        self.body.forward(self.pixels.normalise(images), |map| maps.push(map.clone()));
        maps
    }

    /// The mean of the last maps over all positions: `[n, c, h, w]` in 0 to 1 -> `[n, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        to_grid(self.body.forward(self.pixels.normalise(images), |_| ()), 1)
    }

    /// Every layer as vectors, maps averaged over the cells of a grid: one `[n, c_l * g^2]` a name of
    /// [`Encoder::layer_names`], `g = min(grid, h_l, w_l)`; `gap` is `[n, width]`.
    pub fn layers(&self, images: Tensor<4>, grid: usize) -> Vec<Tensor<2>> {
        let mut layers = Vec::new();
        let last = self.body.forward(self.pixels.normalise(images), |map| layers.push(to_grid(map.clone(), grid)));
        layers.push(to_grid(last, 1));
        layers
    }
}

impl Body {
    fn init(config: &EncoderConfig, channels: usize, init: &mut Init) -> Self {
        let (bottleneck, large) = match config.kind {
            EncoderKind::Small => return Body::Staged(small::small(config.width, channels, init)),
            EncoderKind::Nin => return Body::Staged(nin::nin(config.width, channels, init)),
            EncoderKind::Resnet18 => (false, true),
            EncoderKind::Resnet18Cifar => (false, false),
            EncoderKind::Resnet50 => (true, true),
            EncoderKind::Resnet50Cifar => (true, false),
        };
        let blocks = if bottleneck { [3, 4, 6, 3] } else { [2; 4] };
        let plan = Plan { blocks, bottleneck, large, width: config.width, zero_init: config.zero_init_residual };
        Body::Residual(ResNet::init(&plan, channels, init))
    }

    /// Hands each layer's output to `see` and returns the last one's.
    fn forward(&self, x: Tensor<4>, see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        match self {
            Body::Staged(body) => body.forward(x, see),
            Body::Residual(body) => body.forward(x, see),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    pub(in crate::net) fn build(config: &EncoderConfig, channels: usize, device: &Device) -> Encoder {
        let mut init = Init::new(stream(3, Purpose::Weights, 0), device);
        Encoder::init(config, channels, &mut init).expect("a configuration that works")
    }

    #[test]
    fn the_last_layer_is_what_forward_returns() {
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
    fn wrong_channels_are_an_error_not_a_panic() {
        let config = EncoderConfig::small(4).normalised_for("cifar-10");
        let built = Encoder::init(&config, 1, &mut Init::new(stream(3, Purpose::Weights, 0), &Device::flex()));
        let said = built.expect_err("three means for one channel").to_string();
        assert!(said.contains("encoder.input_mean") && said.contains("1 channels"), "{said}");
    }
}
