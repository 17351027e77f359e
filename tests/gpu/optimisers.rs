//! Optimiser steps: weights after several updates.

use burn::tensor::{Device, Tensor};
use nolabel::net::ema::{ema_update, momentum_copy};
use nolabel::net::tensors::gather;
use nolabel::net::{Init, Mlp, MlpPlan};
use nolabel::optim::{Optimizer, OptimizerConfig, OptimizerKind};
use nolabel::rng::{Purpose, stream};

use crate::device::{Results, assert_same, random, result};

#[test]
fn three_steps_of_every_rule_are_the_cpus() {
    for kind in OptimizerKind::ALL {
        let config = OptimizerConfig { weight_decay: 0.1, ..OptimizerConfig::sgd(0.1, 0.1).with_kind(kind) };
        assert_same(&format!("{kind:?}"), 1e-4, |device: &Device| -> Results {
            // an odd number of parameters, of several lengths
            let plan = MlpPlan { output_bias: true, ..MlpPlan::normed(vec![7, 3]) };
            let mut model: Mlp = plan.init(5, &mut Init::new(stream(1, Purpose::Weights, 0), device));
            let mut optimizer = Optimizer::new(config.clone(), Vec::new());
            for step in 0..3 {
                let x = Tensor::<2>::from_data(random(step, &[8, 5]), device);
                let mut gradients = model.forward(x).square().mean().backward();
                optimizer.collect(&model, &mut gradients);
                model = optimizer.step(model, 0.1, step as usize);
            }
            gather(&model).into_iter().map(|tensor| result(&tensor.name, tensor.values)).collect()
        });
    }
}

#[test]
fn momentum_encoders_follow_as_on_the_cpu() {
    assert_same("a momentum encoder", 1e-6, |device: &Device| -> Results {
        // parameters of several lengths, more than a launch takes
        let plan = MlpPlan { output_bias: true, ..MlpPlan::normed(vec![7, 4, 3]) };
        let net = |seed| -> Mlp { plan.init(5, &mut Init::new(stream(seed, Purpose::Weights, 0), device)) };
        let online = net(1);
        let mut target = momentum_copy(&net(2));
        for _ in 0..2 {
            target = ema_update(target, &online, 0.9);
        }
        gather(&target).into_iter().map(|tensor| result(&tensor.name, tensor.values)).collect()
    });
}
