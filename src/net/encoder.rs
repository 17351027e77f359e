//! The network whose features are wanted: stages of convolutions, readable after every stage.

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::pool::to_grid;
use super::{BatchNorm, Conv2d, Init, Pool};
use crate::error::{Error, Result};

/// Which encoder, and how it reads pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// The architecture.
    pub kind: EncoderKind,
    /// Channels of the first stage; the others follow in proportion.
    pub width: usize,
    /// Subtracted from pixels in 0 to 1.
    pub input_mean: f64,
    /// Divides pixels after that.
    pub input_std: f64,
}

/// The architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Four 3x3 convolutions of w, 2w, 4w, 4w channels, each with batch norm and ReLU; 2x2 max-pooling after the first three.
    Small,
    /// Network in Network with four blocks, as in RotNet's CIFAR code (192-160-96, then 192; width 192).
    Nin,
}

impl EncoderConfig {
    /// The four-block encoder that reads pixels as they are, black as 0: zero padding then looks like a black border.
    pub fn small(width: usize) -> Self {
        Self { kind: EncoderKind::Small, width, input_mean: 0.0, input_std: 1.0 }
    }

    /// Refuses what cannot be built.
    pub fn check(&self) -> Result<()> {
        if self.width == 0 || self.width > 4096 {
            return Err(Error::Config("encoder.width must be between 1 and 4096".into()));
        }
        if !(self.input_std.is_finite() && self.input_std > 0.0 && self.input_mean.is_finite()) {
            return Err(Error::Config("encoder.input_std must be positive and encoder.input_mean a number".into()));
        }
        Ok(())
    }
}

/// Convolution, batch norm, ReLU.
#[derive(Module, Debug)]
pub struct Unit {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Unit {
    fn init(channels: [usize; 2], kernel: usize, init: &mut Init) -> Self {
        let conv = Conv2d::init(channels, kernel, 1, kernel / 2, init);
        Self { conv, norm: BatchNorm::init(channels[1], true, init) }
    }

    fn he_fan_out(mut self, init: &mut Init) -> Self {
        self.conv = self.conv.he_fan_out(init);
        self
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        burn::tensor::activation::relu(self.norm.forward(self.conv.forward(x)))
    }
}

/// Some units and a pooling: what one named layer of the encoder does.
#[derive(Module, Debug)]
pub struct Stage {
    units: Vec<Unit>,
    #[module(skip)]
    pool: Pool,
}

impl Stage {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.pool.forward(self.units.iter().fold(x, |x, unit| unit.forward(x)))
    }
}

/// An encoder. Its layers are named `block1`, `block2`, ... after each stage, pooling included, and `gap` for the mean
/// over all positions of the last one.
#[derive(Module, Debug)]
pub struct Encoder {
    stages: Vec<Stage>,
    #[module(skip)]
    width: usize,
    #[module(skip)]
    input_mean: f64,
    #[module(skip)]
    input_std: f64,
}

/// The name of the mean over positions of the last stage.
pub const GAP: &str = "gap";

impl Encoder {
    /// Builds the encoder for images of `channels` channels.
    pub fn init(config: &EncoderConfig, channels: usize, init: &mut Init) -> Self {
        let (stages, width) = match config.kind {
            EncoderKind::Small => small(config.width, channels, init),
            EncoderKind::Nin => nin(config.width, channels, init),
        };
        Self { stages, width, input_mean: config.input_mean, input_std: config.input_std }
    }

    /// Features a vector of [`Encoder::forward`].
    pub fn width(&self) -> usize {
        self.width
    }

    /// The layers' names from pixels to head.
    pub fn layer_names(&self) -> Vec<String> {
        let blocks = (1..=self.stages.len()).map(|number| format!("block{number}"));
        blocks.chain([GAP.to_string()]).collect()
    }

