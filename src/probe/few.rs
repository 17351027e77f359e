//! Accuracy with few labels: the linear probe where only some images of each class are named.
//!
//! For each draw some training images of every class are taken at random, the same for whatever is measured, and a larger
//! count holds those of a smaller one. Features are standardised with mean and deviation of the first training images, whose
//! labels are not looked at. The penalty is chosen by nothing but the drawn images: of five labels a class and more by
//! cross-validation over five parts, of many by a fifth set aside; with fewer there is nothing to choose by and it is
//! 1 / (labelled images), which is scikit-learn's default C = 1.

use burn::tensor::Device;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::compact;
use super::features::{self, Features};
use super::interval::of_mean;
use super::linear::Scale;
use super::{ProbeSettings, Source, count, share_right};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::net::Encoder;
use crate::rng::{Purpose, stream};

/// Parts that take turns in choosing the penalty.
const FOLDS: usize = 5;
/// From so many labels a class on one part is enough to choose by.
const MANY: usize = 100;
/// More draws than anybody waits for.
const MOST_DRAWS: usize = 1000;
/// Training images that say how features are scaled, without their labels.
const POOL: usize = 2000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewSettings {
    /// Labels a class, from few to many.
    pub labels: Vec<usize>,
    /// How often images are drawn.
    pub draws: usize,
    /// What they are drawn by.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FewLabels {
    /// What was asked.
    pub settings: FewSettings,
    /// A curve a source.
    pub curves: Vec<Curve>,
}

/// The linear probe at one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Where the features come from.
    pub source: Source,
    /// The layer.
    pub layer: String,
    /// One for each count of labels.
    pub points: Vec<Point>,
}

/// The accuracy with one count of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Labels a class.
    pub labels: usize,
    /// The mean over the draws.
    pub mean: f64,
    /// The 95 % interval of the mean; see [`super::interval::of_mean`].
    pub interval: Option<[f64; 2]>,
    /// The share of test images named rightly, a number a draw.
    pub accuracies: Vec<f64>,
    /// The penalty that was chosen, a number a draw.
    pub penalties: Vec<f64>,
}

/// Images that were drawn, and how the probe is fitted to them.
#[derive(Clone, Debug)]
pub struct Draws<'a> {
    data: &'a Dataset,
    probes: &'a ProbeSettings,
    settings: FewSettings,
    /// For each draw the images of each class, the most that are ever used.
    drawn: Vec<Vec<Vec<usize>>>,
    /// Images whose features are needed, in order.
    needed: Vec<usize>,
    /// The first of them, by which features are scaled.
    pool: usize,
}

