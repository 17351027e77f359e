//! Accuracy with few labels: the linear probe with a limited number of labelled images of each class.
//!
//! Each draw takes random training images of every class, the same for every source, and larger sets contain the smaller ones.
//! Features are standardised with the mean and deviation of 2,000 training images, drawn as for the other probes. The penalty
//! is chosen by the drawn images alone: from five labels a class on by five-fold cross-validation, from 100 on by a fifth set
//! aside; with fewer it is 1 / (labelled images), which is scikit-learn's default C = 1.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::compact::{Compact, Space};
use super::features::{self, Features};
use super::interval::of_accuracies;
use super::linear::Fit;
use super::problem::{Known, Scale};
use super::{Probing, Source, share_right};
use crate::data::{Split, draw};
use crate::error::{Error, Result};
use crate::net::Encoder;
use crate::rng::{Purpose, stream};

/// Folds of the cross-validation that chooses the penalty.
const FOLDS: usize = 5;
/// Labels a class from which a single fold chooses the penalty.
const MANY: usize = 100;
/// Largest number of draws.
const MOST_DRAWS: usize = 1000;
/// Training images by which features are standardised.
const POOL: usize = 2000;

/// Numbers of labels and draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewSettings {
    /// Labels a class, from few to many.
    pub labels: Vec<usize>,
    /// Number of random draws.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

/// Accuracies with few labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FewLabels {
    /// The settings.
    pub settings: FewSettings,
    /// One curve for each source.
    pub curves: Vec<Curve>,
}

/// Accuracy of the linear probe at one layer over the number of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Source of the features.
    pub source: Source,
    /// The layer.
    pub layer: String,
    /// One point for each number of labels.
    pub points: Vec<Point>,
}

/// The accuracy with one number of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Labels a class.
    pub labels: usize,
    /// The mean over the draws.
    pub mean: f64,
    /// The 95 % interval of the mean; see [`super::interval::of_accuracies`].
    pub interval: Option<[f64; 2]>,
    /// Test accuracy of each draw.
    pub accuracies: Vec<f64>,
    /// Chosen penalty of each draw.
    pub penalties: Vec<f64>,
}

/// The drawn images, to which probes are fitted.
#[derive(Clone, Debug)]
pub struct Draws<'a> {
    probing: Probing<'a>,
    settings: FewSettings,
    /// For each draw the images of each class, as many as the largest set has.
    drawn: Vec<Vec<Vec<usize>>>,
    /// Images whose features are needed, in order.
    needed: Vec<usize>,
    /// Positions in `needed` of the images whose mean and deviation standardise the features.
    pool: Vec<usize>,
}

impl<'a> Draws<'a> {
    /// Draws from the training images that are probed with.
    ///
    /// # Errors
    /// When a class has too few images, or nothing is asked for.
    pub fn new(probing: Probing<'a>, settings: &FewSettings) -> Result<Self> {
        let mut settings = settings.clone();
        settings.labels.sort_unstable();
        settings.labels.dedup();
        let most = settings.labels.last().copied().unwrap_or(0);
        let counts = settings.labels.first().is_some_and(|&least| least > 0);
        if !counts || !(1..=MOST_DRAWS).contains(&settings.draws) {
            return Err(Error::Config(format!("few labels are at least 1 a class, drawn 1 to {MOST_DRAWS} times")));
        }
        let Probing { data, sample, .. } = probing;
        let classes = by_class(&sample.train, data.train.labels(), data.classes.len());
        if let Some((class, images)) = classes.iter().enumerate().find(|(_, images)| images.len() < most) {
            return Err(Error::Config(format!(
                "there are only {} training images of class `{}` in use; ask for at most that many labels a class",
                images.len(),
                data.classes[class]
            )));
        }
        let draw = |number: usize| {
            let mut rng = stream(settings.seed, Purpose::Labels, number as u64);
            let some = |images: &Vec<usize>| {
                let mut images = images.clone();
                images.shuffle(&mut rng);
                images.truncate(most);
                images
            };
            classes.iter().map(some).collect::<Vec<_>>()
        };
        let drawn: Vec<_> = (0..settings.draws).map(draw).collect();
        let pool = data.train.draw_from(&sample.train, POOL, probing.settings.seed.unwrap_or(draw::SEED));
        let mut needed: Vec<usize> = drawn.iter().flatten().flatten().chain(&pool).copied().collect();
        needed.sort_unstable();
        needed.dedup();
        let pool = pool.iter().filter_map(|image| needed.binary_search(image).ok()).collect();
        Ok(Self { probing, settings, drawn, needed, pool })
    }

    /// The settings, with numbers of labels in rising order.
    pub fn settings(&self) -> &FewSettings {
        &self.settings
    }

