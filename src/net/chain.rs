//! Chains of convolutions with what papers put after them: norm before or after the activation, slopes for negative values,
//! none of it.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu};

use super::computation_graph::{Operation, Writer};
use super::{BatchNorm, Conv2d, Init, Pool};

/// What a convolution's output goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x` above 0, `0.2 x` below (Maas et al. 2013).
    Leaky,
}

impl Activation {
    /// Slope of the leaky activation for negative values.
    pub const SLOPE: f64 = 0.2;

    /// Any shape -> the same.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => relu(x),
            Activation::Leaky => leaky_relu(x, Self::SLOPE),
        }
    }
}

/// Convolution, batch norm where wanted, activation.
#[derive(Module, Debug)]
pub struct Link {
    conv: Conv2d,
    norm: Option<BatchNorm>,
    #[module(skip)]
    activation: Activation,
}

impl Link {
    /// Without norm.
    pub fn plain(conv: Conv2d, activation: Activation) -> Self {
        Self { conv, norm: None, activation }
    }

    /// With batch norm between convolution and activation.
    pub fn normed(conv: Conv2d, activation: Activation, init: &mut Init) -> Self {
        let norm = BatchNorm::init(conv.channels(), true, init);
        Self { conv, norm: Some(norm), activation }
    }

    /// `[n, in, h, w]` -> `[n, out, h', w']`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.conv.forward(x);
        self.activation.forward(match &self.norm {
            Some(norm) => norm.forward(y),
            None => y,
        })
    }

    fn outline(&self, x: usize, to: &mut Writer) -> usize {
        let Self { conv, norm, activation } = self;
        let y = to.conv(conv, x);
        let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
        to.step(Operation::Activation(*activation), vec![y])
    }
}

/// Some links, then a batch norm and a pooling where wanted: one named layer of an encoder.
#[derive(Module, Debug)]
pub struct Section {
    links: Vec<Link>,
    norm: Option<BatchNorm>,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    name: String,
}

impl Section {
    /// Without norm or pooling after the links.
    pub fn new(name: impl Into<String>, links: Vec<Link>) -> Self {
        Self { links, norm: None, pool: Pool::None, name: name.into() }
    }

    /// With a batch norm without scale and shift at its end, as Caffe has it.
    pub fn closed(self, init: &mut Init) -> Self {
        let norm = Some(BatchNorm::init(self.width(), false, init));
        Self { norm, ..self }
    }

    /// With a pooling at its end.
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

    fn outline(&self, x: usize, to: &mut Writer) -> usize {
        let Self { links, norm, pool, name: _ } = self;
        let y = links.iter().fold(x, |x, link| link.outline(x, to));
        let y = norm.iter().fold(y, |y, norm| to.norm(norm, y));
        to.pool(*pool, y)
    }
}

/// Sections one after the other.
#[derive(Module, Debug)]
pub struct Chain {
    sections: Vec<Section>,
}

impl Chain {
    /// In this order.
    pub fn new(sections: Vec<Section>) -> Self {
        Self { sections }
    }

    /// The names of its sections.
    pub fn layer_names(&self) -> Vec<String> {
        self.sections.iter().map(|section| section.name.clone()).collect()
    }

    /// Channels of the last section.
    pub fn width(&self) -> usize {
        self.sections.last().map_or(0, Section::width)
    }

    /// Rows or columns of the last map of images with so many; 0 where the image is too small.
    pub fn side(&self, side: usize) -> usize {
        self.sections.iter().fold(side, |side, section| if side == 0 { 0 } else { section.side(side) })
    }

    /// Hands each section's output to `see` and returns the last one's.
    pub fn forward(&self, x: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> Tensor<4> {
        self.sections.iter().fold(x, |x, section| {
            let x = section.forward(x);
            see(&x);
            x
        })
    }

    /// Writes down what [`Chain::forward`] does; returns the last value's number.
    pub(super) fn outline(&self, x: usize, to: &mut Writer) -> usize {
        self.sections.iter().fold(x, |x, section| {
            let x = section.outline(x, to);
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
    fn a_closing_norm_comes_after_the_activation_and_has_no_parameters() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &device);
        let conv = Conv2d::init([1, 4], 3, 1, 1, &mut init).with_bias(&mut init);
        let section = Section::new("conv1", vec![Link::plain(conv, Activation::Relu)]).closed(&mut init);
        let x = Tensor::<4>::random([3, 1, 6, 6], burn::tensor::Distribution::Normal(0.0, 1.0), &device);
        let y = section.forward(x);
        // an activation after the norm would leave nothing below 0 and no mean of 0
        let (mean, lowest): (f32, f32) = (y.clone().mean().into_scalar(), y.min().into_scalar());
        assert!(mean.abs() < 1e-5 && lowest < -0.1, "{mean} {lowest}");
        assert_eq!(crate::net::tensors::count(&section), 4 * 9 + 4);
    }

    #[test]
    fn a_leaky_activation_keeps_a_fifth_of_what_is_negative() {
        let x = Tensor::<1>::from_floats([-2.0, 0.5], &Device::flex());
        let y: Vec<f32> = Activation::Leaky.forward(x).into_data().try_to_vec().expect("floats");
        assert!((y[0] + 0.4).abs() < 1e-6 && y[1] == 0.5, "{y:?}");
    }
}
