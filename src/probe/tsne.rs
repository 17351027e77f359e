//! A map of features on which neighbours stay neighbours: t-SNE.

use super::features::Features;
use super::plane::plane;

/// Neighbours that each row looks at, softly counted.
pub const PERPLEXITY: f64 = 30.0;
/// Rows at most: every pair is compared in every round.
pub const MOST: usize = 5000;
/// Rounds in which attraction is exaggerated, and rounds in all.
const EARLY: usize = 250;
const ROUNDS: usize = 750;
const EXAGGERATION: f64 = 12.0;
/// Halvings of the interval in which a row's width is sought.
const HALVINGS: usize = 50;
/// The spread that the first places are brought to.
const START: f64 = 1e-4;

/// Where each row falls, so that rows that point the same way come to lie together.
///
/// With `p_j|i ~ exp(-b_i |x_i - x_j|^2)` over unit rows `x`, `b_i` such that the entropy is the logarithm of
/// [`PERPLEXITY`], `p_ij = (p_j|i + p_i|j) / 2n` and `q_ij ~ 1 / (1 + |y_i - y_j|^2)`, the places `y` minimise
/// `KL(P || Q)`: van der Maaten and Hinton 2008, every pair counted. It begins with the plane of the widest directions
/// (Kobak and Berens 2019) and takes steps of `n / 48`, at least 50 (Belkina et al. 2019). The same rows give the same
/// map. Distances between far groups mean little.
pub fn tsne(features: &Features) -> Vec<[f64; 2]> {
    let n = features.len();
    let affinities = affinities(features);
    let mut places = plane(features).points;
    let widest = (places.iter().map(|place| place[0] * place[0]).sum::<f64>() / n.max(1) as f64).sqrt();
    places.iter_mut().flatten().for_each(|x| *x *= START / widest.max(1e-12));
    let rate = (n as f64 / EXAGGERATION / 4.0).max(50.0);
    let (mut speeds, mut gains) = (vec![[0.0; 2]; n], vec![[1.0; 2]; n]);
    for round in 0..ROUNDS {
        let (exaggeration, momentum) = if round < EARLY { (EXAGGERATION, 0.5) } else { (1.0, 0.8) };
        let slopes = slopes(&affinities, &places, exaggeration);
        for (row, slope) in slopes.iter().enumerate() {
            for axis in 0..2 {
                let (speed, gain): (&mut f64, &mut f64) = (&mut speeds[row][axis], &mut gains[row][axis]);
                // against the slope already: go on faster
                let along = *speed * slope[axis] < 0.0;
                *gain = if along { *gain + 0.2 } else { (*gain * 0.8).max(0.01) };
                *speed = momentum * *speed - rate * *gain * slope[axis];
                places[row][axis] += *speed;
            }
        }
    }
    places
}

/// The gradient of the divergence: `4 sum_j (e p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)`.
fn slopes(affinities: &[f32], places: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    let n = places.len();
    let (mut pulls, mut pushes, mut whole) = (vec![[0.0; 2]; n], vec![[0.0; 2]; n], 0.0);
    for (row, place) in places.iter().enumerate() {
        let (mut pull, mut push) = ([0.0; 2], [0.0; 2]);
        for (other, &p) in places.iter().zip(&affinities[row * n..(row + 1) * n]) {
            let apart = [place[0] - other[0], place[1] - other[1]];
            let near = 1.0 / (1.0 + apart[0] * apart[0] + apart[1] * apart[1]);
            whole += near;
            let (p, q) = (f64::from(p) * near, near * near);
            pull = [pull[0] + p * apart[0], pull[1] + p * apart[1]];
            push = [push[0] + q * apart[0], push[1] + q * apart[1]];
        }
        (pulls[row], pushes[row]) = (pull, push);
    }
    // a row is no neighbour of itself
    whole = (whole - n as f64).max(1e-12);
    let slope = |(pull, push): (&[f64; 2], &[f64; 2])| {
        [0, 1].map(|axis| 4.0 * (exaggeration * pull[axis] - push[axis] / whole))
    };
    pulls.iter().zip(&pushes).map(slope).collect()
}

/// `p_ij` of every pair, `[n, n]`; they sum to 1.
fn affinities(features: &Features) -> Vec<f32> {
    let n = features.len();
    let rows: Vec<Vec<f32>> = features.rows().map(unit).collect();
    let perplexity = PERPLEXITY.min((n.saturating_sub(1)) as f64 / 3.0).max(1.0);
    let mut conditional = vec![0.0_f32; n * n];
    for (row, own) in rows.iter().enumerate() {
        let squares: Vec<f64> = rows.iter().map(|other| f64::from(2.0 - 2.0 * dot(own, other)).max(0.0)).collect();
        let shares = shares(&squares, row, perplexity);
        conditional[row * n..(row + 1) * n].iter_mut().zip(shares).for_each(|(p, share)| *p = share as f32);
    }
    let scale = 1.0 / (2.0 * n.max(1) as f32);
    (0..n * n).map(|at| scale * (conditional[at] + conditional[at % n * n + at / n])).collect()
}

