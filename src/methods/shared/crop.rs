//! What the methods that say something of every pixel share: the part of an image they look at.

use burn::tensor::Tensor;
use serde_json::Value;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::method::Batch;
use crate::rng::Rng;
use crate::view::{random_crop, random_flip};

/// Fewest pixels a side that make sense of a crop.
const LEAST: usize = 8;
/// The largest that one may be.
const MOST: usize = 2048;

/// The options `size` and `flip` with their values.
pub(crate) type Options = [(&'static str, Value); 2];

/// A square out of each image, and half of them mirrored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CropFlip {
    size: usize,
    flip: bool,
}

/// An option that is the side of squares in pixels, 0 for images as they are.
///
/// # Errors
/// When a batch of them would fill any memory.
pub(crate) fn side(config: &RunConfig, name: &str) -> Result<usize> {
    let side = config.option(name)?;
    if side > MOST {
        return Err(Error::Config(format!("{name} must be at most {MOST} pixels")));
    }
    Ok(side)
}

impl CropFlip {
    /// Squares of `size` pixels a side; 0 takes images whole.
    pub(crate) fn options(size: usize, flip: bool) -> Options {
        [("size", size.into()), ("flip", flip.into())]
    }

    /// Takes the options up.
    ///
    /// # Errors
    /// When they are missing or impossible.
    pub(crate) fn of(config: &RunConfig) -> Result<Self> {
        let (size, flip) = (side(config, "size")?, config.option("flip")?);
        if (1..LEAST).contains(&size) {
            return Err(Error::Config(format!("size must be at least {LEAST} pixels, or 0 for whole images")));
        }
        Ok(Self { size, flip })
    }

    /// Rows and columns of what is looked at.
    pub(crate) fn sides(self, whole: [usize; 2]) -> [usize; 2] {
        if self.size == 0 { whole } else { [self.size; 2] }
    }

    /// What is looked at of each image: `[n, c, h, w]`.
    pub(crate) fn images(self, batch: &Batch, rng: &mut Rng) -> Tensor<4> {
        let images = random_crop(batch.images.clone(), self.size, rng);
        if self.flip { random_flip(images, rng) } else { images }
    }
}
