//! The order in which training images are seen.

use rand::seq::SliceRandom;
use std::cell::RefCell;

use crate::rng::{Purpose, stream};

/// Images of a shard, which arrive together: the first epoch shuffles within shards only, so that the page trains while later
/// shards are still being fetched. Every later epoch shuffles all images.
pub const SHARD: usize = 5000;

/// The order of the images, a function of the seed alone: steps can be asked for in any order.
#[derive(Debug)]
pub(super) struct Order {
    seed: u64,
    images: usize,
    batch: usize,
    /// Number and order of the epoch computed last.
    latest: RefCell<Option<(usize, Vec<usize>)>>,
}

impl Order {
    pub(super) fn new(seed: u64, images: usize, batch: usize) -> Self {
        Self { seed, images, batch, latest: RefCell::new(None) }
    }

    pub(super) fn images(&self) -> usize {
        self.images
    }

    /// Number of full batches: a last small one would have other batch statistics.
    pub(super) fn steps_per_epoch(&self) -> usize {
        self.images / self.batch
    }

    /// The images of step `step` (from 0).
    pub(super) fn batch(&self, step: usize) -> Vec<usize> {
        let epoch = step / self.steps_per_epoch();
        let within = step % self.steps_per_epoch();
        let mut latest = self.latest.borrow_mut();
        if latest.as_ref().is_none_or(|(known, _)| *known != epoch) {
            *latest = Some((epoch, self.epoch(epoch)));
        }
        let order = latest.as_ref().map_or(&[][..], |(_, order)| order);
        order[within * self.batch..(within + 1) * self.batch].to_vec()
    }

    fn epoch(&self, epoch: usize) -> Vec<usize> {
        let mut rng = stream(self.seed, Purpose::Order, epoch as u64);
        let mut order: Vec<usize> = (0..self.images).collect();
        if epoch == 0 {
            order.chunks_mut(SHARD).for_each(|shard| shard.shuffle(&mut rng));
        } else {
            order.shuffle(&mut rng);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_each_image_once_the_first_by_shards() {
        let order = Order::new(7, 12_000, 100);
        for epoch in 0..2 {
            let mut seen: Vec<usize> = (0..120).flat_map(|step| order.batch(epoch * 120 + step)).collect();
            if epoch == 0 {
                assert!(
                    seen[..5000].iter().all(|&index| index < 5000),
                    "the first shard is enough for the first steps"
                );
            } else {
                assert!(seen[..100].iter().any(|&index| index >= 5000), "later epochs mix all images");
            }
            assert_ne!(seen[..10], (0..10).collect::<Vec<_>>()[..], "images are shuffled");
            seen.sort_unstable();
            assert_eq!(seen, (0..12_000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_step_can_be_asked_for_again() {
        let a = Order::new(7, 1000, 64);
        let b = Order::new(7, 1000, 64);
        let later = a.batch(31);
        let _ = a.batch(2);
        assert_eq!(a.batch(31), later);
        assert_eq!(b.batch(31), later);
        assert_ne!(Order::new(8, 1000, 64).batch(31), later);
    }
}
