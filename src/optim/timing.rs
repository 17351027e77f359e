//! What a step of the optimiser costs on the CPU:
//! `cargo test --release --lib optim::timing -- --ignored --nocapture --test-threads=1`.

use std::time::Instant;

use burn::tensor::{Device, Tensor};

use super::{Optimizer, OptimizerConfig};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init};
use crate::rng::{Purpose, stream};

#[test]
#[ignore = "measures, proves nothing"]
fn optimizer() {
    let device = Device::flex().autodiff();
    let kinds = [(EncoderConfig::small(32), 28), (EncoderConfig::published(EncoderKind::Resnet18Cifar, "gray"), 8)];
    for (config, side) in kinds {
        for optimizer in
            [OptimizerConfig::sgd(0.01, 1e-4), OptimizerConfig::lars(0.01, 1e-4), OptimizerConfig::adamw(0.01, 1e-4)]
        {
            let mut model = Some(
                Encoder::init(&config, 1, &mut Init::new(stream(1, Purpose::Weights, 0), &device)).expect("a model"),
            );
            let (x, kind) = (Tensor::<4>::ones([2, 1, side, side], &device), optimizer.kind);
            let mut moving = Optimizer::new(optimizer, Vec::new());
            let mut spent = Vec::new();
            for step in 0..6 {
                let held = model.take().expect("put back below");
                let mut gradients = held.forward(x.clone()).square().mean().backward();
                let start = Instant::now();
                model = Some(moving.step(held, &mut gradients, 0.01, step));
                spent.push(start.elapsed().as_secs_f64() * 1e3);
            }
            spent.sort_by(f64::total_cmp);
            println!("{:?}, {kind:?}: {:.2} ms a step", config.kind, spent[3]);
        }
    }
}
