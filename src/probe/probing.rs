//! Probes of an encoder's layers, of raw pixels and of their principal components.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::Device;

use super::features::{self, Features, HELD};
use super::pca::{Components, MOST_COMPONENTS};
use super::sample::{Sample, Validation};
use super::{ProbeRow, ProbeSettings, Source, interval, knn, linear, retrieval, share_right};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::net::Encoder;

/// Result of one probe at one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The accuracy with its settings.
    pub row: ProbeRow,
    /// The predicted class of each test image; empty for probes that predict none.
    pub named: Vec<u16>,
}

/// Images, settings and device that encoders and controls are probed with.
#[derive(Clone, Copy, Debug)]
pub struct Probing<'a> {
    /// The images.
    pub data: &'a Dataset,
    /// The probes and their settings.
    pub settings: &'a ProbeSettings,
    /// The images in use, as [`Sample::of`] draws them.
    pub sample: &'a Sample,
    /// The device.
    pub device: &'a Device,
}

/// Features of the images in use at one layer.
struct Rows {
    train: Features,
    /// Those of the validation half, where settings are chosen by one.
    half: Option<Features>,
    test: Features,
}

impl Probing<'_> {
    /// Probes an encoder layer by layer, from pixels to head. `tell` receives progress messages.
    ///
    /// # Errors
    /// When the layer does not exist or the device is lost.
    pub async fn encoder(
        &self,
        encoder: &Encoder,
        source: Source,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Vec<ProbeRow>> {
        self.readings(encoder, source, tell).await.map(rows)
    }

    /// The same with every prediction.
    ///
    /// # Errors
    /// As [`Probing::encoder`].
    pub async fn readings(
        &self,
        encoder: &Encoder,
        source: Source,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Vec<Reading>> {
        let mut found = Vec::new();
        for layers in self.passes(encoder).await? {
            tell(&format!("{}: features", source.words()));
            // the features of a layer are dropped once it is probed
            for features in self.features(encoder, &layers, 0..self.images()).await? {
                tell(&format!("{}: {}", source.words(), features.layer));
                found.extend(self.layer(features, source).await?);
            }
        }
        Ok(found)
    }

    /// Number of images in use: those of training, of the validation half where settings are chosen by one, and of the test.
    pub fn images(&self) -> usize {
        self.sample.train.len() + self.half().map_or(0, |(_, images)| images.len()) + self.sample.test.len()
    }

    /// Features at these layers of some of the images in use, which are numbered in the order of [`Probing::images`].
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn features(&self, encoder: &Encoder, layers: &[String], images: Range<usize>) -> Result<Vec<Features>> {
        let Self { data, settings, sample, device } = self;
        let half = self.half().unwrap_or((&data.train, &[]));
        let mut found: Vec<Features> = Vec::new();
        let mut start = 0;
        for (split, places) in [(&data.train, sample.train.as_slice()), half, (&data.test, &sample.test)] {
            let from = images.start.clamp(start, start + places.len()) - start;
            let to = images.end.clamp(start, start + places.len()) - start;
            start += places.len();
            if from == to {
                continue;
            }
            let more = features::of_encoder(encoder, split, &places[from..to], settings.grid, layers, device).await?;
            if found.is_empty() {
                found = more;
            } else {
                found.iter_mut().zip(more).for_each(|(found, more)| found.values.extend(more.values));
            }
        }
        Ok(found)
    }

    /// Probes one layer with the features of all images in use.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn layer(&self, features: Features, source: Source) -> Result<Vec<Reading>> {
        let Features { layer, width, values: mut train } = features;
        let mut test = train.split_off(self.sample.train.len() * width);
        let halved = self.half().map(|(_, images)| {
            let rest = test.split_off(images.len() * width);
            std::mem::replace(&mut test, rest)
        });
        let of = |values| Features { layer: layer.clone(), width, values };
        self.probe(&Rows { train: of(train), half: halved.map(of), test: of(test) }, source).await
    }

    /// Probes the pixels themselves, or means of [`features::pooling`] times as many where they do not fit into memory.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn pixels(&self, tell: &mut dyn FnMut(&str)) -> Result<Vec<ProbeRow>> {
        tell(Source::RawPixels.words());
        self.pixel_readings().await.map(rows)
    }

    /// The same with every prediction.
    ///
    /// # Errors
    /// As [`Probing::pixels`].
    pub async fn pixel_readings(&self) -> Result<Vec<Reading>> {
        self.probe(&self.of_pixels(), Source::RawPixels).await
    }

    /// Probes the first `width` principal components of the pixels, at most 256 and fewer than training images.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn components(&self, width: usize, tell: &mut dyn FnMut(&str)) -> Result<Vec<ProbeRow>> {
        tell(Source::Pca.words());
        self.component_readings(width).await.map(rows)
    }

    /// The same with every prediction.
    ///
    /// # Errors
    /// As [`Probing::components`].
    pub async fn component_readings(&self, width: usize) -> Result<Vec<Reading>> {
        let Rows { train, half, test } = self.of_pixels();
        let width = width.min(MOST_COMPONENTS).min(train.len().saturating_sub(1)).max(1);
        let components = Components::of(&train, width, self.device).await?;
        let train = components.project(&train, self.device).await?;
        let test = components.project(&test, self.device).await?;
        let half = match half {
            Some(half) => Some(components.project(&half, self.device).await?),
            None => None,
        };
        self.probe(&Rows { train, half, test }, Source::Pca).await
    }

    /// Layer names of the rows of [`Probing::pixels`] and [`Probing::components`].
    pub fn pixel_layers(&self) -> [String; 2] {
        let factor = self.pooling();
        [features::pixel_layer(factor), super::pca::layer(&features::pixel_layer(factor))]
    }

    fn pooling(&self) -> usize {
        features::pooling(self.data.train.size(), self.sample.images())
    }

    fn of_pixels(&self) -> Rows {
        let Self { data, sample, .. } = self;
        let factor = self.pooling();
        Rows {
            train: features::of_pixels(&data.train, &sample.train, factor),
            half: self.half().map(|(split, images)| features::of_pixels(split, images, factor)),
            test: features::of_pixels(&data.test, &sample.test, factor),
        }
    }

    /// The data set's own validation half, where settings are chosen by it.
    fn half(&self) -> Option<(&Split, &[usize])> {
        let images = self.sample.half.as_slice();
        let half = self.data.validation.as_ref().filter(|_| self.settings.chooses() && !images.is_empty());
        half.map(|half| (half, images))
    }

    /// The layers that are asked for, in groups whose features fit into memory together.
    async fn passes(&self, encoder: &Encoder) -> Result<Vec<Vec<String>>> {
        let names = encoder.layer_names();
        let wanted = match &self.settings.layer {
            None => names,
            Some(layer) if names.contains(layer) => vec![layer.clone()],
            Some(layer) => {
                return Err(Error::Config(format!("there is no layer `{layer}`; there are: {}", names.join(", "))));
            }
        };
        let Self { data, settings, sample, device } = self;
        let one =
            features::of_encoder(encoder, &data.train, &sample.train[..1], settings.grid, &wanted, device).await?;
        let images = sample.images();
        let mut passes: Vec<Vec<String>> = Vec::new();
        let mut held = usize::MAX;
        for Features { layer, width, .. } in one {
            let size = width * images;
            held = held.saturating_add(size);
            match passes.last_mut().filter(|_| held <= HELD) {
                Some(pass) => pass.push(layer),
                None => {
                    passes.push(vec![layer]);
                    held = size;
                }
            }
        }
        Ok(passes)
    }

    async fn probe(&self, Rows { train, half, test }: &Rows, source: Source) -> Result<Vec<Reading>> {
        let Self { data, settings, sample, device } = self;
        let train_labels = sample.train_labels(data);
        let test_labels = sample.test_labels(data);
        // the rows that the validation indexes
        let pool = half.as_ref().map_or(Cow::Borrowed(train), |half| Cow::Owned(train.with(half)));
        let pool_labels = if half.is_some() { sample.row_labels(data) } else { train_labels.clone() };
        let classes = data.classes.len();
        let validation = sample.validation.as_ref().filter(|_| settings.chooses());
        let mut found = Vec::new();
        let mut reading = |probe: &str, named: Vec<u16>, l2: Option<f64>, validation: Option<f64>| {
            let layer = train.layer.clone();
            let probe = probe.to_string();
            let accuracy = share_right(&named, &test_labels);
            let interval = interval::wilson(accuracy, named.len());
            let row =
                ProbeRow { source, layer, width: train.width, probe, accuracy, interval, l2, lr: None, validation };
            found.push(Reading { row, named });
        };
        if settings.linear {
            let penalties = &settings.penalties;
            let fit = match validation {
                Some(rows) if settings.once => {
                    linear::fit_once(&pool, &pool_labels, rows, classes, penalties, device).await?
                }
                _ => linear::fit(&pool, &pool_labels, train.len(), validation, classes, penalties, device).await?,
            };
            let named = fit.predict(test, device).await?;
            reading("linear", named, Some(fit.l2), fit.validation);
        }
        if settings.knn {
            let votes = knn::Votes { k: settings.k, temperature: settings.temperature, classes };
            let named = knn::predict(train, &train_labels, test, &votes, device).await?;
            let validation = match validation {
                Some(rows) => Some(among_themselves(&pool, &pool_labels, rows, &votes, device).await?),
                None => None,
            };
            reading("knn", named, None, validation);
        }
        if settings.retrieval {
            let validation = validation.map(|rows| (rows, &*pool, pool_labels.as_slice()));
            let rows = self.retrieved((train, &train_labels), (test, &test_labels), source, validation).await?;
            found.extend(rows.into_iter().map(|row| Reading { row, named: Vec::new() }));
        }
        Ok(found)
    }

    /// A row a measure of retrieval.
    async fn retrieved(
        &self,
        (train, labels): (&Features, &[u16]),
        (test, truth): (&Features, &[u16]),
        source: Source,
        validation: Option<(&Validation, &Features, &[u16])>,
    ) -> Result<Vec<ProbeRow>> {
        let found = retrieval::measure(train, labels, test, truth, self.device).await?;
        let held_out = match validation {
            Some((Validation { kept, aside }, pool, labels)) => {
                let known = pool.chosen(kept);
                let asked = pool.chosen(aside);
                let truth = chosen(labels, aside);
                let labels = chosen(labels, kept);
                Some(retrieval::measure(&known, &labels, &asked, &truth, self.device).await?)
            }
            None => None,
        };
        let row = |(place, measure): (usize, retrieval::Measure)| ProbeRow {
            source,
            layer: train.layer.clone(),
            width: train.width,
            probe: measure.name.to_string(),
            accuracy: measure.mean,
            interval: measure.interval,
            l2: None,
            lr: None,
            validation: held_out.map(|held_out| held_out[place].mean),
        };
        Ok(found.into_iter().enumerate().map(row).collect())
    }
}

