//! Models, batches and gradients for the tests of methods.

use std::collections::HashMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use futures_lite::future::block_on;

use crate::config::{Preset, RunConfig};
use crate::data::Size;
use crate::error::Result;
use crate::method::{Batch, DataInfo, Entry, Info, Method, StepPosition, Training, Views};
use crate::methods::find;
use crate::net::named::{self, NamedMapper, NamedVisitor};
use crate::net::tensors;
use crate::net::{Init, MlpPlan};
use crate::rng::{Purpose, stream, uniform};

/// First step of a run.
pub(crate) const POSITION: StepPosition = StepPosition { step: 0, total: 100, steps_per_epoch: 4 };

pub(crate) const IMAGES: usize = 8;

/// 1 channel, or 3 if the method needs colour.
pub(crate) fn channels(info: &Info) -> usize {
    if info.needs.colour { 3 } else { 1 }
}

pub(crate) fn data_info(channels: usize) -> DataInfo {
    DataInfo { clips: true, ..DataInfo::of(Size { channels, height: 28, width: 28 }, 32) }
}

/// Small preset at the sizes for tests.
pub(crate) fn tiny(id: &str) -> RunConfig {
    let entry = find(id).expect("a method");
    shrunk(entry.config(Preset::Small, if entry.info().needs.colour { "cifar-10" } else { "fashion-mnist" }))
}

/// Replaces batch, encoder width and declared options by their sizes for tests.
pub(crate) fn shrunk(config: RunConfig) -> RunConfig {
    let mut config = find(&config.method).expect("a method").tiny(config);
    config.batch = IMAGES;
    config.encoder.width = 4;
    config
}

pub(crate) fn build<M: Method>(config: &RunConfig) -> Result<M> {
    build_for(config, channels(&M::INFO))
}

/// Model for images of `channels` channels.
pub(crate) fn build_for<M: Method>(config: &RunConfig, channels: usize) -> Result<M> {
    init(config, &data_info(channels), &Device::flex().autodiff())
}

/// Model for these data on a device.
pub(crate) fn init<M: Method>(config: &RunConfig, data_info: &DataInfo, device: &Device) -> Result<M> {
    let options = config.read_options::<M::Options>()?;
    M::init(config, &options, data_info, &mut Init::new(stream(1, Purpose::Weights, 0), device))
}

/// Number of trainable parameters of a head.
pub(crate) fn parameters(plan: &MlpPlan, input: usize) -> usize {
    tensors::count(&plan.init(input, &mut Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff())))
}

pub(crate) fn model<M: Method>(config: &RunConfig) -> M {
    build(config).expect("a model")
}

/// Losses of `steps` steps at the configuration's learning rate, on the same views of the same noise images.
pub(crate) fn losses(
    config: &RunConfig,
    [channels, height, width]: [usize; 3],
    images: usize,
    steps: usize,
) -> Vec<f32> {
    let data_info = DataInfo::of(Size { channels, height, width }, 4 * images);
    let device = Device::flex();
    let mut learner = find(&config.method)
        .and_then(|entry| entry.build(config, &data_info, &device))
        .expect("a configuration that works");
    let pixels = uniform(&mut stream(4, Purpose::Views, 0), images * channels * height * width, 0.0, 1.0);
    let pixels = Tensor::from_data(TensorData::new(pixels, [images, channels, height, width]), &device);
    let batch = Batch::of(pixels, (0..images).collect());
    let take = |at: usize| {
        let position = StepPosition { step: at, ..POSITION };
        learner.step(&batch, &position, &mut stream(1, Purpose::Views, 0), config.optimizer.lr).loss.into_scalar()
    };
    (0..steps).map(take).collect()
}

/// Bright blobs at different positions on noise; with three channels, in different colours. In the next frames the blobs have moved
/// and the noise has not.
pub(crate) fn batch(channels: usize) -> Batch {
    let next = Some(frames(channels, 1.5));
    Batch { next, ..Batch::of(frames(channels, 0.0), (0..IMAGES).collect()) }
}

/// The blobs, moved by `moved` pixels to the right and down.
fn frames(channels: usize, moved: f32) -> Tensor<4> {
    let noise = uniform(&mut stream(4, Purpose::Views, 0), IMAGES * channels * 784, 0.0, 0.3);
    let pixels = noise.iter().enumerate().map(|(at, noise)| {
        let image = at / 784 / channels;
        let channel = at / 784 % channels;
        let row = at % 784 / 28;
        let column = at % 28;
        let off = |place: usize, centre: usize| (place as f32 - centre as f32 - moved).powi(2);
        let share = if channel == 0 || (image + channel).is_multiple_of(3) { 0.7 } else { 0.2 };
        noise + share * (-(off(row, 4 + 3 * image) + off(column, 24 - 2 * image)) / 20.0).exp()
    });
    let data = TensorData::new(pixels.collect::<Vec<f32>>(), [IMAGES, channels, 28, 28]);
    Tensor::from_data(data, &Device::flex())
}

