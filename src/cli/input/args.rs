//! Arguments shared by several commands, and the parsers of their values.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::cli::output::exit::{Failure, Outcome};
use crate::config::{CHOSEN_FIRST, Preset, RunConfig};
use crate::data::catalogue::CATALOGUE;
use crate::data::folder::{self, clips, shards};
use crate::data::{Spec, shapes};
use crate::device::DeviceChoice;
use crate::format;
use crate::methods::{METHODS, find};
use crate::session::folder::{Criterion, KEPT};
use crate::view::recipe;

/// The data set of commands that need none to be named.
pub(crate) const DEFAULT_DATA: &str = CATALOGUE[0].name;

/// Parser of method ids; the help lists them with their tasks.
pub(crate) fn methods() -> PossibleValuesParser {
    PossibleValuesParser::new(METHODS.iter().map(|entry| {
        let info = entry.info();
        PossibleValue::new(info.id).help(info.task)
    }))
}

/// Parser of data set names, including those for the user's own images.
pub(crate) fn data_names() -> PossibleValuesParser {
    let own = [
        (shapes::NAME, "Generated clips"),
        (folder::NAME, "Images of your own"),
        (shards::NAME, "Images of your own in tar files"),
        (clips::NAME, "Clips of your own"),
    ];
    let known = CATALOGUE.iter().map(|entry| (entry.name, entry.title));
    PossibleValuesParser::new(known.chain(own).map(|(name, title)| PossibleValue::new(name).help(title)))
}

/// Parser of the names of view recipes.
pub(crate) fn recipes() -> PossibleValuesParser {
    PossibleValuesParser::new(recipe::names())
}

/// Parser of presets.
pub(crate) fn presets() -> impl TypedValueParser<Value = Preset> {
    let small = PossibleValue::new("small").help("A small encoder on small images: minutes on a CPU");
    let full = PossibleValue::new("full").help("The published setting with its backbone, for desktop GPUs");
    PossibleValuesParser::new([small, full]).try_map(|text| text.parse::<Preset>())
}

/// Parser of a [`Spec`]; an unknown name is answered with the nearest one.
pub(crate) fn data_specs() -> impl TypedValueParser<Value = Spec> {
    DataSpecs { all: true }
}

/// The same for data sets of the catalogue alone.
pub(crate) fn known_specs() -> impl TypedValueParser<Value = Spec> {
    DataSpecs { all: false }
}

#[derive(Clone)]
struct DataSpecs {
    /// True if data sets outside the catalogue are allowed: the user's folders, and generated clips.
    all: bool,
}

impl TypedValueParser for DataSpecs {
    type Value = Spec;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Spec, clap::Error> {
        let text = value.to_str().ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidUtf8))?;
        let name = text.split(':').next().unwrap_or(text);
        if self.all && self.values().all(|known| known.get_name() != name) && is_path(text) {
            let error = clap::Error::raw(clap::error::ErrorKind::InvalidValue, bare_path(text));
            return Err(error.with_cmd(command));
        }
        PossibleValuesParser::new(self.values()).parse_ref(command, arg, OsStr::new(name))?;
        let parse = |text: &str| text.parse::<Spec>();
        parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.values()))
    }
}

/// True for what is meant as a path and not as the name of a data set.
fn is_path(text: &str) -> bool {
    text.contains(['/', '\\']) || text.starts_with(['.', '~']) || Path::new(text).exists()
}

/// The sentence about a path without `folder:` or `clips:` before it.
fn bare_path(text: &str) -> String {
    let clips = format!("`{}:{text}`", clips::NAME);
    if Path::new(text).is_file() {
        let (folder, shards) = (folder::NAME, shards::NAME);
        return format!(
            "`{text}` is a file; a film is read as {clips}, a tar file as `{shards}:{text}`, images as `{folder}:DIR`\n"
        );
    }
    format!("`{text}` is a path; write `{}:{text}` for images of your own, or {clips} for clips\n", folder::NAME)
}

/// The sentence about a command that was given no data.
pub(crate) fn missing_data() -> Failure {
    let known: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
    Failure::Usage(format!(
        "name the images with --data: {} (`nolabel data list` shows their folders), {} (generated), {}:DIR for images of your \
         own, {}:PATTERN for tar files of them, or {}:DIR for clips of your own",
        known.join(", "),
        shapes::NAME,
        folder::NAME,
        shards::NAME,
        clips::NAME
    ))
}

impl DataSpecs {
    fn values(&self) -> impl Iterator<Item = PossibleValue> + use<> {
        let known = CATALOGUE.iter().map(|entry| PossibleValue::new(entry.name).help(entry.title));
        let others = [
            (shapes::NAME, "Generated clips of moving shapes"),
            (folder::NAME, "Images of your own, as folder:DIR"),
            (shards::NAME, "Images of your own in tar files (WebDataset), as shards:PATTERN"),
            (clips::NAME, "Clips of your own, as clips:DIR: one folder of frames for each clip, or films"),
        ];
        let others = others.map(|(name, help)| PossibleValue::new(name).help(help));
        let count = if self.all { others.len() } else { 0 };
        known.chain(others.into_iter().take(count))
    }
}

