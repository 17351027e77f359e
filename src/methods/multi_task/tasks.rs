//! Tasks of multi-task learning, and their views.

use burn::tensor::Tensor;

use super::options::MultiTaskOptions;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::method::{Batch, DataInfo, Views};
use crate::methods::context_prediction::patch_grid::Layout;
use crate::methods::context_prediction::patch_preprocess::{Colours, PatchOptions, PatchPreprocess};
use crate::methods::exemplar::augment::{Variant, apply};
use crate::methods::motion;
use crate::methods::motion::MotionLabeller;
use crate::methods::shared::crop::CropFlip;
use crate::net::tensors::int_tensor;
use crate::rng::Rng;
use crate::view::cut_patches;
use crate::view::lab::{lightness, to_lab};

/// A task, in the order of all tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    Position,
    Colour,
    Exemplar,
    Motion,
}

impl Task {
    pub(crate) const ALL: [Self; 4] = [Self::Position, Self::Colour, Self::Exemplar, Self::Motion];

    /// Short name in the paper's tables.
    pub(crate) fn name(self) -> &'static str {
        ["rp", "col", "ex", "ms"][self as usize]
    }

    /// Long name.
    pub(crate) fn title(self) -> &'static str {
        ["relative position", "colorization", "exemplar", "motion segmentation"][self as usize]
    }

    /// Parses tasks joined by `+`, and sorts them without duplicates.
    ///
    /// # Errors
    /// If a name is unknown.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>> {
        let one = |name: &str| {
            Self::ALL.into_iter().find(|task| task.name() == name.trim()).ok_or_else(|| {
                let all = Self::ALL.map(|task| format!("{} ({})", task.name(), task.title())).join(", ");
                Error::Config(format!("there is no task `{name}`; join some of {all} by +"))
            })
        };
        let mut tasks = text.split('+').map(one).collect::<Result<Vec<_>>>()?;
        tasks.sort_unstable();
        tasks.dedup();
        Ok(tasks)
    }
}

/// Tasks of a run with their settings.
#[derive(Clone, Debug)]
pub(crate) struct TaskPlan {
    pub(crate) tasks: Vec<Task>,
    crop: CropFlip,
    /// Relative position sees lightness only, as colorization does.
    harmonised: bool,
    layout: Option<(Layout, PatchPreprocess)>,
    pub(crate) watcher: Option<MotionLabeller>,
    pub(crate) margin: f64,
}

impl TaskPlan {
    /// Plan for these data.
    ///
    /// # Errors
    /// If options are impossible, or the data do not meet the requirements of a task.
    pub(crate) fn of(config: &RunConfig, options: &MultiTaskOptions, data_info: &DataInfo) -> Result<Self> {
        let tasks = Task::parse(&options.tasks)?;
        let MultiTaskOptions { crop, harmonise: harmonised, margin, .. } = *options;
        let asked = |task: Task| tasks.contains(&task);
        if asked(Task::Colour) && data_info.size.channels != 3 {
            return Err(Error::Data(format!(
                "colorization needs colour images, which those of {} are not: leave col out of tasks",
                config.data
            )));
        }
        let sides = crop.sides([data_info.size.height, data_info.size.width]);
        if asked(Task::Exemplar) && sides[0] != sides[1] {
            return Err(Error::Config("the task ex needs square images: set size".into()));
        }
        if asked(Task::Motion) {
            motion::refuse_single(config, data_info)?;
        }
        let colours = if harmonised { Colours::Keep } else { options.patches.colours };
        let patches = PatchOptions { colours, ..options.patches };
        let layout = || -> Result<_> {
            let layout = Layout::of(&options.grid, data_info)?;
            let preprocess = PatchPreprocess::of(config, patches, layout.patch)?;
            Ok((layout, preprocess))
        };
        let layout = asked(Task::Position).then(layout).transpose()?;
        let watcher = asked(Task::Motion).then(|| MotionLabeller::of(&options.masks)).transpose()?;
        Ok(Self { tasks, crop, harmonised, layout, watcher, margin })
    }

    /// Height and width of a task's input.
    pub(crate) fn sides(&self, task: Task, data_info: &DataInfo) -> [usize; 2] {
        match (&self.layout, task) {
            (Some((layout, _)), Task::Position) => [layout.patch; 2],
            _ => self.crop.sides([data_info.size.height, data_info.size.width]),
        }
    }

    /// Draws the views of each task from its own images of the batch, so that its batch statistics are its own.
    pub(crate) fn views(&self, batch: &Batch, rng: &mut Rng) -> Views {
        let mut views = Views::default();
        for (index, &task) in self.tasks.iter().enumerate() {
            let images_of_task = share(batch, index, self.tasks.len());
            match task {
                Task::Position => self.patches(&images_of_task, &mut views, rng),
                Task::Colour => {
                    let images = self.crop.images(&images_of_task, rng);
                    views.targets.push(to_lab(images.clone()).narrow(1, 1, 2));
                    views.images.push(gray(images));
                }
                Task::Exemplar => {
                    let images = self.crop.images(&images_of_task, rng);
                    let [n, _, side, _] = images.dims();
                    for _ in 0..2 {
                        let drawn: Vec<Variant> = (0..n).map(|_| Variant::draw(rng)).collect();
                        views.images.push(apply(images.clone(), None, side, &drawn));
                    }
                }
                Task::Motion => {
                    let watcher = self.watcher.as_ref().expect("the task has one");
                    let seen = watcher.watch(&images_of_task, self.crop, rng);
                    views.images.push(seen.frames);
                    views.targets.extend(seen.targets);
                }
            }
        }
        views
    }

