//! A method in training, without its type: model, optimiser and the last views.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::{Batch, DataInfo, LossOutput, Method, StepDisplay, StepPosition, Views, micro_batch};
use crate::config::RunConfig;
use crate::error::Result;
use crate::net::tensors::{self, NamedTensor};
use crate::net::{Encoder, Init};
use crate::optim::Optimizer;
use crate::rng::{Purpose, Rng, stream};

/// Prefixes of the tensors in a checkpoint.
const MODEL: &str = "model.";
const OPTIMIZER: &str = "optimizer.";

/// A method in training, as the session sees it.
pub trait Training {
    /// Takes one step at learning rate `rate`.
    fn step(&mut self, batch: &Batch, position: &StepPosition, rng: &mut Rng, rate: f64) -> StepResult;

    /// Draws the views of a batch only, for measuring their cost.
    fn draw(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> Views;

    /// Loss and metric without learning: running statistics, no gradients.
    fn answer(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> StepResult;

    /// Current encoder, for inference on the plain device.
    fn encoder(&self) -> Encoder;

    /// Drawing of the last step.
    fn shown(&self) -> Option<StepDisplay>;

    /// Drawing of a batch without learning, for a run that took no step in this process.
    fn sample(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> StepDisplay;

    /// Embeddings that the loss of the last step compared, `[n, d]` for each view, on the plain device; empty if it compares
    /// none.
    fn embeddings(&self) -> Vec<Tensor<2>>;

    /// Measures the norm of the gradient in the next step.
    fn measure_gradient(&mut self);

    /// Norm of the gradient `[1]` of the last step that measured it; returned once.
    fn gradient_norm(&mut self) -> Option<Tensor<1>>;

    /// Distance of the momentum encoder from the encoder, `[1]`, if there is one.
    fn lag(&self) -> Option<Tensor<1>>;

    /// Number of trainable parameters.
    fn parameters(&self) -> usize;

    /// Warnings about options: [`Method::advice`].
    fn advice(&self, config: &RunConfig, data_info: &DataInfo, total_steps: usize) -> Vec<String>;

    /// State for a later [`Training::load`], by name.
    fn tensors(&self) -> Vec<NamedTensor>;

    /// Loads the state of [`Training::tensors`].
    ///
    /// # Errors
    /// If the tensors are not those of this model.
    fn load(&mut self, values: HashMap<String, TensorData>) -> Result<()>;

    /// Loads the weights of an encoder trained elsewhere, given as its [`Encoder::state`], into the encoder and its momentum
    /// copies.
    ///
    /// # Errors
    /// If they are weights of another architecture.
    fn adopt(&mut self, state: &HashMap<String, TensorData>) -> Result<()>;
}

/// Loss and metric of a batch, still on the device.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Loss `[1]`.
    pub loss: Tensor<1>,
    /// Metric `[1]`, if the method has one.
    pub metric: Option<Tensor<1>>,
    /// Metric of the best constant prediction `[1]`, if it depends on the data.
    pub baseline: Option<Tensor<1>>,
}

impl From<&LossOutput> for StepResult {
    fn from(outcome: &LossOutput) -> Self {
        let plain = |x: &Tensor<1>| x.clone().inner();
        let [metric, baseline] = [&outcome.metric, &outcome.baseline].map(|value| value.as_ref().map(plain));
        Self { loss: plain(&outcome.loss), metric, baseline }
    }
}

/// [`Training`] of a method M.
pub(super) struct Trainer<M> {
    /// `None` only while the optimiser holds it.
    model: Option<M>,
    optimizer: Optimizer,
    micro_batches: usize,
    last: Option<(Views, LossOutput, StepPosition)>,
    device: Device,
}

impl<M: Method> Trainer<M> {
    pub(super) fn new(config: &RunConfig, data_info: &DataInfo, device: &Device) -> Result<Self> {
        let tracking = device.clone().autodiff();
        let mut init = Init::new(stream(config.seed, Purpose::Weights, 0), &tracking);
        let options = config.read_options::<M::Options>()?;
        let model = M::init(config, &options, data_info, &mut init)?;
        init.check()?;
        let optimizer = Optimizer::new(config.optimizer.clone(), M::groups(config, &options));
        Ok(Self {
            model: Some(model),
            optimizer,
            micro_batches: config.micro_batches,
            last: None,
            device: device.clone(),
        })
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("the model is taken only inside step")
    }
}

impl<M: Method> Training for Trainer<M> {
    fn step(&mut self, batch: &Batch, position: &StepPosition, rng: &mut Rng, rate: f64) -> StepResult {
        let model = self.model.take().expect("the model is taken only inside step");
        let mut answers = Vec::with_capacity(self.micro_batches);
        let mut carries = Vec::with_capacity(self.micro_batches);
        for micro_batch in micro_batch::of(batch, self.micro_batches) {
            let views = model.views(&micro_batch, position, rng);
            let mut outcome = model.loss(&views.tracked(), position);
            self.optimizer.collect(&model, &mut outcome.loss.backward());
            carries.push(std::mem::take(&mut outcome.carry));
            answers.push(StepResult::from(&outcome));
            self.last = Some((views, outcome, *position));
        }
        let model = self.optimizer.step(model, rate, position.step);
        self.model = Some(model.after_step(M::gathered(carries), position));
        micro_batch::mean(answers)
    }

    fn draw(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> Views {
        self.model().views(batch, position, rng)
    }

    fn answer(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> StepResult {
        let model = self.model().valid();
        StepResult::from(&model.loss(&model.views(batch, position, rng), position))
    }

    fn encoder(&self) -> Encoder {
        self.model().valid().encoder().clone()
    }

    fn shown(&self) -> Option<StepDisplay> {
        self.last.as_ref().map(|(views, outcome, position)| self.model().show(views, outcome, position))
    }

    fn sample(&self, batch: &Batch, position: &StepPosition, rng: &mut Rng) -> StepDisplay {
        let model = self.model().valid();
        let views = model.views(batch, position, rng);
        model.show(&views, &model.loss(&views, position), position)
    }

    fn embeddings(&self) -> Vec<Tensor<2>> {
        let last = self.last.as_ref();
        last.map_or_else(Vec::new, |(_, outcome, _)| outcome.embeddings.views())
    }

    fn measure_gradient(&mut self) {
        self.optimizer.measure_gradient();
    }

    fn gradient_norm(&mut self) -> Option<Tensor<1>> {
        self.optimizer.gradient_norm()
    }

    fn lag(&self) -> Option<Tensor<1>> {
        self.model().lag()
    }

    fn parameters(&self) -> usize {
        tensors::count(self.model())
    }

    fn advice(&self, config: &RunConfig, data_info: &DataInfo, total_steps: usize) -> Vec<String> {
        let options = config.read_options::<M::Options>();
        options.map(|options| M::advice(config, &options, data_info, total_steps)).unwrap_or_default()
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let prefixed = |prefix: &'static str| {
            move |named: NamedTensor| NamedTensor { name: format!("{prefix}{}", named.name), ..named }
        };
        let model = tensors::gather(&self.model().valid()).into_iter().map(prefixed(MODEL));
        model.chain(self.optimizer.tensors(&self.device).into_iter().map(prefixed(OPTIMIZER))).collect()
    }

    fn load(&mut self, values: HashMap<String, TensorData>) -> Result<()> {
        let mut model = with_prefix(&values, MODEL);
        let fresh = self.model.take().expect("the model is taken only inside step");
        self.model = Some(tensors::scatter(fresh.clone(), &mut model).inspect_err(|_| self.model = Some(fresh))?);
        self.optimizer.load(with_prefix(&values, OPTIMIZER), &self.device)
    }

    fn adopt(&mut self, state: &HashMap<String, TensorData>) -> Result<()> {
        let fresh = self.model.take().expect("the model is taken only inside step");
        let names = fresh.encoder().state_ids();
        self.model = Some(tensors::adopt(fresh.clone(), &names, state).inspect_err(|_| self.model = Some(fresh))?);
        Ok(())
    }
}

/// Tensors whose names start with `prefix`, without it.
fn with_prefix(values: &HashMap<String, TensorData>, prefix: &str) -> HashMap<String, TensorData> {
    let matching = values.iter().filter_map(|(name, data)| Some((name.strip_prefix(prefix)?, data)));
    matching.map(|(name, data)| (name.to_string(), data.clone())).collect()
}

impl Views {
    /// Copies the views to the device that tracks gradients, where batch norm uses the statistics of the batch.
    fn tracked(&self) -> Self {
        let images = self.images.iter().map(|images| Tensor::from_inner(images.clone())).collect();
        Self { images, ..self.clone() }
    }
}
