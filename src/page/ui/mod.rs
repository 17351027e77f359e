//! Components of the page.

pub(super) mod app;
pub(super) mod axes;
pub(super) mod buttons;
pub(super) mod canvas;
pub(super) mod chart;
pub(super) mod chart_file;
pub(super) mod dataset_field;
pub(super) mod device;
pub(super) mod exam_panel;
pub(super) mod field;
pub(super) mod form;
pub(super) mod layer_table;
pub(super) mod marked;
pub(super) mod matrix;
pub(super) mod notice;
pub(super) mod probe_panel;
pub(super) mod run_files;
pub(super) mod status;
pub(super) mod take_away;
pub(super) mod task_panel;
pub(super) mod theme_button;
pub(super) mod tile;
pub(super) mod training_panel;
pub(super) mod use_width;
pub(super) mod view_strip;
