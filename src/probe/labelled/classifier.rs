//! A linear classifier on an encoder, which is trained with it or frozen, or on raw pixels.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::LabelledPlan;
use crate::loss::cross_entropy;
use crate::net::{BatchNorm, Encoder, Linear};
use crate::optim::Optimizer;

/// The trainable module.
#[derive(Module, Debug)]
pub(super) struct Classifier {
    /// The encoder, if it is trained too; otherwise the input is features.
    pub(super) encoder: Option<Encoder>,
    /// Batch norm without scale and shift, which brings the input features to one scale.
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

/// The frozen stage in front of a classifier.
pub(super) enum Front<'a> {
    /// None: the classifier reads the images themselves.
    Nothing,
    /// An encoder in inference mode, on the plain device: neither its weights nor its running statistics move.
    Layer {
        encoder: &'a Encoder,
        /// Index of the layer among the encoder's layers.
        index: usize,
        /// Maps are averaged over this many cells in each direction.
        grid: usize,
    },
}

impl Front<'_> {
    /// Images `[n, c, h, w]` in 0 to 1 -> the classifier's input: the images, or features as `[n, d, 1, 1]`.
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

/// A classifier in training at one learning rate.
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

    /// Step `step` (from 0) of `total` on the output of [`Front::see`] for a batch, on the plain device.
    pub(super) fn step(mut self, seen: Tensor<4>, labels: Tensor<1, Int>, step: usize, total: usize) -> Self {
        let loss = cross_entropy(self.classifier.logits(Tensor::from_inner(seen)), labels);
        self.optimizer.collect(&self.classifier, &mut loss.backward());
        self.classifier = self.optimizer.step(self.classifier, LabelledPlan::rate(self.lr, step, total), step);
        Self { loss: Some(loss.inner()), ..self }
    }
}
