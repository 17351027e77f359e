//! Nearest neighbours by cosine, weighted by closeness (Wu et al. 2018, section 3.4).

use burn::tensor::{Device, Tensor, TensorData};

use super::features::{Features, floats};
use crate::error::{Error, Result};
use crate::platform;

/// Test rows compared at once; bounds the block of similarities in memory.
const CHUNK: usize = 256;

/// Settings of the vote of neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Votes {
    /// Number of neighbours.
    pub k: usize,
    /// A neighbour at cosine s votes with exp(s / temperature).
    pub temperature: f64,
    /// Number of classes.
    pub classes: usize,
}

/// Predicts a class for every test row by the votes of its k nearest training rows. Rows as near as the k-th share the
/// remaining votes, so that the result does not depend on the order of the training rows.
///
/// # Errors
/// When the device is lost.
pub async fn predict(
    train: &Features,
    labels: &[u16],
    test: &Features,
    votes: &Votes,
    device: &Device,
) -> Result<Vec<u16>> {
    let mut named = Vec::with_capacity(test.len());
    similarities(train, test, device, |row| named.push(vote(row, &nearest(row, votes.k), labels, votes))).await?;
    Ok(named)
}

/// The `k` training rows nearest to each test row by cosine, the nearest first: their similarity and their place.
///
/// # Errors
/// When the device is lost.
pub async fn neighbours(
    train: &Features,
    test: &Features,
    k: usize,
    device: &Device,
) -> Result<Vec<Vec<(f32, usize)>>> {
    let mut found = Vec::with_capacity(test.len());
    similarities(train, test, device, |row| found.push(nearest(row, k))).await?;
    Ok(found)
}

/// Hands the cosines of each test row with all training rows, `[n]`, to `see` in order.
///
/// # Errors
/// When the device is lost.
pub(super) async fn similarities(
    train: &Features,
    test: &Features,
    device: &Device,
    mut see: impl FnMut(&[f32]),
) -> Result<()> {
    let bank = unit_features(train, 0, train.len(), device).transpose(); // [d, n]
    for start in (0..test.len()).step_by(CHUNK) {
        let end = (start + CHUNK).min(test.len());
        let similarities = unit_features(test, start, end, device).matmul(bank.clone()); // [m, n]
        let data = similarities.into_data_async().await.map_err(Error::read)?;
        floats(data)?.chunks_exact(train.len()).for_each(&mut see);
        platform::yield_now().await;
    }
    Ok(())
}

/// Rows `start` to `end` at length 1, `[end - start, d]`. They are divided on the host, so that the device holds a single copy.
fn unit_features(features: &Features, start: usize, end: usize, device: &Device) -> Tensor<2> {
    let mut values = Vec::with_capacity((end - start) * features.width);
    for row in features.rows().skip(start).take(end - start) {
        let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12) as f32;
        values.extend(row.iter().map(|x| x / norm));
    }
    Tensor::from_data(TensorData::new(values, [end - start, features.width]), device)
}

/// The class with the most weight among the `nearest` of a row of similarities; ties go to the lower class.
fn vote(row: &[f32], nearest: &[(f32, usize)], labels: &[u16], votes: &Votes) -> u16 {
    let mut weights = vec![0f64; votes.classes];
    let mut cast = |similarity: f32, index: usize, share: f64| {
        weights[usize::from(labels[index])] += share * (f64::from(similarity) / votes.temperature).exp();
    };
    let furthest = nearest.last().map_or(f32::NEG_INFINITY, |last| last.0);
    let (nearer, equal): (Vec<_>, Vec<_>) = nearest.iter().partition(|(similarity, _)| *similarity > furthest);
    nearer.iter().for_each(|&(similarity, index)| cast(similarity, index, 1.0));
    let tied: Vec<usize> = (0..row.len()).filter(|&index| row[index] == furthest).collect();
    let share = equal.len() as f64 / tied.len().max(1) as f64;
    tied.into_iter().for_each(|index| cast(furthest, index, share));
    let best = weights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map_or(0, |(class, _)| class as u16)
}

/// The k largest values with their places, kept sorted while passing through once.
fn nearest(values: &[f32], k: usize) -> Vec<(f32, usize)> {
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(k + 1);
    for (index, &value) in values.iter().enumerate() {
        if best.len() == k && best.last().is_some_and(|last| value <= last.0) {
            continue;
        }
        let place = best.partition_point(|kept| kept.0 >= value);
        best.insert(place, (value, index));
        best.truncate(k);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    fn features(values: &[f32], width: usize) -> Features {
        Features { layer: "test".into(), width, values: values.to_vec() }
    }

    #[test]
    fn length_of_a_row_does_not_matter_and_weights_do() {
        // towards (1, 0): one very close of class 1, two less close of class 0
        let train = features(&[10.0, 0.1, 1.0, 1.0, 0.5, 0.5, -1.0, 0.0], 2);
        let test = features(&[3.0, 0.0], 2);
        let name = |temperature, k| {
            let votes = Votes { k, temperature, classes: 2 };
            block_on(predict(&train, &[1, 0, 0, 0], &test, &votes, &Device::flex())).expect("a vote")[0]
        };
        assert_eq!(name(0.07, 3), 1, "at a low temperature the closest decides");
        assert_eq!(name(100.0, 3), 0, "at a high one the majority");
        assert_eq!(name(100.0, 1), 1);
    }

    #[test]
    fn rows_that_tie_vote_alike_in_any_order() {
        // one near row of class 1, then six equal ones, two of them of class 1, for two more votes
        let row = [0.5, 0.5, 0.5, 0.9, 0.5, 0.5, 0.5];
        let votes = Votes { k: 3, temperature: 1e6, classes: 2 };
        for labels in [[0, 0, 0, 1, 0, 1, 1], [1, 1, 0, 1, 0, 0, 0]] {
            assert_eq!(vote(&row, &nearest(&row, 3), &labels, &votes), 1, "1 + 2/3 against 4/3");
        }
        let collapsed = features(&[1.0; 20], 2);
        let labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
        let named = block_on(predict(&collapsed, &labels, &collapsed, &Votes { k: 3, ..votes }, &Device::flex()));
        assert_eq!(named.expect("votes"), [0; 10], "the majority of all, not of the first three");
    }

    #[test]
    fn nearest_agrees_with_sorting() {
        let values: Vec<f32> = (0..500).map(|i| ((i * 7919) % 1009) as f32).collect();
        let mut sorted: Vec<(f32, usize)> = values.iter().copied().zip(0..).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(nearest(&values, 20), sorted[..20]);
    }
}
