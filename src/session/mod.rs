//! A run: a configuration, a data set and a device. The caller pulls it forward, one training step or one round of
//! measurements at a time, and receives events.

mod advice;
pub mod checkpoint;
mod data_wait;
pub mod event;
pub mod event_log;
mod exam;
#[cfg(not(target_family = "wasm"))]
pub mod folder;
mod health;
mod meters;
mod observe;
mod order;
pub mod picture;
pub mod schedule;
mod work;

pub use order::SHARD;
pub use work::Progress;

use crate::config::{Budget, RunConfig};
use crate::data::{Dataset, draw};
use crate::device::{self, Selected};
use crate::error::{Error, Result};
use crate::method::{Batch, DataInfo, Entry, StepPosition, Training};
use crate::net::{Encoder, tensors};
use crate::platform;
use crate::rng::{Purpose, stream};
use checkpoint::{Header, ImageCounts};
use data_wait::DataWait;
use event::{Done, Epoch, Event, Started, Step};
use exam::ExamState;
use health::{Pulse, Watch};
use meters::{Means, Meter};
use observe::{Controls, Values};
use order::Order;
use picture::Picture;
use schedule::Pace;
use work::Next;

/// A run in progress.
pub struct Session {
    entry: Entry,
    config: RunConfig,
    data: Dataset,
    selected: Selected,
    pace: Pace,
    learner: Box<dyn Training>,
    order: Order,
    controls: Controls,
    exam: ExamState,
    watch: Watch,
    data_wait: DataWait,
    next: Next,
    step: usize,
    resumed_at: usize,
    total: usize,
    elapsed: f64,
    since_read: Meter,
    epoch: Means,
    read_next: bool,
    /// Warnings to give before the first step.
    advice: Vec<String>,
}

impl Session {
    /// Sets up a run at step 0. The method is one of [`crate::method::Method`]: one of the list, or one of your own as
    /// `Entry::of::<MyMethod>()`.
    ///
    /// # Errors
    /// When the configuration is that of another method, or configuration and data cannot work together.
    pub async fn new(entry: &Entry, config: RunConfig, data: Dataset, selected: &Selected, pace: Pace) -> Result<Self> {
        if config.method != entry.info().id {
            let own = entry.info().id;
            return Err(Error::Config(format!("the configuration is one of {}, not of {own}", config.method)));
        }
        config.check()?;
        let images = if config.images == 0 { data.train.total() } else { config.images.min(data.train.total()) };
        if images < config.batch {
            return Err(Error::Config(format!(
                "batch is {} but there are only {images} training images",
                config.batch
            )));
        }
        let data_info = DataInfo { clips: data.train.sequence().is_some(), ..DataInfo::of(data.train.size(), images) };
        let learner = entry.build(&config, &data_info, &selected.device)?;
        let order = Order::new(config.seed, images, config.batch).among(data.train.total(), config.draw_images);
        let total = if config.steps > 0 { config.steps } else { config.epochs * order.steps_per_epoch() };
        let controls = Controls::new(learner.encoder());
        let position = StepPosition { step: 0, total, steps_per_epoch: order.steps_per_epoch() };
        let mut advice = advice::advice(&config, &position, &data.train, entry.compares());
        advice.extend(learner.advice(&config, &data_info, total));
        Ok(Self {
            entry: *entry,
            config,
            data,
            selected: selected.clone(),
            pace,
            learner,
            order,
            controls,
            exam: ExamState::default(),
            watch: Watch::default(),
            data_wait: DataWait::default(),
            next: Next::Train,
            step: 0,
            resumed_at: 0,
            total,
            elapsed: 0.0,
            since_read: Meter::default(),
            epoch: Means::default(),
            read_next: false,
            advice,
        })
    }

    /// Resumes a run from a checkpoint. It then computes what it would have computed without the interruption.
    ///
    /// # Errors
    /// When the bytes are not a whole checkpoint of this version and method, or do not fit the data.
    pub async fn restore(entry: &Entry, bytes: &[u8], data: Dataset, selected: &Selected, pace: Pace) -> Result<Self> {
        Self::resume(entry, bytes, None, data, selected, pace).await
    }

    /// As [`Session::restore`], with another length of the run: the schedule is that of a run of the new length, continued at
    /// the step of the checkpoint.
    ///
    /// # Errors
    /// As there.
    pub async fn restore_for(
        entry: &Entry,
        bytes: &[u8],
        budget: Budget,
        data: Dataset,
        selected: &Selected,
        pace: Pace,
    ) -> Result<Self> {
        Self::resume(entry, bytes, Some(budget), data, selected, pace).await
    }

