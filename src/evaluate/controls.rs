//! Controls: raw pixels, their principal components, untrained encoders, and the encoder trained with labels. They do not
//! depend on the weights under test, so all runs on the same images with the same architecture and seed share them; each is
//! measured once and cached.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::cost::Known;
use super::subject::{EncoderUnderTest, Tell, untrained};
use crate::data::Size;
use crate::digest::hex;
use crate::error::Result;
use crate::net::{Encoder, EncoderConfig, GAP, tensors};
use crate::probe::few::{Curve, Draws, FewSettings};
use crate::probe::labelled::{FINETUNE, Labelled, LabelledPlan, SGD};
use crate::probe::{ProbeRow, ProbeSettings, Probing, Source};
use crate::session::folder::Untrained;

/// The controls of one encoder under test.
pub(super) struct Controls<'a> {
    subject: EncoderUnderTest<'a>,
    probing: Probing<'a>,
    cache: Cache,
    /// Names of the controls that came from the cache.
    pub(super) from_cache: Vec<String>,
}

/// The cache's key: everything that the numbers of a control depend on.
#[derive(Serialize)]
struct Key<'a> {
    control: Control<'a>,
    images: &'a str,
    size: Size,
    settings: ProbeSettings,
    device: &'a str,
    few: Option<(&'a str, &'a FewSettings)>,
    /// The training of a classifier with labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a LabelledPlan>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Control<'a> {
    Pixels,
    Pca(usize),
    /// With the digest of its weights.
    Untrained(&'a EncoderConfig, String),
    /// With the digest of the weights it started from.
    Supervised(&'a EncoderConfig, String),
}

/// Layer and probe of a row.
type RowName = (String, &'static str);

impl<'a> Controls<'a> {
    pub(super) fn new(subject: EncoderUnderTest<'a>, probing: Probing<'a>, cache: Cache) -> Self {
        Self { subject, probing, cache, from_cache: Vec::new() }
    }

    /// The controls that are in the cache, beside an encoder whose last layer has this width.
    pub(super) async fn known(&self, width: usize, plan: Option<&LabelledPlan>) -> Result<Known> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        let has = |key: &Value, names: &[RowName]| self.find(key, names).is_some();
        let own = self.key(Control::Untrained(config, weights(untrained).await?), None, None);
        let [pixels, pca] = self.probing.pixel_layers();
        let supervised = match plan {
            Some(plan) => has(&self.supervised_key(plan).await?, &self.supervised_names(true)),
            None => false,
        };
        Ok(Known {
            untrained: has(&own, &self.names(&self.layers(untrained))),
            pixels: has(&self.key(Control::Pixels, None, None), &self.names(&[pixels]))
                && has(&self.key(Control::Pca(width), None, None), &self.names(&[pca])),
            supervised,
        })
    }

    /// The untrained encoder.
    pub(super) async fn untrained(&mut self, tell: &mut Tell<'_>) -> Result<Vec<ProbeRow>> {
        self.encoder(self.subject.untrained, Source::Untrained.words(), tell).await
    }

    /// Untrained encoders with the weights of the `count` seeds after the subject's own.
    pub(super) async fn other_seeds(&mut self, count: usize, tell: &mut Tell<'_>) -> Result<Vec<Untrained>> {
        let EncoderUnderTest { config, data, selected, .. } = self.subject;
        let mut found = Vec::with_capacity(count);
        for number in 1..=count as u64 {
            let seed = self.subject.seed.wrapping_add(number);
            let encoder = untrained(config, seed, data, selected)?;
            let rows = self.encoder(&encoder, &format!("untrained encoder of seed {seed}"), tell).await?;
            found.push(Untrained { seed, rows });
        }
        Ok(found)
    }

    /// Raw pixels, and as many of their principal components as `width`.
    pub(super) async fn pixels(&mut self, width: usize, tell: &mut Tell<'_>) -> Result<Vec<ProbeRow>> {
        let [pixels, pca] = self.probing.pixel_layers();
        let key = self.key(Control::Pixels, None, None);
        let mut rows = match self.cached(&key, &self.names(&[pixels]), Source::RawPixels.words()) {
            Some(rows) => rows,
            None => self.keep(&key, self.probing.pixels(tell).await?),
        };
        let key = self.key(Control::Pca(width), None, None);
        rows.extend(match self.cached(&key, &self.names(&[pca]), Source::Pca.words()) {
            Some(rows) => rows,
            None => self.keep(&key, self.probing.components(width, tell).await?),
        });
        Ok(rows)
    }

    /// A linear layer trained by SGD on the frozen untrained encoder and on raw pixels.
    pub(super) async fn linear_sgd(&mut self, plan: &LabelledPlan, tell: &mut Tell<'_>) -> Result<Vec<ProbeRow>> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        let training = Labelled { probing: self.probing, plan };
        let title = |source: Source| format!("a linear layer on {}", source.words());
        let key = self.key(Control::Untrained(config, weights(untrained).await?), None, Some(plan));
        let name = (training.layer().to_string(), SGD);
        let mut rows = match self.cached(&key, &[name], &title(Source::Untrained)) {
            Some(rows) => rows,
            None => self.keep(&key, vec![training.on_encoder(untrained, Source::Untrained, tell).await?]),
        };
        let key = self.key(Control::Pixels, None, Some(plan));
        let name = ("pixels".to_string(), SGD);
        rows.extend(match self.cached(&key, &[name], &title(Source::RawPixels)) {
            Some(rows) => rows,
            None => self.keep(&key, vec![training.on_pixels(tell).await?]),
        });
        Ok(rows)
    }

    /// The untrained encoder trained with labels: its own classifier and, with `layers`, its layers under the same probes as
    /// those of the other encoders.
    pub(super) async fn supervised(
        &mut self,
        plan: &LabelledPlan,
        layers: bool,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<ProbeRow>> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        let source = Source::Supervised;
        let key = self.supervised_key(plan).await?;
        if let Some(rows) = self.cached(&key, &self.supervised_names(layers), source.words()) {
            return Ok(rows);
        }
        let training = Labelled { probing: self.probing, plan };
        let (row, encoder) = training.network(untrained, config, source, tell).await?;
        let mut rows = vec![row];
        if layers {
            rows.extend(self.probing.encoder(&encoder, source, tell).await?);
        }
        Ok(self.keep(&key, rows))
    }

    /// The same with layers out of the cache; `None` where it was never measured.
    pub(super) async fn supervised_if_known(&mut self, plan: &LabelledPlan) -> Result<Option<Vec<ProbeRow>>> {
        let key = self.supervised_key(plan).await?;
        Ok(self.cached(&key, &self.supervised_names(true), Source::Supervised.words()))
    }

    async fn supervised_key(&self, plan: &LabelledPlan) -> Result<Value> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        Ok(self.key(Control::Supervised(config, weights(untrained).await?), None, Some(plan)))
    }

    fn supervised_names(&self, layers: bool) -> Vec<RowName> {
        let mut names = vec![(GAP.to_string(), FINETUNE)];
        if layers {
            names.extend(self.names(&self.layers(self.subject.untrained)));
        }
        names
    }

    /// The untrained encoder with few labels.
    pub(super) async fn few_of_encoder(
        &mut self,
        draws: &Draws<'_>,
        layer: &str,
        tell: &mut Tell<'_>,
    ) -> Result<Curve> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        let control = Control::Untrained(config, weights(untrained).await?);
        let key = self.key(control, Some((layer, draws.settings())), None);
        if let Some(curve) = self.cached_curve(&key, Source::Untrained) {
            return Ok(curve);
        }
        let curve = draws.encoder(untrained, Source::Untrained, layer, tell).await?;
        self.cache.put(&key, &curve);
        Ok(curve)
    }

    /// Raw pixels with few labels.
    pub(super) async fn few_of_pixels(&mut self, draws: &Draws<'_>, tell: &mut Tell<'_>) -> Result<Curve> {
        let key = self.key(Control::Pixels, Some(("pixels", draws.settings())), None);
        if let Some(curve) = self.cached_curve(&key, Source::RawPixels) {
            return Ok(curve);
        }
        let curve = draws.pixels(tell).await?;
        self.cache.put(&key, &curve);
        Ok(curve)
    }

    async fn encoder(&mut self, encoder: &Encoder, title: &str, tell: &mut Tell<'_>) -> Result<Vec<ProbeRow>> {
        let config = self.subject.config;
        let key = self.key(Control::Untrained(config, weights(encoder).await?), None, None);
        let names = self.names(&self.layers(encoder));
        if let Some(rows) = self.cached(&key, &names, title) {
            return Ok(rows);
        }
        let rows = self.probing.encoder(encoder, Source::Untrained, tell).await?;
        Ok(self.keep(&key, rows))
    }

    /// The layers that are asked for.
    fn layers(&self, encoder: &Encoder) -> Vec<String> {
        self.probing.settings.layer.clone().map_or_else(|| encoder.layer_names(), |layer| vec![layer])
    }

    /// The rows that the probes give of these layers.
    fn names(&self, layers: &[String]) -> Vec<RowName> {
        let probes = self.probing.settings.probes();
        layers.iter().flat_map(|layer| probes.iter().map(move |probe| (layer.clone(), *probe))).collect()
    }

    /// The rows of these names out of the cache, if all are there.
    fn cached(&mut self, key: &Value, names: &[RowName], title: &str) -> Option<Vec<ProbeRow>> {
        let rows = self.find(key, names)?;
        self.from_cache.push(title.to_string());
        Some(rows)
    }

    fn find(&self, key: &Value, names: &[RowName]) -> Option<Vec<ProbeRow>> {
        let known: Vec<ProbeRow> = self.cache.get(key)?;
        let row =
            |(layer, probe): &RowName| known.iter().find(|row| row.layer == *layer && row.probe == *probe).cloned();
        names.iter().map(row).collect()
    }

    fn cached_curve(&mut self, key: &Value, source: Source) -> Option<Curve> {
        let curve = self.cache.get(key)?;
        self.from_cache.push(format!("few labels of {}", source.words()));
        Some(curve)
    }

    /// Adds rows to those that are cached under the key.
    fn keep(&self, key: &Value, rows: Vec<ProbeRow>) -> Vec<ProbeRow> {
        let mut known: Vec<ProbeRow> = self.cache.get(key).unwrap_or_default();
        known.retain(|row| !rows.iter().any(|new| (&new.layer, &new.probe) == (&row.layer, &row.probe)));
        known.extend(rows.iter().cloned());
        self.cache.put(key, &known);
        rows
    }

    fn key(&self, control: Control, few: Option<(&str, &FewSettings)>, plan: Option<&LabelledPlan>) -> Value {
        let EncoderUnderTest { images_sha256: images, selected, .. } = &self.subject;
        let Probing { data, sample, settings, .. } = self.probing;
        // probes and layers are not part of the key: a row is found by their names
        let settings = ProbeSettings {
            linear: true,
            knn: true,
            retrieval: false,
            layer: None,
            train_images: sample.train.len(),
            test_images: sample.test.len(),
            ..settings.clone()
        };
        let size = data.train.size();
        let device = selected.readout.name.as_str();
        let key = Key { control, images, size, settings, device, few, plan };
        serde_json::to_value(key).expect("keys have only string keys")
    }
}

/// SHA-256 over the names and values of an encoder's tensors.
async fn weights(encoder: &Encoder) -> Result<String> {
    let mut hash = Sha256::new();
    for (name, data) in tensors::read(encoder.state()).await? {
        hash.update(name.as_bytes());
        data.iter::<f32>().for_each(|value| hash.update(value.to_le_bytes()));
    }
    Ok(hex(&hash.finalize()))
}
