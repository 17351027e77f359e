//! Softmax cross-entropy, with its gradient in the same pass over the logits, and top-1 accuracy.

use burn::tensor::DType;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::{cast, into_contiguous};
use burn_cubecl::tensor::CubeTensor;

use super::layout::empty;
use super::reduce::{PARTIALS, THREADS, over_lanes, row_of_turn, summed, turns, write_share};

/// Most threads for which one workgroup computes all rows, and no second launch has to sum.
const ALONE: usize = 8192;

/// Largest logit of a row, for all its lanes. `end` is the number of logits, 0 beyond the last row.
#[cube]
fn largest_of(logits: &[f32], first: usize, end: usize, scratch: &mut Shared<[f32]>, #[comptime] lanes: usize) -> f32 {
    let mut largest = f32::min_value();
    let mut j = UNIT_POS as usize % lanes;
    while j < end {
        largest = max(largest, logits[first + j]);
        j += lanes;
    }
    over_lanes(largest, scratch, lanes, false)
}

/// `gradient[i, j] = (softmax(z_i)[j] - [j = y_i]) / n`, and `part[workgroup]`, the share of the workgroup's rows in the mean loss
/// `-mean_i log softmax(z_i)[y_i]`.
#[cube(launch_unchecked)]
fn cross_entropy_kernel(
    logits: &[f32],
    labels: &[i32],
    gradient: &mut [f32],
    part: &mut [f32],
    #[comptime] classes: usize,
    #[comptime] lanes: usize,
) {
    let rows = labels.len();
    let lane = UNIT_POS as usize % lanes;
    let workgroups = part.len();
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut loss = 0.0f32;
    for turn in 0..turns(workgroups, rows, lanes) {
        let row = row_of_turn(turn, workgroups, rows, classes, lanes);
        let largest = largest_of(logits, row.first, row.end, &mut scratch, lanes);
        let mut sum = 0.0f32;
        let mut j = lane;
        while j < row.end {
            sum += f32::exp(logits[row.first + j] - largest);
            j += lanes;
        }
        let sum = over_lanes(sum, &mut scratch, lanes, true);
        if row.index < rows {
            let label = labels[row.index] as usize;
            j = lane;
            while j < row.end {
                let hit = select(j == label, 1.0f32, 0.0f32);
                gradient[row.first + j] =
                    (f32::exp(logits[row.first + j] - largest) / sum - hit) / f32::cast_from(rows);
                j += lanes;
            }
            if lane == 0 {
                loss += f32::ln(sum) + largest - logits[row.first + label];
            }
        }
    }
    write_share(loss, rows, part, &mut scratch);
}

/// `part[workgroup]`, the share of the workgroup's rows in the accuracy. A row counts 1/m where its label is among its m largest logits;
/// logits within `rounding` of the largest are equal to it.
#[cube(launch_unchecked)]
fn accuracy_kernel(
    logits: &[f32],
    labels: &[i32],
    part: &mut [f32],
    rounding: f32,
    #[comptime] classes: usize,
    #[comptime] lanes: usize,
) {
    let rows = labels.len();
    let lane = UNIT_POS as usize % lanes;
    let workgroups = part.len();
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut hits = 0.0f32;
    for turn in 0..turns(workgroups, rows, lanes) {
        let row = row_of_turn(turn, workgroups, rows, classes, lanes);
        let largest = largest_of(logits, row.first, row.end, &mut scratch, lanes);
        let least = largest - f32::abs(largest) * rounding;
        let mut count = 0.0f32;
        let mut j = lane;
        while j < row.end {
            count += select(logits[row.first + j] >= least, 1.0f32, 0.0f32);
            j += lanes;
        }
        let count = over_lanes(count, &mut scratch, lanes, true);
        if row.index < rows && lane == 0 {
            hits += select(logits[row.first + labels[row.index] as usize] >= least, 1.0f32 / count, 0.0f32);
        }
    }
    write_share(hits, rows, part, &mut scratch);
}

/// Logits, labels, threads per row, and an empty buffer for the partial sums.
fn prepare(logits: CubeTensor, labels: CubeTensor) -> (CubeTensor, CubeTensor, usize, CubeTensor) {
    let logits = into_contiguous(logits);
    let labels = into_contiguous(cast(labels, DType::I32));
    let [rows, classes] = logits.meta.shape().dims();
    let lanes = classes.next_power_of_two().min(THREADS);
    let workgroups = if rows * lanes <= ALONE { 1 } else { (rows * lanes).div_ceil(THREADS).min(PARTIALS) };
    let part = empty(&logits, [workgroups]);
    (logits, labels, lanes, part)
}

/// Mean loss `[1]` and its gradient with respect to the logits. `logits`: `[n, k]`, `labels`: `[n]` integers below k.
pub(super) fn cross_entropy(logits: CubeTensor, labels: CubeTensor) -> (CubeTensor, CubeTensor) {
    let (logits, labels, lanes, part) = prepare(logits, labels);
    let [rows, classes] = logits.meta.shape().dims();
    let gradient = empty(&logits, [rows, classes]);
    let client = logits.client.clone();
    // SAFETY: rows and classes beyond the last are skipped; labels lie below the number of classes
    unsafe {
        cross_entropy_kernel::launch_unchecked(
            &client,
            CubeCount::Static(part.meta.num_elements() as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            logits.into_buffer_arg(),
            labels.into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            part.clone().into_buffer_arg(),
            classes,
            lanes,
        );
    }
    (summed(part), gradient)
}

/// Accuracy `[1]`. `logits`: `[n, k]`, `labels`: `[n]` integers below k.
pub(super) fn accuracy(logits: CubeTensor, labels: CubeTensor, rounding: f32) -> CubeTensor {
    let (logits, labels, lanes, part) = prepare(logits, labels);
    let [_, classes] = logits.meta.shape().dims();
    let client = logits.client.clone();
    // SAFETY: as for the loss
    unsafe {
        accuracy_kernel::launch_unchecked(
            &client,
            CubeCount::Static(part.meta.num_elements() as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            logits.into_buffer_arg(),
            labels.into_buffer_arg(),
            part.clone().into_buffer_arg(),
            rounding,
            classes,
            lanes,
        );
    }
    summed(part)
}
