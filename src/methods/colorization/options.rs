//! Options of colorization.

use crate::methods::shared::crop::CropFlip;
use crate::methods::shared::options::PixelHeadOptions;
use crate::options::{above, options, words};

words! {
    /// Answer at each pixel.
    pub enum Answer {
        /// How likely each bin of colour is.
        Classification = "classification",
        /// The colour itself: the mistake that makes everything brown.
        Regression = "regression",
    }
}

words! {
    /// Bins of colour in use.
    pub enum Bins {
        /// Those that a pixel of the first steps was nearest to.
        Data = "data",
        /// All in the gamut of the screen.
        Gamut = "gamut",
    }
}

options! {
    /// Options of colorization.
    pub struct ColorizationOptions {
        ..crop: CropFlip;
        ..pixel_head: PixelHeadOptions;
        /// Answer at each pixel; regression makes everything brown.
        task: Answer = Answer::Classification;
        /// Bins of colour in use.
        bins: Bins = Bins::Gamut;
        /// Nearest bins over which the true colour is spread.
        neighbours: usize = 10, in 1..=100, unit "bins";
        /// Width of that spread, in units of a and b.
        sigma: f64 = 5.0, in above(0.0);
        /// Evenness of the weights of rare and common colours; 0 weighs by rarity alone, 1 leaves all colours the same weight.
        lambda: f64 = 0.5, in 0.0..=1.0;
        /// Temperature at which drawn colours are decoded.
        temperature: f64 = 0.38, in above(0.0);
        /// Least colour of an image that teaches, the largest a or b of its pixels.
        least_colour: f64 = 5.0, in 0.0..;
        /// Steps in which it is measured how common each bin is.
        prior_steps: usize = 50, in 1.., unit "steps", tiny = 4;
    }
}
