//! Differences between two configurations.

use std::path::Path;

use crate::cli::output::exit::{Failure, Outcome};
use crate::config::{Difference, RunConfig};
use crate::session::folder::Record;

/// The settings that differ, as a sentence; empty where none does.
pub(crate) fn differences(old: &RunConfig, new: &RunConfig) -> String {
    let differing = Difference::among([old, new]).into_iter().filter_map(|Difference { key, values }| {
        let [Some(old), Some(new)] = &values[..] else { return None };
        Some(format!("{key} is {old}, not {new}"))
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// Refuses a run whose run.toml was edited: a checkpoint resumes with the settings it was trained with.
pub(crate) fn refuse_edited(path: &Path, record: &Record, trained: &RunConfig) -> Outcome {
    // the checkpoint's numbers have been through JSON
    let text = serde_json::to_string(&record.config).expect("a configuration has only string keys");
    let trained = match record.earlier_budgets.contains(&trained.budget()) {
        true => trained.clone().with_budget(record.config.budget()),
        false => trained.clone(),
    };
    let differing = serde_json::from_str(&text).map(|recorded| differences(&trained, &recorded)).unwrap_or_default();
    if differing.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "run.toml in {} was changed after the run had started: {differing}; put it back, or start a new run",
        path.display()
    )))
}
