//! What holds for every method of the list, and what their own tests build on.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use futures_lite::future::block_on;

use super::{Batch, Entry, Facts, Info, METHODS, Method, Moment, Shown, Training, Views, find};
use crate::config::{Preset, RunConfig};
use crate::data::Size;
use crate::error::Result;
use crate::net::Init;
use crate::net::tensors::{self, Path};
use crate::rng::{Purpose, stream, uniform};

/// The first step of a run.
pub(super) const MOMENT: Moment = Moment { step: 0, total: 100, steps_per_epoch: 4 };

const IMAGES: usize = 8;

/// Gray images, or coloured ones where the method needs colour.
fn channels(info: &Info) -> usize {
    if info.needs.colour { 3 } else { 1 }
}

fn facts(channels: usize) -> Facts {
    Facts { clips: true, ..Facts::of(Size { channels, height: 28, width: 28 }, 32) }
}

/// The small preset, shrunk to what a test can compute at once.
pub(super) fn tiny(id: &str) -> RunConfig {
    let entry = find(id).expect("a method");
    shrunk(entry.config(Preset::Small, if entry.info().needs.colour { "cifar-10" } else { "fashion-mnist" }))
}

/// A configuration with everything in it that makes it large made small.
pub(super) fn shrunk(mut config: RunConfig) -> RunConfig {
    config.batch = IMAGES;
    config.encoder.width = 4;
    let small = [
        ("projector", 16),
        ("predictor", 8),
        ("hidden", 16),
        ("width", 16),
        ("prototypes", 8),
        ("freeze", 0),
        ("queue", 2 * IMAGES),
        ("negatives", 12),
        ("head", 8),
        ("decoder", 4),
        ("bottleneck", 16),
        ("prior_steps", 4),
        ("mask_side", 12),
    ];
    for (option, value) in small {
        if config.options.get(option).is_some_and(|known| known.as_u64() != Some(0)) {
            config.options.insert(option.to_string(), value.into());
        }
    }
    config
}

pub(super) fn build<M: Method>(config: &RunConfig) -> Result<M> {
    build_for(config, channels(&M::INFO))
}

/// The model for images of so many channels.
pub(super) fn build_for<M: Method>(config: &RunConfig, channels: usize) -> Result<M> {
    let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff());
    M::init(config, &facts(channels), &mut init)
}

pub(super) fn model<M: Method>(config: &RunConfig) -> M {
    build(config).expect("a model")
}

/// The losses of some steps at the configuration's own rate, always on the same views of the same images of noise.
pub(super) fn losses(
    config: &RunConfig,
    [channels, height, width]: [usize; 3],
    images: usize,
    steps: usize,
) -> Vec<f32> {
    let facts = Facts::of(Size { channels, height, width }, 4 * images);
    let device = Device::flex();
    let mut learner = find(&config.method)
        .and_then(|entry| entry.build(config, &facts, &device))
        .expect("a configuration that works");
    let pixels = uniform(&mut stream(4, Purpose::Views, 0), images * channels * height * width, 0.0, 1.0);
    let pixels = Tensor::from_data(TensorData::new(pixels, [images, channels, height, width]), &device);
    let batch = Batch::of(pixels, (0..images).collect());
    let take = |at: usize| {
        let moment = Moment { step: at, ..MOMENT };
        learner.step(&batch, &moment, &mut stream(1, Purpose::Views, 0), config.optimizer.lr).loss.into_scalar()
    };
    (0..steps).map(take).collect()
}

/// Blobs of light at different places, so that views differ and images do too; with three channels, of different colours. In
/// the next frames they have moved, and what is behind them has not.
pub(super) fn batch(channels: usize) -> Batch {
    let next = Some(frames(channels, 1.5));
    Batch { next, ..Batch::of(frames(channels, 0.0), (0..IMAGES).collect()) }
}

/// The blobs, moved to the right and down by so many pixels.
fn frames(channels: usize, moved: f32) -> Tensor<4> {
    let noise = uniform(&mut stream(4, Purpose::Views, 0), IMAGES * channels * 784, 0.0, 0.3);
    let pixels = noise.iter().enumerate().map(|(at, noise)| {
        let (image, channel, row, column) = (at / 784 / channels, at / 784 % channels, at % 784 / 28, at % 28);
        let off = |place: usize, centre: usize| (place as f32 - centre as f32 - moved).powi(2);
        let share = if channel == 0 || (image + channel) % 3 == 0 { 0.7 } else { 0.2 };
        noise + share * (-(off(row, 4 + 3 * image) + off(column, 24 - 2 * image)) / 20.0).exp()
    });
    let data = TensorData::new(pixels.collect::<Vec<f32>>(), [IMAGES, channels, 28, 28]);
    Tensor::from_data(data, &Device::flex())
}

/// Views on the device that tracks gradients.
pub(super) fn views<M: Method>(model: &M) -> Views {
    views_of(model, &batch(channels(&M::INFO)))
}