/// The interval between two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SaveEvery {
    Steps(usize),
    Seconds(f64),
}

impl FromStr for SaveEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u32 = digits.parse().ok().filter(|number| *number > 0).ok_or(Self::HELP)?;
        match unit {
            "" => Ok(SaveEvery::Steps(number as usize)),
            "s" => Ok(SaveEvery::Seconds(f64::from(number))),
            "m" => Ok(SaveEvery::Seconds(60.0 * f64::from(number))),
            "h" => Ok(SaveEvery::Seconds(3600.0 * f64::from(number))),
            _ => Err(Self::HELP.to_string()),
        }
    }
}

impl SaveEvery {
    const HELP: &str = "write 500 for every 500 steps, or 90s, 5m or 1h";
}

/// `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, for example optimizer.momentum=0.95")?;
    Ok((key.trim().to_string(), value.trim().to_string()))
}

/// Arguments of every command that trains a run.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) budget: BudgetArgs,

    /// Learn from N training images only, drawn with the same share of each class
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = TRAINING)]
    pub(crate) images: Option<u64>,

    /// Seed of weights, order and views: the same seed gives the same run
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    pub(crate) seed: Option<u64>,

    /// Change any other setting; `nolabel methods METHOD` lists them. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = TRAINING)]
    pub(crate) set: Vec<(String, String)>,

    /// The run's folder [default: runs/METHOD-DATA-SEED]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Continue the run in its folder from its last checkpoint
    #[arg(long)]
    pub(crate) resume: bool,

    #[command(flatten)]
    pub(crate) manner: MannerArgs,
}

/// The heading of settings of the training in help.
pub(crate) const TRAINING: &str = "Training";

/// Length of the training, batch and learning rate.
#[derive(Args, Clone, Debug)]
pub(crate) struct BudgetArgs {
    /// Passes over the training images
    #[arg(long, value_name = "N", conflicts_with = "steps", value_parser = at_least_one(), help_heading = TRAINING)]
    epochs: Option<u64>,

    /// Number of steps, instead of epochs
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = TRAINING)]
    steps: Option<u64>,

    /// Images in a batch
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = TRAINING)]
    batch: Option<u64>,

    /// Learning rate, before the schedule
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = TRAINING)]
    lr: Option<f64>,
}

/// Device, checkpoints and progress: none of them changes the result, except for rounding on another device.
#[derive(Args, Clone, Debug)]
pub(crate) struct MannerArgs {
    /// auto (a GPU if there is one, else the CPU), gpu, gpu:N as `nolabel devices` lists them, or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,

    /// Interval between two checkpoints: a number of steps, or a time such as 90s, 5m or 1h
    #[arg(long, value_name = "STEPS|TIME", default_value = "1m")]
    pub(crate) save_every: SaveEvery,

    /// Number of checkpoints that are kept, the newest first. With 1 a damaged one leaves nothing to continue from
    #[arg(long, value_name = "N", default_value_t = KEPT, value_parser = count())]
    pub(crate) keep_last: usize,

    /// Keep the best checkpoint too, as checkpoints/best.safetensors: the one with the lowest loss, or with the highest
    /// effective rank of the embeddings, on average since the checkpoint before. It needs no labels
    #[arg(long, value_name = "loss|rank")]
    pub(crate) keep_best: Option<Criterion>,

    /// Save and end the run if it collapses or stalls
    #[arg(long)]
    pub(crate) stop_on_collapse: bool,

    /// Write event files for TensorBoard too, in a folder of DIR that is named after the run: losses, measures, health, probes, and
    /// the pictures of the task after every epoch
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorboard: Option<PathBuf>,

    /// Probe the features every N steps, on a few thousand images [default: not while training]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) probe_every: Option<u64>,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The argument with the space before it, as a resume command has it.
pub(crate) const STOP_ON_COLLAPSE: &str = " --stop-on-collapse";

fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..)
}

/// The same for numbers that fit into memory.
fn count() -> impl TypedValueParser<Value = usize> {
    clap::builder::RangedU64ValueParser::<usize>::new().range(1..)
}

impl RunArgs {
    /// Applies all arguments to `config`.
    pub(crate) fn apply(&self, config: &mut RunConfig) -> Outcome {
        self.budget.apply(config)?;
        let named = [("images", self.images), ("seed", self.seed)];
        for (key, value) in named {
            value.map_or(Ok(()), |value| config.set(key, &value.to_string()))?;
        }
        for (key, value) in &self.set {
            if let Some(argument) = self.argument(key) {
                return Err(Failure::Usage(format!(
                    "`{key}` is given twice, by --{argument} and by --set; leave one out"
                )));
            }
            set(config, key, value)?;
        }
        Ok(())
    }

    /// True if the setting was given, by an argument of its own or by `--set`.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.argument(key).is_some() || self.set.iter().any(|(name, _)| name == key)
    }

    /// The argument in use that sets the same as `key`.
    fn argument(&self, key: &str) -> Option<&'static str> {
        let budget = &self.budget;
        let given = [
            ("epochs", "epochs", budget.epochs.is_some()),
            ("steps", "steps", budget.steps.is_some()),
            ("batch", "batch", budget.batch.is_some()),
            ("optimizer.lr", "lr", budget.lr.is_some()),
            ("images", "images", self.images.is_some()),
            ("seed", "seed", self.seed.is_some()),
        ];
        given.into_iter().find(|(name, _, given)| *name == key && *given).map(|(_, argument, _)| argument)
    }
}

