//! Sequential encoders of stages: convolutions with ReLU, then a pooling.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::net::computation_graph::{GraphBuilder, Operation};
use crate::net::{BatchNorm, Conv2d, Init, Pool, local_response_norm};

/// Convolution, optional batch norm, ReLU.
#[derive(Module, Debug)]
pub struct Unit {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Unit {
    /// Convolution of stride 1 that keeps the size, with batch norm.
    pub(super) fn init(channels: [usize; 2], kernel: usize, init: &mut Init) -> Self {
        Self::normed(Conv2d::init(channels, kernel, 1, kernel / 2, init), true, init)
    }

    /// Convolution with batch norm, which has scale and shift if `affine`.
    pub(super) fn normed(conv: Conv2d, affine: bool, init: &mut Init) -> Self {
        let norm = BatchNorm::init(conv.channels(), affine, init);
        Self { conv, norm: Some(norm) }
    }

    /// Convolution with a bias and without norm.
    pub(super) fn plain(conv: Conv2d, init: &mut Init) -> Self {
        Self { conv: conv.with_bias(init), norm: None }
    }

    pub(super) fn he_fan_out(mut self, init: &mut Init) -> Self {
        self.conv = self.conv.he_fan_out(init);
        self
    }

    /// Output after ReLU and pooling.
    fn forward(&self, x: Tensor<4>, pool: Pool) -> Tensor<4> {
        match (&self.norm, pool) {
            (Some(norm), Pool::None) => norm.after_convolution(&self.conv, x, true, 1),
            (Some(norm), Pool::Max2) => norm.after_convolution(&self.conv, x, true, 2),
            (Some(norm), _) => pool.after_relu(norm.after_convolution(&self.conv, x, false, 1)),
            (None, _) => pool.after_relu(self.conv.forward(x)),
        }
    }
}

/// One named layer of an encoder: units, a pooling, optional local response normalisation.
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
    pub(super) fn with_lrn(self) -> Self {
        Self { response: true, ..self }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (last, first) = self.units.split_last().expect("a stage has a unit");
        let x = first.iter().fold(x, |x, unit| unit.forward(x, Pool::None));
        let y = last.forward(x, self.pool);
        if self.response { local_response_norm(y) } else { y }
    }

    /// Adds the operations to a graph, ReLU before the pooling, which for max pooling equals the order of [`Pool::after_relu`].
    fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        let Self { units, pool, response } = self;
        let y = units.iter().fold(x, |x, Unit { conv, norm }| {
            let y = to.conv(conv, x);
            let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
            to.relu(y)
        });
        let y = to.pool(*pool, y);
        if *response { to.push(Operation::Lrn, vec![y]) } else { y }
    }

    fn side(&self, side: usize) -> usize {
        self.pool.side(self.units.iter().fold(side, |side, unit| unit.conv.side(side)))
    }
}

/// Stages in sequence. Its layers are the outputs of the stages, named `block1`, `block2`, ... or `conv1`, `conv2`, ...
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

    /// Stages whose layers are named `conv1`, `conv2`, ..., as in AlexNet.
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

    /// Rows (or columns) of the last map, for images with `side` of them; 0 if the image is too small.
    pub(super) fn side(&self, side: usize) -> usize {
        self.stages.iter().fold(side, |side, stage| if side == 0 { 0 } else { stage.side(side) })
    }

    /// Calls `see` with each stage's output and returns the last one.
    pub(super) fn forward(&self, x: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.forward(x);
            see(&x);
            x
        })
    }

    /// Adds the operations of [`Staged::forward`] to a graph; returns the index of the last value.
    pub(super) fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.trace(x, to);
            to.layer(x);
            x
        })
    }
}
