//! Gradients of norm, ReLU and pooling: sums over each channel, then the gradient of every pixel.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::NormPlan;
use crate::kernel::gpu::geometry::pixel_of_group;
use crate::kernel::gpu::layout::empty;
use crate::kernel::gpu::reduce::THREADS;

/// Most channels that a workgroup takes.
const LANES: usize = 64;
/// Most partial results of a norm group.
const SHARES: usize = 64;

/// Pixel of a cell that carries the gradient, and its value before the normalisation; 4 if ReLU has zeroed all of them.
#[cube]
fn winner(raw: &[f32], first: usize, a: f32, b: f32, #[comptime] plan: NormPlan) -> (usize, f32) {
    let [_, width, channels] = comptime!(plan.map);
    let mut value = raw[first];
    let mut best = fma(value, a, b);
    let mut which = 0usize;
    #[unroll]
    for i in 1..comptime!(plan.cell * plan.cell) {
        let v = raw[first + comptime!((i / plan.cell * width + i % plan.cell) * channels)];
        let z = fma(v, a, b);
        if z > best {
            best = z;
            which = i.runtime();
            value = v;
        }
    }
    if comptime!(plan.relu) {
        if best <= 0.0f32 {
            which = comptime!(4usize).runtime();
        }
    }
    (which, value)
}

/// Sums of two values over the threads of a channel, in all of them.
#[cube]
fn over_rows(one: f32, other: f32, scratch: &mut Shared<[f32]>, #[comptime] lanes: usize) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    scratch[unit] = one;
    scratch[unit + THREADS] = other;
    sync_cube();
    let mut sum = 0.0f32;
    let mut other_sum = 0.0f32;
    for i in 0..comptime!(THREADS / lanes) {
        sum += scratch[unit % lanes + i * lanes];
        other_sum += scratch[unit % lanes + i * lanes + THREADS];
    }
    sync_cube();
    (sum, other_sum)
}

/// Index of the first pixel of a whole cell.
#[cube]
fn first_pixel(place: usize, channel: usize, #[comptime] plan: NormPlan) -> usize {
    let [height, width, channels] = comptime!(plan.map);
    let [rows, columns] = comptime!(plan.cells());
    let row = place / columns % rows * comptime!(plan.cell);
    let column = place % columns * comptime!(plan.cell);
    ((place / comptime!(columns * rows) * height + row) * width + column) * channels + channel
}

/// `part[group, share, 2, c]`: sums of dz and of dz q over a share of the group's whole cells, with `q = (raw - mean) / deviation`. With
/// the output `y` of a unit with a residual, whose cells are pixels: its ReLU masks the gradient, which is written to `masked`.
#[cube(launch_unchecked)]
fn sums_kernel(
    raw: &[f32],
    coefficients: &[f32],
    g: &[f32],
    y: ComptimeOption<&[f32]>,
    mut masked: ComptimeOption<&mut [f32]>,
    part: &mut [f32],
    places: u32,
    shares: u32,
    share: u32,
    #[comptime] plan: NormPlan,
    #[comptime] lanes: usize,
) {
    let channels = comptime!(plan.map[2]);
    let [rows, columns] = comptime!(plan.cells());
    let unit = UNIT_POS as usize;
    let group = CUBE_POS_X as usize / shares as usize;
    let channel = CUBE_POS_Y as usize * lanes + unit % lanes;
    let start = CUBE_POS_X as usize % shares as usize * share as usize;
    let end = min(start + share as usize, places as usize);
    let mut alone = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels {
        let at = group * comptime!(4 * channels) + channel;
        let mean = coefficients[at];
        let inverse = coefficients[at + channels];
        let a = coefficients[at + comptime!(2 * channels)];
        let b = coefficients[at + comptime!(3 * channels)];
        let mut index = start + unit / lanes;
        while index < end {
            let place = pixel_of_group(index, group, comptime!(rows * columns), plan.groups);
            let (which, value) = winner(raw, first_pixel(place, channel, plan), a, b, plan);
            if which < 4 {
                let mut dz = g[place * channels + channel];
                #[comptime]
                if let ComptimeOption::Some(y) = &y {
                    dz = select(y[place * channels + channel] > 0.0f32, dz, 0.0f32);
                }
                #[comptime]
                if let ComptimeOption::Some(masked) = &mut masked {
                    masked[place * channels + channel] = dz;
                }
                alone += dz;
                product += dz * (value - mean) * inverse;
            }
            index += comptime!(THREADS / lanes);
        }
    }
    let mut scratch = Shared::<[f32]>::new_slice(comptime!(2 * THREADS));
    let (alone, product) = over_rows(alone, product, &mut scratch, lanes);
    if unit < lanes && channel < channels {
        let at = CUBE_POS_X as usize * comptime!(2 * channels) + channel;
        part[at] = alone;
        part[at + channels] = product;
    }
}

