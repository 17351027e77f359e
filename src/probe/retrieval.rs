//! Image retrieval: the training images nearest to a test image, and the share of them that have its class.
//!
//! Training images are ranked by the cosine of their features with those of the test image. Precision at k is the share of
//! the first k that are of its class. Average precision is the mean of the precisions at the places of all R training
//! images of its class, `AP = 1/R sum_k P(k) rel(k)`, without interpolation (Manning, Raghavan and Schuetze 2008, section
//! 8.4); mAP is its mean over test images. Training images with equal cosines have no order among them: both measures are
//! their expected values over all orders of such ties (McSherry and Najork 2008). Test images whose class has no training image
//! have no average precision and are left out.

use burn::tensor::Device;

use super::features::Features;
use super::interval::{of_bounded, wilson};
use super::knn::similarities;
use crate::error::Result;

/// Ranks at which precision is measured.
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
    /// The 95 % interval of the mean: Wilson's for precision at 1, which is a share; that of [`of_bounded`] for the others.
    pub interval: [f64; 2],
}

/// Ranks all training rows for each test row.
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
    let mut asked = truth.iter();
    let mut keys = Vec::with_capacity(train.len());
    similarities(train, test, device, |row| {
        let class = asked.next().expect("a label for each test row");
        rank(row, &mut keys);
        if let Some(found) = judge(ties(row, &keys).map(|tied| Tie::of(tied, labels, *class)), keys.len()) {
            values.iter_mut().zip(found).for_each(|(values, value)| values.push(value));
        }
    })
    .await?;
    let mut names = MEASURES.into_iter();
    Ok(values.map(|values| {
        let name = names.next().expect("a name a measure");
        let (mean, interval) = of_bounded(&values);
        // precision at 1 is a share of images, but for ties
        let interval = if name == MEASURES[0] { wilson(mean, values.len()) } else { interval };
        Measure { name, mean, interval }
    }))
}

/// All training rows from the nearest to the farthest, as integers that sort quickly: the inverted similarity in the high bits,
/// the row in the low bits.
fn rank(similarities: &[f32], keys: &mut Vec<u64>) {
    let falling = |value: f32| {
        // maps floats to integers of the same order: negative ones are inverted, the others get the sign bit
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

/// The ranking in runs of rows with equal similarities.
fn ties<'a>(row: &'a [f32], keys: &'a [u64]) -> impl Iterator<Item = &'a [u64]> {
    keys.chunk_by(|a, b| row[place(*a)] == row[place(*b)])
}

/// Rows of equal rank.
#[derive(Clone, Copy, Debug)]
struct Tie {
    rows: usize,
    /// Those of the right class.
    right: usize,
}

impl Tie {
    fn of(tied: &[u64], labels: &[u16], class: u16) -> Self {
        Self { rows: tied.len(), right: tied.iter().filter(|key| labels[place(**key)] == class).count() }
    }
}

/// Precisions at [`CUTS`] and the average precision of one ranking of `rows` rows, the nearest first: expected values over the
/// orders of ties. Nothing where no row is of the right class.
///
/// In a run of m rows of which r are right, after b rows of which f are right, each place j = 1..m is right with probability
/// r/m; then f + 1 + (j - 1)(r - 1)/(m - 1) right rows are expected among the first b + j.
fn judge(ranking: impl Iterator<Item = Tie>, rows: usize) -> Option<[f64; 4]> {
    let mut before = 0usize;
    let mut found = 0usize;
    let mut sum = 0.0;
    let mut within = [0.0; 3];
    for Tie { rows, right } in ranking {
        let share = right as f64 / rows as f64;
        for (cut, within) in CUTS.iter().zip(&mut within) {
            *within += share * cut.saturating_sub(before).min(rows) as f64;
        }
        let others = right.saturating_sub(1) as f64 / (rows - 1).max(1) as f64;
        if right > 0 {
            let precision = |at: usize| (found as f64 + 1.0 + at as f64 * others) / (before + at + 1) as f64;
            sum += share * (0..rows).map(precision).sum::<f64>();
        }
        (before, found) = (before + rows, found + right);
    }
    let at = |cut: usize| within[cut] / CUTS[cut].min(rows) as f64;
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

    fn single(ranking: &[bool]) -> Option<[f64; 4]> {
        judge(ranking.iter().map(|&right| Tie { rows: 1, right: usize::from(right) }), ranking.len())
    }

    #[test]
    fn average_precision_has_the_values_of_the_textbook() {
        // right at places 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3
        let found = single(&[true, false, true, true, false]).expect("some are right");
        assert!((found[3] - (1.0 + 2.0 / 3.0 + 0.75) / 3.0).abs() < 1e-12);
        assert!((found[1] - 0.6).abs() < 1e-12 && found[0] == 1.0, "of five rows no more than five are looked at");
        assert_eq!(single(&[false; 4]), None);
        assert_eq!(single(&[true; 12]), Some([1.0; 4]));
    }

    #[test]
    fn ties_give_the_mean_over_all_orders() {
        // a right row, then a tie of four with two right ones, then a wrong one
        let found = judge([(1, 1), (4, 2), (1, 0)].map(|(rows, right)| Tie { rows, right }).into_iter(), 6);
        let mut sums = [0.0; 4];
        let orders: Vec<[usize; 2]> = (0..4).flat_map(|a| (a + 1..4).map(move |b| [a, b])).collect();
        for right in &orders {
            let mut ranking = [true, false, false, false, false, false];
            right.iter().for_each(|place| ranking[1 + place] = true);
            let one = single(&ranking).expect("three are right");
            sums.iter_mut().zip(one).for_each(|(sum, value)| *sum += value / orders.len() as f64);
        }
        for (found, expected) in found.expect("three are right").into_iter().zip(sums) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_collapsed_representation_scores_chance() {
        let train = features(vec![1.0; 40], 2);
        let labels: Vec<u16> = (0..20).map(|row| u16::from(row >= 5)).collect();
        let found = block_on(measure(&train, &labels, &train.rows_of(0..2), &[0, 1], &Device::flex()));
        let found = found.expect("measures");
        assert!((found[0].mean - 0.5).abs() < 1e-9 && (found[2].mean - 0.5).abs() < 1e-9, "a quarter, three quarters");
        let [low, high] = found[3].interval;
        assert!(low < found[3].mean && found[3].mean < high && low >= 0.0 && high <= 1.0, "{found:?}");
    }

    #[test]
    fn places_are_sorted_by_falling_similarity_and_ties_by_place() {
        let mut keys = Vec::new();
        rank(&[-0.5, 0.25, -1.0, 0.25, 0.0, 1.0], &mut keys);
        assert_eq!(keys.into_iter().map(place).collect::<Vec<_>>(), [5, 1, 3, 4, 0, 2]);
    }

    #[test]
    fn a_class_without_a_training_image_is_asked_for_nothing() {
        let train = features(vec![1.0, 0.0, 0.0, 1.0], 2);
        let test = features(vec![1.0, 0.1, 1.0, 0.1], 2);
        let found = block_on(measure(&train, &[0, 1], &test, &[0, 7], &Device::flex())).expect("measures");
        assert_eq!((found[0].mean, found[3].mean), (1.0, 1.0), "only the first is counted");
    }
}
