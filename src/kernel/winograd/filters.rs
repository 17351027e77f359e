//! Filters transformed, and the gradients of filters from those of the transformed ones.

use burn_flex::FlexTensor;
use pulp::{Arch, Simd, WithSimd};

use super::simd::{MOST, Place};
use super::tiles::{SQUARE, points};
use super::transform::{FILTER, OfFilter, ToFilter, Transform};
use crate::kernel::matmul::Matrix;

/// Points of a filter.
pub(super) const TAPS: usize = FILTER * FILTER;

/// Where the points of a filter lie in lines of their own.
const ROWS: Place = Place { first: 0, down: FILTER, across: 1 };

/// Whether filters are read as they lie or turned by half a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Half,
}

/// Matrices `[out, in]`, one for each of 36 points.
pub(super) struct Filters {
    values: Vec<f32>,
    sides: [usize; 2],
}

impl Filters {
    /// Nothing but zeros.
    pub(super) fn zeros(sides: [usize; 2]) -> Self {
        Self { values: vec![0.0; SQUARE * Self::step(sides)], sides }
    }

    /// From `[out, in, 3, 3]`.
    pub(super) fn of(w: &FlexTensor, turn: Turn) -> Self {
        let (w, [output, input]) = (w.to_contiguous(), [0, 1].map(|side| w.layout().shape()[side]));
        let mut filters = Self::zeros([output, input]);
        Arch::new().dispatch(Fill { to: &mut filters, w: w.storage(), turn });
        filters
    }

    /// Values from one point to the next.
    fn step([output, input]: [usize; 2]) -> usize {
        (output * input).next_multiple_of(MOST)
    }

    /// `[out, in]` at a point.
    pub(super) fn at(&self, point: usize) -> Matrix<'_> {
        let [output, input] = self.sides;
        Matrix::new(&self.values[point * Self::step(self.sides)..][..output * input], output)
    }

    /// The same, to be written.
    pub(super) fn at_mut(&mut self, point: usize) -> &mut [f32] {
        let [output, input] = self.sides;
        &mut self.values[point * Self::step(self.sides)..][..output * input]
    }

    /// The gradients with respect to `[out, in, 3, 3]`, of those that these are.
    pub(super) fn back(&self) -> Vec<f32> {
        let [output, input] = self.sides;
        let mut w = vec![0.0; TAPS * output * input];
        Arch::new().dispatch(Back { from: self, w: &mut w });
        w
    }
}

/// Transforms filters.
struct Fill<'a> {
    to: &'a mut Filters,
    w: &'a [f32],
    turn: Turn,
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { to, w, turn } = self;
        let step = Filters::step(to.sides) / S::F32_LANES;
        let (values, _) = S::as_mut_simd_f32s(&mut to.values);
        let mut lines = [0.0; TAPS * MOST];
        for (at, filters) in w.chunks(TAPS * S::F32_LANES).enumerate() {
            for (lane, filter) in filters.chunks_exact(TAPS).enumerate() {
                for (tap, value) in filter.iter().enumerate() {
                    let tap = if turn == Turn::Half { TAPS - 1 - tap } else { tap };
                    lines[tap * S::F32_LANES + lane] = *value;
                }
            }
            let taps = ROWS.read(simd, S::as_simd_f32s(&lines).0);
            points(at, step).write(OfFilter.both(taps), values);
        }
    }
}

/// Goes the way back.
struct Back<'a> {
    from: &'a Filters,
    w: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, w } = self;
        let step = Filters::step(from.sides) / S::F32_LANES;
        let (values, _) = S::as_simd_f32s(&from.values);
        let mut lines = [0.0; TAPS * MOST];
        for (at, filters) in w.chunks_mut(TAPS * S::F32_LANES).enumerate() {
            let taps = ToFilter.both(points(at, step).read(simd, values));
            ROWS.write(taps, S::as_mut_simd_f32s(&mut lines).0);
            for (lane, filter) in filters.chunks_exact_mut(TAPS).enumerate() {
                filter.iter_mut().enumerate().for_each(|(tap, value)| *value = lines[tap * S::F32_LANES + lane]);
            }
        }
    }
}
