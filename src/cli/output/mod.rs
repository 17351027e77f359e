//! Everything that reaches the terminal or a file: tables, progress, exit codes.

pub(super) mod atomic_file;
pub(super) mod exit;
pub(super) mod page_path;
pub(super) mod print;
pub(super) mod probe_table;
pub(super) mod progress;
pub(super) mod run_summary;
pub(super) mod spinner;
pub(super) mod table;
pub(super) mod tensorboard;
