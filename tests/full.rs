//! The published settings: each can be built and learns on one fixed batch of four images.
//!
//! Here the backbones keep their shape and lose width. `NOLABEL_FULL=1 cargo test --release --test full -- --nocapture`
//! takes them as they were published: 224 px, half an hour and gigabytes; `NOLABEL_FULL=moco,swav` some of them.

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::config::{Preset, RunConfig};
use nolabel::data::Size;
use nolabel::method::{Batch, DataInfo, Entry, StepPosition};
use nolabel::methods::METHODS;
use nolabel::optim::OptimizerConfig;
use nolabel::rng::{Purpose, stream, uniform};

const IMAGES: usize = 4;
/// Images that the data set is said to have.
const KNOWN: usize = 64;
/// Grains of noise to a side of an image.
const GRAINS: usize = 72;

/// Options that are widths, counts or sizes, and what they shrink to.
const SHRUNK: [(&str, u64); 7] = [
    ("size", 64),
    ("tiles_size", 72),
    ("projector", 64),
    ("predictor", 16),
    ("hidden", 64),
    ("width", 32),
    ("prototypes", 16),
];

/// Which methods are to be taken as they were published: `1` for all.
fn wanted() -> Option<String> {
    std::env::var("NOLABEL_FULL").ok()
}

fn whole() -> bool {
    wanted().is_some()
}

/// The preset for a data set. The queue, if any, is of two batches: it soon holds nothing but
/// these images, and losses can be compared. A memory of few images is asked for fewer of them: thousands would be the same
/// few, over and over.
fn published(entry: &Entry, data: &str) -> RunConfig {
    let mut config = entry.config(Preset::Full, data);
    config.batch = IMAGES;
    config.encoder.norm_groups = config.encoder.norm_groups.min(IMAGES / 2);
    if config.options.contains_key("freeze") {
        config.options.insert("freeze".to_string(), 0.into());
    }
    if config.options.get("queue").and_then(serde_json::Value::as_u64).is_some_and(|queue| queue > 0) {
        config.options.insert("queue".to_string(), (2 * IMAGES).into());
    }
    if config.options.contains_key("negatives") {
        config.options.insert("negatives".to_string(), (KNOWN / 2).into());
    }
    if !whole() {
        config.encoder.width = (config.encoder.width / 16).max(2);
        for (option, value) in SHRUNK {
            if config.options.get(option).and_then(serde_json::Value::as_u64).is_some_and(|known| known > value) {
                config.options.insert(option.to_string(), value.into());
            }
        }
    }
    config
}

/// Photographs of sorts: bright blobs of one colour each on noise, which have moved in the next ones.
fn batch(side: usize) -> Batch {
    let next = Some(frames(side, 0.02));
    Batch { next, ..Batch::of(frames(side, 0.0), (0..IMAGES).collect()) }
}

/// The blobs, moved by a share of the side. The noise is as coarse as they are large: what moves is as easily seen at any size.
fn frames(side: usize, moved: f32) -> Tensor<4> {
    let noise = uniform(&mut stream(3, Purpose::Views, 0), IMAGES * 3 * GRAINS * GRAINS, 0.0, 0.3);
    let pixels = (0..IMAGES * 3 * side * side).map(|at| {
        let (plane, row, column) = (at / (side * side), at / side % side, at % side);
        let (image, channel) = (plane / 3, plane % 3);
        let noise = noise[(plane * GRAINS + row * GRAINS / side) * GRAINS + column * GRAINS / side];
        let off = |place: usize, centre: usize| (place as f32 / side as f32 - centre as f32 / 5.0 - moved).powi(2);
        let light = if channel == image % 3 { 0.7 } else { 0.3 };
        noise + light * (-(off(row, image + 1) + off(column, 4 - image)) * 20.0).exp()
    });
    let data = TensorData::new(pixels.collect::<Vec<f32>>(), [IMAGES, 3, side, side]);
    Tensor::from_data(data, &Device::flex())
}

/// The losses of some steps on always the same views.
fn losses(config: &RunConfig, entry: &Entry, side: usize, steps: usize) -> Vec<f32> {
    let facts = DataInfo { clips: true, ..DataInfo::of(Size { channels: 3, height: side, width: side }, KNOWN) };
    let mut learner = entry.build(config, &facts, &Device::flex()).expect("the published setting");
    let batch = batch(side);
    let mut step = |step| {
        let moment = StepPosition { step, total: 100, steps_per_epoch: 50 };
        let rate = config.optimizer.lr;
        learner.step(&batch, &moment, &mut stream(1, Purpose::Views, 0), rate).loss.into_scalar()
    };
    (0..steps).map(&mut step).collect()
}

/// Data sets that presets are made for, by the side of an image: `photographs` are any that are not small. There are no small clips.
fn sets(entry: &Entry) -> impl Iterator<Item = (&'static str, usize)> {
    let clips = entry.info().needs.clips;
    let all = [("photographs", if whole() { 256 } else { GRAINS }), ("cifar-10", 32)];
    all.into_iter().filter(move |(data, _)| !clips || *data == "photographs")
}

#[test]
fn every_published_setting_learns_on_one_batch() {
    let wanted = wanted().filter(|methods| methods != "1");
    let (mut tried, mut failed) = (0, Vec::new());
    for (entry, (data, side)) in METHODS.iter().flat_map(|entry| sets(entry).map(move |set| (entry, set))) {
        let (id, mut config) = (entry.info().id, published(entry, data));
        if wanted.as_ref().is_some_and(|methods| !methods.split(',').any(|method| method == id)) {
            continue;
        }
        // the published rule and its rate are made for batches of hundreds: they need only go well
        let own = losses(&config, entry, side, 2);
        // slowly: SimCLR's temperature makes large steps on four images a matter of rounding
        config.optimizer = OptimizerConfig::adamw(1e-4, 0.0);
        let losses = losses(&config, entry, side, 24);
        println!("{id} on {data}: own rule {own:?}, Adam {losses:?}");
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
