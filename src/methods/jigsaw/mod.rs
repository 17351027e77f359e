//! Jigsaw puzzles: the network predicts the permutation of the shuffled tiles of an image.
//!
//! `L = -log softmax(g(f(t_1), ..., f(t_9)))[p]`: one encoder f for all tiles, so that a tile's features do not depend on
//! its neighbours before g joins them. Noroozi and Favaro 2016. The permutation must not be revealed by edges that continue from
//! tile to tile (remedy: `jitter`), by brightness (`level`) or by chromatic aberration (`gray`, `project`, `channel_jitter`).

mod tile_cutter;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;

use super::shared::fc_head::FcHead;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{accuracy, cross_entropy};
use crate::method::{
    Batch, Better, ClassPredictions, DataInfo, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::tensors::int_tensor;
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Linear, MlpPlan, WeightInit, dropout, dropout_mask};
use crate::optim::{OptimizerConfig, ParamGroup, Rate, Schedule, Steps};
use crate::options::options;
use crate::rng::{Purpose, Rng, stream};
use crate::view::{Farthest, PatchNormalisation, PermutationSet, arrange};
use tile_cutter::{Cutter, TileOptions};

options! {
    /// Options of jigsaw puzzles.
    pub struct JigsawOptions {
        ..tiles: TileOptions;
        /// Permutations, the classes of the task.
        permutations: usize = 24, in 2..=362_880, unit "permutations";
        /// Rule by which the permutations are made to differ.
        farthest: Farthest = Farthest::Mean;
        /// Width of the fully connected layer of each tile; 0 takes the average over positions instead.
        width: usize = 0, in 0..=65_536, tiny = 16;
        /// Width of the layer over all tiles.
        hidden: usize = 256, in 1..=65_536, tiny = 16;
        /// Dropout of the fully connected layers' outputs.
        dropout: f64 = 0.0, in 0.0..1.0;
    }
}

/// Encoder and fc6 of each tile; fc7 and fc8 over all tiles.
#[derive(Module, Debug)]
pub struct Jigsaw {
    encoder: Encoder,
    neck: FcHead,
    join: Linear,
    head: Linear,
    #[module(skip)]
    cutter: Cutter,
    #[module(skip)]
    set: PermutationSet,
    #[module(skip)]
    dropout: f64,
}

