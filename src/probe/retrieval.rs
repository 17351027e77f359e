//! Image retrieval: what lies nearest to a test image among the training images, and how much of it is of its class.
//!
//! Training images are ranked by the cosine of their features with those of the test image. Precision at k is the share of
//! the first k that are of its class. Average precision is the mean of the precisions at the places of all R training
//! images of its class, `AP = 1/R sum_k P(k) rel(k)`, without interpolation (Manning, Raghavan and Schuetze 2008, section
//! 8.4); mAP is its mean over test images. One whose class has no training image has no average precision, and is asked for
//! nothing.

use burn::tensor::Device;

use super::features::Features;
use super::interval::{of_mean, wilson};
use super::knn::similarities;
use crate::error::Result;

/// Where precision is looked at.
pub const CUTS: [usize; 3] = [1, 5, 10];
/// The measures' names in rows, as they come out of [`measure`].
pub const MEASURES: [&str; 4] = ["precision@1", "precision@5", "precision@10", "map"];

/// One measure over all test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its name, one of [`MEASURES`].
    pub name: &'static str,
    /// The mean over test images, 0 to 1.
    pub mean: f64,
    /// The 95 % interval of the mean: Wilson's for precision at 1, which is a share; Student's for the others.
    pub interval: [f64; 2],
}

/// Ranks all training rows for each test row. Of equally near ones the earlier counts as nearer.
///
/// # Errors
/// When the device is lost.
pub async fn measure(
    train: &Features,
    labels: &[u16],
    test: &Features,
    truth: &[u16],
    device: &Device,
) -> Result<[Measure; 4]> {
    let mut values: [Vec<f64>; 4] = Default::default();
    let (mut asked, mut keys) = (truth.iter(), Vec::with_capacity(train.len()));
    similarities(train, test, device, |row| {
        let class = asked.next().expect("a label for each test row");
        rank(row, &mut keys);
        if let Some(found) = judge(keys.iter().map(|key| labels[place(*key)] == *class)) {
            values.iter_mut().zip(found).for_each(|(values, value)| values.push(value));
        }
    })
    .await?;
    let mut names = MEASURES.into_iter();
    Ok(values.map(|values| {
        let name = names.next().expect("a name a measure");
        let (mean, spread) = if values.is_empty() { (0.0, None) } else { of_mean(&values) };
        let share = name == MEASURES[0] || spread.is_none();
        let interval = if share { wilson(mean, values.len()) } else { spread.unwrap_or_default() };
        Measure { name, mean, interval }
    }))
}

/// All places from the nearest to the furthest, as numbers that sort quickly: similarity turned round above, place below.
fn rank(similarities: &[f32], keys: &mut Vec<u64>) {
    let falling = |value: f32| {
        // the order of floats as that of whole numbers: negative ones are turned round, the others put above them
        let bits = value.to_bits();
        let rising = if bits >> 31 == 1 { !bits } else { bits | (1 << 31) };
        u64::from(!rising)
    };
    keys.clear();
    keys.extend(similarities.iter().enumerate().map(|(place, &value)| (falling(value) << 32) | place as u64));
    keys.sort_unstable();
}

