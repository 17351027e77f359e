//! Signals of the page, the connection to the engine, and saved runs.

pub(super) mod exam;
pub(super) mod file_download;
pub(super) mod hidden_tab;
pub(super) mod mount;
pub(super) mod on_reply;
pub(super) mod run_table;
pub(super) mod saved_runs;
pub(super) mod store;
pub(super) mod test_hooks;
pub(super) mod theme_choice;
pub(super) mod url;
pub(super) mod worker_handle;
