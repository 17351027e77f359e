//! Winograd's fast convolution for 3x3 filters of stride 1: F(4x4, 3x3) of Lavin and Gray 2016, a quarter of the
//! multiplications.
//!
//! Four neighbouring outputs of a 3-tap filter take twelve multiplications, but six suffice over weighted sums of the six
//! inputs (Winograd 1980). Along both axes, 4x4 outputs take 36 instead of 144. The input is cut into tiles of 6x6 pixels that
//! overlap by two; tiles and filters are transformed; each of the 36 points is then one matrix product, tiles by filters; and a
//! last transform gives the outputs. Larger tiles would save little more and round worse.
//!
//! The input gradient is the same convolution with rotated filters. The filter gradient runs the transposed transforms.

mod filters;
mod simd;
mod tiles;
mod transform;

use burn_flex::FlexTensor;

use crate::im2col::Im2col;
use crate::matmul::{Matrix, matmul};
use crate::parallel::{CHUNKS, fill_chunks, sum_chunks};
use crate::{ConvGeometry, tensor};
use filters::{FILTER_POINTS, FilterOrder, TransformedFilters};
use tiles::{TILE_POINTS, TileGrid, TransformedTiles};

/// Least number of input and of output channels; with fewer, the transforms cost more than the products they save.
const CHANNELS: usize = 8;

/// True if Winograd's transforms can compute the convolution and are worth it.
pub(super) fn suits(plan: &Im2col) -> bool {
    let ConvGeometry { stride, padding, dilation, groups } = plan.geometry;
    let plain = plan.kernel == [3, 3] && [stride, dilation, groups] == [1, 1, 1] && padding <= 2;
    plain && plan.input[0] >= CHANNELS && plan.output[0] >= CHANNELS
}

/// `y = conv(x, w)`, `[n, out, h', w']`.
pub(super) fn forward(x: &FlexTensor, w: &FlexTensor, plan: &Im2col) -> FlexTensor {
    let x = x.to_contiguous();
    let filters = TransformedFilters::of(w, FilterOrder::Stored);
    convolved(x.storage(), |point| filters.at(point).transposed(), plan)
}

/// Gradient of the loss with respect to x `[n, in, h, w]`, given its gradient `g` with respect to y: a convolution of `g` with
/// the filters rotated by 180 degrees and their input and output channels exchanged.
pub(super) fn input_gradient(w: &FlexTensor, g: &FlexTensor, plan: &Im2col) -> FlexTensor {
    let g = g.to_contiguous();
    let filters = TransformedFilters::of(w, FilterOrder::Rotated);
    let [[input, ..], [output, ..]] = [plan.input, plan.output];
    let geometry = ConvGeometry { padding: 2 - plan.geometry.padding, ..plan.geometry };
    let back = Im2col::new(&plan.shape, &[input, output, 3, 3], geometry);
    convolved(g.storage(), |point| filters.at(point), &back)
}

/// Convolution with transformed filters: `filter(point)` is the matrix `[in, out]` of a point.
fn convolved<'a>(x: &[f32], filter: impl Fn(usize) -> Matrix<'a> + Sync + Send, plan: &Im2col) -> FlexTensor {
    let [input, ..] = plan.input;
    let [output, ..] = plan.output;
    let tiles = TileGrid::of(plan);
    let block = tiles.images_per_block(plan);
    let input_len = plan.input_len();
    let output_len = plan.output_len();
    let scratch = || [input, output].map(|channels| TransformedTiles::new(channels, block, tiles));
    let work = |[from, to]: &mut [TransformedTiles; 2], y: &mut [f32], [x]: [&[f32]; 1]| {
        from.fill_with_input(x, plan);
        let rows = x.len() / input_len * tiles.count();
        let pitch = to.pitch;
        for point in 0..TILE_POINTS {
            matmul(to.rows_mut(point, rows), pitch, from.matrix(point, rows), filter(point), false);
        }
        to.read_out(y, plan);
    };
    let y = fill_chunks((plan.images * output_len, block * output_len), [(x, block * input_len)], scratch, work);
    tensor(y, &plan.shape)
}

/// Gradient of the loss with respect to w `[out, in, 3, 3]`, given its gradient `g` with respect to y.
pub(super) fn weight_gradient(x: &FlexTensor, g: &FlexTensor, plan: &Im2col) -> FlexTensor {
    let x = x.to_contiguous();
    let g = g.to_contiguous();
    let [input, ..] = plan.input;
    let [output, ..] = plan.output;
    let tiles = TileGrid::of(plan);
    let block = tiles.images_per_block(plan);
    let input_len = plan.input_len();
    let output_len = plan.output_len();
    let chunk = plan.images.div_ceil(CHUNKS).next_multiple_of(block);
    let of_chunk = |[x, g]: [&[f32]; 2]| {
        let mut from = TransformedTiles::new(input, block, tiles);
        let mut to = TransformedTiles::new(output, block, tiles);
        let mut sum = TransformedFilters::zeros([output, input]);
        for (x, g) in x.chunks(block * input_len).zip(g.chunks(block * output_len)) {
            from.fill_with_input(x, plan);
            to.fill_with_gradient(g, plan);
            let rows = x.len() / input_len * tiles.count();
            for point in 0..TILE_POINTS {
                let to = to.matrix(point, rows).transposed();
                matmul(sum.at_mut(point), input, to, from.matrix(point, rows), true);
            }
        }
        sum.filter_gradient()
    };
    let inputs = [(x.storage(), chunk * input_len), (g.storage(), chunk * output_len)];
    tensor(sum_chunks(inputs, FILTER_POINTS * output * input, of_chunk), &[output, input, 3, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wide_3x3_convolutions_of_stride_1_suit() {
        let suits = |channels: [usize; 2], kernel: usize, stride: usize, groups: usize| {
            let geometry = ConvGeometry { stride, padding: 1, dilation: 1, groups };
            let w = [channels[1], channels[0] / groups, kernel, kernel];
            super::suits(&Im2col::new(&[1, channels[0], 9, 9], &w, geometry))
        };
        assert!(suits([8, 16], 3, 1, 1));
        assert!(!suits([3, 32], 3, 1, 1), "the transforms would cost more than the products");
        assert!(!suits([16, 16], 5, 1, 1) && !suits([16, 16], 3, 2, 1) && !suits([16, 16], 3, 1, 2));
    }
}
