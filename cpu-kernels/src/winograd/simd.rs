//! SIMD lanes: arithmetic on a vector register of whatever width the processor has.

use std::ops::{Add, Mul, Sub};

use pulp::Simd;

/// Most lanes of any processor. Buffers have a multiple of them, so that every width divides their length.
pub(super) const MAX_LANES: usize = 16;

/// One register: the same value of several channels or filters, one per lane.
#[derive(Clone, Copy)]
pub(super) struct Lanes<S: Simd> {
    simd: S,
    pub(super) values: S::f32s,
}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, values: S::f32s) -> Self {
        Self { simd, values }
    }
}

/// Square of registers, by row and column.
pub(super) type Square<S, const N: usize> = [[Lanes<S>; N]; N];

/// Layout of a square in memory, counted in registers: offset of its first entry, strides to the next row and next column.
#[derive(Clone, Copy)]
pub(super) struct SquareLayout {
    pub(super) first: usize,
    pub(super) down: usize,
    pub(super) across: usize,
}

impl SquareLayout {
    #[inline(always)]
    pub(super) fn read<S: Simd, const N: usize>(self, simd: S, from: &[S::f32s]) -> Square<S, N> {
        let mut square = [[Lanes::new(simd, simd.splat_f32s(0.0)); N]; N];
        for (row, lanes) in square.iter_mut().enumerate() {
            for (column, lanes) in lanes.iter_mut().enumerate() {
                lanes.values = from[self.first + row * self.down + column * self.across];
            }
        }
        square
    }

    #[inline(always)]
    pub(super) fn write<S: Simd, const N: usize>(self, square: Square<S, N>, to: &mut [S::f32s]) {
        for (row, lanes) in square.into_iter().enumerate() {
            for (column, lanes) in lanes.into_iter().enumerate() {
                to[self.first + row * self.down + column * self.across] = lanes.values;
            }
        }
    }
}

impl<S: Simd> Add for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::new(self.simd, self.simd.add_f32s(self.values, other.values))
    }
}

impl<S: Simd> Sub for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::new(self.simd, self.simd.sub_f32s(self.values, other.values))
    }
}

impl<S: Simd> Mul<f32> for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self::new(self.simd, self.simd.mul_f32s(self.values, self.simd.splat_f32s(factor)))
    }
}
