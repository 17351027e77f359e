//! Options of multi-task learning.

use super::tasks::Task;
use crate::methods::context_prediction::patch_grid::GridOptions;
use crate::methods::context_prediction::patch_preprocess::PatchOptions;
use crate::methods::motion::MotionMaskOptions;
use crate::methods::shared::crop::CropFlip;
use crate::options::{above, options};

options! {
    /// Options of multi-task learning.
    pub struct MultiTaskOptions {
        ..crop: CropFlip;
        ..masks: MotionMaskOptions;
        ..grid: GridOptions;
        ..patches: PatchOptions;
        /// Tasks to learn.
        tasks: String = "rp+ex".into(), as "some of rp, col, ex and ms, joined by +";
        /// Harmonise the input: relative position sees lightness only, as colorization does.
        harmonise: bool = false;
        /// Width of the fully connected layers of the heads.
        hidden: usize = 128, in 1..=65_536, tiny = 16;
        /// Channels of the heads that predict maps.
        head: usize = 64, in 1..=65_536, unit "channels", tiny = 8;
        /// Margin of the exemplar task's triplets.
        margin: f64 = 0.5, in above(0.0);
        /// Weight of the lasso on the layers that each task reads; 0 lets all tasks read the last layer.
        lasso: f64 = 0.0, in 0.0..;
        /// Interval of measuring the cosines of the tasks' gradients; 0 never measures.
        look_every: usize = 10, in 0.., unit "steps";
        /// Weight of relative position.
        weight_rp: f64 = 1.0, in 0.0..;
        /// Weight of colorization.
        weight_col: f64 = 1.0, in 0.0..;
        /// Weight of exemplar.
        weight_ex: f64 = 1.0, in 0.0..;
        /// Weight of motion segmentation.
        weight_ms: f64 = 1.0, in 0.0..;
    }
}

impl MultiTaskOptions {
    /// Weight of a task's loss.
    pub(super) fn weight(&self, task: Task) -> f64 {
        match task {
            Task::Position => self.weight_rp,
            Task::Colour => self.weight_col,
            Task::Exemplar => self.weight_ex,
            Task::Motion => self.weight_ms,
        }
    }
}
