//! Options of AET.

use crate::methods::shared::options::{FcOptions, ShiftFlip};
use crate::options::{options, words};

/// The paper's mid-gray.
pub(super) const GRAY: f64 = 128.0 / 255.0;

words! {
    /// Answer of the network.
    pub enum Target {
        /// The numbers of the transformation: AET.
        Transformation = "transformation",
        /// The image itself: AED, an autoencoder.
        Data = "data",
    }
}

words! {
    /// Transformations of the images.
    pub enum Transformation {
        /// Turned, moved, zoomed and sheared.
        Affine = "affine",
        /// Seen from elsewhere: the corners are moved, each by itself.
        Projective = "projective",
    }
}

words! {
    /// Passes of an image and its transformed version through the encoder.
    pub enum Branches {
        /// In one pass: batch norm sees both.
        Together = "together",
        /// In a pass each.
        Apart = "apart",
    }
}

options! {
    /// Options of AET.
    pub struct AetOptions {
        ..shift: ShiftFlip;
        ..layers: FcOptions;
        /// Answer of the network; `data` makes it an autoencoder, which the paper compares with.
        target: Target = Target::Transformation;
        /// Family of the transformations.
        transformation: Transformation = Transformation::Projective;
        /// Passes through the encoder; apart, batch norm sees the images and the transformed ones by themselves.
        branches: Branches = Branches::Apart;
        /// Side of the squares that are cut out of the images; 0 takes images whole.
        size: usize = 0, in 8..=2048, or 0, unit "px", tiny = 64;
        /// Brightness where a transformed image does not reach. Another one than the background's gives the answer away.
        fill: f64 = GRAY, in 0.0..=1.0;
    }
}
