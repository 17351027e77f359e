//! Values behind the page that need no browser: settings, curves, scales, texts. Tested natively.

pub mod comparison;
pub mod curve;
pub mod dataset_choice;
pub mod event_table;
pub mod exam_text;
pub mod failure;
pub mod glossary;
pub mod hidden_time;
pub mod load_progress;
pub mod method_choice;
pub mod phase;
pub mod picture_layout;
pub mod picture_pace;
pub mod plot;
pub mod probe_summary;
pub mod run_list;
pub mod run_rows;
pub mod run_state;
pub mod run_text;
pub mod saved_run_text;
pub mod scale;
pub mod settings;
pub mod theme;
