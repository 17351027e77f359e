//! Arithmetic on as many numbers beside one another as the processor at hand computes with.

use std::ops::{Add, Mul, Sub};

use pulp::Simd;

/// The most numbers that any processor computes with at once: what is read and written in lanes comes in multiples of them.
pub(super) const MOST: usize = 16;

/// One number of several tiles, channels or filters.
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

/// A square of numbers, each by its row and column.
pub(super) type Square<S, const N: usize> = [[Lanes<S>; N]; N];

/// Where a square lies in memory: its first number, and how far it is from there to the one below it and to the one beside it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) first: usize,
    pub(super) down: usize,
    pub(super) across: usize,
}

impl Place {
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
