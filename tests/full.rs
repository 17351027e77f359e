//! Full presets (the published settings): each can be built and learns on one fixed batch of four images.
//!
//! By default the backbones keep their architecture at a reduced width. `NOLABEL_FULL=1 cargo test --release --test full --
//! --nocapture` takes them as published: 224 px, half an hour and gigabytes of memory; `NOLABEL_FULL=moco,swav` takes some of them.

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::config::{Preset, RunConfig};
use nolabel::data::Size;
use nolabel::method::{Batch, DataInfo, Entry, StepPosition};
use nolabel::methods::METHODS;
use nolabel::optim::OptimizerConfig;
use nolabel::rng::{Purpose, stream, uniform};

const IMAGES: usize = 4;
/// Number of images in the data set, as the methods are told.
const KNOWN: usize = 64;
/// Cells of noise a side of an image.
const GRAINS: usize = 72;

/// Methods to be taken at their published width, separated by commas; `1` for all.
fn wanted() -> Option<String> {
    std::env::var("NOLABEL_FULL").ok()
}

fn whole() -> bool {
    wanted().is_some()
}

/// The preset for a data set. Options that keep a run from learning on always the same few images are at their sizes for
/// tests even at full size: prototypes stand still for no step, and queues and memories are asked for few images.
fn published(entry: &Entry, data: &str) -> RunConfig {
    let full = entry.config(Preset::Full, data);
    let mut config = entry.tiny(full.clone());
    if whole() {
        for (option, value) in full.options {
            if !["freeze", "queue", "negatives"].contains(&option.as_str()) {
                config.options.insert(option, value);
            }
        }
    } else {
        config.encoder.width = (config.encoder.width / 16).max(2);
    }
    config.batch = IMAGES;
    config.encoder.norm_groups = config.encoder.norm_groups.min(IMAGES / 2);
    config
}

/// Synthetic photographs: bright blobs of one colour each on noise, with a next frame in which the blobs have moved.
fn batch(side: usize) -> Batch {
    let next = Some(frames(side, 0.02));
    Batch { next, ..Batch::of(frames(side, 0.0), (0..IMAGES).collect()) }
}

/// Blobs moved by a share of the side, on noise whose cells scale with the image, so that motion is equally visible at any size.
fn frames(side: usize, moved: f32) -> Tensor<4> {
    let noise = uniform(&mut stream(3, Purpose::Views, 0), IMAGES * 3 * GRAINS * GRAINS, 0.0, 0.3);
    let pixels = (0..IMAGES * 3 * side * side).map(|at| {
        let plane = at / (side * side);
        let row = at / side % side;
        let column = at % side;
        let image = plane / 3;
        let channel = plane % 3;
        let noise = noise[(plane * GRAINS + row * GRAINS / side) * GRAINS + column * GRAINS / side];
        let squared =
            |position: usize, centre: usize| (position as f32 / side as f32 - centre as f32 / 5.0 - moved).powi(2);
        let brightness = if channel == image % 3 { 0.7 } else { 0.3 };
        noise + brightness * (-(squared(row, image + 1) + squared(column, 4 - image)) * 20.0).exp()
    });
    let data = TensorData::new(pixels.collect::<Vec<f32>>(), [IMAGES, 3, side, side]);
    Tensor::from_data(data, &Device::flex())
}

/// Losses of some steps on the same views.
fn losses(config: &RunConfig, entry: &Entry, side: usize, steps: usize) -> Vec<f32> {
    let data_info = DataInfo { clips: true, ..DataInfo::of(Size { channels: 3, height: side, width: side }, KNOWN) };
    let mut trainer = entry.build(config, &data_info, &Device::flex()).expect("the published setting");
    let batch = batch(side);
    let mut step = |step| {
        let position = StepPosition { step, total: 100, steps_per_epoch: 50 };
        let rate = config.optimizer.lr;
        trainer.step(&batch, &position, &mut stream(1, Purpose::Views, 0), rate).loss.into_scalar()
    };
    (0..steps).map(&mut step).collect()
}

/// Data sets that presets exist for, with the side of their images in pixels: `photographs` stands for any large images. There are no
/// clips of small images.
fn sets(entry: &Entry) -> impl Iterator<Item = (&'static str, usize)> {
    let clips = entry.info().needs.clips;
    let all = [("photographs", if whole() { 256 } else { GRAINS }), ("cifar-10", 32)];
    all.into_iter().filter(move |(data, _)| !clips || *data == "photographs")
}

#[test]
fn every_full_preset_learns_on_one_batch() {
    let wanted = wanted().filter(|methods| methods != "1");
    let mut tried = 0;
    let mut failed = Vec::new();
    for (entry, (data, side)) in METHODS.iter().flat_map(|entry| sets(entry).map(move |set| (entry, set))) {
        let id = entry.info().id;
        let mut config = published(entry, data);
        if wanted.as_ref().is_some_and(|methods| !methods.split(',').any(|method| method == id)) {
            continue;
        }
        // the published optimiser and learning rate are for batches of hundreds: its losses only have to be finite
        let own = losses(&config, entry, side, 2);
        // a small learning rate: with SimCLR's temperature, larger steps on four images depend on rounding
        config.optimizer = OptimizerConfig::adamw(1e-4, 0.0);
        let losses = losses(&config, entry, side, 24);
        println!("{id} on {data}: own optimiser {own:?}, AdamW {losses:?}");
        let mean = |some: &[f32]| some.iter().sum::<f32>() / some.len() as f32;
        tried += 1;
        let finite = own.iter().chain(&losses).all(|loss| loss.is_finite());
        if !finite || mean(&losses[18..]) >= mean(&losses[2..8]) {
            failed.push(format!("{id} on {data}"));
        }
    }
    assert!(tried > 0, "NOLABEL_FULL names no method: {wanted:?}");
    assert!(failed.is_empty(), "these do not learn: {}", failed.join(", "));
}