impl BudgetArgs {
    pub(crate) fn apply(&self, config: &mut RunConfig) -> Outcome {
        let number = |key: &'static str, value: Option<u64>| value.map(|value| (key, value.to_string()));
        // --epochs overrides a number of steps in the preset
        let no_steps = self.epochs.map(|_| ("steps", "0".to_string()));
        let rate = self.lr.map(|rate| ("optimizer.lr", rate.to_string()));
        let named =
            [number("epochs", self.epochs), no_steps, number("steps", self.steps), number("batch", self.batch), rate];
        for (key, value) in named.into_iter().flatten() {
            config.set(key, &value)?;
        }
        Ok(())
    }
}

impl MannerArgs {
    /// The arguments that are not the default ones, for the command that resumes the run.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        if self.device != DeviceChoice::Auto {
            words.push_str(&format!(" --device {}", self.device));
        }
        if let Some(steps) = self.probe_every {
            words.push_str(&format!(" --probe-every {steps}"));
        }
        if self.keep_last != KEPT {
            words.push_str(&format!(" --keep-last {}", self.keep_last));
        }
        if let Some(folder) = &self.tensorboard {
            words.push_str(&format!(" --tensorboard {}", format::quoted(&folder.display().to_string())));
        }
        if let Some(by) = self.keep_best {
            words.push_str(&format!(" --keep-best {}", by.word()));
        }
        if self.stop_on_collapse {
            words.push_str(STOP_ON_COLLAPSE);
        }
        match self.save_every {
            SaveEvery::Steps(steps) => words.push_str(&format!(" --save-every {steps}")),
            SaveEvery::Seconds(60.0) => {}
            SaveEvery::Seconds(seconds) => words.push_str(&format!(" --save-every {seconds}s")),
        }
        words
    }
}

/// Changes a setting; an unknown key is answered with the nearest one, a wrong value with the range.
pub(crate) fn set(config: &mut RunConfig, key: &str, value: &str) -> Outcome {
    if CHOSEN_FIRST.contains(&key) {
        return Err(Failure::Usage(format!("`{key}` cannot be changed with --set; it has an argument of its own")));
    }
    let options = find(&config.method)?.options();
    let list = format!("`nolabel methods {}` lists the settings", config.method);
    config.set_among(&options, key, value).map_err(|error| Failure::Usage(format!("{error}; {list}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RunConfig {
        find("rotation").expect("a method").config(Preset::Small, "fashion-mnist")
    }

    fn refused(key: &str, value: &str) -> String {
        match set(&mut config(), key, value) {
            Err(Failure::Usage(sentence)) => sentence,
            other => panic!("`{key}={value}` must be bad usage, not {other:?}"),
        }
    }

    #[test]
    fn a_misspelt_setting_is_answered_by_the_nearest() {
        let misspelt = [
            ("optimzer.lr", "`optimizer.lr`? It must be above 0"),
            ("momentun", "`optimizer.momentum`? It must be at least 0 and below 1"),
            ("encoder.widht", "`encoder.width`? It must be a whole number, 1 to 4096 channels"),
            ("schedule.warmup", "`schedule.warmup_epochs`? It must be 0 or more epochs"),
            ("flp", "`flip`? It must be true or false"),
        ];
        for (key, meant) in misspelt {
            let said = refused(key, "1");
            assert!(said.contains(&format!("did you mean {meant}; ")), "{said}");
        }
        assert!(!refused("zzzzzzzz", "1").contains("did you mean"));
        // an option of other methods, nearest to the name of an argument
        assert!(!refused("projector", "1").contains("preset"));
        assert!(refused("data", "cifar-10").contains("an argument of its own"));
        assert!(refused("schedule.at_epochs", "2").contains("set schedule.kind=steps before it"));
        assert!(refused("batch", "many").contains("`batch` must be a whole number, 2 or more images, not many"));
        assert!(refused("turn", "sideways").contains("`turn` must be exact or resampled, not sideways"));
        assert!(refused("min_area", "1.5").contains("above 0 and at most 1"));
        for key in ["flip", "options.flip"] {
            set(&mut config(), key, "true").expect("with or without its prefix");
        }
    }

    #[test]
    fn checkpoints_are_asked_for_by_steps_or_by_time() {
        let read = |text: &str| text.parse::<SaveEvery>();
        assert_eq!(read("500"), Ok(SaveEvery::Steps(500)));
        assert_eq!(read("90s"), Ok(SaveEvery::Seconds(90.0)));
        assert_eq!(read("2h"), Ok(SaveEvery::Seconds(7200.0)));
        for text in ["", "0", "m", "5 m", "-3", "1.5h", "7d", "99999999999"] {
            assert!(read(text).is_err(), "`{text}` must be refused");
        }
    }
}
