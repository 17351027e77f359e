//! Negative mean cosine of rows, and its gradient in the same pass.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;
use super::reduce::{PARTIALS, THREADS, over_lanes, row_of_turn, summed, turns, write_share};
use crate::kernel::SHORTEST;

/// `lanes` threads a row. With `c_i = p_i . z_i / (|p_i| |z_i|)`: `gradient[i] = -(z_i / |z_i| - c_i p_i / |p_i|) / (|p_i| n)`, and
/// `part[workgroup]`, the share of the workgroup's rows in `-mean_i c_i`.
#[cube(launch_unchecked)]
fn cosine_kernel(
    p: &[f32],
    z: &[f32],
    gradient: &mut [f32],
    part: &mut [f32],
    rows: u32,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
) {
    let rows = rows as usize;
    let lane = UNIT_POS as usize % lanes;
    let workgroups = part.len();
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut loss = 0.0f32;
    for turn in 0..turns(workgroups, rows, lanes) {
        let row = row_of_turn(turn, workgroups, rows, width, lanes);
        let mut product = 0.0f32;
        let mut square_p = 0.0f32;
        let mut square_z = 0.0f32;
        let mut j = lane;
        while j < row.end {
            let a = p[row.first + j];
            let b = z[row.first + j];
            product += a * b;
            square_p += a * a;
            square_z += b * b;
            j += lanes;
        }
        let product = over_lanes(product, &mut scratch, lanes, true);
        let square_p = over_lanes(square_p, &mut scratch, lanes, true);
        let square_z = over_lanes(square_z, &mut scratch, lanes, true);
        let inverse_p = 1.0f32 / max(f32::sqrt(square_p), SHORTEST);
        let inverse_z = 1.0f32 / max(f32::sqrt(square_z), SHORTEST);
        let cosine = product * inverse_p * inverse_z;
        j = lane;
        while j < row.end {
            let across = z[row.first + j] * inverse_z - cosine * p[row.first + j] * inverse_p;
            gradient[row.first + j] = -across * inverse_p / f32::cast_from(rows);
            j += lanes;
        }
        if lane == 0 && row.index < rows {
            loss -= cosine;
        }
    }
    write_share(loss, rows, part, &mut scratch);
}

/// Loss `[1]` and its gradient with respect to p. `p`, `z`: `[n, d]`.
pub(super) fn negative_cosine(p: CubeTensor, z: CubeTensor) -> (CubeTensor, CubeTensor) {
    let p = into_contiguous(p);
    let z = into_contiguous(z);
    let [rows, width] = p.meta.shape().dims();
    let lanes = width.next_power_of_two().min(THREADS);
    let part = empty(&p, [(rows * lanes).div_ceil(THREADS).clamp(1, PARTIALS)]);
    let gradient = empty(&p, [rows, width]);
    let client = p.client.clone();
    // SAFETY: rows and columns beyond the last are skipped
    unsafe {
        cosine_kernel::launch_unchecked(
            &client,
            CubeCount::Static(part.meta.num_elements() as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            p.into_buffer_arg(),
            z.into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            part.clone().into_buffer_arg(),
            rows as u32,
            width,
            lanes,
        );
    }
    (summed(part), gradient)
}
