//! Heads of the tasks, and their losses.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::options::MultiTaskOptions;
use super::tasks::{Task, TaskPlan};
use super::trunk::Trunk;
use crate::error::{Error, Result};
use crate::loss::{
    annealed_mean, cross_entropy, entropy, has_colour, mask_cross_entropy, pixel_maps, pixel_rows, scale_gradient,
    soft_code, triplet,
};
use crate::method::{DataInfo, Views};
use crate::methods::context_prediction::patch_grid::PLACES;
use crate::net::{Init, Linear, MaskHead, MaskHeadConfig, Mlp, MlpPlan, Norm, PixelHead};
use crate::view::{ab_bins, subsample};

/// Nearest bins over which a colour is spread, and the width of the spread, as in colorization's code.
const NEIGHBOURS: usize = 10;
const SIGMA: f64 = 5.0;
/// Temperature at which drawn colours are decoded.
const TEMPERATURE: f64 = 0.38;
/// Smallest colour of an image with a gradient, as the largest a or b of its pixels.
const LEAST: f64 = 5.0;
/// Added to losses so that their ratios stay finite.
const TINY: f64 = 1e-6;

/// Result of a task.
pub(crate) struct Found {
    /// Loss `[1]`.
    pub(crate) loss: Tensor<1>,
    /// Ratio of the loss to that of the best constant prediction `[1]`, without gradient.
    pub(crate) share: Tensor<1>,
    /// Predictions of pixels for drawing: colours a and b, or the probability of motion.
    pub(crate) map: Option<Tensor<4>>,
    /// Logits of relative positions `[m, 8]`.
    pub(crate) answers: Option<Tensor<2>>,
}

impl Found {
    /// Result with a loss and that of the best constant prediction, `[1]` each.
    fn of(loss: Tensor<1>, blind: Tensor<1>) -> Self {
        let share = (loss.clone().detach().inner() + TINY) / (blind + TINY);
        Self { loss, share, map: None, answers: None }
    }
}

/// Heads of the tasks of a plan.
#[derive(Module, Debug)]
pub struct Heads {
    position: Option<Position>,
    colour: Option<Colour>,
    exemplar: Option<Linear>,
    motion: Option<MaskHead>,
}

/// Head of relative position, as in context prediction: fc6 for each patch, fc7 over both, fc8 and fc9.
#[derive(Module, Debug)]
struct Position {
    tower: Mlp,
    join: Mlp,
    head: Mlp,
}

/// Head of colours, as in colorization but without rebalancing.
#[derive(Module, Debug)]
struct Colour {
    head: PixelHead,
    /// Colours of the bins `[q, 2]`.
    bins: Param<Tensor<2>>,
}

impl Heads {
    /// Draws the heads of the tasks of the plan.
    ///
    /// # Errors
    /// If the input of a task is too small for the encoder.
    pub(crate) fn init(
        plan: &TaskPlan,
        trunk: &Trunk,
        options: &MultiTaskOptions,
        data_info: &DataInfo,
        init: &mut Init,
    ) -> Result<Self> {
        let MultiTaskOptions { hidden, head: width, .. } = *options;
        let mut heads = Self { position: None, colour: None, exemplar: None, motion: None };
        for &task in &plan.tasks {
            let maps = trunk.encoder.last_map_size(plan.sides(task, data_info));
            let [channels, rows, columns] = maps;
            if rows * columns == 0 {
                return Err(Error::Config(format!(
                    "the encoder leaves nothing of what the task {} looks at: make patch or size larger, or choose another \
                     encoder.kind",
                    task.name()
                )));
            }
            match task {
                Task::Position => heads.position = Some(Position::init(channels * rows * columns, hidden, init)),
                Task::Colour => heads.colour = Some(Colour::init(channels, width, init)),
                Task::Exemplar => heads.exemplar = Some(Linear::init(channels, hidden, true, init)),
                Task::Motion => {
                    let side = plan.watcher.as_ref().map_or(0, |watcher| watcher.mask);
                    heads.motion = Some(MaskHeadConfig { maps, width, bottleneck: 0, side }.init(init));
                }
            }
        }
        Ok(heads)
    }