impl Method for Jigsaw {
    const INFO: Info = Info {
        id: "jigsaw",
        title: "Jigsaw puzzles",
        year: 2016,
        paper: "Noroozi, Favaro: Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles",
        url: "https://arxiv.org/abs/1603.09246",
        group: Group::Undo,
        task: "Each image is cut into tiles, which are shuffled; the network predicts in which order they lie.",
        lesson: "To lay a puzzle of a thing one has to know which of its parts is above and which below. The tiles come with \
                 gaps between them, each moved a little and each with its brightness set to the same, or the network would \
                 join them by their edges, as people join a puzzle of blue sky, and learn nothing about things.",
        loss: "0 would mean that every order is named with certainty.",
        metric: Metric {
            name: "puzzles solved",
            better: Better::Higher,
            baseline: "guessing is right once in as many tries as there are orders to choose from",
            chance: None,
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, full, full);

    type Options = JigsawOptions;

    fn init(config: &RunConfig, options: &JigsawOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let cutter = Cutter::of(config, &options.tiles, data_info)?;
        let set = permutations(config.seed, options, &cutter)?;
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        let hidden = options.hidden;
        let plan = (options.width > 0).then(|| MlpPlan::linear(options.width));
        let neck = FcHead::init(plan, &encoder, [cutter.tile; 2], config, init)?;
        let join = Linear::init(cutter.tiles() * neck.width(&encoder), hidden, true, init);
        let head = Linear::init(hidden, set.orders().len(), true, init);
        let caffe = WeightInit::Gaussian(0.005);
        let (neck, join, head) = if config.encoder.kind == EncoderKind::Cfn {
            let neck = neck.map_layers(|layers| layers.redrawn(caffe, init));
            (neck, join.redrawn(caffe, init), head.redrawn(caffe, init))
        } else {
            (neck, join, head)
        };
        Ok(Self { encoder, neck, join, head, cutter, set, dropout: options.dropout })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Biases have twice the learning rate and no weight decay, as in Caffe's networks.
    fn groups(config: &RunConfig, _options: &JigsawOptions) -> Vec<ParamGroup> {
        let biases = ParamGroup { rate: Rate::Factor(2.0), weight_decay: Some(0.0), ..ParamGroup::vectors() };
        if config.encoder.kind == EncoderKind::Cfn { vec![biases] } else { Vec::new() }
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let tiles = self.cutter.cut(batch.images.clone(), rng);
        let [n, ..] = batch.images.dims();
        let device = batch.images.device();
        let classes: Vec<usize> = (0..n).map(|_| rng.random_range(0..self.set.orders().len())).collect();
        let orders: Vec<Vec<usize>> = classes.iter().map(|&class| self.set.orders()[class].clone()).collect();
        let tile_count = self.cutter.tiles();
        let [outputs, inputs] = self.join.weight.dims();
        let masks = [[n * tile_count, inputs / tile_count], [n, outputs]];
        let masks = masks.into_iter().filter_map(|shape| dropout_mask(shape, self.dropout, rng, &device));
        Views {
            labels: Some(int_tensor(classes.iter().map(|&class| class as i32).collect(), &tiles)),
            images: vec![arrange(tiles, &orders)],
            tables: masks.collect(),
            ..Views::default()
        }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let labels = views.labels.clone().expect("every puzzle has its order");
        let [n] = labels.dims();
        let fc6 = dropout(self.neck.forward(&self.encoder, views.images[0].clone()), views.tables.first());
        let width = fc6.dims()[1] * self.cutter.tiles();
        let fc7 = dropout(relu(self.join.forward(fc6.reshape([n, width]))), views.tables.get(1));
        let logits = self.head.forward(fc7); // [n, P]
        LossOutput {
            metric: Some(accuracy(logits.clone().detach(), labels.clone())),
            answers: Some(logits.clone().detach()),
            ..LossOutput::of(cross_entropy(logits, labels))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let (Some(truth), Some(answers)) = (views.labels.clone(), outcome.answers.clone()) else {
            return StepDisplay::default();
        };
        let tiles = views.images[0].clone();
        let answers = answers.inner();
        let guess = answers.clone().argmax(1).squeeze_dim::<1>(1);
        let lay = |classes: Tensor<1, Int>| self.cutter.lay(self.undone(tiles.clone(), classes));
        let name = |order: &Vec<usize>| order.iter().map(|tile| (tile + 1).to_string()).collect::<Vec<_>>().join(" ");
        let names = self.set.orders().iter().map(name).collect();
        StepDisplay {
            rows: vec![
                (
                    "The shuffled puzzle; the numbers below are its permutation".to_string(),
                    self.cutter.lay(tiles.clone()),
                ),
                ("As the network orders it".to_string(), lay(guess)),
                ("The original".to_string(), lay(truth.clone())),
            ],
            verdicts: Some(ClassPredictions { names, truth, answers }),
            ..StepDisplay::default()
        }
    }
}

impl Jigsaw {
    /// Undoes the permutation of each puzzle's class: `[n * tiles, c, t, t]`, `[n]` -> the same shape.
    fn undone(&self, tiles: Tensor<4>, classes: Tensor<1, Int>) -> Tensor<4> {
        let [n] = classes.dims();
        let count = self.cutter.tiles();
        let inverses: Vec<i32> = self.set.inverses().into_iter().flatten().map(|tile| tile as i32).collect();
        let rows = inverses.len() / count;
        let inverses = Tensor::<2, Int>::from_data(TensorData::new(inverses, [rows, count]), &tiles.device());
        let first: Vec<i32> = (0..n).map(|puzzle| (puzzle * count) as i32).collect();
        let first = Tensor::<2, Int>::from_data(TensorData::new(first, [n, 1]), &tiles.device());
        let from = inverses.select(0, classes) + first; // [n, count]
        tiles.select(0, from.reshape([n * count]))
    }
}

/// Permutations of the task. They follow from the seed of the run, so checkpoints do not store them.
fn permutations(seed: u64, options: &JigsawOptions, cutter: &Cutter) -> Result<PermutationSet> {
    let count = options.permutations;
    let mut rng = stream(seed, Purpose::Fixed, 0);
    PermutationSet::draw(cutter.tiles(), count, options.farthest, &mut rng).ok_or_else(|| {
        let most: usize = if cutter.grid == 2 { 24 } else { 362_880 };
        Error::Config(format!(
            "grid must be 2 or 3 and permutations at most 24 or 362880; with grid = {} not {count} of {most}",
            cutter.grid
        ))
    })
}

/// The four-block encoder, four tiles of 12 px in cells of 14 px and all their 24 permutations: nine tiles of an image of 28 px would
/// be as small as the encoder's receptive field. Tiles are normalised by their own mean and deviation, as in the authors' later
/// code; no dropout, because the run is too short to overfit. AdamW instead of SGD, minutes on two CPU cores.
fn small(data: &str) -> RunConfig {
    RunConfig {
        method: Jigsaw::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 5,
        encoder: EncoderConfig::small(32).normalised_for(data),
        optimizer: OptimizerConfig::adamw(1e-3, 1e-4),
        schedule: Schedule::cosine(0.1),
        ..RunConfig::default()
    }
    .with_options(&JigsawOptions::default())
}

/// The authors' code for ImageNet: shorter side 256, central 255 px, nine cells of 85 px with tiles of 64, the
/// context-free network, 100 permutations of largest mean distance, batches of 256, learning rate 0.01, divided by 10 every 100,000
/// of 350,000 steps. Published: 34.7 % linear on the third layer.
fn full(data: &str) -> RunConfig {
    // Caffe's mean pixel, and pixels in 0 to 255
    let encoder = EncoderConfig {
        input_mean: [123.0, 117.0, 104.0].map(|x| x / 255.0).to_vec(),
        input_std: vec![1.0 / 255.0],
        ..EncoderConfig::published(EncoderKind::Cfn, data)
    };
    RunConfig {
        method: Jigsaw::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 256,
        epochs: 70,
        encoder,
        optimizer: OptimizerConfig::sgd(0.01, 5e-4),
        // 100,000 steps of 256 are 20 epochs of ImageNet
        schedule: Schedule::Steps(Steps { at_epochs: vec![20.0, 40.0, 60.0], factor: 0.1 }),
        ..RunConfig::default()
    }
    .with_options(&JigsawOptions {
        tiles: TileOptions {
            resize: 256,
            crop: 255,
            grid: 3,
            tile: 64,
            jitter: 21,
            channel_jitter: 2,
            level: PatchNormalisation::Mean,
            ..Default::default()
        },
        permutations: 100,
        width: 1024,
        hidden: 4096,
        dropout: 0.5,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{self, POSITION, build, model, tiny, views, zeroed};
    use burn::tensor::Device;

    #[test]
    fn equal_logits_lose_ln_p() {
        let model = zeroed(model::<Jigsaw>(&tiny(Jigsaw::INFO.id)), |name| name.starts_with("head."));
        let loss: f32 = model.loss(&views(&model), &POSITION).loss.into_scalar();
        assert!((loss - 24f32.ln()).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn the_right_class_undoes_its_permutation() {
        let model = model::<Jigsaw>(&tiny(Jigsaw::INFO.id));
        let numbered =
            Tensor::<4>::from_data(TensorData::new((0..8).map(|x| x as f32).collect(), [8, 1, 1, 1]), &Device::flex());
        let classes = [5usize, 17];
        let orders: Vec<Vec<usize>> = classes.iter().map(|&class| model.set.orders()[class].clone()).collect();
        let shuffled = arrange(numbered.clone(), &orders);
        let found: Vec<f32> = shuffled.to_data().try_to_vec().expect("floats");
        let expected: Vec<f32> =
            orders.iter().enumerate().flat_map(|(i, p)| p.iter().map(move |t| (4 * i + t) as f32)).collect();
        assert_eq!(found, expected);
        let labels = int_tensor(classes.iter().map(|&class| class as i32).collect(), &numbered);
        assert_eq!(model.undone(shuffled, labels).into_data(), numbered.into_data());
    }

    #[test]
    fn permutations_follow_from_the_seed() {
        let orders = |seed: &str| {
            let mut config = tiny(Jigsaw::INFO.id);
            config.set("seed", seed).expect("a setting");
            model::<Jigsaw>(&config).set
        };
        assert_eq!(orders("1"), orders("1"));
        assert_ne!(orders("1"), orders("2"));
    }

    #[test]
    fn dropout_applies_in_training_only() {
        let mut config = tiny(Jigsaw::INFO.id);
        config.set("dropout", "0.5").expect("an option");
        config.set("width", "16").expect("an option");
        let model = model::<Jigsaw>(&config);
        let with = views(&model);
        let mut without = views(&model);
        let tiles = with.images[0].dims()[0];
        assert_eq!([with.tables[0].dims(), with.tables[1].dims()], [[tiles, 16], [tiles / 4, 16]]);
        without.tables.clear();
        let loss = |model: &Jigsaw, views: &Views| model.loss(views, &POSITION).loss.into_scalar::<f32>();
        assert_ne!(loss(&model, &with), loss(&model, &without));
        let plain = |views: &Views| Views { images: vec![views.images[0].clone().inner()], ..views.clone() };
        let valid = model.valid();
        assert_eq!(loss(&valid, &plain(&with)), loss(&valid, &plain(&without)));
    }

    #[test]
    fn the_published_setting_learns_at_reduced_width() {
        let mut config = full("imagenet");
        config.encoder.width = 12;
        for (option, value) in [("width", "32"), ("hidden", "32"), ("dropout", "0")] {
            config.set(option, value).expect("an option");
        }
        let losses = test_support::losses(&config, [3, 260, 280], 2, 3);
        assert!((losses[0] - 100f32.ln()).abs() < 0.01, "small weights at first: {losses:?}");
        assert!(losses[2] < losses[0], "{losses:?}");
        let [group] = Jigsaw::groups(&config, &JigsawOptions::default())[..] else { panic!("one group") };
        assert_eq!((group.rate, group.weight_decay), (Rate::Factor(2.0), Some(0.0)));
    }

    #[test]
    fn more_permutations_than_exist_are_refused() {
        let mut config = tiny(Jigsaw::INFO.id);
        config.set("permutations", "25").expect("an option");
        let said = build::<Jigsaw>(&config).expect_err("4! are 24").to_string();
        assert!(said.contains("permutations") && said.contains("25 of 24"), "{said}");
    }
}
