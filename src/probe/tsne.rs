//! A map of features on which neighbours stay neighbours: t-SNE.

use bhtsne::{Neighbor, tSNE};
use burn::tensor::Device;
use rayon::ThreadPoolBuilder;

use super::features::Features;
use super::knn;
use super::plane::plane;
use crate::error::{Error, Result};

/// Perplexity: the effective number of neighbours of each row.
pub const PERPLEXITY: usize = 30;
/// Nearest rows looked up per unit of perplexity (van der Maaten 2014, section 4.1).
const REACH: usize = 3;
/// Least perplexity of a map; with fewer rows, or rows that all point the same way, the map is the plane of the first two
/// principal components.
const FEWEST: usize = 2;
const NARROW: f64 = 1e-9;
/// Rounds in which attraction is exaggerated.
const EARLY: usize = 250;
/// Rounds in all.
pub const ROUNDS: usize = 750;
/// Angle below which a group of far rows counts as one (Barnes-Hut theta).
const THETA: f32 = 0.5;
/// Least increase of the distance from one neighbour to the next: among equally far neighbours no bandwidth gives the entropy
/// of the perplexity.
const APART: f32 = 1e-5;
/// Standard deviation of the first coordinates.
const START: f64 = 1e-4;

/// Coordinates of each row, at which rows of similar direction lie together.
///
/// With `p_j|i ~ exp(-b_i |x_i - x_j|^2)` over the nearest unit rows `x`, `b_i` such that the entropy is the logarithm of
/// [`PERPLEXITY`], `p_ij = (p_j|i + p_i|j) / 2n` and `q_ij ~ 1 / (1 + |y_i - y_j|^2)`, the places `y` minimise `KL(P || Q)`,
/// far rows approximated as groups (Barnes-Hut: van der Maaten 2014). It starts from the first two principal components (Kobak
/// and Berens 2019) and takes steps of `n / 48`, at least 50 (Belkina et al. 2019). The same rows give the same map. Distances
/// between far groups mean little. `tell` is called in each round.
///
/// # Errors
/// When the device is lost, or no thread can be had.
pub async fn tsne(features: &Features, device: &Device, tell: impl Fn(usize) + Sync) -> Result<Vec<[f64; 2]>> {
    let mut start = plane(features).points;
    let widest = (start.iter().map(|place| place[0] * place[0]).sum::<f64>() / start.len().max(1) as f64).sqrt();
    let reach = (REACH * PERPLEXITY).min(features.len().saturating_sub(1));
    if reach < FEWEST * REACH || widest < NARROW {
        return Ok(start);
    }
    let neighbours = neighbours(features, reach, device).await?;
    start.iter_mut().flatten().for_each(|x| *x *= START / widest);
    let start: Vec<f32> = start.iter().flatten().map(|&x| x as f32).collect();
    // on several threads the order of summation, and with it the map, would vary from run to run
    let alone = ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| Error::Run(error.to_string()))?;
    let places = alone.install(|| {
        let rows: Vec<&[f32]> = features.rows().collect();
        let mut map = tSNE::<f32, &[f32], 2>::new(&rows);
        map.epochs(ROUNDS).stop_lying_epoch(EARLY).momentum_switch_epoch(EARLY);
        map.perplexity(reach as f32 / REACH as f32).initial_embedding(start).epoch_callback(|round, _| tell(round));
        map.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
    });
    Ok(places.chunks_exact(2).map(|place| [f64::from(place[0]), f64::from(place[1])]).collect())
}

/// The `reach` rows nearest to each, itself left out. Of their squared distances between unit rows that of the nearest is taken
/// off, which changes no `p_j|i` and keeps the largest of them from rounding to 0.
async fn neighbours(features: &Features, reach: usize, device: &Device) -> Result<Vec<Vec<Neighbor<f32>>>> {
    let nearest = knn::neighbours(features, features, reach + 1, device).await?;
    let others = |(row, nearest): (usize, Vec<(f32, usize)>)| {
        let others: Vec<_> = nearest.into_iter().filter(|&(_, index)| index != row).take(reach).collect();
        let first = others.first().map_or(0.0, |&(cosine, _)| cosine);
        let at = |(rank, &(cosine, index)): (usize, &(f32, usize))| {
            // |x - y|^2 = 2 - 2 cos
            Neighbor { index, distance: (2.0 * (first - cosine)).sqrt() + APART * rank as f32 }
        };
        others.iter().enumerate().map(at).collect()
    };
    Ok(nearest.into_iter().enumerate().map(others).collect())
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, normal, stream};

    fn map(features: &Features) -> Vec<[f64; 2]> {
        block_on(tsne(features, &Device::flex(), |_| {})).expect("a map")
    }

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
        let places = map(&groups(120, 0.2));
        let nearest = |row: usize| {
            let others = (0..places.len()).filter(|other| *other != row);
            others.min_by(|a, b| square(&places[row], &places[*a]).total_cmp(&square(&places[row], &places[*b])))
        };
        let right = (0..places.len()).filter(|row| nearest(*row).is_some_and(|near| near % 3 == row % 3)).count();
        assert!(right >= 117, "{right} of 120 have a neighbour of their own kind");
        assert_eq!(places, map(&groups(120, 0.2)), "nothing is left to chance");
    }

    #[test]
    fn neighbours_are_the_nearest_other_points() {
        let features = groups(50, 0.3);
        let found = block_on(neighbours(&features, 7, &Device::flex())).expect("neighbours");
        let unit = |row: &[f32]| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter().map(|x| x / length).collect::<Vec<f32>>()
        };
        let rows: Vec<Vec<f32>> = features.rows().map(unit).collect();
        for (row, found) in found.iter().enumerate() {
            let apart =
                |other: usize| rows[row].iter().zip(&rows[other]).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            let mut others: Vec<usize> = (0..50).filter(|&other| other != row).collect();
            others.sort_by(|&a, &b| apart(a).total_cmp(&apart(b)));
            assert_eq!(found.iter().map(|found| found.index).collect::<Vec<_>>(), others[..7]);
            let beyond = |other: usize| (apart(other).powi(2) - apart(others[0]).powi(2)).sqrt();
            assert!(found.iter().all(|found| (found.distance - beyond(found.index)).abs() < 1e-3));
        }
    }

    #[test]
    fn few_rows_and_equal_rows_have_places_too() {
        for values in [vec![], vec![1.0, 2.0], vec![1.0, 2.0, 2.0, 1.0], vec![1.0; 8], vec![1.0; 40], vec![0.0; 40]] {
            let count = values.len() / 2;
            let places = map(&Features { layer: "test".into(), width: 2, values });
            assert!(places.len() == count && places.iter().flatten().all(|x| x.is_finite()), "{places:?}");
        }
    }
}