    /// Result of one of the plan's tasks.
    pub(crate) fn answer(&self, task: Task, plan: &TaskPlan, trunk: &Trunk, views: &Views) -> Found {
        let index = plan.tasks.iter().position(|&other| other == task).expect("a task of the plan");
        let [image, target] = plan.places(task);
        let read = |at: usize| trunk.read(index, views.images[at].clone());
        match task {
            Task::Position => self.position.as_ref().expect("it has a head").answer(read(image), views),
            Task::Colour => {
                self.colour.as_ref().expect("it has a head").answer(read(image), views.targets[target].clone())
            }
            Task::Exemplar => {
                let head = self.exemplar.as_ref().expect("it has a head");
                let [n, ..] = views.images[image].dims();
                let both = Tensor::cat(vec![views.images[image].clone(), views.images[image + 1].clone()], 0);
                let means = trunk.read(index, both).mean_dim(2).mean_dim(3).flatten::<2>(1, 3);
                let z = head.forward(means); // [2n, hidden]
                let loss = triplet(z.clone().narrow(0, 0, n), z.narrow(0, n, n), plan.margin);
                let blind = loss.clone().detach().inner().zeros_like() + plan.margin;
                Found::of(loss, blind)
            }
            Task::Motion => {
                let logits = self.motion.as_ref().expect("it has a head").forward(read(image)); // [n, 1, mask, mask]
                let [on, known] = [0, 1].map(|at| views.targets[target + at].clone());
                let share = (on.clone() * known.clone()).sum() / known.clone().sum().clamp_min(1.0);
                let blind = entropy(Tensor::cat(vec![share.clone(), share.neg() + 1.0], 0));
                let map = Some(sigmoid(logits.clone().detach().inner()));
                Found { map, ..Found::of(mask_cross_entropy(logits, on, known), blind) }
            }
        }
    }
}

impl Position {
    fn init(inputs: usize, hidden: usize, init: &mut Init) -> Self {
        // batch norm cancels a bias
        let normed = MlpPlan { output_norm: Norm::Plain, output_bias: false, ..MlpPlan::linear(hidden) };
        let tower = normed.init(inputs, init);
        let join = normed.init(2 * hidden, init);
        Self { tower, join, head: MlpPlan::plain(hidden, PLACES.len()).init(hidden, init) }
    }

    fn answer(&self, maps: Tensor<4>, views: &Views) -> Found {
        let labels = views.labels.clone().expect("every question has its answer");
        let fc6 = relu(self.tower.forward(maps.flatten(1, 3))); // [patches, hidden]
        let both = views.draws.iter().map(|numbers| fc6.clone().select(0, numbers.clone())).collect();
        let logits = self.head.forward(relu(self.join.forward(Tensor::cat(both, 1)))); // [questions, 8]
        let answers = Some(logits.clone().detach().inner());
        let loss = cross_entropy(logits, labels);
        let blind = loss.clone().detach().inner().zeros_like() + (PLACES.len() as f64).ln();
        Found { answers, ..Found::of(loss, blind) }
    }
}

impl Colour {
    fn init(channels: usize, width: usize, init: &mut Init) -> Self {
        let bins = ab_bins();
        let head = PixelHead::init(channels, width, 1, bins.len(), init);
        Self { head, bins: init.frozen(bins.concat(), [bins.len(), 2]) }
    }

    fn answer(&self, maps: Tensor<4>, colours: Tensor<4>) -> Found {
        let logits = self.head.forward(maps); // [n, q, h, w]
        let [n, q, h, w] = logits.dims();
        let centres = self.bins.val().inner();
        let colours = subsample(colours, [h, w]); // [n, 2, h, w]
        let counts = has_colour(colours.clone(), LEAST).reshape([n, 1]).expand([n, h * w]).reshape([n * h * w]);
        let rows = pixel_rows(logits); // [n h w, q]
        let code = soft_code(pixel_rows(colours), centres.clone(), NEIGHBOURS, SIGMA);
        let drawn = annealed_mean(rows.clone().detach().inner(), centres, TEMPERATURE);
        let blind = entropy(code.dense(q).mean_dim(0).squeeze_dim(0));
        let loss = scale_gradient(code.cross_entropy(rows), counts).mean();
        Found { map: Some(pixel_maps(drawn, [n, h, w])), ..Found::of(loss, blind) }
    }
}
