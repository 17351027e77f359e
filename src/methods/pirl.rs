//! PIRL: an image and its shuffled tiles get the same embedding, different from those of all other images.
//!
//! `L = lambda L_nce(m_I, g(v_It)) + (1 - lambda) L_nce(m_I, f(v_I))`: both the image and its transformed version are
//! compared with the image's row of a memory bank m, against rows of other images. Misra and van der Maaten 2020,
//! equations 3 to 5.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::shared::augmented_views::{self, Augment};
use super::shared::options::{Temperature, ViewOptions, small_recipe};
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{Nce, info_nce, nce_loss, nce_partition, partners_found, unit_rows};
use crate::method::presets::is_small;
use crate::method::{
    Batch, Better, DataInfo, Embeddings, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views, micro_batch,
};
use crate::net::memory::{MemoryBank, bank_indices};
use crate::net::tensors::int_tensor;
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Mlp, MlpPlan};
use crate::optim::{Cosine, OptimizerConfig, ParamGroup, Schedule};
use crate::options::{options, words};
use crate::rng::Rng;
use crate::view::{recipe, rotate_each};

words! {
    /// Transformation to which the embeddings become invariant.
    pub enum Pretext {
        /// Tiles in random order.
        Jigsaw = "jigsaw",
        /// Rotation by 0, 90, 180 or 270 degrees.
        Rotation = "rotation",
    }
}

words! {
    /// Start of the memory bank.
    pub enum BankStart {
        /// Random unit rows.
        Random = "random",
        /// No rows; an image's row is its first embedding.
        Empty = "empty",
    }
}

options! {
    /// Options of PIRL.
    pub struct PirlOptions {
        ..views: ViewOptions;
        ..temperature: Temperature;
        /// Transformation to which the embeddings become invariant.
        transform: Pretext = Pretext::Jigsaw;
        /// Recipe of the tiles of a jigsaw.
        tiles: String = "small-gray-tiles".into(), among recipe::names();
        /// Side of the image that is cut into tiles; 0 keeps the images' own.
        tiles_size: usize = 0, in 0..=2048, unit "px", tiny = 72;
        /// Width of the heads' hidden layer; 0 makes the heads linear, as in the paper.
        hidden: usize = 256, in 0..=65_536, tiny = 16;
        /// Width of the embeddings.
        width: usize = 128, in 1..=65_536, tiny = 16;
        /// Negatives of a step, rows of the memory bank that all its images share.
        negatives: usize = 4096, in 1..=16_777_216, unit "rows", tiny = 12;
        /// Weight of the transformed image's loss; the image's own has 1 less it.
        lambda: f64 = 0.5, in 0.0..=1.0;
        /// Momentum of the memory bank's rows; 0 replaces them.
        momentum: f64 = 0.5, in 0.0..=1.0;
        /// Softmax cross-entropy, in place of noise-contrastive estimation.
        cross_entropy: bool = false;
        /// Start of the memory bank.
        bank: BankStart = BankStart::Random;
    }
}

/// Encoder, the image's head f, the transformed image's head g (for each tile, and over all), and the memory bank.
#[derive(Module, Debug)]
pub struct Pirl {
    encoder: Encoder,
    image_head: Mlp,
    part_head: Mlp,
    join_head: Mlp,
    bank: MemoryBank,
    /// Partition function Z of the first batch `[1, 1]`; 0 before it.
    partition: Param<Tensor<2>>,
    #[module(skip)]
    image: Augment,
    #[module(skip)]
    transform: Transform,
    #[module(skip)]
    options: PirlOptions,
    #[module(skip)]
    nce: Nce,
}

/// Transformation of a batch.
#[derive(Clone, Debug)]
enum Transform {
    /// Augmentation of tiles, and their number.
    Tiles(Augment, usize),
    Rotation,
}

