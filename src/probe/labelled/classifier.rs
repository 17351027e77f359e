//! A linear layer that names classes, on something that learns with it or stands still.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::LabelledPlan;
use crate::loss::cross_entropy;
use crate::net::{BatchNorm, Encoder, Linear};
use crate::optim::Optimizer;

/// The trainable module.
#[derive(Module, Debug)]
pub(super) struct Classifier {
    /// The encoder, where it is trained too; else the input is features.
    pub(super) encoder: Option<Encoder>,
    /// Brings features that come in to one scale, without scale and shift of its own.
    pub(super) norm: Option<BatchNorm>,
    pub(super) head: Linear,
}

impl Classifier {
    /// `[n, c, h, w]`, images or features as [`Front::see`] gives them -> `[n, k]`.
    pub(super) fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let features = match &self.encoder {
            Some(encoder) => encoder.forward(x),
            None => x.flatten(1, 3),
        };
        self.head.forward(match &self.norm {
            Some(norm) => norm.forward(features),
            None => features,
        })
    }
}

/// The frozen input of a classifier.
pub(super) enum Front<'a> {
    /// Nothing: images go through as they are.
    Nothing,
    /// An encoder in inference mode, on the plain device: neither its weights nor its running statistics move.
    Layer {
        encoder: &'a Encoder,
        /// The place of the layer among its names.
        index: usize,
        /// Maps are averaged over this many cells in each direction.
        grid: usize,
    },
}

impl Front<'_> {
    /// Images `[n, c, h, w]` in 0 to 1 -> what the classifier is given: the images, or features as `[n, d, 1, 1]`.
    pub(super) fn see(&self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Front::Nothing => images,
            Front::Layer { encoder, index, grid } => {
                let features = encoder.layers(images, *grid).swap_remove(*index);
                let [n, d] = features.dims();
                features.reshape([n, d, 1, 1])
            }
        }
    }
}

/// A classifier on its way at one learning rate.
pub(super) struct Candidate {
    pub(super) classifier: Classifier,
    pub(super) lr: f64,
    /// Loss of the last step `[1]`, on the plain device.
    pub(super) loss: Option<Tensor<1>>,
    optimizer: Optimizer,
}

impl Candidate {
    pub(super) fn new(classifier: Classifier, plan: &LabelledPlan, lr: f64) -> Self {
        Self { classifier, lr, loss: None, optimizer: Optimizer::new(plan.optimizer(lr), Vec::new()) }
    }

    /// Step `step` (from 0) of `total` on what was seen of a batch, on the plain device.
    pub(super) fn step(mut self, seen: Tensor<4>, labels: Tensor<1, Int>, step: usize, total: usize) -> Self {
        let loss = cross_entropy(self.classifier.logits(Tensor::from_inner(seen)), labels);
        self.optimizer.collect(&self.classifier, &mut loss.backward());
        self.classifier = self.optimizer.step(self.classifier, LabelledPlan::rate(self.lr, step, total), step);
        Self { loss: Some(loss.inner()), ..self }
    }
}
