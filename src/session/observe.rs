//! Measurements of a run: reading values back, drawing, probes, and the method's own metric on held-out images.

use burn::tensor::{Device, Int, Tensor, Transaction};

use super::event::{Event, Pretext, Probe, ProbeRow, Source};
use super::picture::{Caption, Picture, PictureFigure, PictureRow};
use super::schedule::ProbePace;
use super::work::Next;
use super::{Progress, Session};
use crate::data::{Dataset, Split, draw};
use crate::error::{Error, Result};
use crate::method::{Batch, ClassPredictions, Figure, Metric, StepDisplay, StepPosition, StepResult, Training};
use crate::net::Encoder;
use crate::platform;
use crate::probe::{self, Probing, Reading, Sample};
use crate::rng::{Purpose, stream};

/// Images drawn in a row.
const DRAWN: usize = 16;
/// Held-out images that are sampled for drawing: some methods combine several of them.
pub(super) const SAMPLED: usize = 64;
/// Held-out images in a batch.
const HELD_OUT_BATCH: usize = 250;

/// A [`StepResult`] read back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    pub(super) loss: f64,
    pub(super) metric: Option<f64>,
    pub(super) baseline: Option<f64>,
}

/// Reads loss and metrics back in one round trip.
pub(super) async fn read(StepResult { loss, metric, baseline }: StepResult) -> Result<Values> {
    let there = [metric.is_some(), baseline.is_some()];
    let all: Vec<_> = [Some(loss), metric, baseline].into_iter().flatten().collect();
    let data = Tensor::cat(all, 0).into_data_async().await.map_err(Error::read)?;
    let mut numbers = data.iter::<f64>();
    let loss = numbers.next().unwrap_or(f64::NAN);
    let [metric, baseline] = there.map(|there| if there { numbers.next() } else { None });
    Ok(Values { loss, metric, baseline })
}

/// The controls of a run's probes, measured once.
pub(super) struct Controls {
    untrained: Encoder,
    /// The images, drawn once.
    sample: Option<Sample>,
    readings: Option<Vec<Reading>>,
}

impl Controls {
    pub(super) fn new(untrained: Encoder) -> Self {
        Self { untrained, sample: None, readings: None }
    }

    pub(super) fn untrained(&self) -> &Encoder {
        &self.untrained
    }

    /// Probes the encoder and, the first time, the controls; `None` while labelled images are still missing. At step 0 the
    /// encoder is the untrained one, whatever it has learned since.
    async fn probe(
        &mut self,
        encoder: &Encoder,
        step: usize,
        epoch: f64,
        data: &Dataset,
        pace: &ProbePace,
        device: &Device,
    ) -> Result<Option<Probe>> {
        let settings = &pace.settings;
        let there = |split: &Split, among: usize| probe::count(split, 0) >= among.min(split.total()).max(1);
        if !there(&data.train, pace.among[0]) || !there(&data.test, pace.among[1]) {
            return Ok(None);
        }
        let sample = match &self.sample {
            Some(sample) => sample,
            None => self.sample.insert(Sample::among(data, settings, pace.among)?),
        };
        let probing = Probing { data, settings, sample, device };
        let controls = match &self.readings {
            Some(readings) => readings,
            None => self.readings.insert(controls(&probing, &self.untrained).await?),
        };
        let mut readings = if step == 0 {
            let own = controls.iter().filter(|reading| reading.row.source == Source::Untrained).cloned();
            own.map(|reading| Reading { row: ProbeRow { source: Source::Trained, ..reading.row }, ..reading }).collect()
        } else {
            probing.readings(encoder, Source::Trained, &mut |_| ()).await?
        };
        readings.extend_from_slice(controls);
        Ok(Some(round(step, epoch, readings, &probing)))
    }
}

