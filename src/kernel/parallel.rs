//! Parts of a batch, worked on by as many threads as there are: one in the browser.

use std::mem::MaybeUninit;

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Parts of a batch whose sums are taken apart and then together: the same on every machine, so that the sums do not depend
/// on the number of threads.
pub(super) const PARTS: usize = 16;

/// Numbers, and how many of them make a part.
pub(super) type Parts<'a> = (&'a [f32], usize);

fn part<const N: usize>(inputs: [Parts<'_>; N], number: usize) -> [&[f32]; N] {
    inputs.map(|(values, size)| &values[number * size..((number + 1) * size).min(values.len())])
}

/// `count` numbers in parts of `size`, each of them filled by `work`, which finds zeros there, from the parts of the inputs. The
/// thread that fills a part also sets it to zero, shortly before: all at once, by one thread, would take a twentieth of a step
/// on two cores. A scratch space serves many parts.
pub(super) fn made<S, const N: usize>(
    (count, size): (usize, usize),
    inputs: [Parts; N],
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, &mut [f32], [&[f32]; N]) + Sync + Send,
) -> Vec<f32> {
    let (mut made, size) = (Vec::with_capacity(count), size.max(1));
    let out = &mut made.spare_capacity_mut()[..count];
    let fill = |scratch: &mut S, number: usize, out: &mut [MaybeUninit<f32>]| {
        out.fill(MaybeUninit::new(0.0));
        // SAFETY: all of them have just been written
        work(scratch, unsafe { out.assume_init_mut() }, part(inputs, number));
    };
    #[cfg(not(target_family = "wasm"))]
    out.par_chunks_mut(size).enumerate().for_each_init(scratch, |scratch, (number, out)| fill(scratch, number, out));
    #[cfg(target_family = "wasm")]
    {
        let mut scratch = scratch();
        out.chunks_mut(size).enumerate().for_each(|(number, out)| fill(&mut scratch, number, out));
    }
    // SAFETY: the parts are all of these numbers, and each was written by `fill`
    unsafe { made.set_len(count) };
    made
}

/// What `work` makes of each part of the inputs, in their order.
pub(super) fn of_each<T: Send, const N: usize>(
    inputs: [Parts; N],
    work: impl Fn([&[f32]; N]) -> T + Sync + Send,
) -> Vec<T> {
    let (values, size) = inputs[0];
    let parts = 0..values.len().div_ceil(size.max(1));
    #[cfg(not(target_family = "wasm"))]
    let parts = parts.into_par_iter();
    parts.map(|number| work(part(inputs, number))).collect()
}

/// The sum of what `work` makes of each part of the inputs, `count` numbers.
pub(super) fn summed<const N: usize>(
    inputs: [Parts; N],
    count: usize,
    work: impl Fn([&[f32]; N]) -> Vec<f32> + Sync + Send,
) -> Vec<f32> {
    let mut parts = of_each(inputs, work).into_iter();
    let mut sum = parts.next().unwrap_or_else(|| vec![0.0; count]);
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_the_last_may_be_shorter() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..7).map(|x| x as f32).collect(), (0..14).map(|x| x as f32).collect());
        let sums = of_each([(&a, 3), (&b, 6)], |[a, b]| a.iter().sum::<f32>() + b.iter().sum::<f32>());
        assert_eq!(sums, [3.0 + 15.0, 12.0 + 51.0, 6.0 + 25.0]);
        assert_eq!(summed([(&a, 3)], 1, |[a]| vec![a.iter().sum()]), [21.0]);
        assert_eq!(summed([(&[], 3)], 2, |[a]| a.to_vec()), [0.0, 0.0], "of no parts");
        let out = made(
            (7, 3),
            [(&a, 3), (&b, 6)],
            || 0,
            |calls, out, [a, b]| {
                *calls += 1;
                assert_eq!((out.len(), 2 * a.len()), (a.len(), b.len()));
                out.iter_mut().zip(a).filter(|(_, a)| **a != 4.0).for_each(|(out, a)| *out += a);
            },
        );
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 0.0, 5.0, 6.0], "what is not written is 0");
    }
}