    /// Measures one layer of an encoder.
    ///
    /// # Errors
    /// When the layer does not exist or the device is lost.
    pub async fn encoder(
        &self,
        encoder: &Encoder,
        source: Source,
        layer: &str,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Curve> {
        tell(&format!("{}: features of {layer}", source.words()));
        let Probing { data, settings, sample, device } = self.probing;
        let layers = [layer.to_string()];
        let grid = settings.grid;
        let of = async |split: &Split, images: &[usize]| -> Result<Features> {
            let found = features::of_encoder(encoder, split, images, grid, &layers, device).await?.pop();
            found.ok_or_else(|| Error::Config(format!("there is no layer `{layer}`")))
        };
        let train = of(&data.train, &self.needed).await?;
        let test = of(&data.test, &sample.test).await?;
        self.curve(source, &train, &test, tell).await
    }

    /// Measures the pixels themselves.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn pixels(&self, tell: &mut dyn FnMut(&str)) -> Result<Curve> {
        let Probing { data, sample, .. } = self.probing;
        let factor = features::pooling(data.train.size(), self.needed.len() + sample.test.len());
        let train = features::of_pixels(&data.train, &self.needed, factor);
        let test = features::of_pixels(&data.test, &sample.test, factor);
        self.curve(Source::RawPixels, &train, &test, tell).await
    }

