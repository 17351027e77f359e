//! Encoders that are plain chains: stages of convolutions, each stage ending in a pooling or in none.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::net::{BatchNorm, Conv2d, Init, Pool};

/// Convolution, batch norm, ReLU.
#[derive(Module, Debug)]
pub struct Unit {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Unit {
    pub(super) fn init(channels: [usize; 2], kernel: usize, init: &mut Init) -> Self {
        let conv = Conv2d::init(channels, kernel, 1, kernel / 2, init);
        Self { conv, norm: BatchNorm::init(channels[1], true, init) }
    }

    pub(super) fn he_fan_out(mut self, init: &mut Init) -> Self {
        self.conv = self.conv.he_fan_out(init);
        self
    }

    /// Before ReLU.
    fn normed(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
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
    pub(super) fn new(units: Vec<Unit>, pool: Pool) -> Self {
        Self { units, pool }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (last, first) = self.units.split_last().expect("a stage has a unit");
        let x = first.iter().fold(x, |x, unit| relu(unit.normed(x)));
        self.pool.after_relu(last.normed(x))
    }

    fn side(&self, side: usize) -> usize {
        self.pool.side(self.units.iter().fold(side, |side, unit| unit.conv.side(side)))
    }
}

/// Stages one after the other. Its layers are named `block1`, `block2`, ... after each stage, pooling included.
#[derive(Module, Debug)]
pub struct Staged {
    stages: Vec<Stage>,
}

impl Staged {
    pub(super) fn new(stages: Vec<Stage>) -> Self {
        Self { stages }
    }

    pub(super) fn layer_names(&self) -> Vec<String> {
        (1..=self.stages.len()).map(|number| format!("block{number}")).collect()
    }

    /// Channels of the last stage.
    pub(super) fn width(&self) -> usize {
        let last = self.stages.last().and_then(|stage| stage.units.last()).expect("an encoder has a stage with a unit");
        last.conv.weight.dims()[0]
    }

    /// Rows or columns of the last map of images with so many; 0 where the image is too small.
    pub(super) fn side(&self, side: usize) -> usize {
        self.stages.iter().fold(side, |side, stage| if side == 0 { 0 } else { stage.side(side) })
    }

    /// Hands each stage's output to `see` and returns the last one's.
    pub(super) fn forward(&self, x: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.forward(x);
            see(&x);
            x
        })
    }
}
