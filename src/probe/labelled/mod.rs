//! Classifiers trained with labels on augmented views: a linear layer on a frozen encoder, the protocol of most papers; and the
//! encoder with a linear layer, which is fine-tuning for a trained encoder and the supervised control for an untrained one. All
//! take the same steps on the same views.

mod classifier;
mod plan;
mod train;

use self::classifier::Front;
use self::train::{Fit, Task, Whole};
use super::interval::wilson;
use super::{ProbeRow, Probing, Source};
use crate::error::{Error, Result};
use crate::net::{Encoder, EncoderConfig, GAP, tensors};
pub use plan::{LabelledPlan, Length};

/// Name of the linear layer in rows.
pub const SGD: &str = "sgd";
/// Name of whole networks in rows.
pub const FINETUNE: &str = "finetune";

/// Images with labels, and how a classifier is trained on them.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The images and the device; for a frozen encoder also the layer and the grid.
    pub probing: Probing<'a>,
    /// Plan of the training.
    pub plan: &'a LabelledPlan,
}

impl Labelled<'_> {
    /// The layer below the linear layer: the one that was asked for, or the mean over positions.
    pub fn layer(&self) -> &str {
        self.probing.settings.layer.as_deref().unwrap_or(GAP)
    }

    /// Trains a linear layer on a frozen encoder in inference mode: taken with `valid()` from a model in training. `tell`
    /// receives progress messages.
    ///
    /// # Errors
    /// When the layer does not exist, labels are missing, the rate is too high, or the device is lost.
    pub async fn on_encoder(&self, encoder: &Encoder, source: Source, tell: &mut dyn FnMut(&str)) -> Result<ProbeRow> {
        let names = encoder.layer_names();
        let layer = self.layer();
        let index = names.iter().position(|name| name == layer);
        let index = index
            .ok_or_else(|| Error::Config(format!("there is no layer `{layer}`; there are: {}", names.join(", "))))?;
        let front = Front::Layer { encoder, index, grid: self.probing.settings.grid };
        self.fit(front, None, source, tell).await.map(|(fit, width)| self.row(SGD, source, layer, width, &fit))
    }

    /// Trains a linear layer on raw pixels.
    ///
    /// # Errors
    /// When labels are missing, the rate is too high, or the device is lost.
    pub async fn on_pixels(&self, tell: &mut dyn FnMut(&str)) -> Result<ProbeRow> {
        let source = Source::RawPixels;
        let (fit, width) = self.fit(Front::Nothing, None, source, tell).await?;
        Ok(self.row(SGD, source, "pixels", width, &fit))
    }

    /// Trains an encoder, from the weights it has, together with a linear layer on the mean over positions, and returns it in
    /// inference mode. The encoder passed in is unchanged.
    ///
    /// # Errors
    /// When labels are missing, the rate is too high, or the device is lost.
    pub async fn network(
        &self,
        start: &Encoder,
        config: &EncoderConfig,
        source: Source,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(ProbeRow, Encoder)> {
        let state = tensors::read(start.state()).await?.into_iter().collect();
        // norm groups keep contrastive methods from comparing batch statistics; a classifier has no use for them
        let config = EncoderConfig { norm_groups: 1, ..config.clone() };
        let (fit, _) = self.fit(Front::Nothing, Some(Whole { config, state }), source, tell).await?;
        let row = self.row(FINETUNE, source, GAP, start.width(), &fit);
        let encoder = fit.classifier.encoder.expect("a whole network has an encoder");
        Ok((row, encoder))
    }

    /// Trains; also returns the number of inputs per image.
    async fn fit(
        &self,
        front: Front<'_>,
        whole: Option<Whole>,
        source: Source,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(Fit, usize)> {
        self.plan.check()?;
        let task = Task { on: *self, front, whole };
        let width = task.width();
        let mut tell = |text: &str| tell(&format!("{}: {text}", source.words()));
        Ok((task.run(&mut tell).await?, width))
    }

    fn row(&self, probe: &str, source: Source, layer: &str, width: usize, fit: &Fit) -> ProbeRow {
        let Fit { accuracy, images, lr, validation, .. } = *fit;
        ProbeRow {
            source,
            layer: layer.to_string(),
            width,
            probe: probe.to_string(),
            accuracy,
            interval: wilson(accuracy, images),
            l2: None,
            lr: Some(lr),
            validation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Size, Split};
    use crate::net::Init;
    use crate::probe::{ProbeSettings, Sample};
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;
    use futures_lite::future::block_on;
    use rand::RngExt;

    const SIDE: usize = 12;

    /// Bright bars in noise, upright or lying: two classes that no mean of pixels tells apart.
    fn bars(train: usize, test: usize) -> Dataset {
        let size = Size { channels: 1, height: SIDE, width: SIDE };
        let split = |count: usize, seed: u64| {
            let mut rng = stream(seed, Purpose::Data, 0);
            let mut pixels = Vec::new();
            let mut labels = Vec::new();
            for image in 0..count {
                let class = image % 2;
                let at = rng.random_range(2..SIDE - 2);
                for place in 0..SIDE * SIDE {
                    let along = if class == 0 { place / SIDE } else { place % SIDE };
                    pixels.push(rng.random_range(0..60) + if along == at { 180 } else { 0 });
                }
                labels.push(class as u16);
            }
            Split::new(size, pixels, labels).expect("an image a label")
        };
        let classes = ["lying", "upright"].map(str::to_string).to_vec();
        Dataset { name: "bars".into(), classes, train: split(train, 1), validation: None, test: split(test, 2) }
    }

    fn encoder(config: &EncoderConfig) -> Encoder {
        let mut init = Init::new(stream(3, Purpose::Weights, 0), &Device::flex());
        Encoder::init(config, 1, &mut init).expect("an encoder")
    }

    fn state(encoder: &Encoder) -> Vec<(String, Vec<f32>)> {
        let read = block_on(tensors::read(encoder.state())).expect("flex reads");
        read.into_iter().map(|(name, data)| (name, data.try_into_vec().expect("floats"))).collect()
    }

    fn plan() -> LabelledPlan {
        LabelledPlan { length: Length::Steps(60), batch: 32, rates: vec![0.1], ..LabelledPlan::network(SIDE) }
    }

    #[test]
    fn a_frozen_encoder_is_unchanged_to_the_last_bit() {
        let data = bars(120, 60);
        let config = EncoderConfig::small(4);
        let encoder = encoder(&config);
        let settings = ProbeSettings::default();
        let before = state(&encoder);
        let plan = LabelledPlan { rates: vec![0.1, 1.0], length: Length::Steps(20), ..plan() };
        let sample = Sample::of(&data, &settings).expect("a sample");
        let device = Device::flex();
        let probing = Probing { data: &data, settings: &settings, sample: &sample, device: &device };
        let on = Labelled { probing, plan: &plan };
        let mut heard = Vec::new();
        let row = block_on(on.on_encoder(&encoder, Source::Trained, &mut |text: &str| heard.push(text.to_string())));
        let row = row.expect("a row");
        assert_eq!((row.probe.as_str(), row.layer.as_str(), row.width), ("sgd", "gap", 16));
        assert!(plan.rates.contains(&row.lr.expect("a rate")) && row.validation.is_some());
        assert_eq!(state(&encoder), before, "weights and running statistics");
        assert!(heard.iter().all(|text| text.starts_with("trained encoder: ")) && heard.len() > 4, "{heard:?}");
        let again = block_on(on.on_encoder(&encoder, Source::Trained, &mut |_: &str| ())).expect("a row");
        assert_eq!(again, row, "the same seed gives the same row");
        let settings = ProbeSettings { layer: Some("block9".into()), ..settings.clone() };
        let on = Labelled { probing: Probing { settings: &settings, ..probing }, ..on };
        let refused = block_on(on.on_encoder(&encoder, Source::Trained, &mut |_: &str| ())).expect_err("no such layer");
        assert!(refused.to_string().contains("no layer `block9`"), "{refused}");
    }

    #[test]
    fn a_fine_tuned_network_changes_and_improves() {
        let data = bars(240, 100);
        let config = EncoderConfig::small(4);
        let encoder = encoder(&config);
        let settings = ProbeSettings::default();
        let plan = plan();
        let before = state(&encoder);
        let sample = Sample::of(&data, &settings).expect("a sample");
        let device = Device::flex();
        let probing = Probing { data: &data, settings: &settings, sample: &sample, device: &device };
        let on = Labelled { probing, plan: &plan };
        let (row, tuned) =
            block_on(on.network(&encoder, &config, Source::Supervised, &mut |_: &str| ())).expect("a row");
        assert_eq!(state(&encoder), before, "the one handed in stays as it is");
        let after = state(&tuned);
        let moved =
            before.iter().zip(&after).filter(|((name, old), (_, new))| name.ends_with("conv.weight") && old != new);
        assert_eq!(moved.count(), 4, "every convolution learns");
        assert!(before.iter().zip(&after).any(|(old, new)| old.0.ends_with("running_var") && old != new));
        let still = block_on(on.on_encoder(&encoder, Source::Untrained, &mut |_: &str| ())).expect("a row");
        assert!(row.accuracy > 0.95, "{row:?}");
        assert!(row.accuracy > still.accuracy + 0.05, "{row:?} against {still:?}");
        assert_eq!((row.probe.as_str(), row.source, row.validation), ("finetune", Source::Supervised, None));
        // what comes back is the network that was measured
        let again = block_on(on.network(&encoder, &config, Source::Supervised, &mut |_: &str| ())).expect("a row");
        assert_eq!((again.0, state(&again.1)), (row, after));
    }

    #[test]
    fn pixels_are_trained_on_and_a_diverging_rate_is_named() {
        let data = bars(60, 20);
        let settings = ProbeSettings::default();
        let plan = LabelledPlan { length: Length::Epochs(2), ..plan() };
        let sample = Sample::of(&data, &settings).expect("a sample");
        let device = Device::flex();
        let probing = Probing { data: &data, settings: &settings, sample: &sample, device: &device };
        let on = Labelled { probing, plan: &plan };
        let row = block_on(on.on_pixels(&mut |_: &str| ())).expect("a row");
        assert_eq!((row.source, row.layer.as_str(), row.width), (Source::RawPixels, "pixels", SIDE * SIDE));
        let plan = LabelledPlan { rates: vec![1e38], ..plan.clone() };
        let refused = block_on(Labelled { plan: &plan, ..on }.on_pixels(&mut |_: &str| ())).expect_err("no number");
        assert!(refused.to_string().contains("smaller"), "{refused}");
    }
}
