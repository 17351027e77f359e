//! Options of colorization.

use crate::methods::shared::crop::CropFlip;
use crate::methods::shared::options::PixelHeadOptions;
use crate::options::{above, options, words};

words! {
    /// Prediction at each pixel.
    pub enum Answer {
        /// Probability of each colour bin.
        Classification = "classification",
        /// The colour itself, which makes everything brown.
        Regression = "regression",
    }
}

words! {
    /// Bins of colour in use.
    pub enum Bins {
        /// Bins that are nearest to a pixel of the first steps.
        Data = "data",
        /// All bins in the gamut of sRGB.
        Gamut = "gamut",
    }
}

options! {
    /// Options of colorization.
    pub struct ColorizationOptions {
        ..crop: CropFlip;
        ..pixel_head: PixelHeadOptions;
        /// Prediction at each pixel; regression makes everything brown.
        task: Answer = Answer::Classification;
        /// Bins of colour in use.
        bins: Bins = Bins::Gamut;
        /// Nearest bins over which the true colour is spread.
        neighbours: usize = 10, in 1..=100, unit "bins";
        /// Width of that spread, in units of a and b.
        sigma: f64 = 5.0, in above(0.0);
        /// Share of a uniform distribution in the prior of the weights; 0 weighs by rarity only, 1 gives all colours the same weight.
        lambda: f64 = 0.5, in 0.0..=1.0;
        /// Temperature at which drawn colours are decoded.
        temperature: f64 = 0.38, in above(0.0);
        /// Smallest colour of an image with a gradient, as the largest a or b of its pixels.
        least_colour: f64 = 5.0, in 0.0..;
        /// Steps in which the prior of the bins is measured.
        prior_steps: usize = 50, in 1.., unit "steps", tiny = 4;
    }
}