/// Readings of the controls: raw pixels, their principal components, and the untrained encoder.
async fn controls(probing: &Probing<'_>, untrained: &Encoder) -> Result<Vec<Reading>> {
    let mut readings = probing.pixel_readings().await?;
    readings.extend(probing.component_readings(untrained.width()).await?);
    readings.extend(probing.readings(untrained, Source::Untrained, &mut |_| ()).await?);
    Ok(readings)
}

/// Readings of the trained encoder and of its controls as a round of probes.
pub(super) fn round(step: usize, epoch: f64, readings: Vec<Reading>, probing: &Probing<'_>) -> Probe {
    let Probing { data, sample, .. } = probing;
    let gains = if step > 0 { probe::gains(&readings, &sample.test_labels(data)) } else { Vec::new() };
    let rows = readings.into_iter().map(|reading| reading.row).collect();
    Probe { step, epoch, train_images: sample.train.len(), test_images: sample.test.len(), rows, gains }
}

impl Session {
    /// The method's own metric on `images` drawn test images (0: all), without learning from them.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn pretext(&self, images: usize) -> Result<Option<Pretext>> {
        pretext(
            self.learner.as_ref(),
            &self.data,
            &self.entry.info().metric,
            self.config.seed,
            self.position(),
            images,
            &self.selected.device,
        )
        .await
    }

    /// Probes the encoder as it was before its first step.
    pub(super) async fn first_probe(&mut self) -> Result<Progress> {
        self.next = self.pace.work_after(self.step, self.total);
        self.probe_at(0).await
    }

    /// Probes the encoder as it is now. An examination follows the last probes, where the pace has one.
    pub(super) async fn probe(&mut self) -> Result<Progress> {
        self.next = if self.is_finished() { Next::HeldOut } else { Next::Train };
        if self.is_finished() && self.pace.exam.as_ref().is_some_and(|exam| exam.at_end) {
            self.exam_next();
        }
        self.probe_at(self.step).await
    }

    async fn probe_at(&mut self, step: usize) -> Result<Progress> {
        let Some(pace) = &self.pace.probe else { return Ok(Progress::Events(Vec::new())) };
        let epoch = self.epochs(step);
        let encoder = self.learner.encoder();
        let probe = self.controls.probe(&encoder, step, epoch, &self.data, pace, &self.selected.device).await?;
        Ok(Progress::Events(probe.into_iter().map(Event::Probe).collect()))
    }

    /// Epochs after this many steps.
    pub(super) fn epochs(&self, step: usize) -> f64 {
        step as f64 / self.order.steps_per_epoch() as f64
    }

    /// Measures the method's own metric after the last step.
    pub(super) async fn held_out(&mut self) -> Result<Progress> {
        self.next = Next::Finish;
        let pretext = self.pretext(self.pace.held_out).await?;
        Ok(Progress::Events(pretext.into_iter().map(Event::Pretext).collect()))
    }
}

/// The method's own metric on test images: the mean over batches, weighted by their images.
async fn pretext(
    learner: &dyn Training,
    data: &Dataset,
    metric: &Metric,
    seed: u64,
    position: StepPosition,
    wanted: usize,
    device: &Device,
) -> Result<Option<Pretext>> {
    let images = data.test.draw(if wanted == 0 { data.test.len() } else { wanted }, draw::SEED);
    let mut sum = 0.0;
    let mut blind = None;
    let mut counted = 0;
    for (number, indices) in images.chunks(HELD_OUT_BATCH).enumerate() {
        let count = indices.len();
        let batch = Batch::out_of(&data.test, indices.to_vec(), device);
        let mut rng = stream(seed, Purpose::HeldOut, number as u64);
        let Values { metric: value, baseline, .. } = read(learner.answer(&batch, &position, &mut rng)).await?;
        if let Some(value) = value {
            sum += value * count as f64;
            counted += count;
        }
        blind = baseline.map(|baseline| blind.unwrap_or(0.0) + baseline * count as f64);
        platform::yield_now().await;
    }
    Ok((counted > 0).then(|| Pretext {
        step: position.step,
        images: counted,
        name: metric.name.to_string(),
        value: sum / counted as f64,
        chance: blind.map(|sum| sum / counted as f64).or(metric.chance),
        unit: metric.unit,
    }))
}

