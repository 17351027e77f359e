//! The whole configuration of a run: one serde value for the command line, `run.toml`, the page and the checkpoint.

mod differences;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::net::EncoderConfig;
use crate::optim::{OptimizerConfig, Schedule, ScheduleKind};
use crate::options::{Declared, Map, Options, Range, options, unknown, words};

pub use differences::Difference;

words! {
    /// Presets that every method comes with.
    pub enum Preset {
        /// 28 to 32 px, a small encoder, minutes on a CPU; runs in the page.
        Small = "small",
        /// The published setting with its backbone, for desktop GPUs.
        Full = "full",
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "small" => Ok(Preset::Small),
            "full" => Ok(Preset::Full),
            _ => Err(Error::Config(format!("there is no preset `{text}`; choose small or full"))),
        }
    }
}

/// The length of a run: passes over the images, or steps where they are not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Passes over the training images.
    pub epochs: usize,
    /// Steps, whatever the epochs say; 0 where the epochs decide.
    #[serde(default)]
    pub steps: usize,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps {
            0 => write!(f, "{} epochs", self.epochs),
            steps => write!(f, "{steps} steps"),
        }
    }
}

options! {
    /// Configuration of a run: everything that decides what it computes. The same value and the same device give the same
    /// run.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RunConfig {
        /// Id of the method, for example `rotation`.
        method: String = String::new(), as "the id of a method";
        /// Preset that the other values started from.
        preset: Preset = Preset::Small;
        /// Name of the data set, for example `fashion-mnist`.
        data: String = String::new(), as "the name of a data set";
        /// Training images in use; 0 uses all of them.
        #[serde(default)]
        images: usize = 0, in 0.., unit "images";
        /// Draw the images in use at random, with the same share of each class and always with seed 0, so that all runs learn
        /// from the same images. Switched off, the first images of the data set are used, as in runs of earlier versions.
        #[serde(default)]
        draw_images: bool = true;
        /// Seed; weights, order and views follow from it.
        seed: u64 = 1, in 0..;
        /// Batch size, in images; views are counted separately: rotation makes four of each image. Batch normalisation needs two.
        batch: usize = 64, in 2.., unit "images", tiny = 8;
        /// Micro-batches of a step (gradient accumulation), for a batch that is too large for the memory. Weights are updated once,
        /// by the mean of the gradients; batch norm, and a loss that compares images, see one micro-batch at a time.
        #[serde(default = "one", alias = "parts")]
        micro_batches: usize = 1, in 1..;
        /// Epochs, passes over the training images.
        epochs: usize = 1, in 0..;
        /// Steps, after which the run ends; with 0 the epochs decide.
        #[serde(default)]
        steps: usize = 0, in 0..;
    } with {
        /// The encoder to train.
        encoder: EncoderConfig = EncoderConfig::default();
        /// The optimiser.
        optimizer: OptimizerConfig = OptimizerConfig::default();
        /// The schedule of the learning rate.
        schedule: Schedule = Schedule::default();
        /// Options of the method, declared by the method.
        #[serde(default)]
        options: Map = Map::new();
    }
}

fn one() -> usize {
    1
}

/// Settings that the values of all others start from: chosen first, and not meant by a misspelt name.
pub const CHOSEN_FIRST: [&str; 3] = ["method", "preset", "data"];

impl RunConfig {
    /// The length of the run.
    pub fn budget(&self) -> Budget {
        Budget { epochs: self.epochs, steps: self.steps }
    }

    /// The same run of another length.
    pub fn with_budget(self, Budget { epochs, steps }: Budget) -> Self {
        Self { epochs, steps, ..self }
    }

    /// The same with these options of the method.
    pub fn with_options(mut self, options: &impl Options) -> Self {
        options.put(&mut self.options);
        self
    }

    /// The options of the method.
    ///
    /// # Errors
    /// If the method has no such option, or one is out of its range; the sentence names option, range and value.
    pub fn read_options<O: Options>(&self) -> Result<O> {
        O::read(&self.options).map_err(|error| Error::Config(format!("options of {}: {error}", self.method)))
    }

