//! Whether anything was learned: how well simple readers name the classes from frozen features, beside controls that
//! learned nothing, measured alike.

mod compact;
pub mod confusion;
pub mod features;
pub mod few;
pub mod interval;
pub mod knn;
pub mod labelled;
mod lbfgs;
pub mod linear;
pub mod pca;
pub mod plane;
pub mod retrieval;
mod row;
#[cfg(not(target_family = "wasm"))]
pub mod tsne;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::net::Encoder;
use features::Features;
use pca::Components;
pub use row::{ProbeRow, Source};

/// What is measured and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSettings {
    /// Fit the linear probe.
    pub linear: bool,
    /// Ask the nearest neighbours.
    pub knn: bool,
    /// Rank the training images for every test image; see [`retrieval`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retrieval: bool,
    /// One layer by name, or all.
    pub layer: Option<String>,
    /// Labelled training images, the first of the split; 0 means all.
    pub train_images: usize,
    /// Test images, the first of the split; 0 means all.
    pub test_images: usize,
    /// Maps are averaged over this many cells in each direction (fewer where the map is smaller).
    pub grid: usize,
    /// Neighbours that vote.
    pub k: usize,
    /// A neighbour at cosine s votes with weight exp(s / temperature).
    pub temperature: f64,
    /// L2 penalties of the linear probe. With more than one, the last sixth of the training images chooses, and says of
    /// each layer how good it is.
    pub penalties: Vec<f64>,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            linear: true,
            knn: true,
            retrieval: false,
            layer: None,
            train_images: 0,
            test_images: 0,
            grid: 3,
            k: 20,
            temperature: 0.07,
            penalties: vec![1e-1, 1e-2, 1e-3, 1e-4],
        }
    }
}

impl ProbeSettings {
    /// Whether layers are read at all.
    pub fn reads(&self) -> bool {
        self.linear || self.knn || self.retrieval
    }

    /// Whether every image and every layer there is takes part.
    pub fn is_whole(&self) -> bool {
        self.layer.is_none() && self.train_images == 0 && self.test_images == 0
    }

    /// The names that rows have of what is asked for.
    pub fn probes(&self) -> Vec<&'static str> {
        let mut probes = Vec::new();
        probes.extend(self.linear.then_some("linear"));
        probes.extend(self.knn.then_some("knn"));
        probes.extend(self.retrieval.then_some(retrieval::MEASURES).into_iter().flatten());
        probes
    }

    /// Whether images are set aside from training for choosing.
    pub fn chooses(&self) -> bool {
        self.penalties.len() > 1
    }

    /// Refuses values that nothing can be measured with, in words.
    ///
    /// # Errors
    /// When there is one.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match self {
            Self { train_images: 1, .. } => wrong("train_images must be 0 (for all) or at least 2"),
            Self { grid, .. } if !(1..=64).contains(grid) => wrong("grid must be between 1 and 64"),
            Self { k: 0, .. } => wrong("k must be at least 1"),
            Self { temperature, .. } if !positive(*temperature) => wrong("temperature must be a positive number"),
            Self { penalties, .. } if penalties.is_empty() || !penalties.iter().all(|l2| positive(*l2)) => {
                wrong("penalties must be positive numbers, at least one")
            }
            _ => Ok(()),
        }
    }

    /// The settings in words, as printed under a table.
    pub fn describe(&self, data: &Dataset) -> String {
        let train = count(&data.train, self.train_images);
        let test = count(&data.test, self.test_images);
        let choice = match self.penalties.as_slice() {
            [only] => format!("L2 {only}"),
            [first, .., last] => {
                format!("L2 from {last} to {first} chosen on the last {} training images", (train / 6).max(1))
            }
            [] => "no L2".to_string(),
        };
        let (grid, k, temperature) = (self.grid, self.k, self.temperature);
        let mut text = format!("{train} training and {test} test images; maps averaged over a {grid}x{grid} grid.");
        if self.linear {
            text.push_str(&format!(" Linear: logistic regression on standardised features, {choice}."));
        }
        if self.knn {
            text.push_str(&format!(" kNN: cosine, k = {k}, T = {temperature}."));
        }
        if self.retrieval {
            text.push_str(RETRIEVAL);
        }
        text
    }
}

/// How retrieval is measured, in words.
const RETRIEVAL: &str = " Retrieval: training images ranked by cosine for each test image; P@k is the share of its class among \
                         the first k, mAP the mean over test images of the mean precision at the places of all images of its \
                         class.";

/// How many of a split's images are used when `wanted` are asked for (0: all).
pub fn count(split: &Split, wanted: usize) -> usize {
    let there = split.len().min(split.labels().len());
    if wanted == 0 { there } else { wanted.min(there) }
}

/// What one probe made of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// How good it was.
    pub row: ProbeRow,
    /// The class it named for each test image; nothing where it names none.
    pub named: Vec<u16>,
}