/// Sums of the partial results of one norm group and channel, in all threads of the channel.
#[cube]
fn merge_shares(
    part: &[f32],
    group: usize,
    shares: usize,
    channel: usize,
    scratch: &mut Shared<[f32]>,
    #[comptime] channels: usize,
    #[comptime] lanes: usize,
) -> (f32, f32) {
    let unit = UNIT_POS as usize;
    let mut alone = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels {
        let mut i = unit / lanes;
        while i < shares {
            let at = (group * shares + i) * comptime!(2 * channels) + channel;
            alone += part[at];
            product += part[at + channels];
            i += comptime!(THREADS / lanes);
        }
    }
    over_rows(alone, product, scratch, lanes)
}

/// `draw = a (dz - mean(dz) - q mean(dz q))` for every pixel of a share of the group's cells; the first workgroup of a block of channels
/// also writes the gradients of scale and shift.
#[cube(launch_unchecked)]
fn gradient_kernel(
    raw: &[f32],
    coefficients: &[f32],
    g: &[f32],
    part: &[f32],
    draw: &mut [f32],
    dscale: &mut [f32],
    dshift: &mut [f32],
    images: u32,
    blocks: u32,
    shares: u32,
    #[comptime] plan: NormPlan,
    #[comptime] lanes: usize,
) {
    let channels = comptime!(plan.map[2]);
    let [all_rows, all_columns] = comptime!(plan.all_cells());
    let unit = UNIT_POS as usize;
    let blocks = blocks as usize;
    let group = CUBE_POS_X as usize / blocks;
    let channel = CUBE_POS_Y as usize * lanes + unit % lanes;
    let mut scratch = Shared::<[f32]>::new_slice(comptime!(2 * THREADS));
    let mut all_alone = 0.0f32;
    let mut all_product = 0.0f32;
    let mut alone = 0.0f32;
    let mut product = 0.0f32;
    for other in 0..comptime!(plan.groups) {
        let (sum, sum_product) = merge_shares(part, other, shares as usize, channel, &mut scratch, channels, lanes);
        all_alone += sum;
        all_product += sum_product;
        if other == group {
            alone = sum;
            product = sum_product;
        }
    }
    if channel < channels {
        if CUBE_POS_X == 0 && unit < lanes {
            dscale[channel] = all_product;
            dshift[channel] = all_alone;
        }
        let images_of_group = images as usize / comptime!(plan.groups);
        let n = f32::cast_from(images_of_group * comptime!(plan.pixels()));
        let places = images_of_group * comptime!(all_rows * all_columns);
        let mut index = CUBE_POS_X as usize % blocks * comptime!(THREADS / lanes) + unit / lanes;
        while index < places {
            let place = pixel_of_group(index, group, comptime!(all_rows * all_columns), plan.groups);
            cell_gradient(raw, coefficients, g, draw, place, channel, group, alone / n, product / n, plan);
            index += blocks * comptime!(THREADS / lanes);
        }
    }
}

/// Gradient of the pixels of one cell and channel.
#[cube]
fn cell_gradient(
    raw: &[f32],
    coefficients: &[f32],
    g: &[f32],
    draw: &mut [f32],
    place: usize,
    channel: usize,
    group: usize,
    mean_dz: f32,
    mean_product: f32,
    #[comptime] plan: NormPlan,
) {
    let [height, width, channels] = comptime!(plan.map);
    let [rows, columns] = comptime!(plan.cells());
    let [all_rows, all_columns] = comptime!(plan.all_cells());
    let at = group * comptime!(4 * channels) + channel;
    let mean = coefficients[at];
    let inverse = coefficients[at + channels];
    let a = coefficients[at + comptime!(2 * channels)];
    let b = coefficients[at + comptime!(3 * channels)];
    let column = place % all_columns;
    let row = place / all_columns % all_rows;
    let image = place / comptime!(all_columns * all_rows);
    let first =
        ((image * height + row * comptime!(plan.cell)) * width + column * comptime!(plan.cell)) * channels + channel;
    let mut which = comptime!(4usize).runtime();
    let mut gradient = 0.0f32;
    if row < rows && column < columns {
        let (best, _value) = winner(raw, first, a, b, plan);
        which = best;
        gradient = g[((image * rows + row) * columns + column) * channels + channel];
    }
    #[unroll]
    for i in 0..comptime!(plan.cell * plan.cell) {
        let down = row * comptime!(plan.cell) + comptime!(i / plan.cell);
        let across = column * comptime!(plan.cell) + comptime!(i % plan.cell);
        if down < height && across < width {
            let at = first + comptime!((i / plan.cell * width + i % plan.cell) * channels);
            let dz = select(which == i, gradient, 0.0f32);
            let q = (raw[at] - mean) * inverse;
            draw[at] = a * (dz - mean_dz - q * mean_product);
        }
    }
}

