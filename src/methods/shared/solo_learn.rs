//! Common settings of solo-learn's CIFAR-10 recipes (da Costa et al. 2022).

use crate::config::{Preset, RunConfig};
use crate::net::{EncoderConfig, EncoderKind};
use crate::optim::{OptimizerConfig, OptimizerKind, Schedule};

/// ResNet-18, 256 images a step, 1000 epochs with 10 epochs of warm-up and cosine decay, and LARS with a trust coefficient of
/// 0.02, whose ratio is at most the learning rate; vectors have neither weight decay nor a trust ratio.
pub(crate) fn cifar(method: &str, data: &str, lr: f64, weight_decay: f64) -> RunConfig {
    let lars = OptimizerConfig::lars(lr, weight_decay).with_kind(OptimizerKind::LarsSolo);
    RunConfig {
        method: method.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 256,
        epochs: 1000,
        encoder: EncoderConfig::published(EncoderKind::Resnet18Cifar, data),
        optimizer: OptimizerConfig { trust: 0.02, ..lars },
        schedule: Schedule::cosine(10.0),
        ..RunConfig::default()
    }
}
