//! `nolabel methods`: what can be trained.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::input::args;
use crate::cli::output::exit::Outcome;
use crate::cli::output::print;
use crate::cli::output::table::Table;
use crate::config::{Preset, RunConfig};
use crate::data::shapes;
use crate::format;
use crate::method::{Entry, Info, Needs};
use crate::methods::{METHODS, find};
use crate::view::recipe;

const EXAMPLES: &str = "\
Examples:
  nolabel methods                   one line each
  nolabel methods rotation          how it works, and every setting with its value in both presets
  nolabel methods --recipe simclr   the views that a recipe draws of each image
  nolabel methods --json            everything, for programs";
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
/// What the table of settings does not say itself.
const NOTE: &str = "`images` 0 uses all of them; with `steps` 0 the epochs decide when a run ends; with `micro_batches` 4 a \
                    batch goes through the network in four micro-batches (gradient accumulation), for one too large for the memory.";

/// List the methods, or explain one and its settings
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Methods {
    /// The method to explain; all are listed without it
    #[arg(value_name = "METHOD", value_parser = args::methods(), hide_possible_values = true)]
    method: Option<String>,

    /// Show the settings as they are for this data [default: the first that the method can learn from]
    #[arg(long, value_name = "NAME", value_parser = args::data_names())]
    data: Option<String>,

    /// Show a recipe of views, which the option `recipe` of a method names
    #[arg(long, value_name = "NAME", value_parser = args::recipes(), conflicts_with = "method")]
    recipe: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A method as JSON.
#[derive(Serialize)]
struct Card {
    #[serde(flatten)]
    info: &'static Info,
    small: RunConfig,
    full: RunConfig,
}

impl Methods {
    pub(crate) fn run(self) -> Outcome {
        if let Some(name) = &self.recipe {
            let recipe = recipe::find(name)?;
            return if self.json { print::json(&recipe) } else { print::out(&recipe.to_string()) };
        }
        let chosen = self.method.as_deref().map(find).transpose()?;
        match (chosen, self.json) {
            (Some(entry), false) => explain(entry, self.data(entry)),
            (Some(entry), true) => print::json(&self.card(entry)),
            (None, true) => print::json(&METHODS.iter().map(|entry| self.card(entry)).collect::<Vec<_>>()),
            (None, false) => list(),
        }
    }

    fn data(&self, entry: &Entry) -> &str {
        let able = match entry.info().needs {
            Needs { clips: true, .. } => shapes::NAME,
            Needs { colour: true, .. } => "cifar-10",
            _ => args::DEFAULT_DATA,
        };
        self.data.as_deref().unwrap_or(able)
    }

    fn card(&self, entry: &Entry) -> Card {
        let preset = |preset| entry.config(preset, self.data(entry));
        Card { info: entry.info(), small: preset(Preset::Small), full: preset(Preset::Full) }
    }
}

fn list() -> Outcome {
    let mut table = Table::bare();
    for info in METHODS.iter().map(Entry::info) {
        table.row([info.id.into(), info.year.to_string(), format!("{}{}", info.task, needs(info))]);
    }
    print::out(&format!("{table}\n\n`nolabel methods METHOD` explains one and lists its settings."))
}

fn needs(info: &Info) -> &'static str {
    match (info.needs.colour, info.needs.clips) {
        (true, true) => " (needs clips in colour)",
        (true, false) => " (needs colour images)",
        (false, true) => " (needs clips)",
        (false, false) => "",
    }
}

fn explain(entry: &Entry, data: &str) -> Outcome {
    let info = entry.info();
    let chance =
        info.metric.chance.map(|chance| format!("; guessing gives {}", format::measured(info.metric.unit, chance)));
    let text = [
        format!("{}, {}: {}{}", info.id, info.year, info.title, needs(info)),
        format::wrap(info.paper, TEXT_WIDTH),
        format!("{}\n", info.url),
        format!("{}\n", format::wrap(info.task, TEXT_WIDTH)),
        format!("{}\n", format::wrap(info.lesson, TEXT_WIDTH)),
        format!("Its own measure: {}{}.\n", info.metric.name, chance.unwrap_or_default()),
        format!("Settings for {data}; `--set KEY=VALUE` changes them:"),
        format!("{}\n", settings(entry, data)),
        format::wrap(NOTE, TEXT_WIDTH),
    ];
    print::out(&text.join("\n"))
}

fn settings(entry: &Entry, data: &str) -> Table {
    let (small, full) = (entry.config(Preset::Small, data).settings(), entry.config(Preset::Full, data).settings());
    let mut keys: Vec<&str> = small.iter().chain(&full).map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut table = Table::new(["key", "small", "full"], usize::MAX);
    for key in keys.into_iter().filter(|key| !args::CHOSEN_OTHERWISE.contains(key)) {
        let said = |settings| value(settings, key).map_or("-".to_string(), plain);
        table.row([key.to_string(), said(&small), said(&full)]);
    }
    table
}

fn value<'a>(settings: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    settings.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Strings without their quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
