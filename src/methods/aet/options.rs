//! Options of AET.

use crate::methods::shared::options::{FcOptions, ShiftFlip};
use crate::options::{options, words};

/// The paper's mid-gray.
pub(super) const GRAY: f64 = 128.0 / 255.0;

words! {
    /// Target of the network.
    pub enum Target {
        /// Parameters of the transformation: AET.
        Transformation = "transformation",
        /// The image: AED, an autoencoder.
        Data = "data",
    }
}

words! {
    /// Family of transformations.
    pub enum Transformation {
        /// Rotation, shift, scale and shear.
        Affine = "affine",
        /// Independent shifts of the corners, after a quarter turn and a scale.
        Projective = "projective",
    }
}

words! {
    /// Passes of an image and its transformed version through the encoder.
    pub enum Branches {
        /// One pass, with batch statistics over both.
        Together = "together",
        /// A pass each, with batch statistics of its own.
        Apart = "apart",
    }
}

options! {
    /// Options of AET.
    pub struct AetOptions {
        ..shift: ShiftFlip;
        ..layers: FcOptions;
        /// Target of the network; `data` makes it an autoencoder, with which the paper compares.
        target: Target = Target::Transformation;
        /// Family of the transformations.
        transformation: Transformation = Transformation::Projective;
        /// Passes through the encoder; apart, the images and the transformed ones have batch statistics of their own.
        branches: Branches = Branches::Apart;
        /// Side of the random crops; 0 takes whole images.
        size: usize = 0, in 8..=2048, or 0, unit "px", tiny = 64;
        /// Fill outside the transformed image, as a brightness. Unless it is the background's, it reveals the transformation.
        fill: f64 = GRAY, in 0.0..=1.0;
    }
}
