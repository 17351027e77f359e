//! Time of the probes of one layer by its width: `cargo bench --bench probe [IMAGES]`
//!
//! Rows are noise with fewer directions than features, in ten classes that overlap, as pixels are: from the 784 of
//! Fashion-MNIST to the 150,528 of a photograph of 224 px. Columns are seconds of one linear fit, of the choice among four
//! penalties, of nearest neighbours and of 64 principal components; passes over the rows in the fit (evaluations of the
//! objective and products with its curvature); and the highest memory of the process so far. A star marks fits that ended
//! before the gradient was as small as asked for.

use std::time::Instant;

use burn::tensor::Device;
use futures_lite::future::block_on;
use nolabel::platform::memory;
use nolabel::probe::features::Features;
use nolabel::probe::pca::Components;
use nolabel::probe::{Validation, knn, linear};
use nolabel::rng::{Purpose, normal, stream};

/// As in the command line's program.
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

const WIDTHS: [usize; 6] = [784, 3072, 12_288, 27_648, 65_536, 150_528];
const IMAGES: [usize; 3] = [60, 300, 1000];
/// Directions that rows of noise are made of.
const DIRECTIONS: usize = 50;
const CLASSES: usize = 10;
const PENALTIES: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];

fn main() {
    memory::keep();
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let images = if asked.is_empty() { IMAGES.to_vec() } else { asked };
    println!("images   features   fit s       passes  choice s   knn s   pca s  peak MB");
    for &images in &images {
        WIDTHS.iter().for_each(|&width| measure(images, width));
    }
}

fn measure(images: usize, width: usize) {
    let device = Device::flex();
    let (train, labels) = rows(images, width, 1);
    let (test, truth) = rows(images / 5, width, 2);
    let (kept, aside) = (0..images).partition(|row| row % 6 > 0);
    let validation = Validation { kept, aside };
    let (fit, single) =
        timed(|| block_on(linear::fit(&train, &labels, images, None, CLASSES, &PENALTIES[1..2], &device)));
    let fit = fit.expect("a fit");
    let (chosen, choice) =
        timed(|| block_on(linear::fit(&train, &labels, images, Some(&validation), CLASSES, &PENALTIES, &device)));
    let chosen = chosen.expect("a fit");
    let votes = knn::Votes { k: 20, temperature: 0.07, classes: CLASSES };
    let (named, neighbours) = timed(|| block_on(knn::predict(&train, &labels, &test, &votes, &device)));
    let (components, pca) = timed(|| block_on(Components::of(&train, 64.min(images - 1), &device)));
    components.expect("components");
    let named = named.expect("votes");
    assert_eq!(named.len(), truth.len(), "a vote for each image");
    let star = if fit.converged && chosen.converged { "" } else { " *" };
    let peak = peak_kilobytes().map_or_else(|| "-".to_string(), |kilobytes| (kilobytes / 1024).to_string());
    println!(
        "{images:>6} {width:>10} {single:>7.2} {:>12} {choice:>9.2} {neighbours:>7.2} {pca:>7.2} {peak:>8}{star}",
        fit.passes
    );
}

/// `[images, width]` around the centres of their classes, with labels.
fn rows(images: usize, width: usize, position: u64) -> (Features, Vec<u16>) {
    let draw = |seed, count| normal(&mut stream(seed, Purpose::Probe, position), count, 1.0);
    let axes = normal(&mut stream(7, Purpose::Probe, 0), DIRECTIONS * width, 1.0);
    let shares = draw(8, images * DIRECTIONS);
    let labels: Vec<u16> = (0..images).map(|image| (image % CLASSES) as u16).collect();
    let mut values = draw(9, images * width);
    for (image, row) in values.chunks_exact_mut(width).enumerate() {
        for direction in 0..DIRECTIONS {
            let centre = if direction == usize::from(labels[image]) { 2.0 } else { 0.0 };
            let along = (centre + shares[image * DIRECTIONS + direction]) / (1.0 + direction as f32).sqrt();
            let axis = &axes[direction * width..(direction + 1) * width];
            row.iter_mut().zip(axis).for_each(|(value, axis)| *value += along * axis);
        }
    }
    (Features { layer: "noise".into(), width, values }, labels)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let found = work();
    (found, start.elapsed().as_secs_f64())
}

/// The highest memory of the process so far, where the system tells.
fn peak_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