    fn patches(&self, batch: &Batch, views: &mut Views, rng: &mut Rng) {
        let (layout, looks) = self.layout.as_ref().expect("the task has one");
        let images = if self.harmonised { gray(batch.images.clone()) } else { batch.images.clone() };
        let [n, channels, h, w] = images.dims();
        let found = layout.draw(n, [h, w], rng);
        let patches = looks.apply(cut_patches(images, &found.patches, layout.patch), rng);
        let patches = if self.harmonised { patches.mean_dim(1).repeat(&[1, channels, 1, 1]) } else { patches };
        let numbers = |values: Vec<i32>| int_tensor(values, &patches);
        views.labels = Some(numbers(found.labels));
        views.draws = vec![numbers(found.first), numbers(found.second)];
        views.images.push(patches);
    }

    /// Indices of a task's first images and targets among the views.
    pub(crate) fn places(&self, task: Task) -> [usize; 2] {
        let before = self.tasks.iter().take_while(|&&other| other != task);
        before.fold([0, 0], |[images, targets], other| match other {
            Task::Position => [images + 1, targets],
            Task::Colour => [images + 1, targets + 1],
            Task::Exemplar => [images + 2, targets],
            Task::Motion => [images + 1, targets + 3],
        })
    }
}

/// Lightness of images in 0 to 1, repeated for each of their channels.
fn gray(images: Tensor<4>) -> Tensor<4> {
    let [_, channels, ..] = images.dims();
    (lightness(images) / 100.0).repeat(&[1, channels, 1, 1])
}

/// Share `index` of a batch in `count` equal shares. If there are fewer than two images for each, a task gets all; a single image is
/// repeated.
fn share(batch: &Batch, index: usize, count: usize) -> Batch {
    let [n, ..] = batch.images.dims();
    let rows: Vec<i32> = match n / count {
        _ if n == 1 => vec![0, 0],
        0 | 1 => (0..n as i32).collect(),
        each => ((index * each) as i32..((index + 1) * each) as i32).collect(),
    };
    let chosen = int_tensor(rows.clone(), &batch.images);
    let of = |images: &Tensor<4>| images.clone().select(0, chosen.clone());
    Batch {
        images: of(&batch.images),
        indices: rows.iter().map(|&row| batch.indices[row as usize]).collect(),
        next: batch.next.as_ref().map(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn tasks_are_parsed_in_any_order() {
        use Task::{Colour, Exemplar, Motion, Position};
        assert_eq!(Task::parse("ms+rp").expect("tasks"), [Position, Motion]);
        assert_eq!(Task::parse("ex + col+ex").expect("tasks"), [Colour, Exemplar]);
        for text in ["", "rp+", "jigsaw"] {
            assert!(Task::parse(text).expect_err("no task").to_string().contains("rp (relative position)"), "{text}");
        }
    }

    #[test]
    fn tasks_share_no_image_if_there_are_enough() {
        let batch = |n: usize| {
            let numbers: Vec<f32> = (0..n).map(|image| image as f32).collect();
            let images = Tensor::<4>::from_data(TensorData::new(numbers, [n, 1, 1, 1]), &Device::flex());
            Batch { next: Some(images.clone() + 0.5), ..Batch::of(images, (10..10 + n).collect()) }
        };
        let seen = |n: usize, index: usize| {
            let share = share(&batch(n), index, 3);
            let next: Vec<f32> = share.next.expect("clips").into_data().try_to_vec().expect("floats");
            assert!(next.iter().zip(&share.indices).all(|(next, index)| *next == (index - 10) as f32 + 0.5));
            share.indices
        };
        assert_eq!([seen(8, 0), seen(8, 1), seen(8, 2)], [vec![10, 11], vec![12, 13], vec![14, 15]]);
        assert_eq!([seen(5, 0), seen(5, 2)], [vec![10, 11, 12, 13, 14], vec![10, 11, 12, 13, 14]]);
        assert_eq!(seen(1, 1), [10, 10]);
    }

    #[test]
    fn gray_images_keep_their_lightness_only() {
        use crate::view::lab::from_lab;
        let lab = |a: f32| Tensor::<4>::from_data([[[[55.0f32]], [[a]], [[-4.0]]]], &Device::flex());
        let [one, other] = [12.0, -18.0].map(|a| gray(from_lab(lab(a))));
        let numbers = |x: &Tensor<4>| x.clone().into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(numbers(&one)[0], numbers(&one)[2]);
        assert!((numbers(&one)[0] - 0.55).abs() < 1e-3);
        assert!((numbers(&one)[1] - numbers(&other)[1]).abs() < 1e-4, "colours at one lightness look alike");
    }
}
