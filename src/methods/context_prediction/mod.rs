//! Context prediction: the network predicts the position of a patch relative to another patch of the same image.
//!
//! `L = -log softmax(g(f(x_1), f(x_2)))[y]` with y one of the eight neighbouring positions. Doersch, Gupta and Efros 2015.
//! Edges that continue from patch to patch would reveal the position (remedies: `gap` and `jitter`), and so would the chromatic
//! aberration of lenses, which depends on the position in the picture (remedy: `colours`).

pub(super) mod patch_grid;
pub(super) mod patch_preprocess;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use super::shared::fc_head::FcHead;
use crate::config::{Preset, RunConfig};
use crate::error::Result;
use crate::loss::{accuracy, cross_entropy};
use crate::method::{
    Batch, Better, ClassPredictions, DataInfo, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::tensors::int_tensor;
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan, Norm, WeightInit};
use crate::optim::{OptimizerConfig, Schedule};
use crate::options::options;
use crate::rng::Rng;
use crate::view::cut_patches;
use patch_grid::{GridOptions, Layout, PLACES};
use patch_preprocess::{PatchOptions, PatchPreprocess};

/// Pairs of patches that are drawn.
const DRAWN: usize = 64;

options! {
    /// Options of context prediction.
    pub struct ContextPredictionOptions {
        ..grid: GridOptions;
        ..patches: PatchOptions;
        /// Width of the fully connected layers; the paper's is 4096.
        hidden: usize = 256, in 1..=65_536, tiny = 16;
    }
}

/// Encoder and fc6 of each patch; fc7 over both, fc8 and fc9.
#[derive(Module, Debug)]
pub struct ContextPrediction {
    encoder: Encoder,
    neck: FcHead,
    join: Mlp,
    head: Mlp,
    #[module(skip)]
    layout: Layout,
    #[module(skip)]
    preprocess: PatchPreprocess,
}