/// The readings without their predictions.
fn rows(readings: Vec<Reading>) -> Vec<ProbeRow> {
    readings.into_iter().map(|reading| reading.row).collect()
}

fn chosen(labels: &[u16], rows: &[usize]) -> Vec<u16> {
    rows.iter().map(|&row| labels[row]).collect()
}

/// kNN accuracy on the validation rows, with the others as neighbours.
async fn among_themselves(
    train: &Features,
    labels: &[u16],
    Validation { kept, aside }: &Validation,
    votes: &knn::Votes,
    device: &Device,
) -> Result<f64> {
    let known = train.chosen(kept);
    let asked = train.chosen(aside);
    let named = knn::predict(&known, &chosen(labels, kept), &asked, votes, device).await?;
    Ok(share_right(&named, &chosen(labels, aside)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Size, Split};
    use crate::rng::{Purpose, stream, uniform};
    use futures_lite::future::block_on;
    use rand::seq::SliceRandom;

    /// Noisy images of two classes in this order: the first half of the rows is brighter in one, the second in the other.
    fn data(side: usize, channels: usize, order: &[usize]) -> Dataset {
        let size = Size { channels, height: side, width: side };
        let split = |part: u64| {
            let image = |&image: &usize| {
                let noise = uniform(&mut stream(part, Purpose::Data, image as u64), size.bytes(), 0.0, 200.0);
                let bright = |at: usize| (at % (side * side) < side * side / 2) == (image % 2 == 0);
                noise
                    .into_iter()
                    .enumerate()
                    .map(|(at, x)| x as u8 + if bright(at) { 25 } else { 0 })
                    .collect::<Vec<_>>()
            };
            let labels = order.iter().map(|image| (image % 2) as u16).collect();
            Split::new(size, order.iter().flat_map(image).collect(), labels).expect("an image a label")
        };
        let classes = ["upper", "lower"].map(String::from).to_vec();
        Dataset { name: "test".into(), classes, train: split(1), validation: None, test: split(2) }
    }

    fn rows_of(data: &Dataset, settings: &ProbeSettings) -> Vec<ProbeRow> {
        let sample = Sample::of(data, settings).expect("a sample");
        let device = Device::flex();
        let probing = Probing { data, settings, sample: &sample, device: &device };
        let mut rows = block_on(probing.pixels(&mut |_| {})).expect("rows");
        rows.extend(block_on(probing.components(8, &mut |_| {})).expect("rows"));
        rows
    }

    #[test]
    fn sorted_and_shuffled_images_measure_alike() {
        let mut order: Vec<usize> = (0..180).step_by(2).chain((1..180).step_by(2)).collect();
        let sorted = data(6, 1, &order);
        order.shuffle(&mut stream(5, Purpose::Data, 0));
        let shuffled = data(6, 1, &order);
        for train_images in [0, 60] {
            let settings =
                ProbeSettings { train_images, test_images: train_images, retrieval: true, ..ProbeSettings::default() };
            let (a, b) = (rows_of(&sorted, &settings), rows_of(&shuffled, &settings));
            assert_eq!(a.len(), 12, "two probes and four measures of two layers");
            for (a, b) in a.iter().zip(&b) {
                let off = (a.accuracy - b.accuracy)
                    .abs()
                    .max((a.validation.expect("classes of many") - b.validation.expect("classes of many")).abs());
                assert!(off < 0.02 && a.l2 == b.l2, "{a:?} {b:?}");
                assert!(a.accuracy > 0.5, "{a:?}");
            }
        }
    }

    #[test]
    fn images_of_224_pixels_are_probed() {
        // a matrix of all pairs of pixels would take 90 GB
        let order: Vec<usize> = (0..24).collect();
        let rows = rows_of(&data(224, 3, &order), &ProbeSettings::default());
        assert_eq!(rows.iter().map(|row| row.width).collect::<Vec<_>>(), [150_528, 150_528, 8, 8]);
        assert!(rows.iter().all(|row| row.accuracy == 1.0), "{rows:?}");
    }
}
