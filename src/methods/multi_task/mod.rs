//! Multi-task learning of relative position, colorization, exemplar and motion segmentation with one encoder.
//!
//! `L = sum_t w_t L_t + lambda sum_nm |alpha_nm|`, each task with its own head and its own images of the batch; with lambda
//! above 0 each reads its own mixture of layers. Doersch and Zisserman 2017.

mod display;
mod gradient_cosine;
mod heads;
mod options;
mod tasks;
mod trunk;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::context_prediction::patch_grid::GridOptions;
use super::context_prediction::patch_preprocess::PatchOptions;
use super::motion::{MotionMaskOptions, Seen};
use super::shared::crop::CropFlip;
use crate::config::{Preset, RunConfig};
use crate::data::{CLIPS, catalogue, shapes};
use crate::error::{Error, Result};
use crate::method::{
    Batch, Better, DataInfo, Figure, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init};
use crate::optim::{OptimizerConfig, ParamGroup, Schedule};
use crate::rng::Rng;
use display::{colours, questions};
use gradient_cosine::cosines;
use heads::{Found, Heads};
use options::MultiTaskOptions;
use tasks::{Task, TaskPlan};
use trunk::Trunk;

/// Trunk, heads, and the agreement of the tasks.
#[derive(Module, Debug)]
pub struct MultiTask {
    trunk: Trunk,
    heads: Heads,
    /// Latest cosines between the tasks' gradients on the trunk `[tasks, tasks]`.
    agreement: Param<Tensor<2>>,
    #[module(skip)]
    plan: TaskPlan,
    #[module(skip)]
    options: MultiTaskOptions,
}

impl Method for MultiTask {
    const INFO: Info = Info {
        id: "multi-task",
        title: "Multi-task",
        year: 2017,
        paper: "Doersch, Zisserman: Multi-task Self-Supervised Visual Learning",
        url: "https://arxiv.org/abs/1708.07860",
        group: Group::Several,
        task: "One network learns several tasks at once: where a patch lies, which colours a gray image has, which image a \
               version was made of, and what moves.",
        lesson: "Each task teaches something else: positions teach the parts of things, colours their materials, motion their \
                 outlines. A network that has to solve them all could learn from all. But tasks can conflict: one needs what \
                 another must ignore, and each sees images of another kind. The picture of cosines shows where they pull the \
                 shared weights in the same direction and where against each other.",
        loss: "The sum over the tasks, each with a scale of its own: only its fall says something.",
        metric: Metric {
            name: "mean loss compared with not looking",
            better: Better::Lower,
            baseline: "answering without looking",
            chance: Some(1.0),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, full, full);

    type Options = MultiTaskOptions;

    fn init(config: &RunConfig, options: &MultiTaskOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let plan = TaskPlan::of(config, options, data_info)?;
        let count = plan.tasks.len();
        if plan.tasks.iter().all(|&task| options.weight(task) == 0.0) {
            return Err(Error::Config("the weights of all tasks are 0".into()));
        }
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        let trunk = if options.lasso > 0.0 {
            let size = [data_info.size.channels, data_info.size.height, data_info.size.width];
            Trunk::mixed(encoder, count, size, init)
        } else {
            Trunk::plain(encoder)
        };
        let heads = Heads::init(&plan, &trunk, options, data_info, init)?;
        let agreement = init.frozen(vec![0.0; count * count], [count, count]);
        Ok(Self { trunk, heads, agreement, plan, options: options.clone() })
    }

    fn encoder(&self) -> &Encoder {
        &self.trunk.encoder
    }

    /// The weights of layers have the lasso and no weight decay.
    fn groups(_config: &RunConfig, _options: &MultiTaskOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { weight_decay: Some(0.0), ..ParamGroup::of(|name, _| name.ends_with(".alpha")) }]
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        self.plan.views(batch, rng)
    }

    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput {
        let carry = self.looked_at(views, position).into_iter().collect();
        let found: Vec<Found> = self.plan.tasks.iter().map(|&task| self.answer(task, views)).collect();
        let shares: Vec<_> = found.iter().map(|found| found.share.clone()).collect();
        let figures = vec![Tensor::cat(shares.clone(), 0).unsqueeze_dim(0)];
        let mut answers = None;
        let mut maps = Vec::new();
        let mut losses = Vec::new();
        for (found, &task) in found.into_iter().zip(&self.plan.tasks) {
            losses.push(found.loss * self.options.weight(task));
            maps.extend(found.map);
            answers = answers.or(found.answers);
        }
        losses.extend(self.trunk.sparsity().map(|sum| sum * self.options.lasso));
        let loss = losses.into_iter().reduce(|sum, loss| sum + loss).expect("there is a task");
        LossOutput {
            metric: Some(Tensor::cat(shares, 0).mean()),
            answers,
            figures,
            maps,
            carry,
            ..LossOutput::of(loss)
        }
    }

