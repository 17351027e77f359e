//! Convolutions with 3x3 filters in a quarter of the products.
//!
//! A filter of three points at four neighbouring places takes twelve products; over weighted sums of the six values under it,
//! six do (Winograd 1980). Along both axes, 36 do for 4x4 places instead of 144: F(4x4, 3x3) of Lavin and Gray 2016. Tiles of
//! 6x6 pixels that overlap by two, filters and what comes out are each transformed; in between, each of the 36 points is a
//! product of matrices, filters by tiles. Larger tiles would save little more and round worse.
//!
//! The gradient of the input is the same convolution, with the filters turned; that of the filters goes the way back.

mod filters;
mod simd;
mod tiles;
mod transform;

use burn_flex::FlexTensor;

use super::im2col::Plan;
use super::matmul::{Matrix, product};
use super::parallel::{PARTS, made, summed};
use super::{Window, tensor};
use filters::{Filters, TAPS, Turn};
use tiles::{SQUARE, Tiles, Transformed};

/// Fewer channels than these, on either side, are not worth the transforms.
const CHANNELS: usize = 8;

/// Whether a convolution can be computed here, and is worth it.
pub(super) fn suits(plan: &Plan) -> bool {
    let Window { stride, padding, dilation, groups } = plan.window;
    let plain = plan.kernel == [3, 3] && [stride, dilation, groups] == [1, 1, 1] && padding <= 2;
    plain && plan.input[0] >= CHANNELS && plan.output[0] >= CHANNELS
}

/// `y = conv(x, w)`, `[n, out, h', w']`.
pub(super) fn value(x: &FlexTensor, w: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (x, filters) = (x.to_contiguous(), Filters::of(w, Turn::None));
    convolved(x.storage(), |point| filters.at(point).transposed(), plan)
}

/// The gradient of the loss with respect to x, from that with respect to y: a convolution with the filters turned by half a
/// turn, and with what goes in and what comes out exchanged.
pub(super) fn of_data(w: &FlexTensor, g: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (g, filters) = (g.to_contiguous(), Filters::of(w, Turn::Half));
    let [[input, ..], [output, ..]] = [plan.input, plan.output];
    let window = Window { padding: 2 - plan.window.padding, ..plan.window };
    let back = Plan::new(&plan.shape, &[input, output, 3, 3], window);
    convolved(g.storage(), |point| filters.at(point), &back)
}

/// With filters that are transformed already: `[in, out]` at each point.
fn convolved<'a>(x: &[f32], filter: impl Fn(usize) -> Matrix<'a> + Sync + Send, plan: &Plan) -> FlexTensor {
    let ([input, ..], [output, ..]) = (plan.input, plan.output);
    let tiles = Tiles::of(plan);
    let (together, taken, given) = (tiles.together(plan), plan.taken(), plan.given());
    let scratch = || [input, output].map(|channels| Transformed::new(channels, together, tiles));
    let work = |[from, to]: &mut [Transformed; 2], y: &mut [f32], [x]: [&[f32]; 1]| {
        from.fill_with_input(x, plan);
        let (rows, pitch) = (x.len() / taken * tiles.count(), to.pitch);
        for point in 0..SQUARE {
            product(to.rows_mut(point, rows), pitch, from.matrix(point, rows), filter(point), false);
        }
        to.read_out(y, plan);
    };
    let y = made((plan.images * given, together * given), [(x, together * taken)], scratch, work);
    tensor(y, &plan.shape)
}

/// The gradient with respect to w.
pub(super) fn of_weights(x: &FlexTensor, g: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (x, g) = (x.to_contiguous(), g.to_contiguous());
    let ([input, ..], [output, ..]) = (plan.input, plan.output);
    let tiles = Tiles::of(plan);
    let (together, taken, given) = (tiles.together(plan), plan.taken(), plan.given());
    let part = plan.images.div_ceil(PARTS).next_multiple_of(together);
    let of_part = |[x, g]: [&[f32]; 2]| {
        let (mut from, mut to) = (Transformed::new(input, together, tiles), Transformed::new(output, together, tiles));
        let mut sum = Filters::zeros([output, input]);
        for (x, g) in x.chunks(together * taken).zip(g.chunks(together * given)) {
            from.fill_with_input(x, plan);
            to.fill_with_gradient(g, plan);
            let rows = x.len() / taken * tiles.count();
            for point in 0..SQUARE {
                let (to, from) = (to.matrix(point, rows).transposed(), from.matrix(point, rows));
                product(sum.at_mut(point), input, to, from, true);
            }
        }
        sum.back()
    };
    let inputs = [(x.storage(), part * taken), (g.storage(), part * given)];
    tensor(summed(inputs, TAPS * output * input, of_part), &[output, input, 3, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gains_by_it_is_computed_so() {
        let suits = |channels: [usize; 2], kernel: usize, stride: usize, groups: usize| {
            let window = Window { stride, padding: 1, dilation: 1, groups };
            let w = [channels[1], channels[0] / groups, kernel, kernel];
            super::suits(&Plan::new(&[1, channels[0], 9, 9], &w, window))
        };
        assert!(suits([8, 16], 3, 1, 1));
        assert!(!suits([3, 32], 3, 1, 1), "the transforms would cost more than the products");
        assert!(!suits([16, 16], 5, 1, 1) && !suits([16, 16], 3, 2, 1) && !suits([16, 16], 3, 1, 2));
    }
}
