//! Expected time and memory of a measurement.

use burn::tensor::Device;

use super::request::{EvalRequest, SupervisedControl};
use crate::data::Size;
use crate::error::Result;
use crate::net::{Encoder, EncoderConfig, Init};
use crate::probe::cost::{Cost, Passes, Speed, Workload};
use crate::probe::labelled::LabelledPlan;
use crate::rng::{Purpose, stream};

/// Pixel values of all images below which the time is not worth an estimate.
const FEW_PIXELS: usize = 5_000_000;
/// A training step, in forward passes.
const STEP: f64 = 3.5;
/// Classes of images that are not loaded yet.
const CLASSES: usize = 10;

/// Controls that are in the cache and need not be measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) untrained: bool,
    pub(super) pixels: bool,
    pub(super) supervised: bool,
}

/// The cost of measuring an encoder beside its controls; zero where it is too small to matter.
pub(super) async fn expected(
    encoder: &Encoder,
    request: &EvalRequest,
    work: &Workload<'_>,
    known: Known,
    device: &Device,
) -> Result<Cost> {
    let trains = request.sgd.is_some() || request.finetune.is_some();
    let pixels = (work.train + work.test) * work.size.bytes();
    if pixels < FEW_PIXELS && !trains {
        return Ok(Cost::default());
    }
    let speed = Speed::measure(device).await?;
    let passes = Passes::of(encoder, work, device).await?;
    let layers = work.encoder(&passes, speed);
    let mut cost = Cost::default();
    if work.settings.reads() {
        let untrained = if known.untrained { 0 } else { request.untrained };
        cost = layers.times(1 + untrained);
        if !known.pixels {
            cost = cost.then(work.pixels(encoder.width(), speed));
        }
    }
    let training = |plan: &LabelledPlan, forwards: f64| {
        let images = plan.steps(work.train) * plan.batch_of(work.train);
        Cost { seconds: forwards * passes.seconds * images as f64, bytes: 0.0 }
    };
    if let Some(plan) = &request.sgd {
        // of the trained encoder and of the untrained one; features are computed once for all learning rates
        let fits = if plan.rates.len() > 1 { 2 } else { 1 };
        cost = cost.then(training(plan, 1.0).times(2 * fits));
    }
    if let Some(plan) = &request.finetune {
        cost = cost.then(training(plan, STEP).times(2));
    }
    if let (SupervisedControl::Measured(plan), false) = (&request.supervised, known.supervised) {
        cost = cost.then(training(plan, STEP)).then(layers);
    }
    Ok(cost)
}

/// The cost of measuring an encoder of this architecture with `images` training and test images of this size that are not
/// loaded yet, if none of its controls is in the cache.
///
/// # Errors
/// When the encoder cannot read such images or the device is lost.
pub async fn expected_cost(
    config: &EncoderConfig,
    size: Size,
    [train, test]: [usize; 2],
    request: &EvalRequest,
    device: &Device,
) -> Result<Cost> {
    let mut init = Init::new(stream(0, Purpose::Weights, 0), device);
    let encoder = Encoder::init(config, size.channels, &mut init)?;
    let settings = &request.settings;
    let used = |wanted: usize, there: usize| if wanted == 0 { there } else { wanted.min(there) };
    let work = Workload {
        train: used(settings.train_images, train),
        test: used(settings.test_images, test),
        size,
        classes: CLASSES,
        settings,
    };
    expected(&encoder, request, &work, Known::default(), device).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::ProbeSettings;
    use futures_lite::future::block_on;

    #[test]
    fn more_controls_take_longer_and_sixty_small_images_no_time() {
        let config = EncoderConfig::small(4);
        let device = Device::flex();
        let size = Size { channels: 1, height: 28, width: 28 };
        let cost = |images: [usize; 2], request: &EvalRequest| {
            block_on(expected_cost(&config, size, images, request, &device)).expect("a cost")
        };
        let one = EvalRequest::from(ProbeSettings::default());
        assert_eq!(cost([48, 12], &one), Cost::default());
        let supervised = SupervisedControl::Measured(LabelledPlan::as_long(28, 1_000_000, 64));
        let all = EvalRequest { untrained: 3, supervised, ..one.clone() };
        let ([few, many], whole) =
            ([&one, &all].map(|request| cost([60_000, 10_000], request).seconds), [60_000, 10_000]);
        assert!(few > 0.0 && many > few, "{few} and {many} s for {whole:?} images");
    }
}