/// Draws a step: up to sixteen images in a row, spread over the batch so that every class of target occurs.
pub(super) async fn picture(step: usize, shown: Option<StepDisplay>) -> Result<Picture> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let Some(shown) = shown else { return Ok(Picture { step, rows, figures }) };
    for (number, (title, images)) in shown.rows.into_iter().enumerate() {
        let verdicts = if number == 0 { shown.verdicts.as_ref() } else { None };
        rows.push(row(title, images, verdicts).await?);
    }
    for shown in shown.figures {
        figures.push(figure(shown).await?);
    }
    Ok(Picture { step, rows, figures })
}

async fn figure(Figure { title, caption, values, low, high }: Figure) -> Result<PictureFigure> {
    let [rows, columns] = values.dims();
    let bytes = ((values - low) / (high - low)).clamp(0.0, 1.0) * 255.0;
    let data = bytes.round().into_data_async().await.map_err(Error::read)?;
    let cells = data.iter::<f32>().map(|value| value as u8).collect();
    Ok(PictureFigure { title, caption, columns, rows, low, high, cells })
}

async fn row(title: String, images: Tensor<4>, verdicts: Option<&ClassPredictions>) -> Result<PictureRow> {
    let [n, channels, height, width] = images.dims();
    let device = images.device();
    let places = spread(n, DRAWN);
    let chosen = Tensor::<1, Int>::from_ints(places.as_slice(), &device);
    let bytes = (images.select(0, chosen.clone()).permute([0, 2, 3, 1]).clamp(0.0, 1.0) * 255.0).round();
    let mut transaction = Transaction::default().register(bytes);
    if let Some(verdicts) = verdicts {
        let guess = verdicts.answers.clone().argmax(1).squeeze_dim::<1>(1);
        transaction =
            transaction.register(verdicts.truth.clone().select(0, chosen.clone())).register(guess.select(0, chosen));
    }
    let read = transaction.execute_async().await.map_err(Error::read)?;
    let mut read = read.into_iter();
    let pixels = read.next().map(|data| data.iter::<f32>().map(|value| value as u8).collect()).unwrap_or_default();
    let captions = match (verdicts, read.next(), read.next()) {
        (Some(verdicts), Some(truth), Some(guess)) => {
            let name = |class: i64| verdicts.names.get(class as usize).cloned().unwrap_or_else(|| "?".to_string());
            let pairs = truth.iter::<i64>().zip(guess.iter::<i64>());
            pairs
                .map(|(truth, guess)| Caption { truth: name(truth), guess: name(guess), right: truth == guess })
                .collect()
        }
        _ => Vec::new(),
    };
    Ok(PictureRow { title, width, height, channels, pixels, captions })
}

/// Up to `wanted` different indices below `n`. The stride is just over a quarter of `n`, so that they reach all quarters.
fn spread(n: usize, wanted: usize) -> Vec<i32> {
    let count = wanted.min(n);
    let stride = n / 4 + 1;
    let mut places = Vec::with_capacity(count);
    let mut place = 0;
    while places.len() < count {
        if !places.contains(&(place as i32)) {
            places.push(place as i32);
            place = (place + stride) % n;
        } else {
            place = (place + 1) % n;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_differ_and_reach_every_quarter() {
        for n in [1, 3, 4, 8, 16, 100, 256, 257] {
            let places = spread(n, DRAWN);
            assert_eq!(places.len(), DRAWN.min(n));
            let distinct: std::collections::BTreeSet<_> = places.iter().collect();
            assert_eq!(distinct.len(), places.len());
            if n >= 16 {
                let quarters: std::collections::BTreeSet<_> =
                    places.iter().map(|&place| place as usize * 4 / n).collect();
                assert_eq!(quarters.len(), 4, "n = {n}");
            }
        }
    }
}
