//! Texts that tell runs apart: the settings in which they differ.

use serde_json::Value;

use super::settings;
use crate::config::{CHOSEN_FIRST, Difference, RunConfig};
use crate::format;
use crate::session::event::Started;
use crate::worker::protocol::{MethodCard, RunTag};

/// A run to be told from others.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRun {
    /// Its identity.
    pub tag: RunTag,
    /// Configuration and device.
    pub started: Started,
}

/// For each run the settings in which it differs from another of them, with their values: `Seed: 2; Learning rate: 0.1`. The
/// device counts as a setting. Empty for a run that differs in none.
pub fn differing(runs: &[NamedRun], methods: &[MethodCard]) -> Vec<String> {
    let configs = || runs.iter().map(|run| &run.started.config);
    let differences = Difference::among(configs());
    let devices = runs.iter().any(|run| run.started.device != runs[0].started.device);
    let of = |(at, run): (usize, &NamedRun)| {
        let values = differences.iter().filter_map(|one| {
            let value = text_of(one.values[at].as_ref()?, &one.key, methods);
            Some(format!("{}: {value}", label(&one.key, &run.started.config, methods)))
        });
        let device = devices.then(|| format!("Processor: {}", run.started.device));
        values.chain(device).collect::<Vec<_>>().join("; ")
    };
    runs.iter().enumerate().map(of).collect()
}

/// Names of runs for a legend: the title, and the settings that tell the run from the others.
pub fn legend(runs: &[NamedRun], methods: &[MethodCard]) -> Vec<String> {
    let titled = differing(runs, methods).into_iter().zip(runs).map(|(differing, run)| {
        let title = run.tag.title();
        if differing.is_empty() { title } else { format!("{title} ({differing})") }
    });
    titled.collect()
}

/// The label of a setting in the form, or else its name in links.
fn label(key: &str, config: &RunConfig, methods: &[MethodCard]) -> String {
    if CHOSEN_FIRST.contains(&key) {
        return format::title(key);
    }
    let name = key.strip_prefix("options.").unwrap_or(key);
    let card = methods.iter().find(|card| card.id == config.method);
    let declared = card.and_then(|card| settings::declared(config, card, name));
    declared.map_or_else(|| name.to_string(), |declared| declared.label().to_string())
}

fn text_of(value: &Value, key: &str, methods: &[MethodCard]) -> String {
    match value {
        Value::Bool(true) => "on".into(),
        Value::Bool(false) => "off".into(),
        Value::String(id) if key == "method" => {
            methods.iter().find(|card| card.id == *id).map_or_else(|| id.clone(), |card| card.title.clone())
        }
        other => settings::text_of(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::run_state::tests::{config, plan};
    use crate::page::model::settings::tests::card;
    use crate::session::event::Event;

    fn run(number: usize, changes: &[(&str, &str)]) -> NamedRun {
        let Event::Started(mut started) = plan(10, 0) else { panic!("it is a start") };
        started.config = RunConfig { method: "some".into(), ..config() };
        changes.iter().for_each(|(key, text)| started.config.set(key, text).expect("a setting"));
        NamedRun { tag: RunTag { id: number as u64, number, name: String::new() }, started }
    }

    #[test]
    fn a_legend_names_exactly_the_settings_that_differ() {
        let runs = [run(1, &[]), run(2, &[("seed", "7")])];
        assert_eq!(legend(&runs, &[card("some")]), ["Run 1 (Seed: 1)", "Run 2 (Seed: 7)"]);
        let runs = [run(1, &[("flip", "true")]), run(2, &[("optimizer.lr", "0.5")])];
        let expected = [
            "Run 1 (Learning rate: 0.05; Mirror half of the images: on)",
            "Run 2 (Learning rate: 0.5; Mirror half of the images: off)",
        ];
        assert_eq!(legend(&runs, &[card("some")]), expected);
    }

    #[test]
    fn equal_runs_are_told_apart_by_their_names_alone() {
        let mut runs = [run(1, &[]), run(2, &[])];
        runs[1].tag.name = "the second".into();
        assert_eq!(legend(&runs, &[]), ["Run 1", "the second"]);
        runs[1].started.device = "WebGPU".into();
        assert_eq!(differing(&runs, &[]), ["Processor: CPU", "Processor: WebGPU"]);
        assert_eq!(differing(&[], &[]), [""; 0]);
    }

    #[test]
    fn another_method_is_named_by_its_title() {
        let mut runs = [run(1, &[]), run(2, &[])];
        runs[1].started.config.method = "one".into();
        runs[1].started.config.options.clear();
        let mut other = card("one");
        other.title = "The One (2018)".into();
        assert_eq!(differing(&runs, &[other]), ["Method: some", "Method: The One (2018)"]);
    }
}
