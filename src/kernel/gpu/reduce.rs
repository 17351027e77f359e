//! Reductions over the threads of a workgroup.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;

/// Threads of a workgroup that reduces.
pub(super) const THREADS: usize = 256;

/// Most workgroups that write a partial sum each.
pub(super) const PARTIALS: usize = 256;

/// Sum, or largest value, of `mine` over each run of `lanes` threads (a power of two); all threads of the run get it. `scratch` has a word
/// for every thread.
#[cube]
pub(super) fn over_lanes(
    mine: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] lanes: usize,
    #[comptime] is_sum: bool,
) -> f32 {
    let unit = UNIT_POS as usize;
    scratch[unit] = mine;
    sync_cube();
    let mut half = comptime!(lanes / 2).runtime();
    while half > 0 {
        if unit % lanes < half {
            let other = scratch[unit + half];
            if comptime!(is_sum) {
                scratch[unit] = scratch[unit] + other;
            } else {
                scratch[unit] = max(scratch[unit], other);
            }
        }
        sync_cube();
        half /= 2;
    }
    let all = scratch[unit / lanes * lanes];
    sync_cube();
    all
}

/// Sum over all threads of the workgroup, for all of them.
#[cube]
pub(super) fn total(mine: f32, scratch: &mut Shared<[f32]>) -> f32 {
    over_lanes(mine, scratch, THREADS, true)
}

/// Row of a matrix that a run of `lanes` threads works on: its values are `first` to `first + end`, and there are none beyond the last row.
#[derive(CubeType)]
pub(super) struct Row {
    pub index: usize,
    pub first: usize,
    pub end: usize,
}

/// Row of this thread in turn `turn` of its workgroup, of `rows` with `width` values each.
#[cube]
pub(super) fn row_of_turn(
    turn: usize,
    workgroups: usize,
    rows: usize,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
) -> Row {
    let index = (turn * workgroups + CUBE_POS_X as usize) * comptime!(THREADS / lanes) + UNIT_POS as usize / lanes;
    Row { index, first: index * width, end: select(index < rows, width, 0usize) }
}

/// Turns in which the workgroups see all rows.
#[cube]
pub(super) fn turns(workgroups: usize, rows: usize, #[comptime] lanes: usize) -> usize {
    rows.div_ceil(workgroups * comptime!(THREADS / lanes))
}

/// Writes the workgroup's share of a mean over rows: the sum of `mine` over its threads, divided by the number of rows.
#[cube]
pub(super) fn write_share(mine: f32, rows: usize, part: &mut [f32], scratch: &mut Shared<[f32]>) {
    let all = total(mine, scratch);
    if UNIT_POS == 0 {
        part[CUBE_POS_X as usize] = all / f32::cast_from(rows);
    }
}

/// Sum of the partial results, by one workgroup.
#[cube(launch_unchecked)]
fn sum_kernel(part: &[f32], sum: &mut [f32]) {
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut own = 0.0f32;
    let mut i = UNIT_POS as usize;
    while i < part.len() {
        own += part[i];
        i += THREADS;
    }
    let all = total(own, &mut scratch);
    if UNIT_POS == 0 {
        sum[0] = all;
    }
}

/// Sum of partial results: `[p]` -> `[1]`, without a launch if there is one.
pub(super) fn summed(part: CubeTensor) -> CubeTensor {
    if part.meta.num_elements() == 1 {
        return part;
    }
    let sum = empty(&part, [1]);
    let client = part.client.clone();
    // SAFETY: one workgroup reads all partial results
    unsafe {
        sum_kernel::launch_unchecked(
            &client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            part.into_buffer_arg(),
            sum.clone().into_buffer_arg(),
        );
    }
    sum
}