/// `p_j|i` of one row: as narrow as the perplexity asks for.
fn shares(squares: &[f64], own: usize, perplexity: f64) -> Vec<f64> {
    let nearest = squares.iter().enumerate().filter(|(place, _)| *place != own).map(|(_, square)| *square);
    let nearest = nearest.fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut narrowness) = (0.0, f64::INFINITY, 1.0);
    let mut shares = vec![0.0; squares.len()];
    for _ in 0..HALVINGS {
        let (mut sum, mut weighed) = (0.0, 0.0);
        for (place, (share, square)) in shares.iter_mut().zip(squares).enumerate() {
            // the nearest counts as distance 0, so that the sum is never empty
            *share = if place == own { 0.0 } else { (-narrowness * (square - nearest)).exp() };
            sum += *share;
            weighed += *share * (square - nearest);
        }
        let sum = f64::max(sum, 1e-300);
        shares.iter_mut().for_each(|share| *share /= sum);
        let entropy = sum.ln() + narrowness * weighed / sum;
        if entropy > perplexity.ln() {
            low = narrowness;
            narrowness = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * narrowness };
        } else {
            high = narrowness;
            narrowness = (low + high) / 2.0;
        }
    }
    shares
}

fn unit(row: &[f32]) -> Vec<f32> {
    let length = dot(row, row).sqrt().max(1e-12);
    row.iter().map(|x| x / length).collect()
}

/// Eight sums at once, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    /// Rows around three directions, one after the other.
    fn groups(count: usize, noise: f32) -> Features {
        let width = 11;
        let noise = normal(&mut stream(1, Purpose::Probe, 0), count * width, noise);
        let at = |place: usize| if place % width == place / width % 3 { 1.0 } else { 0.0 };
        let values = noise.iter().enumerate().map(|(place, noise)| at(place) + noise).collect();
        Features { layer: "test".into(), width, values }
    }

    fn square(a: &[f64; 2], b: &[f64; 2]) -> f64 {
        (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
    }

    #[test]
    fn rows_that_point_the_same_way_lie_together() {
        let places = tsne(&groups(120, 0.2));
        let nearest = |row: usize| {
            let others = (0..places.len()).filter(|other| *other != row);
            others.min_by(|a, b| square(&places[row], &places[*a]).total_cmp(&square(&places[row], &places[*b])))
        };
        let right = (0..places.len()).filter(|row| nearest(*row).is_some_and(|near| near % 3 == row % 3)).count();
        assert!(right >= 117, "{right} of 120 have a neighbour of their own kind");
        assert_eq!(places, tsne(&groups(120, 0.2)), "nothing is left to chance");
    }

    #[test]
    fn each_row_looks_at_as_many_neighbours_as_asked() {
        let features = groups(200, 0.3);
        let affinities = affinities(&features);
        assert!((affinities.iter().map(|p| f64::from(*p)).sum::<f64>() - 1.0).abs() < 1e-4);
        let rows: Vec<Vec<f32>> = features.rows().map(unit).collect();
        for row in [0, 77, 199] {
            let squares: Vec<f64> = rows.iter().map(|other| f64::from(2.0 - 2.0 * dot(&rows[row], other))).collect();
            let shares = shares(&squares, row, 30.0);
            let entropy: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
            assert!((entropy.exp() - 30.0).abs() < 1e-6 && shares[row] == 0.0, "{}", entropy.exp());
        }
    }

    #[test]
    fn slopes_are_those_of_the_divergence() {
        let affinities = affinities(&groups(9, 0.3));
        let places: Vec<[f64; 2]> = (0..9).map(|i| [(i * i % 7) as f64 / 3.0, (i * 5 % 9) as f64 / 4.0]).collect();
        let divergence = |places: &[[f64; 2]]| {
            let near = |i: usize, j: usize| if i == j { 0.0 } else { 1.0 / (1.0 + square(&places[i], &places[j])) };
            let whole: f64 = (0..81).map(|at| near(at / 9, at % 9)).sum();
            let of = |at: usize| {
                let p = f64::from(affinities[at]);
                if at / 9 == at % 9 { 0.0 } else { p * (p * whole / near(at / 9, at % 9)).ln() }
            };
            (0..81).map(of).sum::<f64>()
        };
        for (row, slope) in slopes(&affinities, &places, 1.0).iter().enumerate() {
            for axis in 0..2 {
                let moved = |by: f64| {
                    let mut places = places.clone();
                    places[row][axis] += by;
                    divergence(&places)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope[axis] - expected).abs() < 1e-6, "{row} {axis}: {} {expected}", slope[axis]);
            }
        }
    }

    #[test]
    fn few_rows_and_equal_rows_have_places_too() {
        for values in [vec![], vec![1.0, 2.0], vec![1.0, 2.0, 2.0, 1.0], vec![1.0; 40], vec![0.0; 40]] {
            let count = values.len() / 2;
            let places = tsne(&Features { layer: "test".into(), width: 2, values });
            assert!(places.len() == count && places.iter().flatten().all(|x| x.is_finite()), "{places:?}");
        }
    }
}