impl Method for Pirl {
    const INFO: Info = Info {
        id: "pirl",
        title: "PIRL",
        year: 2020,
        paper: "Misra, van der Maaten: Self-Supervised Learning of Pretext-Invariant Representations",
        url: "https://arxiv.org/abs/1912.01991",
        group: Group::Compare,
        task: "Each image is given whole and as shuffled tiles; the network describes both alike, and every other image \
               differently.",
        lesson: "A jigsaw puzzle asks where the tiles belong, so the answer depends on their order. Here the order must not matter \
                 at all: the network has to describe the image, however the tiles lie. A memory keeps the last description of \
                 every image of the data set, and both versions of an image have to match it.",
        loss: "0 would mean that both versions are told from all other images with certainty.",
        metric: Metric {
            name: "images recognised from shuffled tiles",
            better: Better::Higher,
            baseline: "guessing is right once in as many tries as there are images to choose from",
            chance: None,
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, full, full);
    const COMPARES: bool = true;

    type Options = PirlOptions;

    fn init(config: &RunConfig, options: &PirlOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let transform = Transform::of(options, data_info)?;
        let image = Augment::of(&options.views, data_info)?;
        if image.count() != 1 {
            return Err(Error::Config("pirl needs a recipe of one view for `recipe`".into()));
        }
        let encoder = Encoder::init(&config.encoder, data_info.size.channels, init)?;
        image.fit(&encoder, config)?;
        if let Transform::Tiles(tiles, _) = &transform {
            tiles.fit(&encoder, config)?;
        }
        let head = head(options);
        let image_head = head.init(encoder.width(), init);
        let part_head = head.init(encoder.width(), init);
        let join_head = MlpPlan::linear(options.width).init(transform.parts() * options.width, init);
        let bank = match options.bank {
            BankStart::Random => MemoryBank::init,
            BankStart::Empty => MemoryBank::empty,
        };
        let bank = bank(data_info.images, options.width, init);
        let partition = init.frozen(vec![0.0], [1, 1]);
        let nce = Nce { tau: options.temperature.tau, rows: data_info.images };
        let options = options.clone();
        Ok(Self { encoder, image_head, part_head, join_head, bank, partition, image, transform, options, nce })
    }

    fn advice(_config: &RunConfig, options: &PirlOptions, data_info: &DataInfo, _total_steps: usize) -> Vec<String> {
        augmented_views::advice_on_repeats("negatives", options.negatives, data_info).into_iter().collect()
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Biases and batch norms have no weight decay, as in the authors' code.
    fn groups(_config: &RunConfig, _options: &PirlOptions) -> Vec<ParamGroup> {
        vec![ParamGroup { weight_decay: Some(0.0), ..ParamGroup::vectors() }]
    }

    /// View of the image, transformed image, index of its row in the bank, and negatives. Held-out images have no row; they borrow
    /// one, which the metric does not use.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let rows = self.nce.rows;
        let mut views = self.image.views(batch, rng);
        views.images.push(self.transform.apply(batch, &views.images[0], rng));
        let indices: Vec<usize> = batch.indices.iter().map(|index| index % rows).collect();
        views.tables.push(bank_indices(&indices, &batch.images.device()));
        views.draws.push(int_tensor(MemoryBank::draw(rows, self.options.negatives, rng), &batch.images));
        views
    }

    fn loss(&self, views: &Views, position: &StepPosition) -> LossOutput {
        let [image, transformed] = augmented_views::both(views);
        let v = unit_rows(self.image_head.forward(self.encoder.forward(image)));
        let parts = self.part_head.forward(self.encoder.forward(transformed)); // [n * parts, width]
        let t = unit_rows(self.join_head.forward(self.transform.join(parts)));
        let own = self.bank.at_or(&views.tables[0], &v);
        let others = self.bank.rows(views.draws[0].clone());
        let z = if position.step == 0 {
            nce_partition(v.clone(), own.clone(), others.clone(), self.nce)
        } else {
            self.partition.val().detach().squeeze_dim::<1>(0)
        };
        let against = |x: Tensor<2>| self.compared(x, own.clone(), others.clone(), z.clone());
        let lambda = self.options.lambda;
        let loss = against(t.clone()) * lambda + against(v.clone()) * (1.0 - lambda);
        let carry = vec![v.clone().detach(), views.tables[0].clone(), z.unsqueeze_dim(0)];
        LossOutput {
            metric: Some(partners_found(t.clone(), v.clone())),
            embeddings: Embeddings::Separate(vec![v.detach(), t.detach()]),
            carry,
            ..LossOutput::of(loss)
        }
    }

    /// Features and indices of all images, and Z of one micro-batch.
    fn gathered(mut carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
        let partitions: Vec<_> = carries.iter_mut().filter_map(Vec::pop).collect();
        micro_batch::stacked(carries).into_iter().chain(partitions.into_iter().next()).collect()
    }

    /// Updates the bank with the embeddings of untransformed images.
    fn after_step(self, carry: Vec<Tensor<2>>, _position: &StepPosition) -> Self {
        let [v, places, z] = <[Tensor<2>; 3]>::try_from(carry).expect("a step hands over features, places and Z");
        let bank = self.bank.update(&places, v, self.options.momentum);
        let partition = self.partition.map(|_| Tensor::from_inner(z.inner()));
        Self { bank, partition, ..self }
    }

    fn show(&self, views: &Views, _outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let [image, transformed] = augmented_views::both(views);
        let rows = vec![("The image".to_string(), image), (self.transform.title().to_string(), transformed)];
        StepDisplay { rows, ..StepDisplay::default() }
    }
}

impl Pirl {
    /// Loss `[1]` of the embeddings `x` against their own rows and other rows of the bank.
    fn compared(&self, x: Tensor<2>, own: Tensor<2>, others: Tensor<2>, z: Tensor<1>) -> Tensor<1> {
        if self.options.cross_entropy {
            info_nce(x, own, others, self.nce.tau).loss()
        } else {
            nce_loss(x, own, others, z, self.nce)
        }
    }
}

/// Heads of the image and of its tiles: linear in the paper, two layers in the authors' variant.
fn head(options: &PirlOptions) -> MlpPlan {
    match options.hidden {
        0 => MlpPlan::linear(options.width),
        hidden => MlpPlan::plain(hidden, options.width),
    }
}

impl Transform {
    fn of(options: &PirlOptions, data_info: &DataInfo) -> Result<Self> {
        if options.transform == Pretext::Rotation {
            return Ok(Transform::Rotation);
        }
        let views = ViewOptions { recipe: options.tiles.clone(), size: options.tiles_size, ..options.views.clone() };
        let tiles = Augment::of(&views, data_info)?;
        let parts = tiles.parts().ok_or_else(|| Error::Config("`tiles` must name a recipe that cuts tiles".into()))?;
        Ok(Transform::Tiles(tiles, parts))
    }

