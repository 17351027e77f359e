//! Benchmark of a training step of every method's small preset on the CPU: `cargo bench --bench step [METHOD]...`
//!
//! Images are noise of the size of Fashion-MNIST, or of CIFAR-10 for methods that need colour. It prints the median over nine steps,
//! after one step of warm-up.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::config::Preset;
use nolabel::data::{Size, shapes};
use nolabel::method::{Batch, DataInfo, Entry, StepPosition};
use nolabel::methods::METHODS;
use nolabel::platform::memory;
use nolabel::rng::{Purpose, stream, uniform};

/// Allocator of the `nolabel` program, so that times agree with it.
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

const STEPS: usize = 9;

fn main() {
    memory::keep();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:<20} {:>6} {:>10} {:>10} {:>12}", "method", "batch", "views ms", "step ms", "images/s");
    for entry in METHODS {
        let id = entry.info().id;
        if wanted.is_empty() || wanted.iter().any(|name| name == id) {
            measure(entry);
        }
    }
}

fn measure(entry: &Entry) {
    let needs = entry.info().needs;
    let (data, size) = if needs.clips {
        (shapes::NAME, Size { channels: 3, height: shapes::SIDE, width: shapes::SIDE })
    } else if needs.colour {
        ("cifar-10", Size { channels: 3, height: 32, width: 32 })
    } else {
        ("fashion-mnist", Size { channels: 1, height: 28, width: 28 })
    };
    let config = entry.config(Preset::Small, data);
    let device = Device::flex();
    let data_info = DataInfo { clips: needs.clips, ..DataInfo::of(size, 60_000) };
    let mut trainer = entry.build(&config, &data_info, &device).expect("a preset can be built");
    let images = |position: u64| {
        let pixels = uniform(&mut stream(1, Purpose::Views, position), config.batch * size.bytes(), 0.0, 1.0);
        let shape = [config.batch, size.channels, size.height, size.width];
        Tensor::<4>::from_data(TensorData::new(pixels, shape), &device)
    };
    let batch = Batch { next: Some(images(1)), ..Batch::of(images(0), (0..config.batch).collect()) };
    let mut views = Vec::new();
    let mut steps = Vec::new();
    for step in 0..=STEPS {
        let position = StepPosition { step, total: STEPS + 1, steps_per_epoch: STEPS + 1 };
        let start = Instant::now();
        trainer.draw(&batch, &position, &mut stream(1, Purpose::Views, step as u64));
        views.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let result = trainer.step(&batch, &position, &mut stream(1, Purpose::Views, step as u64), 1e-3);
        // reading the loss waits for the step to finish
        let _: f32 = result.loss.into_scalar();
        steps.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let views = median(&mut views[1..]);
    let step = median(&mut steps[1..]);
    let speed = config.batch as f64 / step * 1e3;
    println!("{:<20} {:>6} {views:>10.1} {step:>10.1} {speed:>12.0}", entry.info().id, config.batch);
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
