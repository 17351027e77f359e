//! Measurements of a run: reading values back, drawing, probes, and the method's own metric on held-out images.

use burn::tensor::{Device, Int, Tensor, Transaction};

use super::event::{Pretext, Probe, ProbeRow, Source};
use super::picture::{Caption, Picture, PictureFigure, PictureRow};
use super::schedule::ProbePace;
use crate::data::{Dataset, Split, draw};
use crate::error::{Error, Result};
use crate::method::{Batch, ClassPredictions, Figure, Metric, StepDisplay, StepPosition, StepResult, Training};
use crate::net::Encoder;
use crate::platform;
use crate::probe::{self, Probing, Sample};
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

/// The controls of a run's probes while it trains, measured once.
pub(super) struct Controls {
    untrained: Encoder,
    /// The images, drawn once.
    sample: Option<Sample>,
    rows: Option<Vec<ProbeRow>>,
}

impl Controls {
    pub(super) fn new(untrained: Encoder) -> Self {
        Self { untrained, sample: None, rows: None }
    }

    pub(super) fn untrained(&self) -> &Encoder {
        &self.untrained
    }

    /// Probes the encoder and, the first time, the controls; `None` while labelled images are still missing.
    pub(super) async fn probe(
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
        let train_images = sample.train.len();
        let test_images = sample.test.len();
        let mut tell = |_: &str| {};
        let controls = match &self.rows {
            Some(rows) => rows.clone(),
            None => {
                let mut rows = probing.pixels(&mut tell).await?;
                rows.extend(probing.encoder(&self.untrained, Source::Untrained, &mut tell).await?);
                self.rows.insert(rows).clone()
            }
        };
        let mut rows = if step == 0 {
            // before the first step the trained encoder is the untrained one
            let own = controls.iter().filter(|row| row.source == Source::Untrained);
            own.map(|row| ProbeRow { source: Source::Trained, ..row.clone() }).collect()
        } else {
            probing.encoder(encoder, Source::Trained, &mut tell).await?
        };
        rows.extend(controls);
        Ok(Some(Probe { step, epoch, train_images, test_images, rows }))
    }
}

/// The method's own metric on test images: the mean over batches, weighted by their images.
pub(super) async fn pretext(
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
