//! `nolabel methods`: what can be trained.

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use crate::cli::input::args;
use crate::cli::output::exit::Outcome;
use crate::cli::output::print;
use crate::cli::output::table::Table;
use crate::config::{CHOSEN_FIRST, Preset, RunConfig};
use crate::data::shapes;
use crate::format;
use crate::method::{Entry, Experiment, Info, Needs};
use crate::methods::{METHODS, find};
use crate::options::Declared;
use crate::view::recipe;

const EXAMPLES: &str = "\
Examples:
  nolabel methods                   one line each
  nolabel methods rotation          how it works, and every setting with its value in both presets
  nolabel methods --recipe simclr   the views that a recipe draws of each image
  nolabel methods --json            everything, for programs
  nolabel methods --format markdown the table in the README";
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
/// Characters of a line in the columns of the table of settings.
const KEY_WIDTH: usize = 28;
const HELP_WIDTH: usize = 56;
const RANGE_WIDTH: usize = 28;

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

    /// Print JSON, the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Format of what is printed; markdown is the README's table of all methods
    #[arg(long, value_enum, default_value_t = Format::Text, hide_default_value = true)]
    format: Format,
}

/// Format of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// A method as JSON.
#[derive(Serialize)]
struct Card {
    #[serde(flatten)]
    info: &'static Info,
    options: Vec<OptionCard>,
    small: RunConfig,
    full: RunConfig,
}

/// A setting with its values in both presets.
#[derive(Serialize)]
struct OptionCard {
    key: String,
    help: String,
    range: String,
    small: Option<Value>,
    full: Option<Value>,
}

impl Methods {
    pub(crate) fn run(self) -> Outcome {
        let format = if self.json { Format::Json } else { self.format };
        if let Some(name) = &self.recipe {
            let recipe = recipe::find(name)?;
            return if format == Format::Json { print::json(&recipe) } else { print::out(&recipe.to_string()) };
        }
        let chosen = self.method.as_deref().map(find).transpose()?;
        match (chosen, format) {
            (Some(entry), Format::Text) => explain(entry, self.data(entry)),
            (Some(entry), Format::Json) => print::json(&self.card(entry)),
            (Some(entry), Format::Markdown) => print::out(&markdown(std::slice::from_ref(entry))),
            (None, Format::Json) => print::json(&METHODS.iter().map(|entry| self.card(entry)).collect::<Vec<_>>()),
            (None, Format::Markdown) => print::out(&markdown(METHODS)),
            (None, Format::Text) => list(),
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
        let options = options(entry, self.data(entry));
        Card { info: entry.info(), options, small: preset(Preset::Small), full: preset(Preset::Full) }
    }
}

fn list() -> Outcome {
    let mut table = Table::bare();
    for info in METHODS.iter().map(Entry::info) {
        table.row([info.id.into(), info.year.to_string(), format!("{}{}", info.task, needs(info))]);
    }
    print::out(&format!("{table}\n\n`nolabel methods METHOD` explains one and lists its settings."))
}

/// A table in Markdown, a row a method.
fn markdown(entries: &[Entry]) -> String {
    let mut table = "| id | year | method | task of the network | needs |\n|---|---|---|---|---|".to_string();
    for Info { id, year, title, url, task, needs, .. } in entries.iter().map(Entry::info) {
        table.push_str(&format!("\n| `{id}` | {year} | [{title}]({url}) | {task} | {} |", needed(*needs)));
    }
    table
}

fn needs(info: &Info) -> String {
    match needed(info.needs) {
        "" => String::new(),
        needed => format!(" (needs {needed})"),
    }
}

fn needed(needs: Needs) -> &'static str {
    match (needs.colour, needs.clips) {
        (true, true) => "clips in colour",
        (true, false) => "colour images",
        (false, true) => "clips",
        (false, false) => "",
    }
}

fn explain(entry: &Entry, data: &str) -> Outcome {
    let info = entry.info();
    let metric = &info.metric;
    let baseline = format::baseline(metric.baseline, metric.better, metric.chance, metric.unit);
    let measures = format!("Its loss: {} Its own measure: {}. {baseline}", info.loss, metric.name);
    let text = [
        format!("{}, {}: {}{}", info.id, info.year, info.title, needs(info)),
        format!("Group: {}", info.group.title()),
        format::wrap(info.paper, TEXT_WIDTH),
        format!("{}\n", info.url),
        format!("{}\n", format::wrap(info.task, TEXT_WIDTH)),
        format!("{}\n", format::wrap(info.lesson, TEXT_WIDTH)),
        format!("{}\n", format::wrap(&measures, TEXT_WIDTH)),
        info.experiment
            .map_or(String::new(), |experiment| format!("{}\n", format::wrap(&attempt(&experiment), TEXT_WIDTH))),
        format!("Settings for {data}; `--set KEY=VALUE` changes them:"),
        settings(entry, data).to_string(),
    ];
    print::out(&text.join("\n"))
}

fn attempt(Experiment { label, key, value, watch }: &Experiment) -> String {
    format!("{label}: `--set {key}={value}`. {watch}")
}

fn settings(entry: &Entry, data: &str) -> Table {
    let mut table = Table::new(["key", "meaning", "range", "small", "full"], usize::MAX);
    for option in options(entry, data) {
        let said = |value: &Option<Value>| value.as_ref().map_or("-".to_string(), plain);
        let cells = [
            format::wrap(&option.key, KEY_WIDTH),
            format::wrap(&option.help, HELP_WIDTH),
            format::wrap(&option.range, RANGE_WIDTH),
            said(&option.small),
            said(&option.full),
        ];
        let lines = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(1);
        for line in 0..lines {
            table.row(cells.each_ref().map(|cell| cell.lines().nth(line).unwrap_or_default().to_string()));
        }
    }
    table
}

/// Every setting that either preset has, with its values in both.
fn options(entry: &Entry, data: &str) -> Vec<OptionCard> {
    let small = entry.config(Preset::Small, data);
    let full = entry.config(Preset::Full, data);
    let mut declared = entry.settings(&small);
    // schedules of other kinds have other settings
    for one in entry.settings(&full) {
        if declared.iter().all(|known| known.key != one.key) {
            let place = declared.iter().rposition(|known| known.key.starts_with("schedule.")).unwrap_or_default();
            declared.insert(place + 1, one);
        }
    }
    let listed = declared.into_iter().filter(|one| !CHOSEN_FIRST.contains(&one.key.as_str()));
    let card = |one: Declared| OptionCard {
        small: small.value(&one.key),
        full: full.value(&one.key),
        range: one.range.to_string(),
        key: one.key,
        help: one.help,
    };
    listed.map(card).collect()
}

/// Strings without their quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