impl Method for ContextPrediction {
    const INFO: Info = Info {
        id: "context-prediction",
        title: "Context prediction",
        year: 2015,
        paper: "Doersch, Gupta, Efros: Unsupervised Visual Representation Learning by Context Prediction",
        url: "https://arxiv.org/abs/1505.05192",
        group: Group::Undo,
        task: "The network is given two patches of one image; it predicts where the second lies as seen from the first.",
        lesson: "Shown two parts of a thing, you know which belongs above the other. For that one has to recognise parts of \
                 things and to know how they belong together. Nobody labels anything: we cut the patches out, so we know \
                 where they were. Patches have gaps between them and are moved at random, so that no line leads from one to \
                 the other.",
        loss: "0 would mean that every place is named with certainty; guessing among eight places gives 2.08.",
        metric: Metric {
            name: "places found",
            better: Better::Higher,
            baseline: "guessing",
            chance: Some(0.125),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, full, full);

    type Options = ContextPredictionOptions;

    fn init(
        config: &RunConfig,
        options: &ContextPredictionOptions,
        data_info: &DataInfo,
        init: &mut Init,
    ) -> Result<Self> {
        let layout = Layout::of(&options.grid, data_info)?;
        let preprocess = PatchPreprocess::of(config, options.patches, options.grid.patch)?;
        let width = options.hidden;
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        // batch norm cancels a bias
        let normed = MlpPlan { output_norm: Norm::Plain, output_bias: false, ..MlpPlan::linear(width) };
        let neck = FcHead::init(Some(normed.clone()), &encoder, [layout.patch; 2], config, init)?;
        let join = normed.init(2 * width, init);
        let head = MlpPlan::plain(width, PLACES.len()).init(width, init);
        let (neck, join, head) = if config.encoder.kind == EncoderKind::OneGroupAlexnet {
            let neck = neck.map_layers(|layers| layers.redrawn(WeightInit::Xavier, init));
            (neck, join.redrawn(WeightInit::Xavier, init), head.redrawn(WeightInit::Xavier, init))
        } else {
            (neck, join, head)
        };
        Ok(Self { encoder, neck, join, head, layout, preprocess })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let [n, _, h, w] = batch.images.dims();
        let found = self.layout.draw(n, [h, w], rng);
        let patches = cut_patches(batch.images.clone(), &found.patches, self.layout.patch);
        let numbers = |values: Vec<i32>| int_tensor(values, &patches);
        let labels = numbers(found.labels);
        let draws = vec![numbers(found.first), numbers(found.second)];
        let images = vec![self.preprocess.apply(patches, rng)];
        Views { images, labels: Some(labels), draws, ..Views::default() }
    }

    /// Each patch passes the encoder once, however many pairs contain it; batch norm normalises over all patches.
    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let labels = views.labels.clone().expect("every question has its answer");
        let fc6 = self.neck.forward(&self.encoder, views.images[0].clone()); // [patches, hidden]
        let both = views.draws.iter().map(|numbers| fc6.clone().select(0, numbers.clone()));
        let fc7 = relu(self.join.forward(Tensor::cat(both.collect(), 1))); // [questions, hidden]
        let logits = self.head.forward(fc7); // [questions, 8]
        LossOutput {
            metric: Some(accuracy(logits.clone().detach(), labels.clone())),
            answers: Some(logits.clone().detach()),
            ..LossOutput::of(cross_entropy(logits, labels))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let (Some(labels), Some(answers)) = (&views.labels, &outcome.answers) else { return StepDisplay::default() };
        let chosen = some(labels.dims()[0], &views.images[0]);
        let (truth, answers) =
            (labels.clone().select(0, chosen.clone()), answers.clone().inner().select(0, chosen.clone()));
        let patch = |which: usize| {
            let numbers = views.draws[which].clone().select(0, chosen.clone());
            views.images[0].clone().clamp(0.0, 1.0).select(0, numbers)
        };
        let first = patch(0);
        let second = patch(1);
        let guess = answers.clone().argmax(1).squeeze_dim::<1>(1);
        let together = |places: &Tensor<1, Int>| together(first.clone(), second.clone(), places);
        let rows = vec![
            ("This patch ...".to_string(), second.clone()),
            ("... is next to this one".to_string(), first.clone()),
            ("Where it lies".to_string(), together(&truth)),
            ("Where the network puts it".to_string(), together(&guess)),
        ];
        let names = PLACES.map(str::to_string).to_vec();
        StepDisplay { rows, verdicts: Some(ClassPredictions { names, truth, answers }), ..StepDisplay::default() }
    }
}

/// Indices of up to [`DRAWN`] of n pairs, spread over the batch.
fn some(n: usize, like: &Tensor<4>) -> Tensor<1, Int> {
    let count = n.min(DRAWN);
    let other = |index: usize| index * n / count + index % (n / count);
    int_tensor((0..count).map(|index| other(index) as i32).collect(), like)
}

/// Draws the first patches in the centre of 3x3 cells and the second ones in the cells `places`, on gray with a line of one pixel
/// between cells: `[m, c, s, s]` twice, `[m]` -> `[m, c, 3 s + 2, 3 s + 2]`.
fn together(first: Tensor<4>, second: Tensor<4>, places: &Tensor<1, Int>) -> Tensor<4> {
    let [m, c, s, _] = first.dims();
    let gray = first.zeros_like() + 0.5;
    let place = |number: i32| {
        let here = places.clone().equal_elem(number).reshape([m, 1, 1, 1]).expand([m, c, s, s]);
        gray.clone().mask_where(here, second.clone())
    };
    let mut cells: Vec<Tensor<4>> = (0..8).map(place).collect();
    cells.insert(4, first);
    let rows = cells.chunks(3).map(|row| {
        let spaced =
            row.iter().enumerate().map(|(index, cell)| cell.clone().pad((0, usize::from(index < 2), 0, 0), 0.5));
        Tensor::cat(spaced.collect(), 3)
    });
    let rows = rows.enumerate().map(|(index, row)| row.pad((0, 0, 0, usize::from(index < 2)), 0.5));
    Tensor::cat(rows.collect(), 2)
}

/// The four-block encoder and grids of 2x2 patches of 10 px, which contain every relative position: 3x3 patches of the size that the
/// encoder needs do not fit into 28 px. Two grids an image, layers of 256. AdamW instead of plain SGD with a learning rate for
/// weeks; minutes on two CPU cores.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: ContextPrediction::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 3,
        encoder: EncoderConfig::small(32).normalised_for(data),
        optimizer: OptimizerConfig::adamw(1e-3, 1e-4),
        schedule: Schedule::cosine(0.1),
        ..RunConfig::default()
    }
    .with_options(&ContextPredictionOptions::default())
}

