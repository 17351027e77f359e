//! Stratified draws: some images of a split, or some set aside from others, with the same share of each class.
//!
//! An image is drawn by a digest of the seed and its pixels, not by its index, so that the draw does not depend on the order of
//! the files: a set sorted by class and the same set shuffled give the same images.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Split;

/// Seed of every draw for which no other is stated: all runs and all probes of one data set see the same images.
pub const SEED: u64 = 0;

/// Purpose of a draw. Draws for one purpose are independent of those for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Use = 1,
    SetAside = 2,
}

/// Images that are drawn together: a single image, or the frames of a clip.
#[derive(Debug)]
struct Unit {
    key: u64,
    images: Vec<usize>,
}

impl Split {
    /// Draws `count` images without replacement, or all if there are no more: their indices in rising order.
    /// Each class gets its share of `count` (largest remainders); a split without labels is one class.
    pub fn draw(&self, count: usize, seed: u64) -> Vec<usize> {
        self.draw_from(&(0..self.len()).collect::<Vec<_>>(), count, seed)
    }

    /// Draws `count` of the images at `places`, which are in rising order; see [`Split::draw`].
    pub fn draw_from(&self, places: &[usize], count: usize, seed: u64) -> Vec<usize> {
        if count >= places.len() {
            return places.to_vec();
        }
        let units = places.iter().map(|&place| self.unit(vec![place], Purpose::Use, seed));
        let classes = self.classes(units);
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let mut drawn: Vec<usize> =
            classes.iter().zip(shares(count, &sizes, &sizes)).flat_map(|(units, share)| first(units, share)).collect();
        drawn.sort_unstable();
        drawn
    }

    /// Sets a share of one in `parts` of the images at `places` aside, at least one image: positions in `places` of those that
    /// are kept and of those that are set aside, both in rising order. Each class keeps at least one image, and frames of one
    /// clip stay together. Nothing is set aside where no class has two images (or two clips).
    pub fn set_aside(&self, places: &[usize], parts: usize, seed: u64) -> [Vec<usize>; 2] {
        let mut clips: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, &place) in places.iter().enumerate() {
            let clip = self.sequence().map_or(place, |sequence| sequence.start(place));
            clips.entry(clip).or_default().push(position);
        }
        let units = clips.into_values().map(|positions| {
            let images = positions.iter().map(|&position| places[position]).collect();
            Unit { images: positions, ..self.unit(images, Purpose::SetAside, seed) }
        });
        let classes = self.classes_by(units, |position| places[position]);
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let most: Vec<usize> = sizes.iter().map(|size| size.saturating_sub(1)).collect();
        let wanted = (sizes.iter().sum::<usize>() / parts.max(1)).max(1);
        let aside: Vec<usize> =
            classes.iter().zip(shares(wanted, &sizes, &most)).flat_map(|(units, share)| first(units, share)).collect();
        let mut is_aside = vec![false; places.len()];
        aside.into_iter().for_each(|position| is_aside[position] = true);
        let (aside, kept) = (0..places.len()).partition(|&position| is_aside[position]);
        [kept, aside]
    }

    fn unit(&self, images: Vec<usize>, purpose: Purpose, seed: u64) -> Unit {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update([purpose as u8]);
        images.iter().for_each(|&image| hash.update(self.image(image)));
        let digest = hash.finalize();
        let key = digest.iter().take(8).fold(0, |key, &byte| key << 8 | u64::from(byte));
        Unit { key, images }
    }

    fn classes(&self, units: impl Iterator<Item = Unit>) -> Vec<Vec<Unit>> {
        self.classes_by(units, |place| place)
    }

    /// Units by the label of their first image, in the order they are drawn in.
    fn classes_by(&self, units: impl Iterator<Item = Unit>, place: impl Fn(usize) -> usize) -> Vec<Vec<Unit>> {
        let labelled = self.labels().len() >= self.len();
        let mut classes: BTreeMap<u16, Vec<Unit>> = BTreeMap::new();
        for unit in units {
            let label = unit.images.first().map(|&image| place(image)).filter(|_| labelled);
            classes.entry(label.map_or(0, |place| self.labels()[place])).or_default().push(unit);
        }
        let mut classes: Vec<_> = classes.into_values().collect();
        classes.iter_mut().for_each(|units| units.sort_by_key(|unit| (unit.key, unit.images.first().copied())));
        classes
    }
}

fn first(units: &[Unit], count: usize) -> impl Iterator<Item = usize> {
    units.iter().take(count).flat_map(|unit| unit.images.iter().copied())
}

