//! Options of several methods, each declared once.

use crate::data::catalogue;
use crate::net::{Init, PixelHead};
use crate::options::{above, options};
use crate::view::recipe;

options! {
    /// Options of the views that a joint-embedding method compares.
    pub struct ViewOptions {
        /// Recipe of the views; `nolabel methods --recipe NAME` shows one.
        recipe: String = "small-gray".into(), among recipe::names();
        /// Side of the largest view; 0 keeps the images' own.
        size: usize = 0, in 0..=2048, unit "px", tiny = 64;
        /// Smallest crop, as a share of the image's area; 0 keeps the recipe's own.
        min_area: f64 = 0.0, in 0.0..=1.0;
    }
}

impl ViewOptions {
    /// A published recipe with views of `size` pixels and its own crops.
    pub(crate) fn published(recipe: &str, size: usize) -> Self {
        Self { recipe: recipe.into(), size, min_area: 0.0 }
    }

    /// Options of the small presets: the recipe for gray or colour images, at the images' own size.
    pub(crate) fn small(data: &str) -> Self {
        Self { recipe: small_recipe(data).into(), size: 0, min_area: 0.3 }
    }
}

/// Recipe for images of about 30 px, gray or colour.
pub(crate) fn small_recipe(data: &str) -> &'static str {
    let gray = catalogue::find(data).is_ok_and(|entry| entry.size.channels == 1);
    if gray { "small-gray" } else { "small-colour" }
}

options! {
    /// Temperature of a contrastive loss.
    pub struct Temperature {
        /// Temperature, which divides cosines; the lower it is, the more the nearest negatives count.
        tau: f64 = 0.1, in above(0.0);
    }
}

options! {
    /// Depth of a projector.
    pub struct ProjectorDepth {
        /// Layers of the projector.
        layers: usize = 2, in 1..=64, unit "layers";
    }
}

options! {
    /// Momentum of a momentum encoder.
    pub struct MomentumDecay {
        /// Momentum of the momentum encoder, an exponential moving average of the weights; with 1 it never changes.
        momentum: f64 = 0.99, in 0.0..=1.0;
    }
}

options! {
    /// Head of a task that predicts every position of a map.
    pub struct PixelHeadOptions {
        /// Channels of the head's hidden layers; 0 leaves the last layer only.
        head: usize = 64, in 0..=65_536, unit "channels", tiny = 8;
        /// Hidden layers of the head.
        layers: usize = 1, in 0..=64, unit "layers";
    }
}

impl PixelHeadOptions {
    /// Draws the head, from maps of `input` channels to `output` channels.
    pub(crate) fn init(&self, input: usize, output: usize, init: &mut Init) -> PixelHead {
        PixelHead::init(input, self.head, self.layers, output, init)
    }
}

options! {
    /// Random shift and mirroring.
    pub struct ShiftFlip {
        /// Padding of the random shift, after which the image is cropped to its size again.
        crop_padding: usize = 0, in 0..=256, unit "px";
        /// Mirror half of the images.
        flip: bool = false;
    }
}

options! {
    /// Fully connected layers between encoder and task.
    pub struct FcOptions {
        /// Width of the two fully connected layers on the last map; 0 takes its average over positions instead.
        hidden: usize = 0, in 0..=65_536, tiny = 16;
    }
}
