//! The runs that a user may have meant, where a path leads to none.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::output::exit::Failure;
use crate::session::folder::{Place, place};

/// The folder that runs are written into unless `--out` says otherwise.
const RUNS: &str = "runs";
/// Runs that are named in a sentence.
const MAX_NAMED: usize = 8;

/// The error for a path at which there is no run: what is wrong with the path, and the runs that there are.
pub(crate) fn no_run_at(path: &Path) -> Failure {
    let shown = path.display();
    let why = if fs::symlink_metadata(path).is_ok() { "it has no run.toml" } else { "it does not exist" };
    let wrong = format!("there is no run in {shown}: {why}");
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut runs = runs_in(path);
    if runs.is_empty() {
        runs = [beside, Path::new(RUNS)].into_iter().flat_map(runs_in).collect();
        runs.sort();
        runs.dedup();
    }
    if runs.is_empty() {
        return Failure::Failed(format!("{wrong}, and no run beside it or in {RUNS}/; `nolabel train` makes one"));
    }
    let more = if runs.len() > MAX_NAMED { format!(" and {} more", runs.len() - MAX_NAMED) } else { String::new() };
    let named: Vec<String> = runs.iter().take(MAX_NAMED).map(|run| run.display().to_string()).collect();
    Failure::Failed(format!("{wrong}; the runs here: {}{more}", named.join(", ")))
}

/// The runs directly in a folder, sorted by name.
pub(crate) fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let paths = paths.map(|path| path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path));
    let mut runs: Vec<PathBuf> = paths.filter(|path| place(path) == Place::Run).collect();
    runs.sort();
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_beside_a_wrong_path_are_named() {
        let here = tempfile::tempdir().expect("a folder");
        let said = |name: &str| match no_run_at(&here.path().join(name)) {
            Failure::Failed(sentence) => sentence,
            other => panic!("{other:?}"),
        };
        let nothing = said("nowhere");
        assert!(nothing.contains("nowhere: it does not exist, and no run beside it"), "{nothing}");
        for number in 0..10 {
            let run = here.path().join(format!("run-{number}"));
            fs::create_dir(&run).expect("a folder");
            fs::write(run.join("run.toml"), "").expect("a file");
        }
        fs::create_dir(here.path().join("empty")).expect("a folder");
        let named = said("run-x");
        assert!(named.contains("run-0, ") && named.ends_with(" and 2 more") && !named.contains("empty"), "{named}");
        let empty = said("empty");
        assert!(empty.contains("empty: it has no run.toml; the runs here: "), "{empty}");
    }
}
