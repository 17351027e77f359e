//! Options of context encoders.

use crate::methods::shared::crop::CropFlip;
use crate::options::{options, words};

words! {
    /// Masked region of an image.
    pub enum Mask {
        /// The centre, which is the only region to inpaint.
        Centre = "centre",
        /// Blocks at random positions; the whole image is decoded.
        Blocks = "blocks",
    }
}

words! {
    /// Fill of the holes.
    pub enum HoleFill {
        /// Mean of the data set.
        Mean = "mean",
        /// Fill of the authors' code.
        Published = "published",
        /// Black.
        Black = "black",
    }
}

options! {
    /// Options of context encoders.
    pub struct ContextEncoderOptions {
        ..crop: CropFlip;
        /// Masked region of an image.
        mask: Mask = Mask::Blocks;
        /// Fill of the holes.
        fill: HoleFill = HoleFill::Mean;
        /// Width of the rim of the holes, which is visible and inpainted too.
        overlap: usize = 1, in 0..=16, unit "px";
        /// Weight of the rim in the loss.
        overlap_weight: f64 = 10.0, in 0.0..;
        /// Width of the bottleneck between encoder and decoder; 0 connects each channel with itself instead.
        bottleneck: usize = 0, in 0..=65_536, tiny = 16;
        /// Width of the decoder, channels of its last hidden layer.
        decoder: usize = 32, in 1..=4096, unit "channels", tiny = 4;
        /// Weight of the adversarial loss; the squared error has 1 less it.
        adversarial: f64 = 0.0, in 0.0..1.0;
        /// Count whole images in the running statistics of batch norm, because features are taken of whole images.
        refresh: bool = false;
    }
}
