//! Parts of a batch, worked on by as many threads as there are: one in the browser.

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Numbers, and how many of them make a part.
pub(super) type Parts<'a> = (&'a [f32], usize);

fn part<const N: usize>(inputs: [Parts<'_>; N], number: usize) -> [&[f32]; N] {
    inputs.map(|(values, size)| &values[number * size..((number + 1) * size).min(values.len())])
}

/// Calls `work` with each part of `out`, of `size` numbers, and those of the inputs. A thread makes its scratch space once.
pub(super) fn each<S, const N: usize>(
    (out, size): (&mut [f32], usize),
    inputs: [Parts; N],
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, &mut [f32], [&[f32]; N]) + Sync + Send,
) {
    #[cfg(not(target_family = "wasm"))]
    out.par_chunks_mut(size.max(1))
        .enumerate()
        .for_each_init(scratch, |scratch, (number, out)| work(scratch, out, part(inputs, number)));
    #[cfg(target_family = "wasm")]
    {
        let mut scratch = scratch();
        for (number, out) in out.chunks_mut(size.max(1)).enumerate() {
            work(&mut scratch, out, part(inputs, number));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_the_last_may_be_shorter() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..7).map(|x| x as f32).collect(), (0..14).map(|x| x as f32).collect());
        let sums = of_each([(&a, 3), (&b, 6)], |[a, b]| a.iter().sum::<f32>() + b.iter().sum::<f32>());
        assert_eq!(sums, [3.0 + 15.0, 12.0 + 51.0, 6.0 + 25.0]);
        let mut out = vec![0.0; 7];
        each(
            (&mut out, 3),
            [(&a, 3), (&b, 6)],
            || 0,
            |calls, out, [a, b]| {
                *calls += 1;
                assert_eq!((out.len(), 2 * a.len()), (a.len(), b.len()));
                out.copy_from_slice(a);
            },
        );
        assert_eq!(out, a);
    }
}