    /// The agreement of the last micro-batch.
    fn gathered(mut carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
        carries.pop().unwrap_or_default()
    }

    fn after_step(self, carry: Vec<Tensor<2>>, _position: &StepPosition) -> Self {
        let agreement = carry.into_iter().fold(self.agreement, |old, new| old.map(|_| Tensor::from_inner(new)));
        Self { agreement, ..self }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let mut rows = Vec::new();
        let mut verdicts = None;
        let mut maps = outcome.maps.iter();
        for &task in &self.plan.tasks {
            let [image, target] = self.plan.places(task);
            let images = |at: usize| views.images[image + at].clone().inner();
            match task {
                Task::Position => {
                    let (pairs, asked) = questions(views, outcome, images(0));
                    rows.extend(pairs);
                    verdicts = asked;
                }
                Task::Colour => {
                    let truth = views.targets[target].clone();
                    rows.extend(colours(images(0), truth, maps.next()));
                }
                Task::Exemplar => rows.extend([
                    ("A variant of each image".to_string(), images(0)),
                    ("Another one of the same".to_string(), images(1)),
                ]),
                Task::Motion => {
                    let targets = [0, 1, 2].map(|at| views.targets[target + at].clone());
                    rows.extend(Seen { frames: images(0), targets }.rows(maps.next()));
                }
            }
        }
        StepDisplay { rows, verdicts, figures: self.figures(outcome) }
    }
}

impl MultiTask {
    fn answer(&self, task: Task, views: &Views) -> Found {
        self.heads.answer(task, &self.plan, &self.trunk, views)
    }

    /// Cosines between the tasks' gradients, every `look_every` steps: a pass for each task over a copy of the model, so that the
    /// running statistics do not change.
    fn looked_at(&self, views: &Views, position: &StepPosition) -> Option<Tensor<2>> {
        let every = self.options.look_every;
        if every == 0 || !position.step.is_multiple_of(every) || !views.images[0].device().is_autodiff() {
            return None;
        }
        let copy = self.valid().train();
        let losses = copy.plan.tasks.iter().map(|&task| copy.answer(task, views).loss).collect();
        Some(cosines(&copy.trunk, losses))
    }

    fn figures(&self, outcome: &LossOutput) -> Vec<Figure> {
        let names = self.plan.tasks.iter().map(|task| task.title()).collect::<Vec<_>>().join(", ");
        let cosines = Figure {
            title: "Whether the tasks agree".to_string(),
            caption: format!(
                "Cosine between the gradients that each pair of tasks has on the shared weights, in the order {names}: white where \
                 both pull in the same direction, gray where they do not care, black where they pull against each other."
            ),
            values: self.agreement.val().inner(),
            low: -1.0,
            high: 1.0,
        };
        let shares = outcome.figures.first().map(|shares| Figure {
            title: "How far each task is".to_string(),
            caption: format!("Its loss as a share of that without looking: {names}. The darker, the better."),
            values: shares.clone(),
            low: 0.0,
            high: 1.0,
        });
        let layers = self.trunk.shares().map(|shares| Figure {
            title: "Which layers each task reads".to_string(),
            caption: format!("One row per task ({names}), one column per layer, from pixels to head; black is 0."),
            values: shares.abs(),
            low: 0.0,
            high: 1.0,
        });
        [Some(cosines), shares, layers].into_iter().flatten().collect()
    }
}

/// Tasks that are possible for these data: relative position and exemplar always, colorization with colour images, motion
/// segmentation with clips.
fn possible(data: &str) -> &'static str {
    let gray = catalogue::find(data).is_ok_and(|entry| entry.size.channels == 1);
    // `clips` are those of the user
    match (gray, [shapes::NAME, CLIPS].contains(&data)) {
        (true, _) => "rp+ex",
        (false, true) => "rp+col+ex+ms",
        (false, false) => "rp+col+ex",
    }
}

/// The four-block encoder and all tasks that the data allow, each on its own images of the batch; patches of 10 px as in the small
/// preset of context prediction. All heads read the last layer; `lasso` lets them choose. Weights of 1, but 0.3 for colorization,
/// whose loss is several times that of the others. Minutes on two CPU cores.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: MultiTask::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: if data == shapes::NAME { 12 } else { 3 },
        encoder: EncoderConfig::small(32),
        optimizer: OptimizerConfig::adamw(2e-3, 1e-4),
        schedule: Schedule::cosine(0.2),
        ..RunConfig::default()
    }
    .with_options(&MultiTaskOptions {
        masks: MotionMaskOptions::suited(24, data),
        tasks: possible(data).into(),
        weight_col: 0.3,
        ..Default::default()
    })
}

