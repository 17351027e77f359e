//! What a training step costs on the CPU:
//! `cargo test --release --lib timing -- --ignored --nocapture --test-threads=1`.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use super::{BatchNorm, Encoder, EncoderConfig, EncoderKind, Init};
use crate::rng::{Purpose, stream};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = crate::rng::uniform(&mut stream(1, Purpose::Views, 0), shape.iter().product(), 0.0, 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The median of several runs in ms, after one to warm up.
fn median(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn steps(name: &str, config: &EncoderConfig, shape: [usize; 4], runs: usize) {
    let device = Device::flex().autodiff();
    let encoder =
        Encoder::init(config, shape[1], &mut Init::new(stream(1, Purpose::Weights, 0), &device)).expect("a model");
    let x = random(shape, &device);
    let plain = encoder.valid();
    let inference = median(runs, || drop(plain.forward(x.clone().inner())));
    let forward = median(runs, || drop(encoder.forward(x.clone())));
    let both = median(runs, || drop(encoder.forward(x.clone()).square().mean().backward()));
    println!("{name} {shape:?}: inference {inference:.1} ms, forward {forward:.1} ms, forward + backward {both:.1} ms");
}

#[test]
#[ignore = "measures, proves nothing"]
fn small_encoder() {
    steps("small 32", &EncoderConfig::small(32), [256, 1, 28, 28], 7);
}

#[test]
#[ignore = "measures, proves nothing"]
fn residual_encoder() {
    steps("resnet18-cifar", &EncoderConfig::published(EncoderKind::Resnet18Cifar, "cifar-10"), [64, 3, 32, 32], 3);
}

#[test]
#[ignore = "measures, proves nothing"]
fn parts() {
    let device = Device::flex().autodiff();
    let shapes = [[256, 1, 28, 32], [256, 32, 14, 64], [256, 64, 7, 128], [256, 128, 3, 128]];
    for [n, input, side, output] in shapes {
        let options = || ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
        let (x, w) = (random([n, input, side, side], &device), random([output, input, 3, 3], &device));
        let (xg, wg) = (x.clone().require_grad(), w.clone().require_grad());
        let forward = median(5, || drop(conv2d(x.clone().inner(), w.clone().inner(), None, options())));
        let only = |x: &Tensor<4>, w: &Tensor<4>| {
            let y = conv2d(x.clone(), w.clone(), None, options());
            let g = random(y.dims(), &device).inner();
            median(5, || {
                let y = conv2d(x.clone(), w.clone(), None, options());
                drop((y * Tensor::from_inner(g.clone())).sum().backward());
            })
        };
        let (data, weight) = (only(&xg, &w), only(&x, &wg));
        let norm = BatchNorm::init(output, true, &mut Init::new(stream(1, Purpose::Weights, 0), &device));
        let y = random([n, output, side, side], &device).require_grad();
        let norm_forward = median(5, || drop(norm.forward(y.clone())));
        let norm_both = median(5, || drop(norm.forward(y.clone()).sum().backward()));
        let relu = median(5, || drop(burn::tensor::activation::relu(y.clone()).sum().backward()));
        let pool = median(5, || drop(max_pool2d(y.clone(), MaxPoolOptions::new([2, 2])).sum().backward()));
        let sum = median(5, || drop(y.clone().sum().backward()));
        let pass = median(5, || drop(y.clone().inner() * 2.0));
        println!(
            "{input}->{output} at {side}: conv {forward:.1}, with data gradient {data:.1}, with weight gradient {weight:.1}; \
             norm {norm_forward:.1}, both ways {norm_both:.1}; relu {relu:.1}; pool {pool:.1}; sum {sum:.1}; pass {pass:.1}"
        );
    }
}
