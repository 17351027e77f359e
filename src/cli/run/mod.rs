//! A run from its settings to its folder: set up, trained, opened again, compared with others.

pub(super) mod config_diff;
pub(super) mod interrupt;
pub(super) mod known_runs;
pub(super) mod open_run;
pub(super) mod reproduce;
pub(super) mod setup;
pub(super) mod train_loop;
