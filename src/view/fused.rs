//! Crops and pointwise colour steps of a recipe as one kernel on the GPU.

use burn::tensor::{Tensor, TensorData};

use super::colour::ColourChange;
use super::resample::{Filter, Window};
use super::tone::NEVER;
use crate::kernel::{self, ViewConfig};

/// One step over the pixels of an image: a linear change, then the hue, then the solarisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColourStep {
    pub change: ColourChange,
    /// Clip the result of the change to 0 to 1.
    pub is_clipped: bool,
    /// Shift of the hue in turns.
    pub turn: f32,
    /// Least brightness that is inverted.
    pub threshold: f32,
}

impl ColourStep {
    /// Identity.
    pub const NONE: Self = Self { change: ColourChange::NONE, is_clipped: false, turn: 0.0, threshold: NEVER };

    fn numbers(&self) -> [f32; kernel::STEP_NUMBERS] {
        let ColourChange { factor, gray, mean_gray, mean_colour, add } = self.change;
        let clip = if self.is_clipped { 1.0 } else { 0.0 };
        [factor, gray, mean_gray, mean_colour, add, clip, self.turn, self.threshold]
    }
}

/// Crops and colour steps to be applied to a batch in one launch.
#[derive(Clone, Debug)]
pub(super) struct FusedView {
    windows: Vec<Window>,
    filter: Filter,
    size: [usize; 2],
    /// Steps in order, each with one entry per image.
    steps: Vec<Vec<ColourStep>>,
}

impl FusedView {
    /// A crop; `windows` has one window per image.
    pub(super) fn crop(windows: Vec<Window>, filter: Filter, size: [usize; 2]) -> Self {
        Self { windows, filter, size, steps: Vec::new() }
    }

    /// The images as they are.
    pub(super) fn whole(images: &Tensor<4>) -> Self {
        let [n, _, height, width] = images.dims();
        let window = Window { top: 0, left: 0, height, width, mirrored: false };
        Self::crop(vec![window; n], Filter::Bilinear, [height, width])
    }

    /// Appends a step; `step` has one entry per image.
    pub(super) fn push(&mut self, step: Vec<ColourStep>) {
        assert_eq!(step.len(), self.windows.len(), "fused view: one step an image");
        self.steps.push(step);
    }

    /// `[n, c, h, w]` -> `[n, c, h', w']`.
    pub(super) fn run(&self, images: Tensor<4>) -> Tensor<4> {
        let config = ViewConfig { size: self.size, bicubic: self.filter == Filter::Bicubic, steps: self.steps.len() };
        let mut numbers = Vec::with_capacity(self.windows.len() * config.numbers());
        for (image, window) in self.windows.iter().enumerate() {
            let Window { top, left, height, width, mirrored } = *window;
            numbers.extend([top, left, height, width].map(|pixels| pixels as f32));
            numbers.push(if mirrored { 1.0 } else { 0.0 });
            numbers.extend(self.steps.iter().flat_map(|step| step[image].numbers()));
        }
        let data = TensorData::new(numbers, [self.windows.len(), config.numbers()]);
        let numbers = Tensor::<2>::from_data(data, &images.device());
        kernel::view(images, numbers, config)
    }
}