impl<'a> Draws<'a> {
    /// Draws from the training images that `probes` would use.
    ///
    /// # Errors
    /// When a class has too few images, or nothing is asked for.
    pub fn new(data: &'a Dataset, probes: &'a ProbeSettings, settings: &FewSettings) -> Result<Self> {
        let mut settings = settings.clone();
        settings.labels.sort_unstable();
        settings.labels.dedup();
        let most = settings.labels.last().copied().unwrap_or(0);
        let counts = settings.labels.first().is_some_and(|&least| least > 0);
        if !counts || !(1..=MOST_DRAWS).contains(&settings.draws) {
            return Err(Error::Config(format!("few labels are at least 1 a class, drawn 1 to {MOST_DRAWS} times")));
        }
        let total = count(&data.train, probes.train_images);
        let classes = by_class(&data.train.labels()[..total], data.classes.len());
        if let Some((class, images)) = classes.iter().enumerate().find(|(_, images)| images.len() < most) {
            return Err(Error::Config(format!(
                "there are only {} training images of class `{}` in use; ask for at most so many labels a class",
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
        let pool = total.min(POOL);
        let mut needed: Vec<usize> = drawn.iter().flatten().flatten().copied().chain(0..pool).collect();
        needed.sort_unstable();
        needed.dedup();
        Ok(Self { data, probes, settings, drawn, needed, pool })
    }

    /// What was asked, in order.
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
        device: &Device,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Curve> {
        tell(&format!("{}: features of {layer}", source.words()));
        let (layers, grid) = ([layer.to_string()], self.probes.grid);
        let of = async |split: &Split, images: &[usize]| -> Result<Features> {
            let found = features::of_chosen(encoder, split, images, grid, &layers, device).await?.pop();
            found.ok_or_else(|| Error::Config(format!("there is no layer `{layer}`")))
        };
        let train = of(&self.data.train, &self.needed).await?;
        let test = of(&self.data.test, &self.test()).await?;
        self.curve(source, &train, &test, device, tell).await
    }

    /// Measures the pixels themselves.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn pixels(&self, device: &Device, tell: &mut dyn FnMut(&str)) -> Result<Curve> {
        let train = features::pixels_of(&self.data.train, &self.needed);
        let test = features::pixels_of(&self.data.test, &self.test());
        self.curve(Source::RawPixels, &train, &test, device, tell).await
    }

    fn test(&self) -> Vec<usize> {
        (0..count(&self.data.test, self.probes.test_images)).collect()
    }

    async fn curve(
        &self,
        source: Source,
        train: &Features,
        test: &Features,
        device: &Device,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Curve> {
        let scale = Scale::of(train, self.pool);
        let (train, test) = (scale.apply(train), scale.apply(test));
        let truth = &self.data.test.labels()[..test.len()];
        let mut points = Vec::new();
        for &labels in &self.settings.labels {
            tell(&format!("{}: {labels} labels a class", source.words()));
            let (mut accuracies, mut penalties) = (Vec::new(), Vec::new());
            for draw in &self.drawn {
                let known = self.labelled(draw, labels, &train);
                let l2 = self.penalty(&known, labels, device).await?;
                let fit = compact::fit(known.view(), self.data.classes.len(), l2, device).await?;
                accuracies.push(share_right(&fit.predict(&test, device).await?, truth));
                penalties.push(l2);
            }
            let (mean, interval) = of_mean(&accuracies);
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
        let labels = images.iter().map(|&image| self.data.train.labels()[image]).collect();
        Labelled { features: train.chosen(&places), labels }
    }

    /// Chooses by the labelled images alone.
    async fn penalty(&self, known: &Labelled, labels: usize, device: &Device) -> Result<f64> {
        if labels < FOLDS {
            return Ok(1.0 / known.labels.len() as f64);
        }
        let mut penalties = self.probes.penalties.clone();
        penalties.sort_by(|a, b| b.total_cmp(a));
        let [only] = penalties.as_slice() else {
            return self.choose(known, labels, &penalties, device).await;
        };
        Ok(*only)
    }

    async fn choose(&self, known: &Labelled, labels: usize, penalties: &[f64], device: &Device) -> Result<f64> {
        let classes = self.data.classes.len();
        let parts = if labels < MANY { FOLDS } else { 1 };
        let mut right = vec![0; penalties.len()];
        for part in 0..parts {
            let (out, inside): (Vec<usize>, Vec<usize>) =
                (0..known.labels.len()).partition(|row| row / classes % FOLDS == part);
            let (inside, out) = (known.rows(&inside), known.rows(&out));
            let found = compact::path(inside.view(), out.view(), classes, penalties, device).await?;
            right.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
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

impl Labelled {
    fn view(&self) -> compact::Labelled<'_> {
        (&self.features, &self.labels)
    }

    fn rows(&self, rows: &[usize]) -> Self {
        Self { features: self.features.chosen(rows), labels: rows.iter().map(|&row| self.labels[row]).collect() }
    }
}

fn by_class(labels: &[u16], classes: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); classes];
    labels.iter().enumerate().for_each(|(image, &label)| found[usize::from(label)].push(image));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::rng::uniform;
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

    fn asked(labels: &[usize], draws: usize) -> FewSettings {
        FewSettings { labels: labels.to_vec(), draws, seed: 0 }
    }

    #[test]
    fn draws_repeat_differ_and_hold_the_smaller_ones() {
        let (data, probes) = (data(60), ProbeSettings::default());
        let draws = Draws::new(&data, &probes, &asked(&[10, 2, 2], 3)).expect("draws");
        assert_eq!(draws.settings().labels, [2, 10]);
        let again = Draws::new(&data, &probes, &asked(&[2, 10], 3)).expect("draws");
        assert_eq!(draws.drawn, again.drawn);
        assert!(draws.drawn[0] != draws.drawn[1] && draws.drawn[1] != draws.drawn[2]);
        for (class, images) in draws.drawn.iter().flat_map(|draw| draw.iter().enumerate()) {
            assert!(images.len() == 10 && images.iter().all(|image| image % 2 == class), "{class}: {images:?}");
            let distinct: std::collections::BTreeSet<_> = images.iter().collect();
            assert_eq!(distinct.len(), 10, "nothing is drawn twice");
        }
        let few = Draws::new(&data, &probes, &asked(&[2], 3)).expect("draws");
        assert_eq!(few.drawn[1][0], draws.drawn[1][0][..2], "what else is asked for changes no draw");
        let first = ProbeSettings { train_images: 20, ..probes.clone() };
        let few = Draws::new(&data, &first, &asked(&[10], 1)).expect("draws");
        assert!(few.drawn.iter().flatten().flatten().all(|&image| image < 20), "only images in use are drawn");
    }

    #[test]
    fn what_cannot_be_drawn_is_said_so() {
        let (data, probes) = (data(60), ProbeSettings::default());
        let refused = |labels: &[usize], draws| {
            Draws::new(&data, &probes, &asked(labels, draws)).expect_err("must be refused").to_string()
        };
        assert!(refused(&[31], 1).contains("only 30 training images of class `dark`"), "{}", refused(&[31], 1));
        for (labels, draws) in [(&[][..], 1), (&[0, 5], 1), (&[5], 0), (&[5], 1001)] {
            assert!(refused(labels, draws).contains("at least 1 a class"), "{labels:?}, {draws}");
        }
    }

    #[test]
    fn more_labels_name_more_and_the_penalty_is_chosen_by_them_alone() {
        let (data, device) = (data(400), Device::flex());
        let probes = ProbeSettings { penalties: vec![1e-2, 1e3], ..ProbeSettings::default() };
        let draws = Draws::new(&data, &probes, &asked(&[1, 30, 150], 4)).expect("draws");
        let curve = block_on(draws.pixels(&device, &mut |_| {})).expect("a curve");
        let [one, some, many] = curve.points.as_slice() else { panic!("three points: {curve:?}") };
        assert!(one.mean < some.mean && many.mean > 0.9, "{curve:?}");
        assert_eq!(one.penalties, [0.5; 4], "one over two labelled images");
        assert!(some.penalties.iter().chain(&many.penalties).all(|l2| probes.penalties.contains(l2)), "{curve:?}");
        // other test labels are other accuracies and the same choices
        let turned = data.test.labels().iter().map(|label| 1 - label).collect();
        let pixels = (0..200).flat_map(|image| data.test.image(image).to_vec()).collect();
        let test = Split::new(data.test.size(), pixels, turned).expect("a split");
        let turned = Dataset { test, ..data.clone() };
        let draws = Draws::new(&turned, &probes, &asked(&[1, 30, 150], 4)).expect("draws");
        let other = block_on(draws.pixels(&device, &mut |_| {})).expect("a curve");
        for (point, turned) in curve.points.iter().zip(&other.points) {
            assert_eq!(point.penalties, turned.penalties);
            assert!((point.mean + turned.mean - 1.0).abs() < 1e-9, "{point:?} {turned:?}");
        }
    }
}
