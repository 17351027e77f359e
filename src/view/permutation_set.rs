//! Permutation sets of jigsaw puzzles, with large Hamming distances.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use rand::seq::SliceRandom;

use crate::options::words;
use crate::rng::Rng;

/// Most tiles whose permutations are enumerated: 9! = 362,880.
const MOST_TILES: usize = 9;

words! {
    /// Rule for the next permutation, the one farthest from those chosen before.
    pub enum Farthest {
        /// Largest mean Hamming distance, as in the authors' code; of a hundred permutations two then differ in two tiles only.
        Mean = "mean",
        /// Largest minimum Hamming distance; ties go to the larger mean.
        Smallest = "smallest",
    }
}

/// Set of permutations, each a class of the pretext task: under permutation p, position j gets tile `p[j]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermutationSet(Vec<Vec<usize>>);

/// Cache of computed sets that start at the identity, by number of tiles, number of permutations and rule.
type Chosen = HashMap<(usize, usize, Farthest), Arc<Vec<Vec<u8>>>>;
static CHOSEN: LazyLock<Mutex<Chosen>> = LazyLock::new(Mutex::default);

impl PermutationSet {
    /// Draws `count` permutations of `tiles` tiles greedily, each the farthest from those before it (Noroozi and Favaro 2016,
    /// algorithm 1). The first is the identity; `rng` then relabels the tiles, which keeps all distances. The same random
    /// stream gives the same set, so a run saves only its seed.
    ///
    /// `None` if there are fewer permutations than `count`, or more than nine tiles.
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

    /// Permutations by class.
    pub fn orders(&self) -> &[Vec<usize>] {
        &self.0
    }

    /// Inverse of each permutation.
    pub fn inverses(&self) -> Vec<Vec<usize>> {
        let inverse = |order: &Vec<usize>| {
            let mut positions = vec![0; order.len()];
            order.iter().enumerate().for_each(|(position, &tile)| positions[tile] = position);
            positions
        };
        self.0.iter().map(inverse).collect()
    }

    /// Minimum and mean Hamming distance over all pairs.
    pub fn distances(&self) -> (usize, f64) {
        let mut smallest = usize::MAX;
        let mut sum = 0;
        let mut pairs = 0;
        for (index, one) in self.0.iter().enumerate() {
            for other in &self.0[..index] {
                let distance = one.iter().zip(other).filter(|(a, b)| a != b).count();
                smallest = smallest.min(distance);
                sum += distance;
                pairs += 1;
            }
        }
        (smallest, sum as f64 / f64::from(pairs.max(1)))
    }
}

/// Sum and minimum of the distances of every permutation to those chosen so far.
struct Distances {
    sums: Vec<u16>,
    smallest: Vec<u8>,
}

/// Greedy selection from the identity on. All permutations are stored as one list for each position, so that comparing them with a
/// chosen one reads memory in order.
fn farthest(tiles: usize, count: usize, rule: Farthest) -> Vec<Vec<u8>> {
    let positions = all_orders(tiles);
    let total = positions[0].len();
    let mut distances = Distances { sums: vec![0; total], smallest: vec![tiles as u8; total] };
    let mut chosen: Vec<Vec<u8>> = Vec::with_capacity(count);
    let mut next = 0;
    let mut equal = vec![0u8; total];
    loop {
        let order: Vec<u8> = positions.iter().map(|tiles| tiles[next]).collect();
        equal.fill(0);
        for (tiles, &own) in positions.iter().zip(&order) {
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
    /// Index of the first of the farthest permutations; chosen ones have a minimum distance of 0 and are skipped.
    fn best(&self, rule: Farthest) -> usize {
        let mut best = 0;
        let mut score = 0;
        for (index, (&sum, &smallest)) in self.sums.iter().zip(&self.smallest).enumerate() {
            let own = match rule {
                Farthest::Mean => u32::from(sum),
                Farthest::Smallest => u32::from(smallest) << 16 | u32::from(sum),
            };
            if smallest > 0 && own > score {
                best = index;
                score = own;
            }
        }
        best
    }
}

/// All permutations in lexicographic order, one list for each position.
fn all_orders(tiles: usize) -> Vec<Vec<u8>> {
    let mut positions: Vec<Vec<u8>> = vec![Vec::new(); tiles];
    let mut order: Vec<u8> = (0..tiles as u8).collect();
    loop {
        positions.iter_mut().zip(&order).for_each(|(position, &tile)| position.push(tile));
        // next permutation: swap the last ascent with the next larger tile behind it, then reverse the tail
        let Some(pivot) = (1..tiles).rev().find(|&at| order[at - 1] < order[at]).map(|at| at - 1) else {
            return positions;
        };
        let above = (pivot + 1..tiles).rev().find(|&at| order[at] > order[pivot]).expect("the pivot is an ascent");
        order.swap(pivot, above);
        order[pivot + 1..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn set(tiles: usize, count: usize, rule: Farthest, seed: u64) -> PermutationSet {
        PermutationSet::draw(tiles, count, rule, &mut stream(seed, Purpose::Weights, 0)).expect("enough permutations")
    }

    #[test]
    fn distances_have_their_known_values() {
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
            // the mean of a small set depends on which of equally far permutations is chosen
            let tolerance = if count < 100 { 0.02 } else { 1e-3 };
            assert!(mean.is_none_or(|mean| (average - mean).abs() < tolerance), "{rule:?} {count}: {average}");
        }
    }

    #[test]
    fn permutations_are_valid_and_distinct() {
        for (tiles, count) in [(4, 24), (9, 200)] {
            let set = set(tiles, count, Farthest::Mean, 3);
            let distinct: std::collections::BTreeSet<_> = set.orders().iter().collect();
            assert_eq!(distinct.len(), count);
            for (order, inverse) in set.orders().iter().zip(set.inverses()) {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..tiles).collect::<Vec<_>>());
                assert!((0..tiles).all(|tile| order[inverse[tile]] == tile));
            }
        }
    }

    #[test]
    fn the_seed_determines_the_set_and_not_its_distances() {
        let first = set(9, 100, Farthest::Smallest, 1);
        assert_eq!(first, set(9, 100, Farthest::Smallest, 1));
        let other = set(9, 100, Farthest::Smallest, 2);
        assert_ne!(first, other);
        assert_eq!(first.distances(), other.distances());
    }

    #[test]
    fn more_permutations_than_exist_give_none() {
        let draw = |tiles, count| {
            PermutationSet::draw(tiles, count, Farthest::Mean, &mut stream(1, Purpose::Weights, 0)).is_some()
        };
        assert!(draw(4, 24) && !draw(4, 25) && !draw(16, 100) && !draw(9, 0));
    }
}