    async fn resume(
        entry: &Entry,
        bytes: &[u8],
        budget: Option<Budget>,
        data: Dataset,
        selected: &Selected,
        pace: Pace,
    ) -> Result<Self> {
        let (header, tensors) = checkpoint::read(bytes)?;
        let budget = budget.unwrap_or(header.config.budget());
        let mut session = Self::new(entry, header.config.with_budget(budget), data, selected, pace).await?;
        session.advice.clear();
        session.learner.load(tensors)?;
        session.step = header.step;
        session.resumed_at = header.step;
        session.elapsed = header.elapsed_seconds;
        session.epoch = Means { count: header.epoch_count, loss: header.epoch_loss, metric: header.epoch_metric };
        session.next = match session.pace.probe {
            _ if session.is_finished() => Next::HeldOut,
            Some(_) => Next::Probe,
            None => Next::Train,
        };
        Ok(session)
    }

    /// Starts a run that has taken no step from the weights of an encoder trained elsewhere. The untrained control keeps its
    /// random weights.
    ///
    /// # Errors
    /// When the encoders differ, or the device is lost.
    pub async fn start_from(&mut self, encoder: &Encoder) -> Result<()> {
        let state = tensors::read(encoder.state()).await?.into_iter().collect();
        self.learner.adopt(&state)
    }

    /// Replays an event of an earlier start of the run: health is judged relative to the values seen so far.
    pub fn recall(&mut self, event: &Event) {
        match event {
            Event::Step(step) => self.watch.hear(step),
            Event::Health(health) => self.watch.recall(health),
            _ => {}
        }
    }

