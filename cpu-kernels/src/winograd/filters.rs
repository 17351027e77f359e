//! Transformed filters, and the filter gradient from the gradient of the transformed filters.

use burn_flex::FlexTensor;
use pulp::{Arch, Simd, WithSimd};

use super::simd::{MAX_LANES, SquareLayout};
use super::tiles::{TILE_POINTS, points};
use super::transform::{FILTER, FilterTransform, FilterTransposed, Transform};
use crate::matmul::Matrix;

/// Values of a 3x3 filter.
pub(super) const FILTER_POINTS: usize = FILTER * FILTER;

/// Layout of a 3x3 filter in registers, row by row: each register holds the same value of several filters, one filter per lane.
const ROWS: SquareLayout = SquareLayout { first: 0, down: FILTER, across: 1 };

/// Order in which the values of a filter are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterOrder {
    Stored,
    /// Rotated by 180 degrees, for the gradient with respect to the input.
    Rotated,
}

/// Transformed filters: a matrix `[out, in]` for each of the 36 points of a tile.
pub(super) struct TransformedFilters {
    values: Vec<f32>,
    sides: [usize; 2],
}

impl TransformedFilters {
    /// Zeros, to which the gradients of blocks are added.
    pub(super) fn zeros(sides: [usize; 2]) -> Self {
        Self { values: vec![0.0; TILE_POINTS * Self::step(sides)], sides }
    }

    /// Transforms filters `w`: `[out, in, 3, 3]`.
    pub(super) fn of(w: &FlexTensor, order: FilterOrder) -> Self {
        let w = w.to_contiguous();
        let sides = [0, 1].map(|side| w.layout().shape()[side]);
        let mut filters = Self::zeros(sides);
        Arch::new().dispatch(Fill { to: &mut filters, w: w.storage(), order });
        filters
    }

    /// Values from the matrix of a point to that of the next, a multiple of the SIMD lanes.
    fn step([output, input]: [usize; 2]) -> usize {
        (output * input).next_multiple_of(MAX_LANES)
    }

    /// Matrix `[out, in]` of a point.
    pub(super) fn at(&self, point: usize) -> Matrix<'_> {
        let [output, input] = self.sides;
        Matrix::new(&self.values[point * Self::step(self.sides)..][..output * input], output)
    }

    /// Mutable matrix `[out, in]` of a point, row by row.
    pub(super) fn at_mut(&mut self, point: usize) -> &mut [f32] {
        let [output, input] = self.sides;
        &mut self.values[point * Self::step(self.sides)..][..output * input]
    }

    /// Gradient with respect to the filters `[out, in, 3, 3]`, where `self` is that with respect to the transformed filters.
    pub(super) fn filter_gradient(&self) -> Vec<f32> {
        let [output, input] = self.sides;
        let mut w = vec![0.0; FILTER_POINTS * output * input];
        Arch::new().dispatch(Back { from: self, w: &mut w });
        w
    }
}

/// Transforms filters `w` into `to`, one filter per SIMD lane.
struct Fill<'a> {
    to: &'a mut TransformedFilters,
    w: &'a [f32],
    order: FilterOrder,
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { to, w, order } = self;
        let step = TransformedFilters::step(to.sides) / S::F32_LANES;
        let (values, _) = S::as_mut_simd_f32s(&mut to.values);
        let mut lines = [0.0; FILTER_POINTS * MAX_LANES];
        for (at, filters) in w.chunks(FILTER_POINTS * S::F32_LANES).enumerate() {
            for (lane, filter) in filters.chunks_exact(FILTER_POINTS).enumerate() {
                for (tap, value) in filter.iter().enumerate() {
                    let tap = if order == FilterOrder::Rotated { FILTER_POINTS - 1 - tap } else { tap };
                    lines[tap * S::F32_LANES + lane] = *value;
                }
            }
            let taps = ROWS.read(simd, S::as_simd_f32s(&lines).0);
            points(at, step).write(FilterTransform.both(taps), values);
        }
    }
}

/// Applies the transposed transform to `from`, the gradient with respect to the transformed filters, and writes the result to
/// `w`.
struct Back<'a> {
    from: &'a TransformedFilters,
    w: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, w } = self;
        let step = TransformedFilters::step(from.sides) / S::F32_LANES;
        let (values, _) = S::as_simd_f32s(&from.values);
        let mut lines = [0.0; FILTER_POINTS * MAX_LANES];
        for (at, filters) in w.chunks_mut(FILTER_POINTS * S::F32_LANES).enumerate() {
            let taps = FilterTransposed.both(points(at, step).read(simd, values));
            ROWS.write(taps, S::as_mut_simd_f32s(&mut lines).0);
            for (lane, filter) in filters.chunks_exact_mut(FILTER_POINTS).enumerate() {
                filter.iter_mut().enumerate().for_each(|(tap, value)| *value = lines[tap * S::F32_LANES + lane]);
            }
        }
    }
}