/// Probes an encoder layer by layer, from pixels to head. `tell` hears what is being done.
///
/// # Errors
/// When the layer does not exist, labels are missing, or the device is lost.
pub async fn encoder(
    encoder: &Encoder,
    source: Source,
    data: &Dataset,
    settings: &ProbeSettings,
    device: &Device,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<ProbeRow>> {
    readings(encoder, source, data, settings, device, tell).await.map(rows)
}

fn rows(readings: Vec<Reading>) -> Vec<ProbeRow> {
    readings.into_iter().map(|reading| reading.row).collect()
}

/// The same with every answer.
///
/// # Errors
/// As [`encoder`].
pub async fn readings(
    encoder: &Encoder,
    source: Source,
    data: &Dataset,
    settings: &ProbeSettings,
    device: &Device,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Reading>> {
    let names = encoder.layer_names();
    let wanted: Vec<String> = match &settings.layer {
        None => names,
        Some(layer) if names.contains(layer) => vec![layer.clone()],
        Some(layer) => {
            return Err(Error::Config(format!("there is no layer `{layer}`; there are: {}", names.join(", "))));
        }
    };
    tell(&format!("{}: features", source.words()));
    let train =
        features::of_encoder(encoder, &data.train, settings.train_images, settings.grid, &wanted, device).await?;
    let test = features::of_encoder(encoder, &data.test, settings.test_images, settings.grid, &wanted, device).await?;
    let mut found = Vec::new();
    for (train, test) in train.iter().zip(&test) {
        tell(&format!("{}: {}", source.words(), train.layer));
        found.extend(layer(train, test, source, data, settings, device).await?);
    }
    Ok(found)
}

/// Probes the pixels themselves.
///
/// # Errors
/// When labels are missing or the device is lost.
pub async fn pixels(
    data: &Dataset,
    settings: &ProbeSettings,
    device: &Device,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<ProbeRow>> {
    tell(Source::RawPixels.words());
    let train = features::of_pixels(&data.train, settings.train_images);
    let test = features::of_pixels(&data.test, settings.test_images);
    layer(&train, &test, Source::RawPixels, data, settings, device).await.map(rows)
}

/// The most principal components that are looked at.
const MOST_COMPONENTS: usize = 256;

/// Probes the first `width` principal components of the pixels, at most 256 and fewer than there are training
/// images.
///
/// # Errors
/// When labels are missing or the device is lost.
pub async fn components(
    data: &Dataset,
    settings: &ProbeSettings,
    width: usize,
    device: &Device,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<ProbeRow>> {
    tell(Source::Pca.words());
    let train = features::of_pixels(&data.train, settings.train_images);
    let test = features::of_pixels(&data.test, settings.test_images);
    let width = width.min(MOST_COMPONENTS).min(train.len().saturating_sub(1)).max(1);
    let components = Components::of(&train, width, device).await?;
    let (train, test) = (components.project(&train, device).await?, components.project(&test, device).await?);
    layer(&train, &test, Source::Pca, data, settings, device).await.map(rows)
}

async fn layer(
    train: &Features,
    test: &Features,
    source: Source,
    data: &Dataset,
    settings: &ProbeSettings,
    device: &Device,
) -> Result<Vec<Reading>> {
    let (train_labels, test_labels) = (&data.train.labels()[..train.len()], &data.test.labels()[..test.len()]);
    let classes = data.classes.len();
    if train.len() < 2 || test.is_empty() {
        return Err(Error::Data("a probe needs labelled training and test images".into()));
    }
    let mut found = Vec::new();
    let mut reading = |probe: &str, named: Vec<u16>, l2: Option<f64>, validation: Option<f64>| {
        let (layer, probe) = (train.layer.clone(), probe.to_string());
        let accuracy = share_right(&named, test_labels);
        let interval = interval::wilson(accuracy, named.len());
        let row = ProbeRow { source, layer, width: train.width, probe, accuracy, interval, l2, lr: None, validation };
        found.push(Reading { row, named });
    };
    if settings.linear {
        let fit = linear::fit(train, train_labels, classes, &settings.penalties, device).await?;
        let named = fit.predict(test, device).await?;
        reading("linear", named, Some(fit.l2), fit.validation);
    }
    if settings.knn {
        let votes = knn::Votes { k: settings.k, temperature: settings.temperature, classes };
        let named = knn::predict(train, train_labels, test, &votes, device).await?;
        let validation =
            if settings.chooses() { Some(among_themselves(train, train_labels, &votes, device).await?) } else { None };
        reading("knn", named, None, validation);
    }
    if settings.retrieval {
        let chooses = settings.chooses();
        let rows = retrieved((train, train_labels), (test, test_labels), source, chooses, device).await?;
        found.extend(rows.into_iter().map(|row| Reading { row, named: Vec::new() }));
    }
    Ok(found)
}

/// A row a measure of retrieval.
async fn retrieved(
    (train, labels): (&Features, &[u16]),
    (test, truth): (&Features, &[u16]),
    source: Source,
    chooses: bool,
    device: &Device,
) -> Result<Vec<ProbeRow>> {
    let found = retrieval::measure(train, labels, test, truth, device).await?;
    let cut = linear::held_out_from(train.len());
    let held_out = if chooses {
        let (known, asked) = (train.rows_of(0..cut), train.rows_of(cut..train.len()));
        Some(retrieval::measure(&known, &labels[..cut], &asked, &labels[cut..], device).await?)
    } else {
        None
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

/// How well the last sixth of the training images is named by the others.
async fn among_themselves(train: &Features, labels: &[u16], votes: &knn::Votes, device: &Device) -> Result<f64> {
    let cut = linear::held_out_from(train.len());
    let (known, asked) = (train.rows_of(0..cut), train.rows_of(cut..train.len()));
    let named = knn::predict(&known, &labels[..cut], &asked, votes, device).await?;
    Ok(share_right(&named, &labels[cut..]))
}

fn share_right(named: &[u16], labels: &[u16]) -> f64 {
    let right = named.iter().zip(labels).filter(|(a, b)| a == b).count();
    right as f64 / labels.len() as f64
}