/// The authors' code for ImageNet: images of 150,000 to 450,000 px, four grids of 96-px patches with gaps of 48 px and a
/// jitter of 7, at most 512 patches a step, about those of eight images; AlexNet's layers in one group, SGD without
/// momentum or weight decay. Their learning rate is 1e-5 on the sum over a batch of about 512, so 5e-3 on its mean. 1.7 million
/// steps. Published: 31.7 % linear on the fourth layer.
fn full(data: &str) -> RunConfig {
    // inputs with a standard deviation of 50, as in AlexNet
    let published = EncoderConfig::published(EncoderKind::OneGroupAlexnet, data);
    let input_std = published.input_std.iter().map(|std| std / 50.0).collect();
    let encoder = EncoderConfig { input_std, ..published };
    RunConfig {
        method: ContextPrediction::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 8,
        epochs: 11,
        steps: 1_700_000,
        encoder,
        optimizer: OptimizerConfig { momentum: 0.0, ..OptimizerConfig::sgd(5e-3, 0.0) },
        schedule: Schedule::Constant,
        ..RunConfig::default()
    }
    .with_options(&ContextPredictionOptions {
        grid: GridOptions::published(4),
        patches: PatchOptions { coarsest: 10, ..Default::default() },
        hidden: 4096,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{self, POSITION, model, tiny, views, zeroed};
    use crate::rng;
    use burn::tensor::{Device, TensorData};

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn equal_logits_lose_ln_8() {
        let model =
            zeroed(model::<ContextPrediction>(&tiny(ContextPrediction::INFO.id)), |name| name.starts_with("head."));
        let loss: f32 = model.loss(&views(&model), &POSITION).loss.into_scalar();
        assert!((loss - 2.0794).abs() < 1e-4, "{loss}");
    }

    /// Accuracy of finding the position of a neighbour by the pixels along its edges only.
    fn found_by_edges(gap: &str, jitter: &str) -> f64 {
        let mut config = tiny(ContextPrediction::INFO.id);
        for (key, value) in [("gap", gap), ("jitter", jitter), ("coarse", "0"), ("colours", "keep")] {
            config.set(key, value).expect("an option");
        }
        let model = model::<ContextPrediction>(&config);
        let n = 40;
        let s = model.layout.patch;
        let fine = rng::uniform(&mut rng::stream(5, rng::Purpose::Views, 0), n * 784, 0.0, 1.0);
        let fine = Tensor::<4>::from_data(TensorData::new(fine, [n, 1, 28, 28]), &Device::flex());
        let images = crate::view::blur(fine, &vec![1.0; n], crate::view::Kernel::Explicit { inverse_share: 4 });
        let batch = Batch::of(images, (0..n).collect());
        let views = model.views(&batch, &POSITION, &mut rng::stream(1, rng::Purpose::Views, 0));
        let pixels = numbers(views.images[0].clone());
        let labels = views.labels.expect("labels");
        let list = |x: Tensor<1, Int>| x.into_data().iter::<i64>().map(|x| x as usize).collect::<Vec<_>>();
        let labels = list(labels);
        let first = list(views.draws[0].clone());
        let second = list(views.draws[1].clone());
        let edge = |patch: usize, side: usize| {
            let along = move |i: usize| [i, (s - 1) * s + i, i * s, i * s + s - 1][side];
            (0..s).map(move |i| patch * s * s + along(i)).collect::<Vec<_>>()
        };
        // label, edge of the first patch, opposite edge of the second: above, below, left, right
        let sides = [(1, 0, 1), (6, 1, 0), (3, 2, 3), (4, 3, 2)];
        let mut right = 0usize;
        let mut asked = 0usize;
        for question in (0..labels.len()).filter(|&question| sides.iter().any(|side| side.0 == labels[question])) {
            let away = |own: usize, other: usize| {
                let own = edge(first[question], own);
                let other = edge(second[question], other);
                own.iter().zip(&other).map(|(&a, &b)| (pixels[a] - pixels[b]).powi(2)).sum::<f32>()
            };
            let best = sides.iter().min_by(|a, b| away(a.1, a.2).total_cmp(&away(b.1, b.2))).map(|side| side.0);
            right += usize::from(best == Some(labels[question]));
            asked += 1;
        }
        right as f64 / asked as f64
    }

    #[test]
    fn without_gap_and_jitter_edges_reveal_the_position() {
        let trap = found_by_edges("0", "0");
        let remedy = found_by_edges("4", "1");
        println!("places found by edges: {trap:.2} without gap and jitter, {remedy:.2} with them; guessing gives 0.25");
        assert!(trap > 0.7 && remedy < 0.35, "{trap} {remedy}");
    }

    #[test]
    fn labels_agree_with_the_positions_of_patches() {
        let mut config = tiny(ContextPrediction::INFO.id);
        for (key, value) in [("coarse", "0"), ("colours", "keep"), ("jitter", "0")] {
            config.set(key, value).expect("an option");
        }
        let model = model::<ContextPrediction>(&config);
        let found = model.layout.draw(1, [28, 28], &mut rng::stream(2, rng::Purpose::Views, 0));
        let [first, second] =
            [&found.first, &found.second].map(|list| list.iter().map(|&n| found.patches[0][n as usize]));
        for ((a, b), label) in first.zip(second).zip(&found.labels) {
            let step = |x: f64| {
                if x > 0.0 {
                    1
                } else if x < 0.0 {
                    -1
                } else {
                    0
                }
            };
            assert_eq!(super::patch_grid::place([step(b.top - a.top), step(b.left - a.left)]), *label as usize);
        }
    }

    #[test]
    fn patches_are_drawn_in_their_cells() {
        let patch = |value: f32| Tensor::<4>::ones([1, 1, 2, 2], &Device::flex()) * value;
        let at = |place: i32| numbers(together(patch(0.1), patch(0.9), &int_tensor(vec![place], &patch(0.0))));
        for (place, row, column) in [(0, 0, 0), (2, 0, 6), (4, 3, 6), (7, 6, 6)] {
            let drawn = at(place);
            assert_eq!((drawn.len(), drawn[3 * 8 + 3], drawn[row * 8 + column]), (64, 0.1, 0.9));
            assert_eq!(drawn.iter().filter(|&&pixel| pixel == 0.9).count(), 4);
        }
    }

    #[test]
    fn the_published_setting_learns_at_reduced_width() {
        let mut config = full("imagenet");
        config.encoder.width = 6;
        config.optimizer.lr = 0.05;
        for (option, value) in [("hidden", "32"), ("grids", "1"), ("patches", "40")] {
            config.set(option, value).expect("an option");
        }
        let losses = test_support::losses(&config, [3, 400, 420], 2, 4);
        assert!(losses.iter().all(|loss| loss.is_finite()) && losses[3] < losses[0], "{losses:?}");
    }
}