/// Parts of `count` in proportion to `sizes`, none above its `most`, by largest remainders; ties go to the earlier class.
fn shares(count: usize, sizes: &[usize], most: &[usize]) -> Vec<usize> {
    let total: usize = sizes.iter().sum::<usize>().max(1);
    let count = count.min(most.iter().sum());
    let mut shares: Vec<usize> = sizes.iter().zip(most).map(|(size, most)| (count * size / total).min(*most)).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(count * sizes[class] % total));
    let mut left = count - shares.iter().sum::<usize>();
    while left > 0 {
        for &class in &order {
            if left > 0 && shares[class] < most[class] {
                shares[class] += 1;
                left -= 1;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Sequence, Size};
    use crate::rng::{Purpose as Random, stream};
    use rand::seq::SliceRandom;

    const SIZE: Size = Size { channels: 1, height: 1, width: 2 };

    /// Images of two bytes that all differ, with these labels.
    fn split(labels: &[u16], order: &[usize]) -> Split {
        let pixels = order.iter().flat_map(|&image| (image as u16).to_le_bytes()).collect();
        Split::new(SIZE, pixels, order.iter().map(|&image| labels[image]).collect()).expect("an image a label")
    }

    fn images(split: &Split, places: &[usize]) -> Vec<Vec<u8>> {
        let mut images: Vec<_> = places.iter().map(|&place| split.image(place).to_vec()).collect();
        images.sort();
        images
    }

    #[test]
    fn sorted_and_shuffled_sets_give_the_same_images() {
        let labels: Vec<u16> = (0..900).map(|image| image / 90).collect();
        let sorted: Vec<usize> = (0..900).collect();
        let mut order = sorted.clone();
        order.shuffle(&mut stream(3, Random::Data, 0));
        let (sorted, shuffled) = (split(&labels, &sorted), split(&labels, &order));
        let (a, b) = (sorted.draw(200, SEED), shuffled.draw(200, SEED));
        assert_eq!(images(&sorted, &a), images(&shuffled, &b));
        for class in 0..10 {
            assert_eq!(a.iter().filter(|&&place| sorted.labels()[place] == class).count(), 20);
        }
        let [kept, aside] = sorted.set_aside(&a, 6, SEED);
        assert_eq!((kept.len(), aside.len()), (167, 33));
        let of = |split: &Split, places: &[usize], positions: &[usize]| {
            images(split, &positions.iter().map(|&position| places[position]).collect::<Vec<_>>())
        };
        let [_, other] = shuffled.set_aside(&b, 6, SEED);
        assert_eq!(of(&sorted, &a, &aside), of(&shuffled, &b, &other));
        assert_ne!(sorted.draw(200, 1), a, "another seed draws others");
        assert_eq!(sorted.draw(900, 1), (0..900).collect::<Vec<_>>());
        let some: Vec<usize> = (0..100).collect();
        assert!(sorted.draw_from(&some, 20, SEED).iter().all(|&place| place < 100));
    }

    #[test]
    fn shares_are_proportional_and_capped() {
        assert_eq!(shares(10, &[60, 30, 10], &[60, 30, 10]), [6, 3, 1]);
        assert_eq!(shares(4, &[5, 5, 5], &[5, 5, 5]), [2, 1, 1]);
        assert_eq!(shares(3, &[1, 1, 16], &[0, 0, 15]), [0, 0, 3]);
        assert_eq!(shares(5, &[2, 2, 2], &[1, 1, 1]), [1, 1, 1]);
        assert_eq!(shares(5, &[], &[]), [0; 0]);
    }

    #[test]
    fn every_class_keeps_an_image_and_single_ones_stay() {
        let labels = [0, 1, 1, 2, 2, 2, 2];
        let split = split(&labels, &[0, 1, 2, 3, 4, 5, 6]);
        let places: Vec<usize> = (0..7).collect();
        let [kept, aside] = split.set_aside(&places, 2, SEED);
        assert_eq!(aside.len(), 3);
        for class in 0..3 {
            assert!(kept.iter().any(|&place| labels[place] == class), "{kept:?}");
        }
        let [kept, aside] = split.set_aside(&[0, 1, 3], 6, SEED);
        assert_eq!((kept, aside), (vec![0, 1, 2], vec![]), "one image a class: there is none to spare");
    }

    #[test]
    fn images_without_labels_are_one_class() {
        let split = Split::unlabelled(SIZE, (0..200).collect()).expect("whole images");
        let drawn = split.draw(30, SEED);
        assert_eq!(drawn.len(), 30);
        assert!(drawn.iter().any(|&place| place >= 50) && drawn.windows(2).all(|pair| pair[0] < pair[1]), "{drawn:?}");
    }

    #[test]
    fn frames_of_a_clip_are_set_aside_together() {
        let labels: Vec<u16> = (0..48).map(|frame| frame / 24).collect();
        let all: Vec<usize> = (0..48).collect();
        let split = split(&labels, &all).in_sequence(Sequence::of_clips(&[4; 12])).expect("48 frames");
        let [kept, aside] = split.set_aside(&all, 6, SEED);
        assert_eq!((kept.len(), aside.len()), (40, 8));
        for frames in aside.chunks(4) {
            assert!(frames[0].is_multiple_of(4) && frames[3] == frames[0] + 3, "{aside:?}");
        }
        assert_ne!(labels[aside[0]], labels[aside[7]], "a clip of each class");
    }
}
