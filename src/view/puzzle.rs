//! Sets of permutations that differ as much as they can, which jigsaw puzzles choose from.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// The most tiles whose orders are all looked at: 9! are 362,880.
const MOST_TILES: usize = 9;

/// Which permutation is the farthest from those chosen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Farthest {
    /// That with the largest mean Hamming distance to them, as in the authors' code: two of a hundred then differ in two
    /// tiles only.
    Mean,
    /// That with the largest smallest Hamming distance to them; of those, the largest mean.
    Smallest,
}

/// Orders of tiles, each a class of its own: under permutation p, place j gets tile `p[j]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermutationSet(Vec<Vec<usize>>);

/// What is worked out once: orders from the identity on, for tiles, count and rule.
type Chosen = HashMap<(usize, usize, Farthest), Arc<Vec<Vec<u8>>>>;
static CHOSEN: LazyLock<Mutex<Chosen>> = LazyLock::new(Mutex::default);

impl PermutationSet {
    /// `count` orders of `tiles` tiles, each the farthest from those before it; all orders where count is their number.
    /// They start from the identity; `rng` then renames the tiles, which leaves every distance as it is. The same
    /// generator gives the same set again, so that a run need only remember its seed. None where there are fewer orders, or
    /// more than can be looked through.
    ///
    /// Noroozi and Favaro 2016, algorithm 1.
    pub fn draw(tiles: usize, count: usize, rule: Farthest, rng: &mut Rng) -> Option<Self> {
        if tiles == 0 || tiles > MOST_TILES || count == 0 || count > (1..=tiles).product() {
            return None;
        }
        let key = (tiles, count, rule);
        let known = CHOSEN.lock().ok()?.get(&key).cloned();
        let orders = known.unwrap_or_else(|| Arc::new(farthest(tiles, count, rule)));
        CHOSEN.lock().ok()?.insert(key, orders.clone());
        let mut names: Vec<usize> = (0..tiles).collect();
        names.shuffle(rng);
        let renamed = |order: &Vec<u8>| order.iter().map(|&tile| names[usize::from(tile)]).collect();
        Some(Self(orders.iter().map(renamed).collect()))
    }

    /// The orders, by class.
    pub fn orders(&self) -> &[Vec<usize>] {
        &self.0
    }

    /// For each order the one that undoes it.
    pub fn inverses(&self) -> Vec<Vec<usize>> {
        let inverse = |order: &Vec<usize>| {
            let mut back = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &tile)| back[tile] = place);
            back
        };
        self.0.iter().map(inverse).collect()
    }

    /// Smallest and mean Hamming distance over all pairs.
    pub fn distances(&self) -> (usize, f64) {
        let (mut smallest, mut sum, mut pairs) = (usize::MAX, 0, 0);
        for (index, one) in self.0.iter().enumerate() {
            for other in &self.0[..index] {
                let distance = one.iter().zip(other).filter(|(a, b)| a != b).count();
                (smallest, sum, pairs) = (smallest.min(distance), sum + distance, pairs + 1);
            }
        }
        (smallest, sum as f64 / f64::from(pairs.max(1)))
    }
}

/// Distances of all orders to those chosen so far.
struct Distances {
    sums: Vec<u16>,
    smallest: Vec<u8>,
}

/// Greedily from the identity on. All orders are kept as one list a place, which is compared with a chosen order at a
/// run through memory.
fn farthest(tiles: usize, count: usize, rule: Farthest) -> Vec<Vec<u8>> {
    let places = all_orders(tiles);
    let total = places[0].len();
    let mut distances = Distances { sums: vec![0; total], smallest: vec![tiles as u8; total] };
    let mut chosen: Vec<Vec<u8>> = Vec::with_capacity(count);
    let mut next = 0;
    let mut equal = vec![0u8; total];
    loop {
        let order: Vec<u8> = places.iter().map(|tiles| tiles[next]).collect();
        equal.fill(0);
        for (tiles, &own) in places.iter().zip(&order) {
            equal.iter_mut().zip(tiles).for_each(|(equal, &tile)| *equal += u8::from(tile == own));
        }
        for ((sum, smallest), &equal) in distances.sums.iter_mut().zip(&mut distances.smallest).zip(&equal) {
            let distance = tiles as u8 - equal;
            *sum += u16::from(distance);
            *smallest = distance.min(*smallest);
        }
        chosen.push(order);
        if chosen.len() == count {
            return chosen;
        }
        next = distances.best(rule);
    }
}

