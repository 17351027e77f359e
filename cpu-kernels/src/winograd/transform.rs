//! The Winograd transforms of tiles, filters and outputs along one axis, F(4, 3).
//!
//! Four outputs of a 3-tap filter are the product of two polynomials, which its values at six points determine (Toom and
//! Cook). Lavin and Gray 2016 take the points 0, 1, -1, 2, -2 and infinity. With 3/4 and 3/2 in place of 1 and 2, the terms of a
//! sum are closer in size and the error is half as large: `9e-7` of the output (root mean square over 128 channels), three times
//! that of tiles with 2x2 outputs.

use pulp::Simd;

use super::simd::{Lanes, Square};

/// Outputs of a tile along an axis.
pub(super) const OUTPUT_TILE: usize = 4;
/// Input pixels of a tile along an axis, and points of a transformed tile.
pub(super) const TILE: usize = OUTPUT_TILE + 2;
/// Values of a filter along an axis.
pub(super) const FILTER: usize = 3;

/// The six points are 0, `A`, `-A` (inner pair), `B`, `-B` (outer pair) and infinity.
const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

/// Factors of the filter transform at 0, at the inner and at the outer points.
const AT_ZERO: f32 = 1.0 / (A2 * B2);
const AT_INNER: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const AT_OUTER: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

/// Linear transform of N values along an axis to M.
pub(super) trait Transform<const N: usize, const M: usize>: Copy {
    fn along<S: Simd>(self, x: [Lanes<S>; N]) -> [Lanes<S>; M];

    /// Applies the transform along both axes of a square.
    #[inline(always)]
    fn both<S: Simd>(self, x: Square<S, N>) -> Square<S, M> {
        let any = x[0][0];
        let mut columns = [[any; M]; N];
        let mut rows = [[any; M]; M];
        for (at, column) in columns.iter_mut().enumerate() {
            let mut values = [any; N];
            values.iter_mut().zip(&x).for_each(|(value, row)| *value = row[at]);
            *column = self.along(values);
        }
        for (at, row) in rows.iter_mut().enumerate() {
            let mut values = [any; N];
            values.iter_mut().zip(&columns).for_each(|(value, column)| *value = column[at]);
            *row = self.along(values);
        }
        rows
    }
}

/// Transform of an input tile (`B^T` in the paper).
#[derive(Clone, Copy)]
pub(super) struct InputTransform;

impl Transform<TILE, TILE> for InputTransform {
    #[inline(always)]
    fn along<S: Simd>(self, [x0, x1, x2, x3, x4, x5]: [Lanes<S>; TILE]) -> [Lanes<S>; TILE] {
        let inner = x4 - x2 * B2;
        let inner_odd = (x3 - x1 * B2) * A;
        let outer = x4 - x2 * A2;
        let outer_odd = (x3 - x1 * A2) * B;
        let zero = x0 * (A2 * B2) - x2 * (A2 + B2) + x4;
        let infinity = x1 * (A2 * B2) - x3 * (A2 + B2) + x5;
        [zero, inner + inner_odd, inner - inner_odd, outer + outer_odd, outer - outer_odd, infinity]
    }
}

/// Transform of a filter (`G` in the paper).
#[derive(Clone, Copy)]
pub(super) struct FilterTransform;

impl Transform<FILTER, TILE> for FilterTransform {
    #[inline(always)]
    fn along<S: Simd>(self, [w0, w1, w2]: [Lanes<S>; FILTER]) -> [Lanes<S>; TILE] {
        let inner = (w0 + w2 * A2) * AT_INNER;
        let inner_odd = w1 * (A * AT_INNER);
        let outer = (w0 + w2 * B2) * AT_OUTER;
        let outer_odd = w1 * (B * AT_OUTER);
        [w0 * AT_ZERO, inner + inner_odd, inner - inner_odd, outer + outer_odd, outer - outer_odd, w2]
    }
}

