//! What stands beside every result and takes no learning to know, or no learning without labels: it is the same for all
//! runs on the same images with the same encoder, so it is measured once and kept.

use futures_lite::future::block_on;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::measure::EncoderUnderTest;
use super::output::exit::Outcome;
use super::output::spinner::Spinner;
use crate::data::Size;
use crate::digest::hex;
use crate::net::{Encoder, EncoderConfig, GAP, Init, tensors};
use crate::probe::few::{Curve, Draws, FewSettings};
use crate::probe::labelled::{FINETUNE, Plan, SGD};
use crate::probe::{self, ProbeSettings};
use crate::rng::{Purpose, stream};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::Untrained;

/// The controls of one subject.
pub(super) struct Controls<'a> {
    subject: EncoderUnderTest<'a>,
    settings: &'a ProbeSettings,
    cache: Cache,
    spinner: &'a Spinner,
    /// What came from the cache, in words.
    pub(super) known: Vec<String>,
}

/// Everything that an answer depends on.
#[derive(Serialize)]
struct Question<'a> {
    control: Control<'a>,
    images: &'a str,
    size: Size,
    settings: ProbeSettings,
    device: &'a str,
    few: Option<(&'a str, &'a FewSettings)>,
    /// Where something was trained with labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Plan>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Control<'a> {
    Pixels,
    Pca(usize),
    /// With the digest of its weights.
    Untrained(&'a EncoderConfig, String),
    /// With that of the weights it started from.
    Supervised(&'a EncoderConfig, String),
}

impl<'a> Controls<'a> {
    pub(super) fn new(
        subject: EncoderUnderTest<'a>,
        settings: &'a ProbeSettings,
        fresh: bool,
        spinner: &'a Spinner,
    ) -> Self {
        Self { subject, settings, cache: Cache::of_user(fresh), spinner, known: Vec::new() }
    }

    /// The untrained encoder.
    pub(super) fn untrained(&mut self) -> Outcome<Vec<ProbeRow>> {
        self.encoder(self.subject.untrained, Source::Untrained.words().to_string())
    }

    /// Untrained encoders with the weights of the `count` seeds after the subject's own.
    pub(super) fn others(&mut self, count: usize) -> Outcome<Vec<Untrained>> {
        let EncoderUnderTest { config, data, selected, .. } = self.subject;
        let mut found = Vec::with_capacity(count);
        for number in 1..=count as u64 {
            let seed = self.subject.seed.wrapping_add(number);
            let mut init = Init::new(stream(seed, Purpose::Weights, 0), &selected.device);
            let encoder = Encoder::init(config, data.train.size().channels, &mut init)?;
            found.push(Untrained { seed, rows: self.encoder(&encoder, format!("untrained encoder of seed {seed}"))? });
        }
        Ok(found)
    }

    /// The pixels, and as many of their principal components as `width`.
    pub(super) fn pixels(&mut self, width: usize) -> Outcome<Vec<ProbeRow>> {
        let EncoderUnderTest { data, selected, .. } = self.subject;
        let (settings, device, spinner) = (self.settings, &selected.device, self.spinner);
        let mut tell = |text: &str| spinner.tell(text);
        let question = self.question(Control::Pixels, None, None);
        let mut rows = self.rows(question, &self.read(&["pixels".into()]), Source::RawPixels.words().into(), || {
            Ok(block_on(probe::pixels(data, settings, device, &mut tell))?)
        })?;
        let mut tell = |text: &str| spinner.tell(text);
        let question = self.question(Control::Pca(width), None, None);
        rows.extend(self.rows(question, &self.read(&["pca".into()]), Source::Pca.words().into(), || {
            Ok(block_on(probe::components(data, settings, width, device, &mut tell))?)
        })?);
        Ok(rows)
    }

    /// A linear layer trained on the untrained encoder, which stands still, and on raw pixels.
    pub(super) fn on_still(&mut self, plan: &Plan) -> Outcome<Vec<ProbeRow>> {
        let (untrained, config, spinner) = (self.subject.untrained, self.subject.config, self.spinner);
        let on = self.subject.labelled(self.settings, plan);
        let of = |layer: &str| [(layer.to_string(), SGD)];
        let mut tell = |text: &str| spinner.tell(text);
        let question = self.question(Control::Untrained(config, weights(untrained)?), None, Some(plan));
        let words = |source: Source| format!("a linear layer on {}", source.words());
        let mut rows = self.rows(question, &of(on.layer()), words(Source::Untrained), || {
            Ok(vec![block_on(on.on_encoder(untrained, Source::Untrained, &mut tell))?])
        })?;
        let mut tell = |text: &str| spinner.tell(text);
        let question = self.question(Control::Pixels, None, Some(plan));
        rows.extend(self.rows(question, &of("pixels"), words(Source::RawPixels), || {
            Ok(vec![block_on(on.on_pixels(&mut tell))?])
        })?);
        Ok(rows)
    }

    /// The untrained encoder trained with labels: how well it names classes itself and, with `layers`, what its layers say when
    /// they are read as those of the others.
    pub(super) fn supervised(&mut self, plan: &Plan, layers: bool) -> Outcome<Vec<ProbeRow>> {
        let EncoderUnderTest { untrained, config, data, selected, .. } = self.subject;
        let (settings, spinner) = (self.settings, self.spinner);
        let source = Source::Supervised;
        let (question, wanted) = self.of_supervised(plan, layers)?;
        let on = self.subject.labelled(settings, plan);
        let mut tell = |text: &str| spinner.tell(text);
        self.rows(question, &wanted, source.words().to_string(), || {
            let (row, encoder) = block_on(on.network(untrained, config, source, &mut tell))?;
            let mut rows = vec![row];
            if layers {
                rows.extend(block_on(probe::encoder(&encoder, source, data, settings, &selected.device, &mut tell))?);
            }
            Ok(rows)
        })
    }

    /// The same with layers, from an earlier run; nothing where none measured it.
    pub(super) fn supervised_if_known(&mut self, plan: &Plan) -> Outcome<Option<Vec<ProbeRow>>> {
        let (question, wanted) = self.of_supervised(plan, true)?;
        let known: Vec<ProbeRow> = self.cache.get(&question).unwrap_or_default();
        let known = found(&known, &wanted);
        self.known.extend(known.is_some().then(|| Source::Supervised.words().to_string()));
        Ok(known)
    }

    /// What the encoder trained with labels is known by, and the layers and probes of its rows.
    fn of_supervised(&self, plan: &Plan, layers: bool) -> Outcome<(Value, Vec<(String, &'static str)>)> {
        let EncoderUnderTest { untrained, config, .. } = self.subject;
        let mut wanted = vec![(GAP.to_string(), FINETUNE)];
        if layers {
            wanted.extend(self.read(&self.layers(untrained)));
        }
        Ok((self.question(Control::Supervised(config, weights(untrained)?), None, Some(plan)), wanted))
    }

    /// The untrained encoder with few labels.
    pub(super) fn few_of_encoder(&mut self, draws: &Draws, layer: &str) -> Outcome<Curve> {
        let EncoderUnderTest { untrained, config, selected, .. } = self.subject;
        let spinner = self.spinner;
        let mut tell = |text: &str| spinner.tell(text);
        self.few(Control::Untrained(config, weights(untrained)?), draws, layer, || {
            Ok(block_on(draws.encoder(untrained, Source::Untrained, layer, &selected.device, &mut tell))?)
        })
    }

    /// The pixels with few labels.
    pub(super) fn few_of_pixels(&mut self, draws: &Draws) -> Outcome<Curve> {
        let (device, spinner) = (&self.subject.selected.device, self.spinner);
        let mut tell = |text: &str| spinner.tell(text);
        self.few(Control::Pixels, draws, "pixels", || Ok(block_on(draws.pixels(device, &mut tell))?))
    }

    fn encoder(&mut self, encoder: &Encoder, words: String) -> Outcome<Vec<ProbeRow>> {
        let EncoderUnderTest { config, data, selected, .. } = self.subject;
        let (settings, spinner) = (self.settings, self.spinner);
        let mut tell = |text: &str| spinner.tell(text);
        let question = self.question(Control::Untrained(config, weights(encoder)?), None, None);
        self.rows(question, &self.read(&self.layers(encoder)), words, || {
            let (source, device) = (Source::Untrained, &selected.device);
            Ok(block_on(probe::encoder(encoder, source, data, settings, device, &mut tell))?)
        })
    }

    /// The layers that are asked for.
    fn layers(&self, encoder: &Encoder) -> Vec<String> {
        self.settings.layer.clone().map_or_else(|| encoder.layer_names(), |layer| vec![layer])
    }

    /// What the readers say of each of these layers: layer and probe of a row.
    fn read(&self, layers: &[String]) -> Vec<(String, &'static str)> {
        let probes = self.settings.probes();
        layers.iter().flat_map(|layer| probes.iter().map(move |probe| (layer.clone(), *probe))).collect()
    }

    /// What is known of these layers and probes, or is measured now.
    fn rows(
        &mut self,
        question: Value,
        wanted: &[(String, &str)],
        words: String,
        measure: impl FnOnce() -> Outcome<Vec<ProbeRow>>,
    ) -> Outcome<Vec<ProbeRow>> {
        let mut known: Vec<ProbeRow> = self.cache.get(&question).unwrap_or_default();
        if let Some(rows) = found(&known, wanted) {
            self.known.push(words);
            return Ok(rows);
        }
        let rows = measure()?;
        known.retain(|row| !rows.iter().any(|new| (&new.layer, &new.probe) == (&row.layer, &row.probe)));
        known.extend(rows.iter().cloned());
        self.cache.put(&question, &known);
        Ok(rows)
    }

    fn few(
        &mut self,
        control: Control,
        draws: &Draws,
        layer: &str,
        measure: impl FnOnce() -> Outcome<Curve>,
    ) -> Outcome<Curve> {
        let source = if matches!(control, Control::Pixels) { Source::RawPixels } else { Source::Untrained };
        let question = self.question(control, Some((layer, draws.settings())), None);
        if let Some(curve) = self.cache.get(&question) {
            self.known.push(format!("few labels of {}", source.words()));
            return Ok(curve);
        }
        let curve = measure()?;
        self.cache.put(&question, &curve);
        Ok(curve)
    }

    fn question(&self, control: Control, few: Option<(&str, &FewSettings)>, plan: Option<&Plan>) -> Value {
        let EncoderUnderTest { data, images, selected, .. } = &self.subject;
        let settings = ProbeSettings {
            linear: true,
            knn: true,
            retrieval: false,
            layer: None,
            train_images: probe::count(&data.train, self.settings.train_images),
            test_images: probe::count(&data.test, self.settings.test_images),
            ..self.settings.clone()
        };
        let (size, device) = (data.train.size(), selected.readout.name.as_str());
        let question = Question { control, images, size, settings, device, few, plan };
        serde_json::to_value(question).expect("questions have only string keys")
    }
}

/// The rows of these layers and probes, if all are there.
fn found(known: &[ProbeRow], wanted: &[(String, &str)]) -> Option<Vec<ProbeRow>> {
    let find =
        |(layer, probe): &(String, &str)| known.iter().find(|row| row.layer == *layer && row.probe == *probe).cloned();
    wanted.iter().map(find).collect()
}

/// SHA-256 over the names and values of an encoder's tensors.
fn weights(encoder: &Encoder) -> Outcome<String> {
    let mut hash = Sha256::new();
    for (name, data) in block_on(tensors::read(encoder.state()))? {
        hash.update(name.as_bytes());
        data.iter::<f32>().for_each(|value| hash.update(value.to_le_bytes()));
    }
    Ok(hex(&hash.finalize()))
}
