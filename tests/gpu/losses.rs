//! Twenty steps of every method: the losses are the CPU's.

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::config::Preset;
use nolabel::data::Size;
use nolabel::device::take_fallbacks;
use nolabel::method::{Batch, DataInfo, Entry, StepPosition};
use nolabel::methods::METHODS;
use nolabel::rng::{Purpose, stream, uniform};

use crate::device::gpu;

const STEPS: usize = 20;
const IMAGES: usize = 8;
/// Share of the preset's learning rate. At the full rate a network of this size, on eight images, multiplies rounding tenfold every few
/// steps.
const RATE: f64 = 0.1;
/// Largest difference of a loss, relative to it or to 1, as some losses cross 0.
const ALLOWED: f32 = 1e-3;

fn losses(entry: &Entry, device: &Device) -> Vec<f32> {
    let needs = entry.info().needs;
    let channels = if needs.colour { 3 } else { 1 };
    let mut config = entry.tiny(entry.config(Preset::Small, if needs.colour { "cifar-10" } else { "fashion-mnist" }));
    config.batch = IMAGES;
    config.encoder.width = 4;
    let size = Size { channels, height: 28, width: 28 };
    let data_info = DataInfo { clips: true, ..DataInfo::of(size, 32) };
    let mut trainer = entry.build(&config, &data_info, device).expect("a tiny configuration can be built");
    let images = |frame: u64| {
        let pixels = uniform(&mut stream(3, Purpose::Views, frame), IMAGES * size.bytes(), 0.0, 1.0);
        Tensor::<4>::from_data(TensorData::new(pixels, [IMAGES, channels, 28, 28]), device)
    };
    let batch = Batch { next: Some(images(1)), ..Batch::of(images(0), (0..IMAGES).collect()) };
    let step = |step: usize| {
        let position = StepPosition { step, total: 100, steps_per_epoch: 4 };
        let result =
            trainer.step(&batch, &position, &mut stream(1, Purpose::Views, step as u64), RATE * config.optimizer.lr);
        result.loss.into_scalar()
    };
    (0..STEPS).map(step).collect()
}

/// Methods all of whose kernels are our own. The others need Burn's autotune, which takes a software adapter minutes.
const OWN: [&str; 8] = ["rotation", "moco", "byol", "simclr", "swav", "simsiam", "barlow-twins", "vicreg"];

/// Methods, and Burn's operation that they still use: batch norm behind a linear layer with a bias.
const REMAINING: [(&str, &str); 3] = [("byol", "batch norm"), ("swav", "batch norm"), ("vicreg", "batch norm")];

/// By default the methods in [`OWN`]; `NOLABEL_METHODS=all`, or ids separated by commas, for others.
#[test]
fn twenty_losses_of_the_methods_are_the_cpus() {
    let wanted = std::env::var("NOLABEL_METHODS").unwrap_or_else(|_| OWN.join(","));
    for entry in METHODS {
        let id = entry.info().id;
        if wanted != "all" && !wanted.split(',').any(|method| method == id) {
            continue;
        }
        let expected = losses(entry, &Device::flex());
        let found = losses(entry, &gpu());
        let fallbacks = take_fallbacks();
        println!("{id}: Burn's operations {fallbacks:?}");
        let remains =
            |name: &str| REMAINING.iter().any(|(method, operation)| *method == id && name.starts_with(*operation));
        let others: Vec<&String> = fallbacks.keys().filter(|name| !remains(name.as_str())).collect();
        assert!(others.is_empty() || !OWN.contains(&id), "{id} uses Burn's operations: {others:?}");
        let far = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{id}: at most {far:.1e} apart");
        for (step, (cpu, gpu)) in expected.iter().zip(&found).enumerate() {
            let close = (cpu - gpu).abs() <= ALLOWED * cpu.abs().max(1.0);
            assert!(close, "{id}, step {}: {gpu} on the GPU, {cpu} on the CPU", step + 1);
        }
    }
}
