//! Options of context encoders.

use crate::methods::shared::crop::CropFlip;
use crate::options::{options, words};

words! {
    /// Part of an image that is missing.
    pub enum Mask {
        /// Its middle, which alone is painted.
        Centre = "centre",
        /// Blocks at random places; the whole image is painted.
        Blocks = "blocks",
    }
}

words! {
    /// Colour of the holes.
    pub enum HoleFill {
        /// The mean of the data set.
        Mean = "mean",
        /// The colour in the authors' code.
        Published = "published",
        /// Black.
        Black = "black",
    }
}

options! {
    /// Options of context encoders.
    pub struct ContextEncoderOptions {
        ..crop: CropFlip;
        /// Part of an image that is missing.
        mask: Mask = Mask::Blocks;
        /// Colour of the holes.
        fill: HoleFill = HoleFill::Mean;
        /// Width of the holes' rim, which is shown and painted too.
        overlap: usize = 1, in 0..=16, unit "px";
        /// Weight of the rim in the loss.
        overlap_weight: f64 = 10.0, in 0.0..;
        /// Numbers in the middle, between encoder and decoder; 0 keeps maps and joins each channel's positions.
        bottleneck: usize = 0, in 0..=65_536, tiny = 16;
        /// Width of the decoder, channels of its last hidden layer.
        decoder: usize = 32, in 1..=4096, unit "channels", tiny = 4;
        /// Weight of the adversarial loss; the squares have the rest.
        adversarial: f64 = 0.0, in 0.0..1.0;
        /// Count whole images towards the running statistics of batch norm; features are taken of whole images.
        refresh: bool = false;
    }
}