/// The paper's setting as far as it is published: RMSprop with momentum 0.9, harmonised input, the lasso. Its trunk is a ResNet-101 v2
/// up to its third block; here it is a ResNet-50. Its learning rates were lowered by hand on 64 GPUs; learning rate, batch and
/// weights here are ours. Patches as in context prediction. Published for RP+Col+Ex+MS: 69.3 % in ImageNet's top five,
/// 70.5 mAP on VOC 2007.
fn full(data: &str) -> RunConfig {
    RunConfig {
        method: MultiTask::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 128,
        epochs: 100,
        encoder: EncoderConfig::published(EncoderKind::Resnet50, data),
        optimizer: OptimizerConfig { momentum: 0.9, ..OptimizerConfig::rmsprop(1e-4, 1e-4) },
        schedule: Schedule::cosine(1.0),
        ..RunConfig::default()
    }
    .with_options(&MultiTaskOptions {
        crop: CropFlip::of(224),
        masks: MotionMaskOptions::suited(56, data),
        grid: GridOptions::published(1),
        patches: PatchOptions { coarsest: 10, ..Default::default() },
        tasks: possible(data).into(),
        harmonise: true,
        hidden: 1024,
        head: 256,
        lasso: 1e-3,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::methods::test_support::{
        POSITION, batch, build_for, encoder_gradient, gradient_from, losses_of, model, shrunk, tiny, values, views,
        views_of, zeroed,
    };
    use crate::net::tensors::int_tensor;

    /// Small preset for clips in colour, with all four tasks.
    fn with(changes: &[(&str, &str)]) -> RunConfig {
        let mut config = shrunk(small(shapes::NAME));
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        config
    }

    fn built(changes: &[(&str, &str)]) -> MultiTask {
        build_for(&with(changes), 3).expect("a model")
    }

    /// The test frames in colour. Those whose blob is whole are last, for the fourth task.
    fn frames() -> Batch {
        let batch = batch(3);
        let order = int_tensor(vec![0, 1, 6, 7, 5, 2, 3, 4], &batch.images);
        let next = batch.next.map(|next| next.select(0, order.clone()));
        Batch { next, ..Batch::of(batch.images.select(0, order), batch.indices) }
    }

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn undecided_heads_lose_the_entropy_of_each_task() {
        let zero = |changes: &[(&str, &str)]| {
            let model = zeroed(built(changes), |name| {
                name.starts_with("heads.") && !name.contains("bins") && !name.contains("norm")
            });
            let views = views_of(&model, &frames());
            model.loss(&views, &POSITION).loss.into_scalar::<f32>()
        };
        // ln 8 + ln 309 + 0.5 + ln 2; the published table of bins has 313 rows
        let sum = 8f32.ln() + 309f32.ln() + 0.5 + 2f32.ln();
        let found = zero(&[("weight_col", "1")]);
        assert!((found - sum).abs() < 2e-3, "{found} is not {sum}");
        // equal weights of all layers: those of each task sum to 1
        let found = zero(&[("weight_col", "1"), ("lasso", "0.25")]);
        assert!((found - sum - 1.0).abs() < 2e-3, "{found} is not {sum} and the penalty");
    }

    #[test]
    fn every_combination_of_the_papers_table_learns() {
        let plain = ["rp", "col", "ex", "ms", "rp+col", "rp+ex", "rp+ms", "rp+col+ex", "rp+col+ex+ms"];
        let harmonised = ["rp", "rp+col"];
        let all = plain.map(|tasks| (tasks, "false")).into_iter().chain(harmonised.map(|tasks| (tasks, "true")));
        for (tasks, harmonise) in all {
            let losses = losses_of(&with(&[("tasks", tasks), ("harmonise", harmonise)]), 3, 12);
            assert!(losses.iter().all(|loss| loss.is_finite()) && losses[11] < losses[0], "{tasks}: {losses:?}");
        }
        let losses = losses_of(&with(&[("lasso", "0.001")]), 3, 8);
        assert!(losses.iter().all(|loss| loss.is_finite()) && losses[7] < losses[0], "{losses:?}");
    }

    #[test]
    fn a_task_of_weight_0_has_no_gradient() {
        for (task, head) in [("rp", "position"), ("col", "colour"), ("ex", "exemplar"), ("ms", "motion")] {
            let model = built(&[(&format!("weight_{task}"), "0")]);
            let views = views_of(&model, &frames());
            let of: fn(&str) -> bool = match head {
                "position" => |name| name.starts_with("heads.position."),
                "colour" => |name| name.starts_with("heads.colour."),
                "exemplar" => |name| name.starts_with("heads.exemplar."),
                _ => |name| name.starts_with("heads.motion."),
            };
            assert_eq!(gradient_from(&model, &views, of), 0.0, "{head}");
            let weighted = built(&[]);
            assert!(gradient_from(&weighted, &views_of(&weighted, &frames()), of) > 0.0, "{head}");
        }
        assert!(encoder_gradient(&model::<MultiTask>(&tiny("multi-task"))) > 0.0);
    }

    #[test]
    fn a_mixture_of_the_last_layer_is_the_plain_network() {
        let MultiTask { trunk, .. } = built(&[("lasso", "0.1")]);
        let images = Tensor::from_inner(batch(3).images);
        let mixed = numbers(trunk.read(2, images.clone()));
        let mut last = [[0.0f32; 4]; 4];
        last.iter_mut().for_each(|row| row[3] = 1.0);
        let device = images.device();
        let trunk = trunk.with_shares(Tensor::from_floats(last, &device));
        let found = numbers(trunk.read(2, images.clone()));
        let plain = numbers(trunk.encoder.last_map(images));
        assert!(found.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(mixed.iter().zip(&plain).any(|(a, b)| (a - b).abs() > 1e-3), "a mixture is something else");
    }

    #[test]
    fn harmonised_patches_have_no_colour() {
        let spread = |model: &MultiTask, at: usize| {
            let images = views_of(model, &frames()).images[at].clone().inner();
            let [a, b] = [0, 2].map(|channel| images.clone().narrow(1, channel, 1));
            (a - b).abs().max().into_scalar::<f32>()
        };
        let plain = built(&[("colours", "keep")]);
        let harmonised = built(&[("harmonise", "true")]);
        assert!(spread(&plain, 0) > 0.05 && spread(&harmonised, 0) == 0.0);
        // gray input of colorization, then two variants
        for model in [&plain, &harmonised] {
            assert!(spread(model, 1) == 0.0 && spread(model, 2) > 0.05 && spread(model, 4) > 0.05);
        }
    }

    #[test]
    fn measuring_the_agreement_changes_nothing_else() {
        let [seldom, always] = ["0", "1"].map(|every| losses_of(&with(&[("look_every", every)]), 3, 4));
        assert_eq!(seldom, always);
        let model = built(&[]);
        let views = views_of(&model, &frames());
        let carry = model.loss(&views, &POSITION).carry;
        let model = model.after_step(carry, &POSITION);
        let cosines = values(&model, "agreement");
        for row in 0..4 {
            assert!((cosines[5 * row] - 1.0).abs() < 1e-4, "{cosines:?}");
            for column in 0..4 {
                let cosine = cosines[4 * row + column];
                assert!((cosine - cosines[4 * column + row]).abs() < 1e-5 && cosine.abs() < 1.001, "{cosines:?}");
                assert!(row == column || cosine.abs() < 0.99, "different tasks want different things: {cosines:?}");
            }
        }
        assert!(model.loss(&views, &StepPosition { step: 5, ..POSITION }).carry.is_empty());
    }

    #[test]
    fn tasks_that_the_data_do_not_allow_are_refused() {
        let refused = |changes: &[(&str, &str)], channels: usize, word: &str| {
            let said = build_for::<MultiTask>(&with(changes), channels).expect_err("impossible").to_string();
            assert!(said.contains(word), "{said}");
        };
        refused(&[], 1, "leave col out");
        refused(&[("tasks", "rp+jigsaw")], 3, "there is no task `jigsaw`");
        refused(&[("tasks", "rp"), ("weight_rp", "0")], 3, "weights of all tasks are 0");
        refused(
            &[("size", "8"), ("tasks", "col"), ("encoder.kind", "dcgan")],
            3,
            "leaves nothing of what the task col",
        );
        let data_info = DataInfo::of(Size { channels: 3, height: 28, width: 28 }, 32);
        let plan = TaskPlan::of(&with(&[]), &with(&[]).read_options().expect("options"), &data_info)
            .expect_err("single images")
            .to_string();
        assert!(plan.contains("do not follow one another"), "{plan}");
        assert_eq!(
            [possible("fashion-mnist"), possible("cifar-10"), possible("clips")],
            ["rp+ex", "rp+col+ex", "rp+col+ex+ms"]
        );
        assert_eq!(views(&model::<MultiTask>(&tiny("multi-task"))).images.len(), 3);
    }
}
