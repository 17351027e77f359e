//! The steps of training, and the choice of the rate.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use super::Labelled;
use super::classifier::{Candidate, Classifier, Front};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::net::{BatchNorm, Encoder, EncoderConfig, Init, Linear, WeightInit};
use crate::platform;
use crate::probe::{Probing, share_right};
use crate::rng::{Purpose, stream};
use crate::view::resize;

/// Images in a forward pass without training.
const BATCH: usize = 250;
/// Number of progress reports in a training.
const TOLD: usize = 20;
/// Deviation of the linear layer's first weights, as in the code of MoCo and SimSiam.
const SPREAD: f64 = 0.01;

/// A training: the module and its images.
pub(super) struct Task<'a> {
    pub(super) on: Labelled<'a>,
    pub(super) front: Front<'a>,
    /// The network to train, if it is more than the linear layer.
    pub(super) whole: Option<Whole>,
}

/// An encoder to train: its architecture and its first weights.
pub(super) struct Whole {
    pub(super) config: EncoderConfig,
    pub(super) state: HashMap<String, TensorData>,
}

/// The result of a training.
pub(super) struct Fit {
    /// For inference.
    pub(super) classifier: Classifier,
    pub(super) lr: f64,
    /// Validation accuracy of a classifier trained without the validation images; only where a rate was chosen.
    pub(super) validation: Option<f64>,
    /// Test accuracy.
    pub(super) accuracy: f64,
    pub(super) images: usize,
}

impl Task<'_> {
    /// Chooses the rate, if there are several, trains on all training images and measures test accuracy.
    pub(super) async fn run(&self, tell: &mut dyn FnMut(&str)) -> Result<Fit> {
        let (lr, validation) = match self.on.plan.rates.as_slice() {
            [only] => (*only, None),
            rates => self.choose(rates, tell).await?,
        };
        let Probing { data, sample, .. } = self.on.probing;
        let Candidate { classifier, loss, .. } = self.train(&[lr], &sample.train, "", tell).await?.swap_remove(0);
        let loss = loss.expect("a plan takes a step").into_scalar_async::<f32>().await;
        let loss = loss.map_err(Error::read)?;
        if !loss.is_finite() {
            return Err(Error::Config(format!("the loss is {loss} at learning rate {lr}: try a smaller one")));
        }
        let classifier = classifier.valid();
        let accuracy = self.accuracy(&classifier, &data.test, &sample.test).await?;
        Ok(Fit { classifier, lr, validation, accuracy, images: sample.test.len() })
    }

    /// The learning rate with the highest validation accuracy (the lowest, where some tie), and that accuracy. The lowest where
    /// there are no validation images.
    async fn choose(&self, rates: &[f64], tell: &mut dyn FnMut(&str)) -> Result<(f64, Option<f64>)> {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        let Probing { data, sample, .. } = self.on.probing;
        let Some((kept, split, aside)) = sample.choosing(data) else {
            let lowest = rates.first().copied();
            return lowest.map(|lr| (lr, None)).ok_or_else(|| Error::Config("there is no learning rate".into()));
        };
        let mut best: Option<(f64, f64)> = None;
        for candidate in self.train(&rates, &kept, "choosing the rate, ", tell).await? {
            let classifier = candidate.classifier.valid();
            let share = self.accuracy(&classifier, split, &aside).await?;
            if best.is_none_or(|(_, most)| share > most) {
                best = Some((candidate.lr, share));
            }
        }
        best.map(|(lr, share)| (lr, Some(share))).ok_or_else(|| Error::Config("there is no learning rate".into()))
    }

    /// Trains one classifier per rate on these images; all see the same views.
    async fn train(
        &self,
        rates: &[f64],
        images: &[usize],
        what: &str,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Vec<Candidate>> {
        let Labelled { probing: Probing { data, device, .. }, plan } = self.on;
        let total = plan.steps(images.len());
        let batch = plan.batch_of(images.len());
        let recipe = plan.recipe(self.side());
        let candidate = |rate: &f64| -> Result<Candidate> { Ok(Candidate::new(self.fresh()?, plan, *rate)) };
        let mut candidates: Vec<Candidate> = rates.iter().map(candidate).collect::<Result<_>>()?;
        let per_epoch = images.len() / batch;
        let mut order = images.to_vec();
        for step in 0..total {
            if step % total.div_ceil(TOLD) == 0 {
                tell(&format!("training with labels, {what}step {step} of {total}"));
            }
            let within = step % per_epoch;
            if within == 0 {
                order.shuffle(&mut stream(plan.seed, Purpose::Order, (step / per_epoch) as u64));
            }
            let chosen = &order[within * batch..(within + 1) * batch];
            let mut rng = stream(plan.seed, Purpose::Views, step as u64);
            let views = recipe.views(&data.train.tensor(chosen, device), &mut rng).swap_remove(0);
            let seen = self.front.see(views);
            let labels = self.labels(chosen);
            let moved = candidates.into_iter().map(|one| one.step(seen.clone(), labels.clone(), step, total));
            candidates = moved.collect();
            platform::yield_now().await;
        }
        Ok(candidates)
    }

    /// A classifier before its first step: the same for every rate.
    fn fresh(&self) -> Result<Classifier> {
        let Labelled { probing: Probing { data, device, .. }, plan } = self.on;
        let mut init = Init::new(stream(plan.seed, Purpose::Weights, 0), &device.clone().autodiff());
        let encoder = match &self.whole {
            None => None,
            Some(Whole { config, state }) => {
                let channels = data.train.size().channels;
                Some(Encoder::init(config, channels, &mut init)?.with_state(state.clone())?)
            }
        };
        let width = encoder.as_ref().map_or_else(|| self.width(), Encoder::width);
        let norm = encoder.is_none().then(|| BatchNorm::init(width, false, &mut init));
        let head = Linear::init(width, data.classes.len(), true, &mut init);
        Ok(Classifier { encoder, norm, head: head.redrawn(WeightInit::Gaussian(SPREAD), &mut init) })
    }

    /// Inputs per image.
    pub(super) fn width(&self) -> usize {
        self.front.see(self.unaltered(&self.on.probing.data.train, &[0])).dims()[1..].iter().product()
    }

    /// Pixels to a side of a view.
    fn side(&self) -> usize {
        self.on.probing.data.train.size().height
    }

    /// Images as they are, brought to the square that views are.
    fn unaltered(&self, split: &Split, indices: &[usize]) -> Tensor<4> {
        let images = split.tensor(indices, self.on.probing.device);
        let size = [self.side(); 2];
        if images.dims()[2..] == size { images } else { resize(images, size) }
    }

    fn labels(&self, indices: &[usize]) -> Tensor<1, Int> {
        let all = self.on.probing.data.train.labels();
        let labels: Vec<i32> = indices.iter().map(|&index| i32::from(all[index])).collect();
        Tensor::from_data(TensorData::new(labels, [indices.len()]), self.on.probing.device)
    }

    /// The accuracy on these images, without cropping.
    async fn accuracy(&self, classifier: &Classifier, split: &Split, images: &[usize]) -> Result<f64> {
        let mut named = Vec::with_capacity(images.len());
        for some in images.chunks(BATCH) {
            let best: Tensor<2, Int> = classifier.logits(self.front.see(self.unaltered(split, some))).argmax(1);
            let data = best.into_data_async().await.map_err(Error::read)?;
            named.extend(data.iter::<i64>().map(|class| class as u16));
            platform::yield_now().await;
        }
        let labels: Vec<u16> = images.iter().map(|&image| split.labels()[image]).collect();
        Ok(share_right(&named, &labels))
    }
}
