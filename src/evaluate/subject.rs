//! The encoder under test and everything its controls are built from.

use crate::data::Dataset;
use crate::device::Selected;
use crate::error::Result;
use crate::net::{Encoder, EncoderConfig, Init};
use crate::rng::{Purpose, stream};

/// Receives the name of each part of a measurement as it begins, for example `trained encoder: block2`.
pub type Tell<'a> = dyn FnMut(&str) + 'a;

/// An encoder to be measured, with everything its controls are built from.
#[derive(Clone, Copy)]
pub struct EncoderUnderTest<'a> {
    /// The encoder, in inference mode: taken with `valid()` from a model in training.
    pub trained: &'a Encoder,
    /// The same architecture with the weights it had before its first step, or with random ones; see [`untrained`].
    pub untrained: &'a Encoder,
    /// The architecture of both.
    pub config: &'a EncoderConfig,
    /// The seed of the untrained weights. Further untrained encoders take the seeds after it.
    pub seed: u64,
    /// Labelled images, of the size and channels that the encoder reads.
    pub data: &'a Dataset,
    /// SHA-256 of the images as [`crate::data::store::digest`] computes it: controls are cached under it.
    pub images_sha256: &'a str,
    /// The device that measures.
    pub selected: &'a Selected,
}

/// An untrained encoder for the images of `data`, with the weights that a run of this seed starts from.
///
/// # Errors
/// When the configuration cannot work with such images.
pub fn untrained(config: &EncoderConfig, seed: u64, data: &Dataset, selected: &Selected) -> Result<Encoder> {
    let mut init = Init::new(stream(seed, Purpose::Weights, 0), &selected.device);
    Encoder::init(config, data.train.size().channels, &mut init)
}