    async fn curve(
        &self,
        source: Source,
        train: &Features,
        test: &Features,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Curve> {
        let Probing { data, sample, device, .. } = self.probing;
        let scale = Scale::of(train, &self.pool);
        let (train, test) = (scale.apply(train), scale.apply(test));
        let truth = sample.test_labels(data);
        let mut points = Vec::new();
        for &labels in &self.settings.labels {
            tell(&format!("{}: {labels} labels a class", source.words()));
            let mut accuracies = Vec::new();
            let mut penalties = Vec::new();
            for draw in &self.drawn {
                let known = self.labelled(draw, labels, &train);
                let l2 = self.penalty(&known, labels).await?;
                let Labelled { features, labels } = &known;
                let fit = Fit::with_penalty(features, labels, data.classes.len(), l2, device).await?;
                accuracies.push(share_right(&fit.predict(&test, device).await?, &truth));
                penalties.push(l2);
            }
            let (mean, interval) = of_accuracies(&accuracies, truth.len());
            points.push(Point { labels, mean, interval, accuracies, penalties });
        }
        Ok(Curve { source, layer: train.layer, points })
    }

    /// The first `labels` images of each class of a draw: one of each class, then another of each.
    fn labelled(&self, draw: &[Vec<usize>], labels: usize, train: &Features) -> Labelled {
        let turns = (0..labels).flat_map(|turn| draw.iter().map(move |images| images[turn]));
        let images: Vec<usize> = turns.collect();
        let place =
            |image: &usize| self.needed.binary_search(image).expect("the features of all drawn images are there");
        let places: Vec<usize> = images.iter().map(place).collect();
        let labels = images.iter().map(|&image| self.probing.data.train.labels()[image]).collect();
        Labelled { features: train.chosen(&places), labels }
    }

    /// Chooses the penalty by the labelled images alone.
    async fn penalty(&self, known: &Labelled, labels: usize) -> Result<f64> {
        if labels < FOLDS {
            return Ok(1.0 / known.labels.len() as f64);
        }
        let mut penalties = self.probing.settings.penalties.clone();
        penalties.sort_by(|a, b| b.total_cmp(a));
        let [only] = penalties.as_slice() else {
            return self.choose(known, labels, &penalties).await;
        };
        Ok(*only)
    }

    async fn choose(&self, Labelled { features, labels }: &Labelled, each: usize, penalties: &[f64]) -> Result<f64> {
        let Probing { data, device, .. } = self.probing;
        let classes = data.classes.len();
        let parts = if each < MANY { FOLDS } else { 1 };
        let scale = Scale::none(features.width);
        let mut right = vec![0; penalties.len()];
        for part in 0..parts {
            let (out, inside): (Vec<usize>, Vec<usize>) =
                (0..labels.len()).partition(|row| row / classes % FOLDS == part);
            let inside = Known { features, labels, rows: &inside, scale: &scale, classes };
            let space = Space::of(inside.rows.len(), features.width);
            let compact = Compact::new(inside, space, None, device).await?;
            let mut path = compact.path(Known { rows: &out, ..inside }, device);
            for (sum, &l2) in right.iter_mut().zip(penalties) {
                *sum += path.next(l2).await?.1;
            }
        }
        let best = right.iter().max().copied().unwrap_or(0);
        let place = right.iter().position(|&count| count == best).unwrap_or(0);
        Ok(penalties[place])
    }
}

/// Features with their labels.
struct Labelled {
    features: Features,
    labels: Vec<u16>,
}

fn by_class(images: &[usize], labels: &[u16], classes: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); classes];
    images.iter().for_each(|&image| found[usize::from(labels[image])].push(image));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Size};
    use crate::probe::{ProbeSettings, Sample};
    use crate::rng::uniform;
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    /// Images of four pixels in two classes, which the first pixel tells apart nearly always.
    fn data(train: usize) -> Dataset {
        let size = Size { channels: 1, height: 2, width: 2 };
        let split = |count: usize, position| {
            let noise = uniform(&mut stream(7, Purpose::Data, position), 4 * count, 0.0, 100.0);
            let labels: Vec<u16> = (0..count).map(|image| (image % 2) as u16).collect();
            let bright = |place: usize| if place % 8 == 4 { 90 } else { 0 };
            let pixels = noise.iter().enumerate().map(|(place, &x)| x as u8 + bright(place)).collect();
            Split::new(size, pixels, labels).expect("a split")
        };
        let classes = ["dark", "bright"].map(String::from).to_vec();
        Dataset { name: "test".into(), classes, train: split(train, 1), validation: None, test: split(200, 2) }
    }

    /// Runs `check` on draws from these images.
    fn drawn<T>(
        data: &Dataset,
        settings: &ProbeSettings,
        asked: &FewSettings,
        check: impl FnOnce(Result<Draws>) -> T,
    ) -> T {
        let sample = Sample::of(data, settings).expect("a sample");
        let device = Device::flex();
        check(Draws::new(Probing { data, settings, sample: &sample, device: &device }, asked))
    }

    fn asked(labels: &[usize], draws: usize) -> FewSettings {
        FewSettings { labels: labels.to_vec(), draws, seed: 0 }
    }

    #[test]
    fn draws_repeat_differ_and_hold_the_smaller_ones() {
        let data = data(60);
        let probes = ProbeSettings::default();
        let places = |probes: &ProbeSettings, labels: &[usize], draws| {
            drawn(&data, probes, &asked(labels, draws), |found| {
                let found = found.expect("draws");
                (found.settings().labels.clone(), found.drawn)
            })
        };
        let (labels, draws) = places(&probes, &[10, 2, 2], 3);
        assert_eq!(labels, [2, 10]);
        assert_eq!(places(&probes, &[2, 10], 3).1, draws);
        assert!(draws[0] != draws[1] && draws[1] != draws[2]);
        for (class, images) in draws.iter().flat_map(|draw| draw.iter().enumerate()) {
            assert!(images.len() == 10 && images.iter().all(|image| image % 2 == class), "{class}: {images:?}");
            let distinct: std::collections::BTreeSet<_> = images.iter().collect();
            assert_eq!(distinct.len(), 10, "nothing is drawn twice");
        }
        assert_eq!(places(&probes, &[2], 3).1[1][0], draws[1][0][..2], "what else is asked for changes no draw");
        let some = ProbeSettings { train_images: 20, ..probes.clone() };
        let used = Sample::of(&data, &some).expect("a sample").train;
        let few = places(&some, &[10], 1).1;
        assert!(few.iter().flatten().flatten().all(|image| used.contains(image)), "only images in use are drawn");
    }

    #[test]
    fn draws_that_are_impossible_are_refused() {
        let data = data(60);
        let probes = ProbeSettings::default();
        let refused = |labels: &[usize], draws| {
            drawn(&data, &probes, &asked(labels, draws), |found| found.expect_err("must be refused").to_string())
        };
        assert!(refused(&[31], 1).contains("only 30 training images of class `dark`"), "{}", refused(&[31], 1));
        for (labels, draws) in [(&[][..], 1), (&[0, 5], 1), (&[5], 0), (&[5], 1001)] {
            assert!(refused(labels, draws).contains("at least 1 a class"), "{labels:?}, {draws}");
        }
    }

    #[test]
    fn more_labels_classify_better_and_choose_the_penalty() {
        let data = data(400);
        let probes = ProbeSettings { penalties: vec![1e-2, 1e3], ..ProbeSettings::default() };
        let curve = |data: &Dataset| {
            drawn(data, &probes, &asked(&[1, 30, 150], 4), |draws| {
                block_on(draws.expect("draws").pixels(&mut |_| {})).expect("a curve")
            })
        };
        let first = curve(&data);
        let [one, some, many] = first.points.as_slice() else { panic!("three points: {first:?}") };
        assert!(one.mean < some.mean && many.mean > 0.9, "{first:?}");
        assert_eq!(one.penalties, [0.5; 4], "one over two labelled images");
        assert!(some.penalties.iter().chain(&many.penalties).all(|l2| probes.penalties.contains(l2)), "{first:?}");
        // other test labels are other accuracies and the same choices
        let turned = data.test.labels().iter().map(|label| 1 - label).collect();
        let pixels = (0..200).flat_map(|image| data.test.image(image).to_vec()).collect();
        let test = Split::new(data.test.size(), pixels, turned).expect("a split");
        let other = curve(&Dataset { test, ..data.clone() });
        for (point, turned) in first.points.iter().zip(&other.points) {
            assert_eq!(point.penalties, turned.penalties);
            assert!((point.mean + turned.mean - 1.0).abs() < 1e-9, "{point:?} {turned:?}");
        }
    }
}
