//! The whole configuration of a run: one serde value for the command line, `run.toml`, the page and the checkpoint.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::net::EncoderConfig;
use crate::optim::{OptimizerConfig, Schedule};

/// The two settings every method comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 28 to 32 px, a small encoder, minutes on a CPU; runs in the page.
    Small,
    /// The published setting with its backbone, for desktop GPUs.
    Full,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Preset::Small => "small",
            Preset::Full => "full",
        })
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

/// Everything that decides what a run computes. The same value and the same device give the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Method id, for example `rotation`.
    pub method: String,
    /// The preset the other values started from.
    pub preset: Preset,
    /// Data set name, for example `fashion-mnist`.
    pub data: String,
    /// Use only the first so many training images; 0 means all.
    #[serde(default)]
    pub images: usize,
    /// Seed of weights, order and views.
    pub seed: u64,
    /// Images a step. Views are counted separately: rotation makes four of each image.
    pub batch: usize,
    /// Gradient accumulation: micro-batches that go through the network one after the other, for a batch that is too large for
    /// the memory. Weights move once, by the mean of their gradients; batch norm, and a loss that compares images, see one
    /// micro-batch at a time.
    #[serde(default = "one", alias = "parts")]
    pub micro_batches: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Steps after which the run ends, whatever the epochs say; 0 means that the epochs decide.
    #[serde(default)]
    pub steps: usize,
    /// The network whose features are wanted.
    pub encoder: EncoderConfig,
    /// How weights move.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// The method's own settings; which there are, the method says.
    #[serde(default)]
    pub options: Map<String, Value>,
}

fn one() -> usize {
    1
}

impl RunConfig {
    /// What presets start from: seed 1, 64 images a step, one pass over all images, no options.
    pub fn of(
        method: &str,
        preset: Preset,
        data: &str,
        encoder: EncoderConfig,
        optimizer: OptimizerConfig,
        schedule: Schedule,
    ) -> Self {
        Self {
            method: method.to_string(),
            preset,
            data: data.to_string(),
            images: 0,
            seed: 1,
            batch: 64,
            micro_batches: 1,
            epochs: 1,
            steps: 0,
            encoder,
            optimizer,
            schedule,
            options: Map::new(),
        }
    }

    /// The length of the run.
    pub fn budget(&self) -> Budget {
        Budget { epochs: self.epochs, steps: self.steps }
    }

    /// The same run of another length.
    pub fn with_budget(self, Budget { epochs, steps }: Budget) -> Self {
        Self { epochs, steps, ..self }
    }

    /// The same with these options of the method beside those it has.
    pub fn with_options<'a>(mut self, options: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        self.options.extend(options.into_iter().map(|(key, value)| (key.to_string(), value)));
        self
    }

    /// Changes one value by name: `batch`, `optimizer.lr`, `encoder.width`, `options.flip`; an option of the method
    /// needs no prefix. The text is read as whatever type the value has now.
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        let mut whole = self.to_value();
        let path = locate(&whole, key)?;
        if path == ["schedule", "kind"] {
            return self.set_schedule(text);
        }
        let slot = path.iter().fold(&mut whole, |value, part| &mut value[part.as_str()]);
        *slot = read_as(slot, text)
            .ok_or_else(|| Error::Config(format!("`{key}` is {slot} now and cannot be set to `{text}`")))?;
        *self = serde_json::from_value(whole)
            .map_err(|error| Error::Config(format!("`{key}` cannot be set to `{text}`: {error}")))?;
        Ok(())
    }

    /// Another schedule comes with values of its own.
    fn set_schedule(&mut self, kind: &str) -> Result<()> {
        if kind != self.schedule.kind() {
            self.schedule = Schedule::of_kind(kind, self.epochs as f64).ok_or_else(|| {
                let known = Schedule::KINDS.join(", ");
                Error::Config(format!("there is no schedule `{kind}`; choose one of {known}"))
            })?;
        }
        Ok(())
    }

    /// The kind of schedule that a setting belongs to where it is not one of this schedule's.
    pub fn other_schedule(&self, key: &str) -> Option<&'static str> {
        let has = |kind: &str| {
            let schedule = Schedule::of_kind(kind, 1.0)?;
            Self { schedule, ..self.clone() }.settings().into_iter().find(|(name, _)| name == key)
        };
        Schedule::KINDS.into_iter().find(|kind| *kind != self.schedule.kind() && has(kind).is_some())
    }

    /// Every setting that [`RunConfig::set`] knows, with its value.
    pub fn settings(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        leaves(&self.to_value(), String::new(), &mut found);
        found
    }

    /// One of the method's own settings.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn option<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let value = self.options.get(key).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value)
            .map_err(|error| Error::Config(format!("options.{key} of {}: {error}", self.method)))
    }

    /// What the word stands for that an option holds.
    ///
    /// # Errors
    /// When it is none of these words; the sentence lists them.
    pub fn choice<T: Clone>(&self, key: &str, among: &[(&str, T)]) -> Result<T> {
        let word: String = self.option(key)?;
        among.iter().find(|(known, _)| *known == word).map(|(_, value)| value.clone()).ok_or_else(|| {
            let mut words: Vec<_> = among.iter().map(|(known, _)| *known).collect();
            let last = words.pop().unwrap_or_default();
            Error::Config(format!("there is no {key} `{word}`; choose {} or {last}", words.join(", ")))
        })
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
        if self.batch < 2 {
            return wrong("batch must be at least 2: batch normalisation needs more than one image");
        }
        if self.epochs == 0 && self.steps == 0 {
            return wrong("epochs and steps are both 0: give one of them");
        }
        let lr = self.optimizer.lr;
        if !(lr.is_finite() && lr > 0.0) {
            return wrong("optimizer.lr must be a positive number");
        }
        let micro_batches = self.micro_batches;
        if micro_batches == 0 || !self.batch.is_multiple_of(micro_batches) || self.batch / micro_batches < 2 {
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

/// The path to `key` inside the configuration, with the method's options searched last.
fn locate(whole: &Value, key: &str) -> Result<Vec<String>> {
    let direct: Vec<String> = key.split('.').map(str::to_string).collect();
    let short = vec!["options".to_string(), key.to_string()];
    let leaf = |path: &[String]| {
        let found = path.iter().try_fold(whole, |value, part| value.get(part));
        found.is_some_and(|value| !value.is_object())
    };
    [direct, short].into_iter().find(|path| leaf(path)).ok_or_else(|| {
        let mut settings = Vec::new();
        leaves(whole, String::new(), &mut settings);
        let known: Vec<String> = settings.into_iter().map(|(name, _)| name).collect();
        Error::Config(format!("there is no setting `{key}`; there are: {}", known.join(", ")))
    })
}

fn leaves(value: &Value, prefix: String, into: &mut Vec<(String, Value)>) {
    let Value::Object(map) = value else { return into.push((prefix, value.clone())) };
    for (name, inner) in map {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        leaves(inner, path, into);
    }
}

/// Reads `text` as the JSON type of `like`; whole numbers may be written as 1e3.
fn read_as(like: &Value, text: &str) -> Option<Value> {
    match like {
        Value::String(_) => Some(Value::from(text)),
        Value::Bool(_) => text.parse::<bool>().ok().map(Value::from),
        Value::Number(n) if n.is_u64() => match text.parse::<u64>() {
            Ok(whole) => Some(Value::from(whole)),
            Err(_) => text.parse::<f64>().ok().filter(|x| *x >= 0.0 && x.fract() == 0.0).map(|x| Value::from(x as u64)),
        },
        Value::Number(_) => text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from),
        _ => serde_json::from_str(text).ok(),
    }
}