fn place(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// Precisions at [`CUTS`] and the average precision of one ranking: whether each row is of the right class, the nearest
/// first. Nothing where none is.
fn judge(ranking: impl ExactSizeIterator<Item = bool>) -> Option<[f64; 4]> {
    let rows = ranking.len();
    let (mut found, mut sum, mut within) = (0usize, 0.0, [0usize; 3]);
    for (before, _) in ranking.enumerate().filter(|(_, right)| *right) {
        found += 1;
        sum += found as f64 / (before + 1) as f64;
        CUTS.iter().zip(&mut within).filter(|(cut, _)| before < **cut).for_each(|(_, within)| *within += 1);
    }
    let at = |cut: usize| within[cut] as f64 / CUTS[cut].min(rows) as f64;
    (found > 0).then(|| [at(0), at(1), at(2), sum / found as f64])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use futures_lite::future::block_on;

    fn features(values: Vec<f32>, width: usize) -> Features {
        Features { layer: "test".into(), width, values }
    }

    /// The definitions, word by word: sort, then count anew at every place.
    fn slowly(train: &Features, labels: &[u16], query: &[f32], class: u16) -> [f64; 4] {
        let cosine = |row: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            dot(row, query) / (dot(row, row) * dot(query, query)).sqrt()
        };
        let mut order: Vec<(f64, bool)> =
            train.rows().zip(labels).map(|(row, label)| (cosine(row), *label == class)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let precision = |k: usize| order[..k].iter().filter(|(_, right)| *right).count() as f64 / k as f64;
        let places: Vec<usize> = (1..=order.len()).filter(|k| order[k - 1].1).collect();
        let average = places.iter().map(|&k| precision(k)).sum::<f64>() / places.len() as f64;
        [precision(1), precision(5), precision(10), average]
    }

    #[test]
    fn agrees_with_counting_anew_at_every_place() {
        let draw = |seed, n: usize| features(normal(&mut stream(seed, Purpose::Probe, 0), n * 6, 1.0), 6);
        let (mut train, test) = (draw(1, 120), draw(2, 40));
        let labels: Vec<u16> = (0..120).map(|at| (at % 3) as u16).collect();
        let truth: Vec<u16> = (0..40).map(|at| (at % 3) as u16).collect();
        for (at, value) in train.values.iter_mut().enumerate() {
            *value += if at % 6 == usize::from(labels[at / 6]) { 1.0 } else { 0.0 };
        }
        let found = block_on(measure(&train, &labels, &test, &truth, &Device::flex())).expect("measures");
        let each: Vec<[f64; 4]> =
            test.rows().zip(&truth).map(|(row, class)| slowly(&train, &labels, row, *class)).collect();
        for (place, measure) in found.iter().enumerate() {
            let expected = each.iter().map(|values| values[place]).sum::<f64>() / 40.0;
            assert!((measure.mean - expected).abs() < 1e-9, "{}: {} is not {expected}", measure.name, measure.mean);
            let [low, high] = measure.interval;
            assert!(low < expected && expected < high && high - low < 0.4, "{measure:?}");
        }
        assert!(found[3].mean > 0.33 && found[3].mean < 0.9, "neither chance nor certainty: {found:?}");
    }

    #[test]
    fn average_precision_has_the_values_of_the_textbook() {
        // right at places 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3
        let found = judge([true, false, true, true, false].into_iter()).expect("some are right");
        assert!((found[3] - (1.0 + 2.0 / 3.0 + 0.75) / 3.0).abs() < 1e-12);
        assert_eq!(found[..3], [1.0, 0.6, 0.6], "of five rows no more than five are looked at");
        assert_eq!(judge([false; 4].into_iter()), None);
        assert_eq!(judge([true; 12].into_iter()), Some([1.0; 4]));
    }

    #[test]
    fn places_are_sorted_by_falling_similarity_and_ties_by_place() {
        let mut keys = Vec::new();
        rank(&[-0.5, 0.25, -1.0, 0.25, 0.0, 1.0], &mut keys);
        assert_eq!(keys.into_iter().map(place).collect::<Vec<_>>(), [5, 1, 3, 4, 0, 2]);
    }

    #[test]
    fn a_class_without_a_training_image_is_asked_for_nothing() {
        let (train, test) = (features(vec![1.0, 0.0, 0.0, 1.0], 2), features(vec![1.0, 0.1, 1.0, 0.1], 2));
        let found = block_on(measure(&train, &[0, 1], &test, &[0, 7], &Device::flex())).expect("measures");
        assert_eq!((found[0].mean, found[3].mean), (1.0, 1.0), "only the first is counted");
    }
}