    /// The run as a checkpoint: a safetensors file with the configuration and the position in its metadata.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn checkpoint(&self) -> Result<Vec<u8>> {
        let header = Header {
            version: checkpoint::VERSION,
            config: self.config.clone(),
            images: ImageCounts::of(&self.data),
            device: self.selected.readout.clone(),
            step: self.step,
            total_steps: self.total,
            elapsed_seconds: self.elapsed,
            epoch_count: self.epoch.count,
            epoch_loss: self.epoch.loss,
            epoch_metric: self.epoch.metric,
        };
        checkpoint::write(&header, self.learner.tensors()).await
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        let position = self.position();
        self.config.schedule.rate(self.config.optimizer.lr, self.step, self.total, position.steps_per_epoch)
    }

    /// The first event of the run: its plan.
    pub fn started(&self) -> Started {
        Started {
            config: self.config.clone(),
            device: self.selected.readout.name.clone(),
            images: self.order.images(),
            steps_per_epoch: self.order.steps_per_epoch(),
            total_steps: self.total,
            resumed_at: self.resumed_at,
            parameters: self.learner.parameters(),
        }
    }

    /// The method.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Steps taken.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Seconds of training so far, including those before a resume.
    pub fn elapsed_seconds(&self) -> f64 {
        self.elapsed
    }

    /// The encoder as it is now.
    pub fn encoder(&self) -> Encoder {
        self.learner.encoder()
    }

    /// The encoder with the weights it had before its first step.
    pub fn untrained(&self) -> &Encoder {
        self.controls.untrained()
    }

    /// The images the run learns from.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The images, mutable: in the browser they arrive while the run trains.
    pub fn data_mut(&mut self) -> &mut Dataset {
        &mut self.data
    }

    /// Reads back the loss of the next step whatever the pace is, for a user who takes single steps.
    pub fn read_next(&mut self) {
        self.read_next = true;
    }

    /// True if all steps were taken.
    pub fn is_finished(&self) -> bool {
        self.step >= self.total
    }

    /// Makes a round of probes the next unit of work, where the pace has probes.
    pub fn probe_next(&mut self) {
        if self.pace.probe.is_some() {
            self.next = Next::Probe;
        }
    }

    /// True if the next unit of work is a round of probes.
    pub fn is_about_to_probe(&self) -> bool {
        matches!(self.next, Next::FirstProbe | Next::Probe)
    }

    /// The latest step's views and predictions; empty before the first step.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn picture(&self) -> Result<Picture> {
        observe::picture(self.step, self.learner.shown()).await
    }

    /// Views and predictions for some test images (training images where there are none), without learning from them.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn sample(&self) -> Result<Picture> {
        let split = if self.data.test.is_empty() { &self.data.train } else { &self.data.test };
        let indices = split.draw(observe::SAMPLED, draw::SEED);
        let batch = Batch::out_of(split, indices, &self.selected.device);
        let mut rng = stream(self.config.seed, Purpose::HeldOut, 0);
        observe::picture(self.step, Some(self.learner.sample(&batch, &self.position(), &mut rng))).await
    }

    /// One unit of work: a training step, or a round of measurements.
    ///
    /// # Errors
    /// When the device is lost or the loss is not finite.
    pub async fn advance(&mut self) -> Result<Progress> {
        if !self.advice.is_empty() {
            let said = std::mem::take(&mut self.advice).into_iter();
            return Ok(Progress::Events(said.map(|message| Event::Warning { message }).collect()));
        }
        if self.exam.is_on() {
            return self.examine().await;
        }
        match self.next {
            Next::Train => self.train().await,
            Next::FirstProbe => self.first_probe().await,
            Next::Probe => self.probe().await,
            Next::HeldOut => self.held_out().await,
            Next::Finish => {
                self.next = Next::Nothing;
                let done = Done { step: self.step, elapsed_seconds: self.elapsed, finished: self.is_finished() };
                Ok(Progress::Events(vec![Event::Done(done)]))
            }
            Next::Nothing => Ok(Progress::Finished),
        }
    }

    fn position(&self) -> StepPosition {
        StepPosition { step: self.step, total: self.total, steps_per_epoch: self.order.steps_per_epoch() }
    }

    async fn train(&mut self) -> Result<Progress> {
        let indices = self.order.batch(self.step);
        let Some(places) = self.order.places(&self.data.train, &indices) else {
            self.data_wait.missing(platform::now());
            return Ok(Progress::WaitingForData);
        };
        let start = platform::now();
        let position = self.position();
        let device = &self.selected.device;
        let batch = Batch { indices, ..Batch::out_of(&self.data.train, places, device) };
        let there = platform::now();
        self.data_wait.arrived(start, there);
        let lr = self.config.optimizer.lr;
        let rate = self.learning_rate();
        let mut rng = stream(self.config.seed, Purpose::Views, self.step as u64);
        let measures_health = self.pace.measures_health_after(self.step + 1);
        if measures_health {
            self.learner.measure_gradient();
        }
        let result = self.learner.step(&batch, &position, &mut rng, rate);
        self.step += 1;
        self.since_read.images += batch.indices.len();
        let asked = std::mem::take(&mut self.read_next);
        let read = asked || self.step.is_multiple_of(self.pace.read_every.max(1)) || self.step == self.total;
        let values = if read { Some(observe::read(result).await?) } else { None };
        let end = platform::now();
        self.data_wait.worked(end - there);
        self.clock(end - start);
        let mut events = Vec::new();
        if let Some(Values { loss, metric, .. }) = values {
            let step = self.step_event(loss, metric, rate);
            self.watch.hear(&step);
            events.push(Event::Step(step));
            if !loss.is_finite() {
                return Err(Error::Config(format!(
                    "the loss is {loss} at step {}: the run has diverged; begin again with a learning rate below {lr:e}",
                    self.step
                )));
            }
        }
        if measures_health {
            events.extend(self.measure_health().await?);
        }
        if self.step.is_multiple_of(position.steps_per_epoch) {
            events.extend(self.epoch_event());
        }
        self.next = self.pace.work_after(self.step, self.total);
        if self.step == 1 && self.pace.probe.is_some() {
            self.next = Next::FirstProbe;
        }
        Ok(Progress::Events(events))
    }

    async fn measure_health(&mut self) -> Result<Vec<Event>> {
        let waiting = self.data_wait.share();
        let Some(gradient) = self.learner.gradient_norm() else { return Ok(Vec::new()) };
        self.watch.know_images(self.data.train.is_uniform());
        let pulse = Pulse { step: self.step, gradient, lag: self.learner.lag(), waiting };
        self.watch.measure(pulse, self.learner.embeddings()).await
    }

    fn clock(&mut self, seconds: f64) {
        self.elapsed += seconds;
        self.since_read.seconds += seconds;
    }

    fn step_event(&mut self, loss: f64, metric: Option<f64>, learning_rate: f64) -> Step {
        let meter = std::mem::take(&mut self.since_read);
        self.epoch.add(loss, metric);
        Step {
            step: self.step,
            epoch: self.epochs(self.step),
            loss,
            metric,
            learning_rate,
            images_per_second: meter.images_per_second(),
            elapsed_seconds: self.elapsed,
            fallbacks: device::take_fallbacks(),
        }
    }

    fn epoch_event(&mut self) -> Option<Event> {
        let (loss, metric) = std::mem::take(&mut self.epoch).means()?;
        let epoch = self.step / self.order.steps_per_epoch();
        Some(Event::Epoch(Epoch { epoch, step: self.step, loss, metric }))
    }
}
