//! Sequential convolutional networks whose layers differ in norm, activation and pooling as their papers have them.

use burn::module::Module;
use burn::tensor::Tensor;

use super::computation_graph::{GraphBuilder, Operation};
use super::{Activation, BatchNorm, Conv2d, Init, Pool};

/// Convolution, optional batch norm, activation.
#[derive(Module, Debug)]
pub struct ConvNormAct {
    conv: Conv2d,
    norm: Option<BatchNorm>,
    #[module(skip)]
    activation: Activation,
}

impl ConvNormAct {
    /// Convolution and activation, without norm.
    pub fn plain(conv: Conv2d, activation: Activation) -> Self {
        Self { conv, norm: None, activation }
    }

    /// Convolution, batch norm and activation.
    pub fn normed(conv: Conv2d, activation: Activation, init: &mut Init) -> Self {
        let norm = BatchNorm::init(conv.channels(), true, init);
        Self { conv, norm: Some(norm), activation }
    }

    /// `[n, in, h, w]` -> `[n, out, h', w']`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match (&self.norm, self.activation) {
            (Some(norm), Activation::Relu) => norm.after_convolution(&self.conv, x, true, 1),
            (Some(norm), activation) => activation.forward(norm.after_convolution(&self.conv, x, false, 1)),
            (None, activation) => activation.forward(self.conv.forward(x)),
        }
    }

    fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        let Self { conv, norm, activation } = self;
        let y = to.conv(conv, x);
        let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
        to.push(Operation::Activation(*activation), vec![y])
    }
}

/// One named layer of an encoder: convolutions, then an optional batch norm and an optional pooling.
#[derive(Module, Debug)]
pub struct NamedLayer {
    links: Vec<ConvNormAct>,
    norm: Option<BatchNorm>,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    name: String,
}

impl NamedLayer {
    /// Layer of these convolutions, without a last norm or pooling.
    pub fn new(name: impl Into<String>, links: Vec<ConvNormAct>) -> Self {
        Self { links, norm: None, pool: Pool::None, name: name.into() }
    }

    /// With a batch norm without scale and shift after the last activation, as in Caffe.
    pub fn closed(self, init: &mut Init) -> Self {
        let norm = Some(BatchNorm::init(self.width(), false, init));
        Self { norm, ..self }
    }

    /// With a pooling as its last operation.
    pub fn pooled(self, pool: Pool) -> Self {
        Self { pool, ..self }
    }

    fn width(&self) -> usize {
        self.links.last().map_or(0, |link| link.conv.channels())
    }

    fn side(&self, side: usize) -> usize {
        self.pool.side(self.links.iter().fold(side, |side, link| link.conv.side(side)))
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.links.iter().fold(x, |x, link| link.forward(x));
        self.pool.forward(match &self.norm {
            Some(norm) => norm.forward(y),
            None => y,
        })
    }

    fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        let Self { links, norm, pool, name: _ } = self;
        let y = links.iter().fold(x, |x, link| link.trace(x, to));
        let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
        to.pool(*pool, y)
    }
}

/// Layers in sequence.
#[derive(Module, Debug)]
pub struct Chain {
    sections: Vec<NamedLayer>,
}

impl Chain {
    /// Network of these layers, from pixels to head.
    pub fn new(sections: Vec<NamedLayer>) -> Self {
        Self { sections }
    }

    /// Names of its layers, from pixels to head.
    pub fn layer_names(&self) -> Vec<String> {
        self.sections.iter().map(|section| section.name.clone()).collect()
    }

    /// Channels of the last map.
    pub fn width(&self) -> usize {
        self.sections.last().map_or(0, NamedLayer::width)
    }

    /// Rows (or columns) of the last map, for images with `side` of them; 0 if the image is too small.
    pub fn side(&self, side: usize) -> usize {
        self.sections.iter().fold(side, |side, section| if side == 0 { 0 } else { section.side(side) })
    }

    /// Calls `see` with each layer's output and returns the last one: `[n, c, h, w]` -> `[n, width, h', w']`.
    pub fn forward(&self, x: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        self.sections.iter().fold(x, |x, section| {
            let x = section.forward(x);
            see(&x);
            x
        })
    }

    /// Adds the operations of [`Chain::forward`] to a graph; returns the index of the last value.
    pub(super) fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        self.sections.iter().fold(x, |x, section| {
            let x = section.trace(x, to);
            to.layer(x);
            x
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    #[test]
    fn a_closing_norm_follows_the_activation_without_parameters() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &device);
        let conv = Conv2d::init([1, 4], 3, 1, 1, &mut init).with_bias(&mut init);
        let section = NamedLayer::new("conv1", vec![ConvNormAct::plain(conv, Activation::Relu)]).closed(&mut init);
        let x = Tensor::<4>::random([3, 1, 6, 6], burn::tensor::Distribution::Normal(0.0, 1.0), &device);
        let y = section.forward(x);
        // with the activation after the norm, no value would be below 0 and the mean would not be 0
        let mean: f32 = y.clone().mean().into_scalar();
        let lowest: f32 = y.min().into_scalar();
        assert!(mean.abs() < 1e-5 && lowest < -0.1, "{mean} {lowest}");
        assert_eq!(crate::net::tensors::count(&section), 4 * 9 + 4);
    }
}
