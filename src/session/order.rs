//! The order in which training images are seen.

use rand::seq::SliceRandom;
use std::cell::{OnceCell, RefCell};

use crate::data::{Split, draw};
use crate::rng::{Purpose, stream};

/// Size of a shard, whose images arrive together in the browser. The first epoch shuffles within shards only, so that the page
/// trains while later shards are still being fetched. Every later epoch shuffles all images.
pub const SHARD: usize = 5000;

/// The order of the images, a function of the seed alone, so that the batch of any step can be computed by itself.
#[derive(Debug)]
pub(super) struct Order {
    seed: u64,
    images: usize,
    batch: usize,
    /// Number and order of the epoch computed last.
    latest: RefCell<Option<(usize, Vec<usize>)>>,
    /// Indices of the images in use if those are drawn: set once all images have arrived to draw from.
    drawn: Option<OnceCell<Vec<usize>>>,
}

impl Order {
    pub(super) fn new(seed: u64, images: usize, batch: usize) -> Self {
        Self { seed, images, batch, latest: RefCell::new(None), drawn: None }
    }

    /// Draws the images out of `total`, if there are more than are used; without `draw` they are the first ones.
    pub(super) fn among(self, total: usize, draw: bool) -> Self {
        Self { drawn: (draw && self.images < total).then(OnceCell::new), ..self }
    }

    /// The indices in `split` of the images that [`Order::batch`] gives; `None` while they have not arrived.
    pub(super) fn places(&self, split: &Split, images: &[usize]) -> Option<Vec<usize>> {
        let places = match &self.drawn {
            None => images.to_vec(),
            Some(drawn) if drawn.get().is_none() && !split.is_complete() => return None,
            Some(drawn) => {
                let drawn = drawn.get_or_init(|| split.draw(self.images, draw::SEED));
                images.iter().map(|&image| drawn[image]).collect()
            }
        };
        split.holds(&places).then_some(places)
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
    use crate::data::Size;

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

    #[test]
    fn fewer_images_are_drawn_once_all_are_there() {
        let size = Size { channels: 1, height: 1, width: 1 };
        let pixels: Vec<u8> = (0..100).collect();
        let labels: Vec<u16> = (0..100).map(|image| image / 50).collect();
        let order = Order::new(1, 10, 5).among(100, true);
        let mut split = Split::expecting(size, 100);
        split.push_images(&pixels).expect("100 images");
        split.push_labels(&labels[..50]).expect("half of the labels");
        assert_eq!(order.places(&split, &[0, 9]), None);
        split.push_labels(&labels[50..]).expect("the other half");
        let all: Vec<usize> = (0..10).collect();
        let places = order.places(&split, &all).expect("all are there");
        assert_eq!(places.iter().filter(|&&place| labels[place] == 0).count(), 5, "half of them of each class");
        assert_eq!(order.places(&split, &[9, 0]), Some(vec![places[9], places[0]]));
        for whole in [Order::new(1, 10, 5).among(100, false), Order::new(1, 100, 5).among(100, true)] {
            assert_eq!(whole.places(&split, &[0, 9]), Some(vec![0, 9]), "the first ten as before, or all");
        }
    }
}