impl Distances {
    /// The first of the farthest orders that was not chosen before: those have a smallest distance of 0.
    fn best(&self, rule: Farthest) -> usize {
        let (mut best, mut score) = (0, 0);
        for (index, (&sum, &smallest)) in self.sums.iter().zip(&self.smallest).enumerate() {
            let own = match rule {
                Farthest::Mean => u32::from(sum),
                Farthest::Smallest => u32::from(smallest) << 16 | u32::from(sum),
            };
            if smallest > 0 && own > score {
                (best, score) = (index, own);
            }
        }
        best
    }
}

/// All orders in the order of a dictionary, one list a place.
fn all_orders(tiles: usize) -> Vec<Vec<u8>> {
    let mut places: Vec<Vec<u8>> = vec![Vec::new(); tiles];
    let mut order: Vec<u8> = (0..tiles as u8).collect();
    loop {
        places.iter_mut().zip(&order).for_each(|(place, &tile)| place.push(tile));
        // the next in the dictionary: raise the last tile that can be raised by one behind it, turn the rest round
        let Some(pivot) = (1..tiles).rev().find(|&at| order[at - 1] < order[at]).map(|at| at - 1) else {
            return places;
        };
        let above = (pivot + 1..tiles).rev().find(|&at| order[at] > order[pivot]).expect("the next one is larger");
        order.swap(pivot, above);
        order[pivot + 1..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn set(tiles: usize, count: usize, rule: Farthest, seed: u64) -> PermutationSet {
        PermutationSet::draw(tiles, count, rule, &mut stream(seed, Purpose::Weights, 0)).expect("so many orders")
    }

    #[test]
    fn distances_are_those_known() {
        let cases = [
            (Farthest::Mean, 100, 2, Some(8.080)),
            (Farthest::Mean, 1000, 2, Some(8.008)),
            (Farthest::Mean, 2000, 2, None),
            (Farthest::Smallest, 24, 7, Some(8.315)),
            (Farthest::Smallest, 35, 7, None),
            (Farthest::Smallest, 64, 7, Some(8.123)),
            (Farthest::Smallest, 100, 6, Some(8.080)),
            (Farthest::Smallest, 1000, 5, Some(8.008)),
            (Farthest::Smallest, 2000, 4, None),
        ];
        for (rule, count, smallest, mean) in cases {
            let (found, average) = set(9, count, rule, 1).distances();
            println!("{rule:?} {count}: smallest {found}, mean {average:.4}");
            assert_eq!(found, smallest, "{rule:?} {count}");
            // in small sets it counts which of equally far orders is taken
            let tolerance = if count < 100 { 0.02 } else { 1e-3 };
            assert!(mean.is_none_or(|mean| (average - mean).abs() < tolerance), "{rule:?} {count}: {average}");
        }
    }

    #[test]
    fn every_order_is_a_permutation_and_comes_once() {
        for (tiles, count) in [(4, 24), (9, 200)] {
            let set = set(tiles, count, Farthest::Mean, 3);
            let distinct: std::collections::BTreeSet<_> = set.orders().iter().collect();
            assert_eq!(distinct.len(), count);
            for (order, back) in set.orders().iter().zip(set.inverses()) {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..tiles).collect::<Vec<_>>());
                assert!((0..tiles).all(|tile| order[back[tile]] == tile));
            }
        }
    }

    #[test]
    fn one_seed_gives_one_set_and_another_the_same_distances() {
        let first = set(9, 100, Farthest::Smallest, 1);
        assert_eq!(first, set(9, 100, Farthest::Smallest, 1));
        let other = set(9, 100, Farthest::Smallest, 2);
        assert_ne!(first, other);
        assert_eq!(first.distances(), other.distances());
    }

    #[test]
    fn more_than_there_are_is_refused() {
        let draw = |tiles, count| {
            PermutationSet::draw(tiles, count, Farthest::Mean, &mut stream(1, Purpose::Weights, 0)).is_some()
        };
        assert!(draw(4, 24) && !draw(4, 25) && !draw(16, 100) && !draw(9, 0));
    }
}
