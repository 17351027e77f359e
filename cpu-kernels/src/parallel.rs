//! Work on chunks of a batch, on all threads natively and on the only one in the browser.

use std::mem::MaybeUninit;

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Chunks of a batch whose sums are added up in a second step. A fixed number, so that rounding does not depend on the number
/// of threads.
pub(super) const CHUNKS: usize = 16;

/// Values, and the number of values per chunk.
pub(super) type Chunked<'a> = (&'a [f32], usize);

fn chunk<const N: usize>(inputs: [Chunked<'_>; N], number: usize) -> [&[f32]; N] {
    inputs.map(|(values, size)| &values[number * size..((number + 1) * size).min(values.len())])
}

/// Vector of `count` values in chunks of `size`, each filled by `work(scratch, chunk, chunks of the inputs)`. `work` finds zeros
/// in the chunk: the thread that fills it also zeroes it just before, since zeroing all of it on one thread first took a
/// twentieth of a training step on two cores. A thread makes its scratch once and keeps it from chunk to chunk.
pub(super) fn fill_chunks<S, const N: usize>(
    (count, size): (usize, usize),
    inputs: [Chunked; N],
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, &mut [f32], [&[f32]; N]) + Sync + Send,
) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    let size = size.max(1);
    let out = &mut values.spare_capacity_mut()[..count];
    let fill = |scratch: &mut S, number: usize, out: &mut [MaybeUninit<f32>]| {
        out.fill(MaybeUninit::new(0.0));
        // SAFETY: every value has just been set to zero
        work(scratch, unsafe { out.assume_init_mut() }, chunk(inputs, number));
    };
    #[cfg(not(target_family = "wasm"))]
    out.par_chunks_mut(size).enumerate().for_each_init(scratch, |scratch, (number, out)| fill(scratch, number, out));
    #[cfg(target_family = "wasm")]
    {
        let mut scratch = scratch();
        out.chunks_mut(size).enumerate().for_each(|(number, out)| fill(&mut scratch, number, out));
    }
    // SAFETY: the chunks cover all `count` values, and `fill` has written each chunk
    unsafe { values.set_len(count) };
    values
}

/// Results of `work` for each chunk of the inputs, in their order.
pub(super) fn map_chunks<T: Send, const N: usize>(
    inputs: [Chunked; N],
    work: impl Fn([&[f32]; N]) -> T + Sync + Send,
) -> Vec<T> {
    let (values, size) = inputs[0];
    let chunks = 0..values.len().div_ceil(size.max(1));
    #[cfg(not(target_family = "wasm"))]
    let chunks = chunks.into_par_iter();
    chunks.map(|number| work(chunk(inputs, number))).collect()
}

/// Sum over the chunks of the inputs of what `work` returns, `count` values each.
pub(super) fn sum_chunks<const N: usize>(
    inputs: [Chunked; N],
    count: usize,
    work: impl Fn([&[f32]; N]) -> Vec<f32> + Sync + Send,
) -> Vec<f32> {
    let mut terms = map_chunks(inputs, work).into_iter();
    let mut sum = terms.next().unwrap_or_else(|| vec![0.0; count]);
    for term in terms {
        sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_their_order_and_the_last_may_be_shorter() {
        let a: Vec<f32> = (0..7).map(|x| x as f32).collect();
        let b: Vec<f32> = (0..14).map(|x| x as f32).collect();
        let sums = map_chunks([(&a, 3), (&b, 6)], |[a, b]| a.iter().sum::<f32>() + b.iter().sum::<f32>());
        assert_eq!(sums, [3.0 + 15.0, 12.0 + 51.0, 6.0 + 25.0]);
        assert_eq!(sum_chunks([(&a, 3)], 1, |[a]| vec![a.iter().sum()]), [21.0]);
        assert_eq!(sum_chunks([(&[], 3)], 2, |[a]| a.to_vec()), [0.0, 0.0], "the sum over no chunks");
        let out = fill_chunks(
            (7, 3),
            [(&a, 3), (&b, 6)],
            || 0,
            |calls, out, [a, b]| {
                *calls += 1;
                assert_eq!((out.len(), 2 * a.len()), (a.len(), b.len()));
                out.iter_mut().zip(a).filter(|(_, a)| **a != 4.0).for_each(|(out, a)| *out += a);
            },
        );
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 0.0, 5.0, 6.0], "values that `work` skips are 0");
    }
}