/// Transform of the products to the outputs of a tile (`A^T` in the paper).
#[derive(Clone, Copy)]
pub(super) struct OutputTransform;

impl Transform<TILE, OUTPUT_TILE> for OutputTransform {
    #[inline(always)]
    fn along<S: Simd>(self, [m0, m1, m2, m3, m4, m5]: [Lanes<S>; TILE]) -> [Lanes<S>; OUTPUT_TILE] {
        let inner = m1 + m2;
        let inner_odd = (m1 - m2) * A;
        let outer = m3 + m4;
        let outer_odd = (m3 - m4) * B;
        [m0 + (inner + outer), inner_odd + outer_odd, inner * A2 + outer * B2, inner_odd * A2 + outer_odd * B2 + m5]
    }
}

/// Transpose of [`OutputTransform`]: from the gradient with respect to the outputs to that with respect to the products.
#[derive(Clone, Copy)]
pub(super) struct OutputTransposed;

impl Transform<OUTPUT_TILE, TILE> for OutputTransposed {
    #[inline(always)]
    fn along<S: Simd>(self, [y0, y1, y2, y3]: [Lanes<S>; OUTPUT_TILE]) -> [Lanes<S>; TILE] {
        let inner = y0 + y2 * A2;
        let inner_odd = (y1 + y3 * A2) * A;
        let outer = y0 + y2 * B2;
        let outer_odd = (y1 + y3 * B2) * B;
        [y0, inner + inner_odd, inner - inner_odd, outer + outer_odd, outer - outer_odd, y3]
    }
}

/// Transpose of [`FilterTransform`]: from the gradient with respect to transformed filters to that with respect to filters.
#[derive(Clone, Copy)]
pub(super) struct FilterTransposed;

impl Transform<TILE, FILTER> for FilterTransposed {
    #[inline(always)]
    fn along<S: Simd>(self, [m0, m1, m2, m3, m4, m5]: [Lanes<S>; TILE]) -> [Lanes<S>; FILTER] {
        let inner = (m1 + m2) * AT_INNER;
        let inner_odd = (m1 - m2) * AT_INNER;
        let outer = (m3 + m4) * AT_OUTER;
        let outer_odd = (m3 - m4) * AT_OUTER;
        [m0 * AT_ZERO + (inner + outer), inner_odd * A + outer_odd * B, inner * A2 + outer * B2 + m5]
    }
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    /// Values without a pattern, on one lane.
    fn numbers<const N: usize>(seed: f32) -> [Lanes<Scalar>; N] {
        std::array::from_fn(|at| Lanes::new(Scalar, ((at + 1) as f32 * seed).sin()))
    }

    fn dot<const N: usize>(a: [Lanes<Scalar>; N], b: [Lanes<Scalar>; N]) -> f32 {
        a.into_iter().zip(b).map(|(a, b)| a.values * b.values).sum()
    }

    #[test]
    fn six_products_give_four_outputs_of_a_3_tap_filter() {
        let x: [_; TILE] = numbers(1.7);
        let w: [_; FILTER] = numbers(2.3);
        let input = InputTransform.along(x);
        let filter = FilterTransform.along(w);
        let products = std::array::from_fn(|point| input[point] * filter[point].values);
        for (place, found) in OutputTransform.along(products).into_iter().enumerate() {
            let expected = dot([x[place], x[place + 1], x[place + 2]], w);
            assert!((found.values - expected).abs() < 1e-6, "{place}: {} is not {expected}", found.values);
        }
    }

    #[test]
    fn the_backward_transforms_are_transposes() {
        let m: [_; TILE] = numbers(0.9);
        let y: [_; OUTPUT_TILE] = numbers(1.1);
        let w: [_; FILTER] = numbers(3.1);
        assert!((dot(OutputTransform.along(m), y) - dot(m, OutputTransposed.along(y))).abs() < 1e-5);
        assert!((dot(FilterTransform.along(w), m) - dot(w, FilterTransposed.along(m))).abs() < 1e-6);
    }
}