/// Views of these images, likewise.
pub(super) fn views_of<M: Method>(model: &M, batch: &Batch) -> Views {
    let views = model.views(batch, &MOMENT, &mut stream(1, Purpose::Views, 0));
    Views { images: views.images.iter().map(|images| Tensor::from_inner(images.clone())).collect(), ..views }
}

/// The sum of the absolute gradients of all parameters whose names are chosen.
pub(super) fn gradient_of<M: Method>(model: &M, chosen: fn(&str) -> bool) -> f32 {
    gradient_from(model, &views(model), chosen)
}

/// As [`gradient_of`], of these views.
pub(super) fn gradient_from<M: Method>(model: &M, views: &Views, chosen: fn(&str) -> bool) -> f32 {
    let gradients = model.loss(views, &MOMENT).loss.backward();
    let mut sum = Sum { gradients: &gradients, chosen, path: Path::default(), total: 0.0 };
    model.visit(&mut sum);
    sum.total
}

/// As [`gradient_of`], for the encoder whose features are wanted.
pub(super) fn encoder_gradient<M: Method>(model: &M) -> f32 {
    let gradients = model.loss(&views(model), &MOMENT).loss.backward();
    let mut sum = Sum { gradients: &gradients, chosen: |_| true, path: Path::default(), total: 0.0 };
    model.encoder().visit(&mut sum);
    sum.total
}

/// The tensor of this name.
pub(super) fn values<M: Module>(module: &M, name: &str) -> Vec<f32> {
    let named = tensors::gather(&module.valid()).into_iter().find(|named| named.name == name).expect("a tensor");
    named.values.into_data().try_to_vec().expect("floats")
}

/// The model with the chosen parameters set to 0.
pub(super) fn zeroed<M: Module>(module: M, chosen: fn(&str) -> bool) -> M {
    module.map(&mut Zero { chosen, path: Path::default() })
}

struct Sum<'a> {
    gradients: &'a Gradients,
    chosen: fn(&str) -> bool,
    path: Path,
    total: f32,
}

impl ModuleVisitor for Sum<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if (self.chosen)(&self.path.name())
            && let Some(gradient) = param.val().grad(self.gradients)
        {
            self.total += gradient.abs().sum().into_scalar::<f32>();
        }
    }
}

struct Zero {
    chosen: fn(&str) -> bool,
    path: Path,
}

impl ModuleMapper for Zero {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !(self.chosen)(&self.path.name()) {
            return param;
        }
        param.map(|old| Tensor::from_inner(old.inner().zeros_like()).require_grad())
    }
}

fn learner(entry: &Entry) -> Box<dyn Training> {
    learner_of(&tiny(entry.info().id), channels(entry.info()))
}

fn learner_of(config: &RunConfig, channels: usize) -> Box<dyn Training> {
    let entry = find(&config.method).expect("a method");
    entry.build(config, &facts(channels), &Device::flex()).expect("a model")
}

/// The losses of so many steps on the same views.
pub(super) fn losses_of(config: &RunConfig, channels: usize, steps: usize) -> Vec<f32> {
    let mut learner = learner_of(config, channels);
    (0..steps).map(|at| step_on(learner.as_mut(), &batch(channels), at)).collect()
}

/// Loss of step `step`, always on the same views.
fn step(learner: &mut dyn Training, entry: &Entry, step: usize) -> f32 {
    step_on(learner, &batch(channels(entry.info())), step)
}

fn step_on(learner: &mut dyn Training, batch: &Batch, step: usize) -> f32 {
    let moment = Moment { step, ..MOMENT };
    learner.step(batch, &moment, &mut stream(1, Purpose::Views, 0), 2e-3).loss.into_scalar()
}

fn state(learner: &dyn Training) -> HashMap<String, TensorData> {
    block_on(tensors::read(learner.tensors())).expect("flex reads").into_iter().collect()
}

#[test]
fn every_loss_is_finite_and_falls_on_one_batch() {
    for entry in METHODS {
        let mut learner = learner(entry);
        let losses: Vec<f32> = (0..20).map(|at| step(learner.as_mut(), entry, at)).collect();
        assert!(losses.iter().all(|loss| loss.is_finite()), "{entry:?}: {losses:?}");
        // from the third step on, a queue of two batches holds nothing but these images
        assert!(losses[19] < losses[2], "{entry:?} does not learn: {losses:?}");
    }
}

#[test]
fn every_method_learns_from_batches_in_parts() {
    for entry in METHODS {
        let config = RunConfig { parts: 2, ..tiny(entry.info().id) };
        config.check().expect("two parts of four images");
        let losses = losses_of(&config, channels(entry.info()), 20);
        assert!(losses.iter().all(|loss| loss.is_finite()), "{entry:?}: {losses:?}");
        assert!(losses[19] < losses[2], "{entry:?} does not learn: {losses:?}");
    }
}

