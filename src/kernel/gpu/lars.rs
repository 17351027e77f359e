//! Steps of LARS and LARC in place: the norms of weights and gradient, then the update with the trust ratio.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;
use super::reduce::{PARTIALS, THREADS, total};
use super::update::{own, stepped};
use crate::kernel::{LarsStep, TrustRule};

/// Values that a thread of the update computes, before more workgroups are launched.
const VALUES_EACH: usize = 4;
/// Most workgroups of the update.
const MOST: usize = 4096;

/// `part[0, p]` and `part[1, p]`: shares of the sums of squares of w and of the gradient, `g + decay w`.
#[cube(launch_unchecked)]
fn norms_kernel(w: &[f32], g: &[f32], part: &mut [f32], decay: f32) {
    let workgroups = part.len() / 2;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut weights = 0.0f32;
    let mut gradients = 0.0f32;
    let mut at = CUBE_POS_X as usize * THREADS + UNIT_POS as usize;
    while at < w.len() {
        let gradient = g[at] + decay * w[at];
        weights += w[at] * w[at];
        gradients += gradient * gradient;
        at += workgroups * THREADS;
    }
    let weights = total(weights, &mut scratch);
    let gradients = total(gradients, &mut scratch);
    if UNIT_POS == 0 {
        part[CUBE_POS_X as usize] = weights;
        part[workgroups + CUBE_POS_X as usize] = gradients;
    }
}

/// Every workgroup sums the shares itself, at most one per thread.
#[cube(launch_unchecked)]
fn update_kernel(
    part: &[f32],
    w: &mut [f32],
    g: &[f32],
    b: &mut [f32],
    workgroups: u32,
    lr: f32,
    decay: f32,
    momentum: f32,
    trust: f32,
    epsilon: f32,
    #[comptime] rule: TrustRule,
) {
    let shares = part.len() / 2;
    let unit = UNIT_POS as usize;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut weights = 0.0f32;
    let mut gradients = 0.0f32;
    if unit < shares {
        weights = part[unit];
        gradients = part[shares + unit];
    }
    let weights = f32::sqrt(total(weights, &mut scratch));
    let gradients = f32::sqrt(total(gradients, &mut scratch));
    let mut ratio = 1.0f32;
    let mut decay = decay;
    if weights > 0.0f32 && gradients > 0.0f32 {
        if comptime!(rule.is_larc()) {
            ratio = trust * weights / (gradients + decay * weights + epsilon);
            if comptime!(rule.is_limited()) {
                ratio = min(ratio / lr, 1.0f32);
            }
        } else {
            ratio = trust * weights / gradients;
        }
    } else if comptime!(rule.is_larc()) {
        decay = 0.0f32;
    }
    let mut at = CUBE_POS_X as usize * THREADS + unit;
    while at < w.len() {
        let gradient = (g[at] + decay * w[at]) * ratio;
        let (weight, buffer) = stepped(w[at], gradient, b[at], lr, momentum, comptime!(rule.momentum()));
        w[at] = weight;
        b[at] = buffer;
        at += workgroups as usize * THREADS;
    }
}

/// New weights and momentum of one parameter.
pub(super) fn update(w: CubeTensor, g: CubeTensor, b: CubeTensor, step: LarsStep) -> (CubeTensor, CubeTensor) {
    let w = own(w);
    let g = into_contiguous(g);
    let b = own(b);
    let client = w.client.clone();
    let units = w.meta.num_elements();
    let shares = units.div_ceil(16 * THREADS).clamp(1, PARTIALS);
    let workgroups = units.div_ceil(VALUES_EACH * THREADS).clamp(1, MOST);
    let part = empty(&w, [2, shares]);
    let dim = CubeDim::new_1d(THREADS as u32);
    let decay_in_norm = if step.rule.is_larc() { 0.0 } else { step.decay };
    // SAFETY: indices stay below the one length of the three tensors
    unsafe {
        norms_kernel::launch_unchecked(
            &client,
            CubeCount::Static(shares as u32, 1, 1),
            dim,
            w.clone().into_buffer_arg(),
            g.clone().into_buffer_arg(),
            part.clone().into_buffer_arg(),
            decay_in_norm,
        );
        update_kernel::launch_unchecked(
            &client,
            CubeCount::Static(workgroups as u32, 1, 1),
            dim,
            part.into_buffer_arg(),
            w.clone().into_buffer_arg(),
            g.into_buffer_arg(),
            b.clone().into_buffer_arg(),
            workgroups as u32,
            step.lr,
            step.decay,
            step.momentum,
            step.trust,
            step.epsilon,
            step.rule,
        );
    }
    (w, b)
}
