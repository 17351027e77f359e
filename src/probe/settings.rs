//! Settings of the probes.

use serde::{Deserialize, Serialize};

use super::features::pooling;
use super::retrieval;
use super::sample::{Sample, Validation};
use crate::data::{Dataset, draw};
use crate::error::{Error, Result};

/// Probes, the images and layers they read, and their hyperparameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSettings {
    /// Fit the linear probe.
    pub linear: bool,
    /// Classify by nearest neighbours.
    pub knn: bool,
    /// Rank the training images for every test image; see [`retrieval`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retrieval: bool,
    /// One layer by name, or all.
    pub layer: Option<String>,
    /// Labelled training images; 0 means all.
    pub train_images: usize,
    /// Test images; 0 means all.
    pub test_images: usize,
    /// Seed by which images are drawn and validation images are set aside, both with the same share of each class. Results of
    /// earlier versions have none: they took the first images, and the last sixth of them for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Feature maps are averaged over this many cells in each direction (fewer where the map is smaller).
    pub grid: usize,
    /// Neighbours that vote.
    pub k: usize,
    /// A neighbour at cosine s votes with weight exp(s / temperature).
    pub temperature: f64,
    /// L2 penalties of the linear probe. Of several the validation images choose one, and they rank the layers.
    pub penalties: Vec<f64>,
    /// Fit the linear probe once, to the training images that are not set aside for validation. A fit to all of them would
    /// follow, and both together take about twice as long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
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
            seed: Some(draw::SEED),
            grid: 3,
            k: 20,
            temperature: 0.07,
            penalties: vec![1e-1, 1e-2, 1e-3, 1e-4],
            once: false,
        }
    }
}

impl ProbeSettings {
    /// True if layers are probed at all.
    pub fn reads(&self) -> bool {
        self.linear || self.knn || self.retrieval
    }

    /// True if every image and every layer is probed.
    pub fn is_whole(&self) -> bool {
        self.layer.is_none() && self.train_images == 0 && self.test_images == 0
    }

    /// Probe names of the rows that are asked for.
    pub fn probes(&self) -> Vec<&'static str> {
        let mut probes = Vec::new();
        probes.extend(self.linear.then_some("linear"));
        probes.extend(self.knn.then_some("knn"));
        probes.extend(self.retrieval.then_some(retrieval::MEASURES).into_iter().flatten());
        probes
    }

    /// True if validation images are set aside from the training images.
    pub fn chooses(&self) -> bool {
        self.penalties.len() > 1 || self.once
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
        let Ok(sample) = Sample::of(data, self) else { return "no images that can be probed.".to_string() };
        let train = sample.train.len();
        let test = sample.test.len();
        let grid = self.grid;
        let drawn = match self.seed {
            _ if train == data.train.len() && test == data.test.len() => String::new(),
            Some(seed) => format!(" (drawn by seed {seed}, the same share of each class)"),
            None => " (the first of each split)".to_string(),
        };
        let mut text =
            format!("{train} training and {test} test images{drawn}; maps averaged over a {grid}x{grid} grid.");
        if self.linear {
            let choice = self.choice(&sample);
            text.push_str(&format!(" Linear: logistic regression on standardised features, {choice}."));
        }
        if self.knn {
            let k = self.k;
            let temperature = self.temperature;
            text.push_str(&format!(" kNN: cosine, k = {k}, T = {temperature}."));
        }
        if self.retrieval {
            text.push_str(RETRIEVAL);
        }
        let factor = pooling(data.train.size(), sample.images());
        if factor > 1 {
            text.push_str(&format!(
                " Raw pixels are means of {factor}x{factor} pixels (pixels/{factor}): unpooled they do not fit into memory."
            ));
        }
        text + &unknown(&sample, data, self.retrieval)
    }

    fn choice(&self, sample: &Sample) -> String {
        match (self.penalties.as_slice(), &sample.validation) {
            ([only], Some(Validation { kept, aside })) if self.once => {
                let kept = kept.len();
                let aside = aside.len();
                let seed = self.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
                format!(
                    "L2 {only}, fitted to {kept} of the training images; the other {aside} (a sixth of each \
                     class{seed}) choose the layer"
                )
            }
            ([only], _) => format!("L2 {only}"),
            ([first, .., last], Some(validation)) => {
                let aside = validation.aside.len();
                let which = match self.seed {
                    _ if !sample.half.is_empty() => format!("the {aside} validation images of the data set"),
                    Some(seed) => format!("{aside} training images set aside (a sixth of each class, seed {seed})"),
                    None => format!("the last {aside} training images"),
                };
                format!("L2 from {last} to {first} chosen on {which}")
            }
            _ => "L2 1 / (training images), because one image of each class leaves none for validation".to_string(),
        }
    }
}

/// A sentence on test images that no probe can classify correctly; nothing where there are none.
fn unknown(sample: &Sample, data: &Dataset, retrieval: bool) -> String {
    let (images, classes) = sample.unknown(data);
    if images == 0 {
        return String::new();
    }
    let counted =
        if retrieval { "they count as errors, and retrieval leaves them out" } else { "they count as errors" };
    format!(" {images} test images are of classes without a training image ({}): {counted}.", classes.join(", "))
}

/// The measures of retrieval in words.
const RETRIEVAL: &str = " Retrieval: training images ranked by cosine for each test image, equal cosines in random order (the \
                         expected value); P@k is the share of its class among the first k, which stays below 100 % where the \
                         class has fewer than k training images; mAP is the mean over test images of the mean precision at \
                         the ranks of all images of its class.";