/// Views of the test batch, on the device that tracks gradients.
pub(crate) fn views<M: Method>(model: &M) -> Views {
    views_of(model, &batch(channels(&M::INFO)))
}

/// Views of a batch, on the device that tracks gradients.
pub(crate) fn views_of<M: Method>(model: &M, batch: &Batch) -> Views {
    let views = model.views(batch, &POSITION, &mut stream(1, Purpose::Views, 0));
    Views { images: views.images.iter().map(|images| Tensor::from_inner(images.clone())).collect(), ..views }
}

/// Sum of the absolute gradients of all parameters whose names are chosen.
pub(crate) fn gradient_of<M: Method>(model: &M, chosen: fn(&str) -> bool) -> f32 {
    gradient_from(model, &views(model), chosen)
}

/// As [`gradient_of`], for these views.
pub(crate) fn gradient_from<M: Method>(model: &M, views: &Views, chosen: fn(&str) -> bool) -> f32 {
    let gradients = model.loss(views, &POSITION).loss.backward();
    let mut sum = Sum { gradients: &gradients, chosen, total: 0.0 };
    named::visit(model, &mut sum);
    sum.total
}

/// As [`gradient_of`], for the encoder that is trained.
pub(crate) fn encoder_gradient<M: Method>(model: &M) -> f32 {
    let gradients = model.loss(&views(model), &POSITION).loss.backward();
    let mut sum = Sum { gradients: &gradients, chosen: |_| true, total: 0.0 };
    named::visit(model.encoder(), &mut sum);
    sum.total
}

/// Values of the tensor with this name.
pub(crate) fn values<M: Module>(module: &M, name: &str) -> Vec<f32> {
    let named = tensors::gather(&module.valid()).into_iter().find(|named| named.name == name).expect("a tensor");
    named.values.into_data().try_to_vec().expect("floats")
}

/// Sets the chosen parameters to 0.
pub(crate) fn zeroed<M: Module>(module: M, chosen: fn(&str) -> bool) -> M {
    named::map(module, &mut Zero { chosen })
}

struct Sum<'a> {
    gradients: &'a Gradients,
    chosen: fn(&str) -> bool,
    total: f32,
}

impl NamedVisitor for Sum<'_> {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        if (self.chosen)(&name)
            && let Some(gradient) = param.val().grad(self.gradients)
        {
            self.total += gradient.abs().sum().into_scalar::<f32>();
        }
    }
}

struct Zero {
    chosen: fn(&str) -> bool,
}

impl NamedMapper for Zero {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !(self.chosen)(&name) {
            return param;
        }
        param.map(|old| Tensor::from_inner(old.inner().zeros_like()).require_grad())
    }
}

pub(crate) fn learner(entry: &Entry) -> Box<dyn Training> {
    learner_of(&tiny(entry.info().id), channels(entry.info()))
}

pub(crate) fn learner_of(config: &RunConfig, channels: usize) -> Box<dyn Training> {
    let entry = find(&config.method).expect("a method");
    entry.build(config, &data_info(channels), &Device::flex()).expect("a model")
}

/// Losses of `steps` steps on the same views.
pub(crate) fn losses_of(config: &RunConfig, channels: usize, steps: usize) -> Vec<f32> {
    let mut learner = learner_of(config, channels);
    (0..steps).map(|at| step_on(learner.as_mut(), &batch(channels), at)).collect()
}

/// Loss of step `step`, on the same views.
pub(crate) fn step(learner: &mut dyn Training, entry: &Entry, step: usize) -> f32 {
    step_on(learner, &batch(channels(entry.info())), step)
}

pub(crate) fn step_on(learner: &mut dyn Training, batch: &Batch, step: usize) -> f32 {
    let position = StepPosition { step, ..POSITION };
    learner.step(batch, &position, &mut stream(1, Purpose::Views, 0), 2e-3).loss.into_scalar()
}

pub(crate) fn state(learner: &dyn Training) -> HashMap<String, TensorData> {
    block_on(tensors::read(learner.tensors())).expect("flex reads").into_iter().collect()
}
