//! Exponential moving averages in place, three tensors per launch.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::one_thread_each;
use super::update::own;

#[cube]
fn follow(target: &mut [f32], source: &[f32], m: f32) {
    if ABSOLUTE_POS < target.len() {
        target[ABSOLUTE_POS] = m * target[ABSOLUTE_POS] + (1.0f32 - m) * source[ABSOLUTE_POS];
    }
}

/// One thread per value of the longest tensor.
#[cube(launch_unchecked)]
fn three_kernel(
    target1: &mut [f32],
    source1: &[f32],
    target2: &mut [f32],
    source2: &[f32],
    target3: &mut [f32],
    source3: &[f32],
    m: f32,
) {
    follow(target1, source1, m);
    follow(target2, source2, m);
    follow(target3, source3, m);
}

/// One thread per value.
#[cube(launch_unchecked)]
fn single_kernel(target: &mut [f32], source: &[f32], m: f32) {
    follow(target, source, m);
}

/// `m target + (1 - m) source`, in the memory of the target.
pub(super) fn single(target: CubeTensor, source: CubeTensor, m: f32) -> CubeTensor {
    let target = own(target);
    let client = target.client.clone();
    let (count, dim) = one_thread_each(&target, target.meta.num_elements());
    // SAFETY: threads beyond the last value do nothing; both tensors have one length
    unsafe {
        single_kernel::launch_unchecked(
            &client,
            count,
            dim,
            target.clone().into_buffer_arg(),
            into_contiguous(source).into_buffer_arg(),
            m,
        );
    }
    target
}

/// [`single`] on three pairs of one launch.
pub(super) fn three(targets: [CubeTensor; 3], sources: [CubeTensor; 3], m: f32) -> [CubeTensor; 3] {
    let [target1, target2, target3] = targets.map(own);
    let [source1, source2, source3] = sources.map(into_contiguous);
    let client = target1.client.clone();
    let lengths = [&target1, &target2, &target3].map(|target| target.meta.num_elements());
    let (count, dim) = one_thread_each(&target1, lengths.into_iter().max().unwrap_or(0));
    // SAFETY: as for one pair
    unsafe {
        three_kernel::launch_unchecked(
            &client,
            count,
            dim,
            target1.clone().into_buffer_arg(),
            source1.into_buffer_arg(),
            target2.clone().into_buffer_arg(),
            source2.into_buffer_arg(),
            target3.clone().into_buffer_arg(),
            source3.into_buffer_arg(),
            m,
        );
    }
    [target1, target2, target3]
}
