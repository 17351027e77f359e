//! What the methods that say something of every pixel share: the part of an image they look at.

use burn::tensor::Tensor;

use crate::method::Batch;
use crate::options::options;
use crate::rng::Rng;
use crate::view::{random_crop, random_flip};

options! {
    /// A random square out of each image, half of them mirrored.
    #[derive(Copy)]
    pub struct CropFlip {
        /// Side of the squares that are cut out of the images; 0 takes images whole.
        size: usize = 0, in 8..=2048, or 0, unit "px", tiny = 64;
        /// Mirror half of the images.
        flip: bool = true;
    }
}

impl CropFlip {
    /// Squares of `size` pixels a side, half of them mirrored; 0 takes images whole.
    pub(crate) fn of(size: usize) -> Self {
        Self { size, flip: true }
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
