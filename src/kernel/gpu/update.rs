//! Optimiser steps in place: SGD with momentum on two parameters per launch, Adam and AdamW on one.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::one_thread_each;
use crate::kernel::{AdamStep, MomentumRule, SgdStep};

/// New weight and momentum of one value, by the formulas of [`MomentumRule`].
#[cube]
pub(super) fn stepped(
    weight: f32,
    gradient: f32,
    buffer: f32,
    lr: f32,
    momentum: f32,
    #[comptime] rule: MomentumRule,
) -> (f32, f32) {
    let mut added = gradient;
    if comptime!(rule == MomentumRule::RateInside) {
        added = lr * gradient;
    }
    let buffer = momentum * buffer + added;
    let mut change = buffer;
    if comptime!(rule == MomentumRule::Nesterov) {
        change = lr * (momentum * buffer + gradient);
    } else if comptime!(rule == MomentumRule::Plain) {
        change = lr * buffer;
    }
    (weight - change, buffer)
}

/// One value, with weight decay in the gradient.
#[cube]
fn update(w: &mut [f32], g: &[f32], b: &mut [f32], lr: f32, decay: f32, momentum: f32, #[comptime] rule: MomentumRule) {
    if ABSOLUTE_POS < w.len() {
        let gradient = g[ABSOLUTE_POS] + decay * w[ABSOLUTE_POS];
        let (weight, buffer) = stepped(w[ABSOLUTE_POS], gradient, b[ABSOLUTE_POS], lr, momentum, rule);
        w[ABSOLUTE_POS] = weight;
        b[ABSOLUTE_POS] = buffer;
    }
}

/// One thread per value of the longer parameter.
#[cube(launch_unchecked)]
fn pair_kernel(
    w1: &mut [f32],
    g1: &[f32],
    b1: &mut [f32],
    w2: &mut [f32],
    g2: &[f32],
    b2: &mut [f32],
    lr1: f32,
    decay1: f32,
    lr2: f32,
    decay2: f32,
    momentum: f32,
    #[comptime] rule: MomentumRule,
) {
    update(w1, g1, b1, lr1, decay1, momentum, rule);
    update(w2, g2, b2, lr2, decay2, momentum, rule);
}

/// One thread per value.
#[cube(launch_unchecked)]
fn single_kernel(
    w: &mut [f32],
    g: &[f32],
    b: &mut [f32],
    lr: f32,
    decay: f32,
    momentum: f32,
    #[comptime] rule: MomentumRule,
) {
    update(w, g, b, lr, decay, momentum, rule);
}

/// One thread per value: `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`, `w -= rate m / (sqrt(v) root +
/// epsilon)`, with the bias corrections in `rate` and `root`. Weight decay is in the gradient, or decoupled in `keep`, the
/// factor of w.
#[cube(launch_unchecked)]
fn adam_kernel(
    w: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    rate: f32,
    root: f32,
    keep: f32,
    decay: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
) {
    if ABSOLUTE_POS < w.len() {
        let weight = w[ABSOLUTE_POS];
        let gradient = g[ABSOLUTE_POS] + decay * weight;
        let first = beta1 * m[ABSOLUTE_POS] + (1.0f32 - beta1) * gradient;
        let second = beta2 * v[ABSOLUTE_POS] + (1.0f32 - beta2) * gradient * gradient;
        m[ABSOLUTE_POS] = first;
        v[ABSOLUTE_POS] = second;
        w[ABSOLUTE_POS] = keep * weight - rate * first / (f32::sqrt(second) * root + epsilon);
    }
}

/// The tensor itself if nothing else refers to it, else a copy.
pub(super) fn own(x: CubeTensor) -> CubeTensor {
    let x = into_contiguous(x);
    if x.can_mut() { x } else { x.copy() }
}

/// New weights and momentum of one parameter.
pub(super) fn single(w: CubeTensor, g: CubeTensor, b: CubeTensor, step: SgdStep) -> (CubeTensor, CubeTensor) {
    let w = own(w);
    let g = into_contiguous(g);
    let b = own(b);
    let client = w.client.clone();
    let (count, dim) = one_thread_each(&w, w.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; the three tensors have one length
    unsafe {
        single_kernel::launch_unchecked(
            &client,
            count,
            dim,
            w.clone().into_buffer_arg(),
            g.into_buffer_arg(),
            b.clone().into_buffer_arg(),
            step.lr,
            step.decay,
            step.momentum,
            step.rule,
        );
    }
    (w, b)
}

/// New weights and momentum of two parameters; each of `first` and `second` is weights, gradient and momentum. Momentum factor and
/// rule are those of the first step.
pub(super) fn pair(first: [CubeTensor; 3], second: [CubeTensor; 3], steps: [SgdStep; 2]) -> [CubeTensor; 4] {
    let [w1, g1, b1] = first;
    let [w2, g2, b2] = second;
    let [w1, b1, w2, b2] = [w1, b1, w2, b2].map(own);
    let client = w1.client.clone();
    let (count, dim) = one_thread_each(&w1, w1.meta.num_elements().max(w2.meta.num_elements()));
    // SAFETY: as for one parameter
    unsafe {
        pair_kernel::launch_unchecked(
            &client,
            count,
            dim,
            w1.clone().into_buffer_arg(),
            into_contiguous(g1).into_buffer_arg(),
            b1.clone().into_buffer_arg(),
            w2.clone().into_buffer_arg(),
            into_contiguous(g2).into_buffer_arg(),
            b2.clone().into_buffer_arg(),
            steps[0].lr,
            steps[0].decay,
            steps[1].lr,
            steps[1].decay,
            steps[0].momentum,
            steps[0].rule,
        );
    }
    [w1, b1, w2, b2]
}

/// New weights and moments of one parameter; `moments` are m and v.
pub(super) fn adam(w: CubeTensor, g: CubeTensor, moments: [CubeTensor; 2], step: AdamStep) -> [CubeTensor; 3] {
    let w = own(w);
    let g = into_contiguous(g);
    let [m, v] = moments.map(own);
    let client = w.client.clone();
    let (count, dim) = one_thread_each(&w, w.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; the four tensors have one length
    unsafe {
        adam_kernel::launch_unchecked(
            &client,
            count,
            dim,
            w.clone().into_buffer_arg(),
            g.into_buffer_arg(),
            m.clone().into_buffer_arg(),
            v.clone().into_buffer_arg(),
            step.rate,
            step.root,
            step.keep,
            step.decay,
            step.beta1,
            step.beta2,
            step.epsilon,
        );
    }
    [w, m, v]
}