/// Tensors of a residual, NHWC.
pub struct Residual {
    /// Output of the unit.
    pub y: CubeTensor,
    /// Place for the gradient of the residual.
    pub gradient: CubeTensor,
}

/// Gradients of `raw` (NHWC), scale and shift, out of the gradient `g` of the output (NHWC).
pub fn backward(
    raw: CubeTensor,
    coefficients: CubeTensor,
    g: CubeTensor,
    residual: Option<Residual>,
    plan: NormPlan,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let [images, _, _, channels] = raw.meta.shape().dims();
    let lanes = channels.next_power_of_two().min(LANES);
    let across = channels.div_ceil(lanes) as u32;
    // behind the mask, the gradient of the residual is that of the norm's output
    let (y, masked) = residual.map(|Residual { y, gradient }| (y, gradient)).unzip();
    let part = sums(&raw, &coefficients, &g, (y, masked.clone()), plan, lanes);
    let g = masked.unwrap_or(g);
    let [_, shares, _, _] = part.meta.shape().dims();
    let draw = empty(&raw, raw.meta.shape().clone());
    let dscale = empty(&raw, [channels]);
    let dshift = empty(&raw, [channels]);
    let [all_rows, all_columns] = plan.all_cells();
    let places = images / plan.groups * all_rows * all_columns;
    let blocks = (places * lanes).div_ceil(4 * THREADS).clamp(1, 16 * SHARES);
    let client = raw.client.clone();
    // SAFETY: pixels outside of the map and channels beyond the last are skipped
    unsafe {
        gradient_kernel::launch_unchecked(
            &client,
            CubeCount::Static((plan.groups * blocks) as u32, across, 1),
            CubeDim::new_1d(THREADS as u32),
            raw.into_buffer_arg(),
            coefficients.into_buffer_arg(),
            g.into_buffer_arg(),
            part.into_buffer_arg(),
            draw.clone().into_buffer_arg(),
            dscale.clone().into_buffer_arg(),
            dshift.clone().into_buffer_arg(),
            images as u32,
            blocks as u32,
            shares as u32,
            plan,
            lanes,
        );
    }
    (draw, dscale, dshift)
}

/// Partial sums over the channels, `[groups, shares, 2, c]`.
fn sums(
    raw: &CubeTensor,
    coefficients: &CubeTensor,
    g: &CubeTensor,
    (y, masked): (Option<CubeTensor>, Option<CubeTensor>),
    plan: NormPlan,
    lanes: usize,
) -> CubeTensor {
    let [images, _, _, channels] = raw.meta.shape().dims();
    let [rows, columns] = plan.cells();
    let places = images / plan.groups * rows * columns;
    let shares = (places * lanes).div_ceil(4 * THREADS).clamp(1, SHARES);
    let share = places.div_ceil(shares);
    let part = empty(raw, [plan.groups, shares, 2, channels]);
    let client = raw.client.clone();
    // SAFETY: cells beyond the share and channels beyond the last are skipped
    unsafe {
        sums_kernel::launch_unchecked(
            &client,
            CubeCount::Static((plan.groups * shares) as u32, channels.div_ceil(lanes) as u32, 1),
            CubeDim::new_1d(THREADS as u32),
            raw.clone().into_buffer_arg(),
            coefficients.clone().into_buffer_arg(),
            g.clone().into_buffer_arg(),
            y.map(CubeTensor::into_buffer_arg).into(),
            masked.map(CubeTensor::into_buffer_arg).into(),
            part.clone().into_buffer_arg(),
            places as u32,
            shares as u32,
            share as u32,
            plan,
            lanes,
        );
    }
    part
}