    fn parts(&self) -> usize {
        match self {
            Transform::Tiles(_, parts) => *parts,
            Transform::Rotation => 1,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Transform::Tiles(..) => "Tiles, in the order the network gets them",
            Transform::Rotation => "The image, turned",
        }
    }

    fn apply(&self, batch: &Batch, image: &Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        match self {
            Transform::Tiles(augment, _) => augment.views(batch, rng).images.swap_remove(0),
            Transform::Rotation => rotate_each(image.clone(), rng),
        }
    }

    /// Concatenates the tiles of an image: `[n * tiles, d]` -> `[n, tiles * d]`.
    fn join(&self, parts: Tensor<2>) -> Tensor<2> {
        let [rows, d] = parts.dims();
        let count = self.parts();
        parts.reshape([rows / count, count * d])
    }
}

/// The four-block encoder, four tiles of 12 px, minutes on two CPU cores. Cross-entropy, as in the authors' code for deeper
/// heads, because it does not depend on the size of the bank. Adam instead of SGD.
///
/// It learns from 6,000 images: a row of the bank is an embedding of the last epoch, and early in training embeddings change
/// within a hundred steps. With all of Fashion-MNIST a row is 234 steps old, views of an image never agree, and embeddings stay
/// in a dozen directions; with 6,000 images it is 23. The warm-up lasts three epochs, because at full rate the first two push
/// embeddings into few directions. The bank starts empty, so that no epochs pass until its random rows are replaced.
///
/// On Fashion-MNIST, on two CPU cores: 4.7 minutes; linear 90.3 %, kNN 88.0 % (untrained 88.5 and 85.8), means of seeds 1 to 3.
fn small(data: &str) -> RunConfig {
    let recipe = small_recipe(data);
    let base = augmented_views::small_run(Pirl::INFO.id, data);
    RunConfig { schedule: Schedule::cosine(3.0), epochs: 60, images: 6000, ..base }.with_options(&PirlOptions {
        views: ViewOptions { recipe: format!("{recipe}-single"), ..ViewOptions::small(data) },
        tiles: format!("{recipe}-tiles"),
        cross_entropy: true,
        bank: BankStart::Empty,
        ..Default::default()
    })
}

/// The paper's ImageNet setting: ResNet-50 at 224 px with nine tiles of 64 px, 1024 images a step, rate 0.12 falling by a
/// cosine to 0.00012, once an epoch, 32,000 negatives, temperature 0.07, 800 epochs. Published: 63.6 % linear. All images of a
/// step share their negatives; in the authors' code each draws its own, which would be 32 million rows.
fn full(data: &str) -> RunConfig {
    let small = is_small(data);
    let kind = if small { EncoderKind::Resnet50Cifar } else { EncoderKind::Resnet50 };
    RunConfig {
        method: Pirl::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 1024,
        epochs: 800,
        encoder: EncoderConfig::published(kind, data),
        optimizer: OptimizerConfig::sgd(0.12, 1e-4),
        schedule: Schedule::Cosine(Cosine { end_factor: 1e-3, per_epoch: true, ..Default::default() }),
        ..RunConfig::default()
    }
    .with_options(&PirlOptions {
        views: ViewOptions::published("pirl-image", if small { 0 } else { 224 }),
        temperature: Temperature { tau: 0.07 },
        tiles: "pirl-patch".into(),
        tiles_size: if small { 0 } else { 255 },
        hidden: 0,
        negatives: 32_000,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::test_support::{POSITION, gradient_of, model, tiny, values, views};

    #[test]
    fn each_head_learns_from_its_own_term() {
        for cross_entropy in ["true", "false"] {
            let mut config = tiny(Pirl::INFO.id);
            config.set("cross_entropy", cross_entropy).expect("an option");
            config.set("lambda", "0").expect("an option");
            let model = model::<Pirl>(&config);
            assert_eq!(gradient_of(&model, |name| name.starts_with("bank.") || name.starts_with("partition")), 0.0);
            assert_eq!(
                gradient_of(&model, |name| name.starts_with("part_head.") || name.starts_with("join_head.")),
                0.0
            );
            assert!(gradient_of(&model, |name| name.starts_with("image_head.")) > 0.0);
        }
    }

    #[test]
    fn both_transforms_update_the_bank() {
        for (transform, parts) in [("jigsaw", 4), ("rotation", 1)] {
            let mut config = tiny(Pirl::INFO.id);
            config.set("transform", transform).expect("an option");
            let model = model::<Pirl>(&config);
            let views = views(&model);
            assert_eq!(views.images[1].dims()[0], parts * views.images[0].dims()[0]);
            let outcome = model.loss(&views, &POSITION);
            let before = values(&model.bank, "rows");
            let after = model.after_step(outcome.carry, &POSITION);
            assert_ne!(values(&after.bank, "rows"), before);
            assert!(values(&after, "partition")[0] > 0.0, "Z of the first batch is kept");
        }
    }

    fn tiles_of(config: &RunConfig, data_info: &DataInfo) -> Transform {
        Transform::of(&config.read_options().expect("its own options"), data_info).expect("a preset")
    }

    #[test]
    fn tiles_are_as_large_as_published() {
        for (data, side, tile) in [("photographs", 256, 64), ("cifar-10", 32, 8)] {
            let size = crate::data::Size { channels: 3, height: side, width: side };
            let Transform::Tiles(tiles, 9) = tiles_of(&full(data), &DataInfo::of(size, 4)) else {
                panic!("nine tiles")
            };
            let image = Tensor::zeros([1, 3, side, side], &burn::tensor::Device::flex());
            let mut rng = crate::rng::stream(1, crate::rng::Purpose::Views, 0);
            assert_eq!(
                tiles.views(&Batch::of(image, vec![0]), &mut rng).images[0].dims(),
                [9, 3, tile, tile],
                "{data}"
            );
        }
    }
}
