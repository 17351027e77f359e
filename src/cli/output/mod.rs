//! Everything that reaches the terminal or a file: tables, progress, HTML, exit codes.

pub(super) mod atomic_file;
pub(super) mod exit;
pub(super) mod html;
pub(super) mod print;
pub(super) mod probe_table;
pub(super) mod progress;
pub(super) mod run_summary;
pub(super) mod spinner;
pub(super) mod standing;
pub(super) mod table;