    /// Changes one setting by name: `batch`, `optimizer.lr`, `encoder.width`; an option of the method with or without
    /// `options.` before it. Without the method's declarations an option may be anything of the type it has now; see
    /// [`RunConfig::set_among`].
    ///
    /// # Errors
    /// If there is no such setting, or the text is no value of it.
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        let options: Vec<Declared> =
            self.options.iter().map(|(key, value)| Declared::new(key, "", Range::like(value))).collect();
        self.set_among(&options, key, text)
    }

    /// Changes one setting by name, with the method's declarations of its `options`.
    ///
    /// # Errors
    /// If there is no such setting, or the text does not lie in its range; the sentence names setting, range and value,
    /// or the nearest setting there is.
    pub fn set_among(&mut self, options: &[Declared], key: &str, text: &str) -> Result<()> {
        let known: Vec<Declared> = self.declared_settings().into_iter().chain(options.iter().cloned()).collect();
        let short = key.strip_prefix("options.").unwrap_or(key);
        let Some(declared) = known.iter().find(|one| one.key == short) else {
            return Err(self.other_schedule(key).map_or_else(
                || {
                    let later = known.iter().filter(|one| !CHOSEN_FIRST.contains(&one.key.as_str()));
                    unknown(key, &later.cloned().collect::<Vec<_>>())
                },
                |kind| {
                    let kind = kind.word();
                    Error::Config(format!("`{key}` belongs to another schedule; set schedule.kind={kind} before it"))
                },
            ));
        };
        let value = declared.parse(text)?;
        if short == "schedule.kind" {
            return self.set_schedule(value);
        }
        if options.iter().any(|one| one.key == short) {
            self.options.insert(short.to_string(), value);
            return Ok(());
        }
        let mut whole = self.to_value();
        *short.split('.').fold(&mut whole, |inner, name| &mut inner[name]) = value;
        *self = serde_json::from_value(whole)
            .map_err(|error| Error::Config(format!("`{key}` cannot be set to `{text}`: {error}")))?;
        Ok(())
    }

    /// Another schedule comes with constants of its own.
    fn set_schedule(&mut self, kind: Value) -> Result<()> {
        let kind: ScheduleKind = serde_json::from_value(kind)
            .map_err(|error| Error::Config(format!("`schedule.kind` cannot be set: {error}")))?;
        if kind != self.schedule.kind() {
            self.schedule = Schedule::of_kind(kind, self.epochs as f64);
        }
        Ok(())
    }

    /// The kind of schedule that a setting belongs to where it is not one of this schedule's.
    fn other_schedule(&self, key: &str) -> Option<ScheduleKind> {
        let name = key.strip_prefix("schedule.")?;
        ScheduleKind::ALL.into_iter().find(|kind| Schedule::declared(*kind).iter().any(|one| one.key == name))
    }

    /// Declarations of all settings but the method's options: the run's own, then `encoder.`, `optimizer.`, `schedule.`.
    pub fn declared_settings(&self) -> Vec<Declared> {
        let groups = [
            ("encoder.", EncoderConfig::declared()),
            ("optimizer.", OptimizerConfig::declared()),
            ("schedule.", Schedule::declared(self.schedule.kind())),
        ];
        let inner = groups.into_iter().flat_map(|(prefix, group)| group.into_iter().map(|one| one.under(prefix)));
        <Self as Options>::declared().into_iter().chain(inner).collect()
    }

    /// The value of a setting by its declared name.
    pub fn value(&self, key: &str) -> Option<Value> {
        let whole = self.to_value();
        let direct = key.split('.').try_fold(&whole, |inner, name| inner.get(name)).cloned();
        direct.or_else(|| self.options.get(key).cloned())
    }

    /// Every setting that [`RunConfig::set`] knows, with its value.
    pub fn settings(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        leaves(&self.to_value(), String::new(), &mut found);
        found
    }

    /// The learning rate brought to the batch by the linear rule, `lr = lr' batch / batch'` with the published lr' and batch'
    /// (Goyal et al. 2017, section 2.1); the sentence says so. Nothing where the batch is the published one, or the rate or
    /// the update rule is not.
    pub fn follow_batch(&mut self, published: &RunConfig) -> Option<String> {
        let same_rule = self.optimizer.kind == published.optimizer.kind && self.optimizer.lr == published.optimizer.lr;
        if self.batch == published.batch || !same_rule {
            return None;
        }
        self.optimizer.lr *= self.batch as f64 / published.batch as f64;
        Some(format!(
            "the learning rate follows the batch by the authors' linear rule: {} for {} images a step (published: {} for {}); \
             --lr sets another",
            short(self.optimizer.lr),
            self.batch,
            short(published.optimizer.lr),
            published.batch
        ))
    }

    /// Refuses values that no run can work with, in words.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        self.check_ranges("")?;
        if self.epochs == 0 && self.steps == 0 {
            return wrong("epochs and steps are both 0: give one of them");
        }
        let micro_batches = self.micro_batches;
        if !self.batch.is_multiple_of(micro_batches) || self.batch / micro_batches < 2 {
            return wrong(
                "micro_batches must divide batch into micro-batches of at least 2 images: batch normalisation needs more than one",
            );
        }
        let micro_batch = self.batch / micro_batches;
        let groups = self.encoder.norm_groups;
        if groups > 1 && !(micro_batch.is_multiple_of(groups) && micro_batch > groups) {
            return wrong(
                "a batch, or each micro-batch, must be a multiple of encoder.norm_groups, and larger: each group needs two images",
            );
        }
        self.encoder.check()?;
        self.schedule.check()?;
        self.optimizer.check()
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a run configuration has only string keys")
    }
}

/// A rate with four digits and no more zeros than it needs.
fn short(value: f64) -> String {
    let digits = (3.0 - value.abs().max(1e-12).log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

fn leaves(value: &Value, prefix: String, into: &mut Vec<(String, Value)>) {
    let Value::Object(map) = value else { return into.push((prefix, value.clone())) };
    for (name, inner) in map {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        leaves(inner, path, into);
    }
}
