//! Statistics out of partial results, then norm, ReLU and pooling in one pass.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::NormPlan;
use crate::kernel::UnitConfig;
use crate::kernel::gpu::layout::{empty, one_thread_each};
use crate::kernel::gpu::reduce::{THREADS, total};

/// One workgroup per channel: mean and biased variance of every norm group out of the partial results (Chan et al.), and the
/// running statistics, updated once for each view with the mean over its groups.
#[cube(launch_unchecked)]
fn merge_kernel(
    part: &[f32],
    running_mean: &[f32],
    running_var: &[f32],
    moments: &mut [f32],
    new_mean: &mut [f32],
    new_var: &mut [f32],
    pixels: u32,
    workgroups: u32,
    momentum: f32,
    #[comptime] channels: usize,
    #[comptime] groups: usize,
    #[comptime] views: usize,
) {
    let channel = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let workgroups = workgroups as usize;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut moved_mean = running_mean[channel];
    let mut moved_var = running_var[channel];
    for view in 0..views {
        let mut mean_of_groups = 0.0f32;
        let mut var_of_groups = 0.0f32;
        for own in 0..comptime!(groups / views) {
            let group = own * views + view;
            let at = (group * workgroups + unit) * comptime!(3 * channels) + channel;
            let mut count = 0.0f32;
            let mut mean = 0.0f32;
            let mut squares = 0.0f32;
            if unit < workgroups {
                count = part[at];
                mean = part[at + channels];
                squares = part[at + comptime!(2 * channels)];
            }
            let centre = total(mean * count, &mut scratch) / f32::cast_from(pixels);
            let off = mean - centre;
            let squares = total(squares + off * off * count, &mut scratch);
            if unit == 0 {
                moments[group * comptime!(2 * channels) + channel] = centre;
                moments[group * comptime!(2 * channels) + channel + channels] = squares / f32::cast_from(pixels);
            }
            mean_of_groups += centre / comptime!((groups / views) as f32);
            var_of_groups += squares / f32::cast_from(max(pixels, 2u32) - 1u32) / comptime!((groups / views) as f32);
        }
        moved_mean += momentum * (mean_of_groups - moved_mean);
        moved_var += momentum * (var_of_groups - moved_var);
    }
    if unit == 0 {
        new_mean[channel] = moved_mean;
        new_var[channel] = moved_var;
    }
}

/// One thread per output value. The first threads also write `coefficients[group, 4, c]`: mean, 1 / deviation, and the factor a
/// and the summand b of `z = a raw + b`.
#[cube(launch_unchecked)]
fn apply_kernel(
    raw: &[f32],
    scale: &[f32],
    shift: &[f32],
    moments: &[f32],
    residual: ComptimeOption<&[f32]>,
    y: &mut [f32],
    coefficients: &mut [f32],
    epsilon: f32,
    #[comptime] plan: NormPlan,
) {
    let [height, width, channels] = comptime!(plan.map);
    let [rows, columns] = comptime!(plan.cells());
    if ABSOLUTE_POS < comptime!(plan.groups * channels) {
        let channel = ABSOLUTE_POS % channels;
        let group = ABSOLUTE_POS / channels;
        let at = group * comptime!(2 * channels) + channel;
        let inverse = 1.0f32 / f32::sqrt(moments[at + channels] + epsilon);
        let to = group * comptime!(4 * channels) + channel;
        coefficients[to] = moments[at];
        coefficients[to + channels] = inverse;
        coefficients[to + comptime!(2 * channels)] = scale[channel] * inverse;
        coefficients[to + comptime!(3 * channels)] = shift[channel] - moments[at] * scale[channel] * inverse;
    }
    if ABSOLUTE_POS < y.len() {
        let channel = ABSOLUTE_POS % channels;
        let place = ABSOLUTE_POS / channels;
        let column = place % columns;
        let row = place / columns % rows;
        let image = place / comptime!(columns * rows);
        let at = image % comptime!(plan.groups) * comptime!(2 * channels) + channel;
        let a = scale[channel] / f32::sqrt(moments[at + channels] + epsilon);
        let b = shift[channel] - moments[at] * a;
        let first = ((image * height + row * comptime!(plan.cell)) * width + column * comptime!(plan.cell)) * channels
            + channel;
        let mut best = fma(raw[first], a, b);
        #[unroll]
        for i in 1..comptime!(plan.cell * plan.cell) {
            let at = first + comptime!((i / plan.cell * width + i % plan.cell) * channels);
            best = max(best, fma(raw[at], a, b));
        }
        #[comptime]
        if let ComptimeOption::Some(residual) = &residual {
            best += residual[ABSOLUTE_POS];
        }
        if comptime!(plan.relu) {
            best = max(best, 0.0f32);
        }
        y[ABSOLUTE_POS] = best;
    }
}

/// Batch norm's parameters: scale, shift and the running statistics, `[c]` each.
pub struct Affine {
    pub scale: CubeTensor,
    pub shift: CubeTensor,
    pub running_mean: CubeTensor,
    pub running_var: CubeTensor,
}

/// Results of the forward pass.
pub struct Normalised {
    /// Output, NHWC.
    pub y: CubeTensor,
    /// `[groups, 4, c]`, for the backward pass.
    pub coefficients: CubeTensor,
    pub running_mean: CubeTensor,
    pub running_var: CubeTensor,
}

/// Normalises the NHWC map `raw` by the partial statistics `part`, `[groups, p, 3, c]`, and adds the residual (NHWC) before ReLU.
pub fn forward(
    raw: &CubeTensor,
    part: CubeTensor,
    affine: Affine,
    residual: Option<CubeTensor>,
    plan: NormPlan,
    config: UnitConfig,
) -> Normalised {
    let [images, ..] = raw.meta.shape().dims::<4>();
    let [groups, workgroups, _, channels] = part.meta.shape().dims();
    let client = raw.client.clone();
    let moments = empty(raw, [groups, 2, channels]);
    let running_mean = empty(raw, [channels]);
    let running_var = empty(raw, [channels]);
    // SAFETY: one workgroup per channel, and at most as many partial results as threads
    unsafe {
        merge_kernel::launch_unchecked(
            &client,
            CubeCount::Static(channels as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            part.into_buffer_arg(),
            into_contiguous(affine.running_mean).into_buffer_arg(),
            into_contiguous(affine.running_var).into_buffer_arg(),
            moments.clone().into_buffer_arg(),
            running_mean.clone().into_buffer_arg(),
            running_var.clone().into_buffer_arg(),
            (images / groups * plan.pixels()) as u32,
            workgroups as u32,
            config.momentum,
            channels,
            groups,
            config.views,
        );
    }
    let [rows, columns] = plan.cells();
    let y = empty(raw, [images, rows, columns, channels]);
    let coefficients = empty(raw, [groups, 4, channels]);
    let (count, dim) = one_thread_each(raw, y.meta.num_elements().max(groups * channels));
    // SAFETY: threads beyond the last value do nothing; a cell lies within the map
    unsafe {
        apply_kernel::launch_unchecked(
            &client,
            count,
            dim,
            raw.clone().into_buffer_arg(),
            into_contiguous(affine.scale).into_buffer_arg(),
            into_contiguous(affine.shift).into_buffer_arg(),
            moments.into_buffer_arg(),
            residual.map(CubeTensor::into_buffer_arg).into(),
            y.clone().into_buffer_arg(),
            coefficients.clone().into_buffer_arg(),
            config.epsilon,
            plan,
        );
    }
    Normalised { y, coefficients, running_mean, running_var }
}
