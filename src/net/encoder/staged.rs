//! Encoders that are plain chains: stages of convolutions, each stage ending in a pooling or in none.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::net::computation_graph::{Operation, Writer};
use crate::net::{BatchNorm, Conv2d, Init, Pool, local_response};

/// Convolution, batch norm where there is one, ReLU.
#[derive(Module, Debug)]
pub struct Unit {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Unit {
    /// With batch norm, at every pixel, keeping the size.
    pub(super) fn init(channels: [usize; 2], kernel: usize, init: &mut Init) -> Self {
        Self::normed(Conv2d::init(channels, kernel, 1, kernel / 2, init), true, init)
    }

    /// With batch norm, which has scale and shift where it is `affine`.
    pub(super) fn normed(conv: Conv2d, affine: bool, init: &mut Init) -> Self {
        let norm = BatchNorm::init(conv.channels(), affine, init);
        Self { conv, norm: Some(norm) }
    }

    /// Without norm and with a bias.
    pub(super) fn plain(conv: Conv2d, init: &mut Init) -> Self {
        Self { conv: conv.with_bias(init), norm: None }
    }

    pub(super) fn he_fan_out(mut self, init: &mut Init) -> Self {
        self.conv = self.conv.he_fan_out(init);
        self
    }

    /// Before ReLU.
    fn before_relu(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.conv.forward(x);
        match &self.norm {
            Some(norm) => norm.forward(y),
            None => y,
        }
    }
}

/// Some units, a pooling, perhaps local response normalisation: what one named layer of the encoder does.
#[derive(Module, Debug)]
pub struct Stage {
    units: Vec<Unit>,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    response: bool,
}

impl Stage {
    pub(super) fn new(units: Vec<Unit>, pool: Pool) -> Self {
        Self { units, pool, response: false }
    }

    /// With local response normalisation after the pooling.
    pub(super) fn with_response(self) -> Self {
        Self { response: true, ..self }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (last, first) = self.units.split_last().expect("a stage has a unit");
        let x = first.iter().fold(x, |x, unit| relu(unit.before_relu(x)));
        let y = self.pool.after_relu(last.before_relu(x));
        if self.response { local_response(y) } else { y }
    }

    /// ReLU before the pooling: either order gives the same, and this one is right for a mean too.
    fn outline(&self, x: usize, to: &mut Writer) -> usize {
        let Self { units, pool, response } = self;
        let y = units.iter().fold(x, |x, Unit { conv, norm }| {
            let y = to.conv(conv, x);
            let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
            to.relu(y)
        });
        let y = to.pool(*pool, y);
        if *response { to.step(Operation::Response, vec![y]) } else { y }
    }

    fn side(&self, side: usize) -> usize {
        self.pool.side(self.units.iter().fold(side, |side, unit| unit.conv.side(side)))
    }
}

/// Stages one after the other. Its layers are named after each stage, pooling included: `block1`, `block2`, ... or
/// `conv1`, `conv2`, ...
#[derive(Module, Debug)]
pub struct Staged {
    stages: Vec<Stage>,
    #[module(skip)]
    name: &'static str,
}

impl Staged {
    pub(super) fn new(stages: Vec<Stage>) -> Self {
        Self { stages, name: "block" }
    }

    /// With layers named as in AlexNet and its kin.
    pub(super) fn of_convolutions(stages: Vec<Stage>) -> Self {
        Self { stages, name: "conv" }
    }

    pub(super) fn layer_names(&self) -> Vec<String> {
        (1..=self.stages.len()).map(|number| format!("{}{number}", self.name)).collect()
    }

    /// Channels of the last stage.
    pub(super) fn width(&self) -> usize {
        let last = self.stages.last().and_then(|stage| stage.units.last()).expect("an encoder has a stage with a unit");
        last.conv.channels()
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

    /// Writes down what [`Staged::forward`] does; returns the last value's number.
    pub(super) fn outline(&self, x: usize, to: &mut Writer) -> usize {
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.outline(x, to);
            to.layer(x);
            x
        })
    }
}
