//! Random crops, for methods that predict pixels.

use burn::tensor::Tensor;

use crate::method::Batch;
use crate::options::options;
use crate::rng::Rng;
use crate::view::{random_crop, random_flip};

options! {
    /// Random square crops, half of them mirrored.
    #[derive(Copy)]
    pub struct CropFlip {
        /// Side of the random crops; 0 takes whole images.
        size: usize = 0, in 8..=2048, or 0, unit "px", tiny = 64;
        /// Mirror half of the images.
        flip: bool = true;
    }
}

impl CropFlip {
    /// Crops of `size` pixels, half of them mirrored; 0 takes whole images.
    pub(crate) fn of(size: usize) -> Self {
        Self { size, flip: true }
    }

    /// Height and width of the crops of images of size `whole`.
    pub(crate) fn sides(self, whole: [usize; 2]) -> [usize; 2] {
        if self.size == 0 { whole } else { [self.size; 2] }
    }

    /// Crops the images of a batch: `[n, c, h, w]`.
    pub(crate) fn images(self, batch: &Batch, rng: &mut Rng) -> Tensor<4> {
        let images = random_crop(batch.images.clone(), self.size, rng);
        if self.flip { random_flip(images, rng) } else { images }
    }
}