    /// The maps after each stage: `[n, c, h, w]` in 0 to 1 -> one `[n, c_l, h_l, w_l]` a stage.
    pub fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = images.sub_scalar(self.input_mean).div_scalar(self.input_std);
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.forward(x);
            maps.push(x.clone());
        }
        maps
    }

    /// The mean of the last maps over all positions: `[n, c, h, w]` in 0 to 1 -> `[n, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = images.sub_scalar(self.input_mean).div_scalar(self.input_std);
        to_grid(self.stages.iter().fold(x, |x, stage| stage.forward(x)), 1)
    }

    /// Every layer as vectors, maps averaged over the cells of a grid: one `[n, c_l * g^2]` a name of
    /// [`Encoder::layer_names`], `g = min(grid, h_l)`; `gap` is `[n, width]`.
    pub fn layers(&self, images: Tensor<4>, grid: usize) -> Vec<Tensor<2>> {
        let maps = self.maps(images);
        let last = maps.last().cloned().map(|map| to_grid(map, 1));
        maps.into_iter().map(|map| to_grid(map, grid)).chain(last).collect()
    }
}

fn small(width: usize, channels: usize, init: &mut Init) -> (Vec<Stage>, usize) {
    let widths = [channels, width, 2 * width, 4 * width, 4 * width];
    let pools = [Pool::Max2, Pool::Max2, Pool::Max2, Pool::None];
    let stages = pools.into_iter().enumerate().map(|(index, pool)| {
        let units = vec![Unit::init([widths[index], widths[index + 1]], 3, init)];
        Stage { units, pool }
    });
    (stages.collect(), 4 * width)
}

/// Three convolutions a stage, of which the last two look at single pixels (methods as in RotNet's CIFAR network).
fn nin(width: usize, channels: usize, init: &mut Init) -> (Vec<Stage>, usize) {
    let first = [width, (width * 5 / 6).max(1), (width / 2).max(1)];
    let plan = [
        (first, 5, Pool::Max3),
        ([width; 3], 5, Pool::Mean3),
        ([width; 3], 3, Pool::None),
        ([width; 3], 3, Pool::None),
    ];
    let mut input = channels;
    let mut stages = Vec::with_capacity(plan.len());
    for (widths, kernel, pool) in plan {
        let mut units = Vec::with_capacity(widths.len());
        for (output, kernel) in widths.into_iter().zip([kernel, 1, 1]) {
            units.push(Unit::init([input, output], kernel, init).he_fan_out(init));
            input = output;
        }
        stages.push(Stage { units, pool });
    }
    (stages, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(config: &EncoderConfig, device: &Device) -> Encoder {
        Encoder::init(config, 1, &mut Init::new(stream(3, Purpose::Weights, 0), device))
    }

    #[test]
    fn layers_have_the_widths_of_the_design() {
        let encoder = build(&EncoderConfig::small(32), &Device::flex());
        let x = Tensor::<4>::ones([2, 1, 28, 28], &Device::flex());
        let shapes: Vec<_> = encoder.maps(x.clone()).iter().map(|map| map.dims()).collect();
        assert_eq!(shapes, [[2, 32, 14, 14], [2, 64, 7, 7], [2, 128, 3, 3], [2, 128, 3, 3]]);
        let widths: Vec<_> = encoder.layers(x, 3).iter().map(|layer| layer.dims()[1]).collect();
        assert_eq!(widths, [288, 576, 1152, 1152, 128]);
        assert_eq!(encoder.layer_names(), ["block1", "block2", "block3", "block4", "gap"]);
    }

    #[test]
    fn nin_follows_rotnets_plan() {
        let config = EncoderConfig { kind: EncoderKind::Nin, width: 192, input_mean: 0.5, input_std: 0.25 };
        let encoder = build(&config, &Device::flex());
        let shapes: Vec<_> =
            encoder.maps(Tensor::ones([1, 1, 32, 32], &Device::flex())).iter().map(|m| m.dims()).collect();
        assert_eq!(shapes, [[1, 96, 16, 16], [1, 192, 8, 8], [1, 192, 8, 8], [1, 192, 8, 8]]);
        let [out, input, height, width] = encoder.stages[0].units[1].conv.weight.dims();
        assert_eq!([out, input, height, width], [160, 192, 1, 1]);
    }

    #[test]
    fn the_last_layer_is_what_forward_returns() {
        let encoder = build(&EncoderConfig::small(4), &Device::flex());
        let x = Tensor::<4>::from_data([[[[0.5f32; 28]; 28]]], &Device::flex());
        let layers = encoder.layers(x.clone(), 3);
        let last = layers.last().expect("gap").clone();
        assert_eq!(last.into_data(), encoder.forward(x).into_data());
    }
}