#[test]
fn twice_the_same_part_is_the_part_alone() {
    let mut config = tiny("rotation");
    for (name, value) in [("flip", "false"), ("crop_padding", "0")] {
        config.set(name, value).expect("a setting");
    }
    let after = |parts: usize, images: Tensor<4>| {
        let count = images.dims()[0];
        let mut learner = learner_of(&RunConfig { parts, batch: count, ..config.clone() }, 1);
        let loss = step_on(learner.as_mut(), &Batch::of(images, (0..count).collect()), 0);
        (loss, state(learner.as_ref()))
    };
    let images = batch(1).images;
    let (whole, twice) = (after(1, images.clone()), after(2, images.clone().repeat_dim(0, 2)));
    assert!((whole.0 - twice.0).abs() < 1e-6, "{} and {}", whole.0, twice.0);
    let weights =
        |state: &HashMap<String, TensorData>| state["model.encoder.body.stages.0.units.0.conv.weight"].clone();
    assert_eq!(weights(&whole.1), weights(&twice.1));
    assert_ne!(weights(&whole.1), weights(&after(1, images.flip([2])).1), "other images move it elsewhere");
}

#[test]
fn every_encoder_is_moved_and_keeps_its_width() {
    for entry in METHODS {
        let mut learner = learner(entry);
        let features = |learner: &dyn Training| learner.encoder().forward(batch(channels(entry.info())).images);
        let before = features(learner.as_ref());
        assert_eq!(before.dims(), [IMAGES, 16]);
        step(learner.as_mut(), entry, 0);
        let name = "model.encoder.body.stages.0.units.0.conv.weight";
        let moved = state(learner.as_ref());
        let fresh = state(self::learner(entry).as_ref());
        let first = moved.keys().find(|key| key.ends_with("encoder.body.stages.0.units.0.conv.weight")).expect(name);
        assert_ne!(moved[first], fresh[first], "{entry:?}: no gradient reaches the first layer");
        assert_eq!(features(learner.as_ref()).dims(), before.dims());
    }
}

#[test]
fn one_seed_gives_one_run() {
    for entry in METHODS {
        let run = || {
            let mut learner = learner(entry);
            (0..3).map(|at| step(learner.as_mut(), entry, at)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run(), "{entry:?}");
    }
}

#[test]
fn a_restored_run_goes_on_bit_for_bit() {
    for entry in METHODS {
        let mut whole = learner(entry);
        for at in 0..3 {
            step(whole.as_mut(), entry, at);
        }
        let mut resumed = learner(entry);
        resumed.load(state(whole.as_ref())).expect("its own state");
        for at in 3..6 {
            assert_eq!(step(whole.as_mut(), entry, at), step(resumed.as_mut(), entry, at), "{entry:?}, step {at}");
        }
        let (whole, resumed) = (state(whole.as_ref()), state(resumed.as_ref()));
        assert!(whole.iter().all(|(name, data)| resumed.get(name) == Some(data)), "{entry:?}");
    }
}

#[test]
fn the_task_can_be_asked_without_learning() {
    for entry in METHODS {
        let mut learner = learner(entry);
        step(learner.as_mut(), entry, 0);
        let before = state(learner.as_ref());
        // an index beyond the training images: held-out images have places of their own
        let held_out = Batch { indices: (90..90 + IMAGES).collect(), ..batch(channels(entry.info())) };
        let answer = learner.answer(&held_out, &Moment { step: 1, ..MOMENT }, &mut stream(1, Purpose::HeldOut, 0));
        let metric: f32 = answer.metric.expect("every method has a measure").into_scalar();
        assert!(metric.is_finite(), "{entry:?}: {metric}");
        let shown = learner.sample(&held_out, &Moment { step: 1, ..MOMENT }, &mut stream(1, Purpose::HeldOut, 0));
        let titles = |shown: &Shown| shown.rows.iter().map(|(title, _)| title.clone()).collect::<Vec<_>>();
        assert_eq!(titles(&shown), titles(&learner.shown().expect("views to draw")), "{entry:?} is drawn alike");
        for (title, images) in shown.rows {
            let values: Vec<f32> = images.into_data().try_to_vec().expect("floats");
            assert!(!values.is_empty() && values.iter().all(|x| x.is_finite()), "{entry:?}: {title}");
        }
        assert_eq!(state(learner.as_ref()), before, "{entry:?} moved");
    }
}

#[test]
fn every_step_can_be_drawn() {
    for entry in METHODS {
        let mut learner = learner(entry);
        assert!(learner.shown().is_none());
        step(learner.as_mut(), entry, 0);
        assert_eq!(!learner.embeddings().is_empty(), entry.compares(), "{entry:?}");
        let shown = learner.shown().expect("views to draw");
        assert!(!shown.rows.is_empty(), "{entry:?}");
        for figure in shown.figures {
            let values: Vec<f32> = figure.values.into_data().try_to_vec().expect("floats");
            assert!(values.iter().all(|x| x.is_finite()) && figure.low < figure.high, "{entry:?}: {}", figure.title);
        }
    }
}
