//! Images cut into tiles, the tiles transformed, and the way back: for as many channels at once as the processor can.

use pulp::{Arch, Simd, WithSimd};

use super::simd::{MOST, Place};
use super::transform::{OfInput, OfProducts, PLACES, POINTS, ToProducts, Transform};
use crate::kernel::im2col::Plan;
use crate::kernel::matmul::Matrix;

/// Points of a transformed tile.
pub(super) const SQUARE: usize = POINTS * POINTS;
/// Numbers that are computed with at once: as many as a core's own cache holds.
const BLOCK: usize = 192 * 1024;
/// Products with fewer tiles are slow, and with more gain nothing.
const TILES: [usize; 2] = [64, 512];

/// How what comes out is cut: rows and columns of tiles. The last may reach over the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    pub(super) fn of(plan: &Plan) -> Self {
        let [_, height, width] = plan.output;
        Self { rows: height.div_ceil(PLACES), columns: width.div_ceil(PLACES) }
    }

    pub(super) fn count(self) -> usize {
        self.rows * self.columns
    }

    /// Pixels of a row of [`Planes`].
    fn row(self) -> usize {
        self.columns * PLACES + POINTS - PLACES
    }

    /// Where a tile lies in [`Planes`].
    #[inline(always)]
    fn corner(self, tile: usize) -> Place {
        let first = (tile / self.columns * self.row() + tile % self.columns) * PLACES;
        Place { first, down: self.row(), across: 1 }
    }

    /// Images that are computed with at once.
    pub(super) fn together(self, plan: &Plan) -> usize {
        let tile = SQUARE * (plan.input[0] + plan.output[0]);
        let tiles = (BLOCK / tile).clamp(TILES[0], TILES[1]);
        (tiles / self.count().max(1)).clamp(1, plan.images.max(1))
    }
}

/// Some channels of an image, as far as tiles reach, all channels of a pixel beside one another: with zeros before the first row
/// and column, and behind the last ones.
struct Planes {
    values: Vec<f32>,
    tiles: Tiles,
}

impl Planes {
    fn new(tiles: Tiles) -> Self {
        let rows = tiles.rows * PLACES + POINTS - PLACES;
        Self { values: vec![0.0; rows * tiles.row() * MOST], tiles }
    }

    /// Takes channels of a size, each behind `padding` zeros. They are always as many, so what was zero stays so; what was left
    /// of channels that are fewer now is not looked at again.
    #[inline(always)]
    fn hold(&mut self, channels: &[f32], [height, width]: [usize; 2], padding: usize, lanes: usize) {
        for (lane, plane) in channels.chunks_exact(height * width).enumerate() {
            let rows = self.values.chunks_exact_mut(self.tiles.row() * lanes).skip(padding);
            for (to, pixels) in rows.zip(plane.chunks_exact(width)) {
                let to = to.chunks_exact_mut(lanes).skip(padding);
                to.zip(pixels).for_each(|(to, pixel)| to[lane] = *pixel);
            }
        }
    }

    /// Gives channels of a size.
    #[inline(always)]
    fn give(&self, channels: &mut [f32], [height, width]: [usize; 2], lanes: usize) {
        for (lane, plane) in channels.chunks_exact_mut(height * width).enumerate() {
            let rows = self.values.chunks_exact(self.tiles.row() * lanes);
            for (pixels, from) in plane.chunks_exact_mut(width).zip(rows) {
                pixels.iter_mut().zip(from.chunks_exact(lanes)).for_each(|(pixel, from)| *pixel = from[lane]);
            }
        }
    }
}

/// Tiles of some images, transformed: for each point, a row a tile, of which each channel has a value.
pub(super) struct Transformed {
    values: Vec<f32>,
    channels: usize,
    /// Values from one row to the next.
    pub(super) pitch: usize,
    /// Values from one point to the next: not a power of two, or all points of a tile would want the same places in the cache.
    step: usize,
    planes: Planes,
}

/// Where all points of a tile or a filter lie whose points lie so far apart.
#[inline(always)]
pub(super) fn points(first: usize, step: usize) -> Place {
    Place { first, down: POINTS * step, across: step }
}

impl Transformed {
    pub(super) fn new(channels: usize, images: usize, tiles: Tiles) -> Self {
        let pitch = channels.next_multiple_of(MOST);
        let step = images * tiles.count() * pitch + MOST;
        Self { values: vec![0.0; SQUARE * step], channels, pitch, step, planes: Planes::new(tiles) }
    }

    /// From `x`: `[images, in, h, w]`.
    pub(super) fn fill_with_input(&mut self, x: &[f32], plan: &Plan) {
        Arch::new().dispatch(Fill { to: self, x, size: plan.input, padding: plan.window.padding, by: OfInput });
    }

    /// From the gradient with respect to what comes out: `[images, out, h', w']`.
    pub(super) fn fill_with_gradient(&mut self, g: &[f32], plan: &Plan) {
        Arch::new().dispatch(Fill { to: self, x: g, size: plan.output, padding: 0, by: ToProducts });
    }

    /// Into `y`: `[images, out, h', w']`.
    pub(super) fn read_out(&mut self, y: &mut [f32], plan: &Plan) {
        Arch::new().dispatch(ReadOut { from: self, y, size: plan.output });
    }

    /// The first so many rows of a point.
    pub(super) fn matrix(&self, point: usize, rows: usize) -> Matrix<'_> {
        Matrix::pitched(&self.values[point * self.step..][..rows * self.pitch], self.channels, self.pitch)
    }

    /// The same, to be written.
    pub(super) fn rows_mut(&mut self, point: usize, rows: usize) -> &mut [f32] {
        &mut self.values[point * self.step..][..rows * self.pitch]
    }
}

/// Transforms images of a size.
struct Fill<'a, T, const K: usize> {
    to: &'a mut Transformed,
    x: &'a [f32],
    size: [usize; 3],
    padding: usize,
    by: T,
}

impl<T: Transform<K, POINTS>, const K: usize> WithSimd for Fill<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { to, x, size: [channels, height, width], padding, by } = self;
        let Transformed { values, pitch, step, planes, .. } = to;
        let (tiles, size, at_once) = (planes.tiles, height * width, S::F32_LANES);
        for (image, x) in x.chunks_exact(channels * size).enumerate() {
            for (group, x) in x.chunks(at_once * size).enumerate() {
                planes.hold(x, [height, width], padding, at_once);
                let (pixels, _) = S::as_simd_f32s(&planes.values);
                let (values, _) = S::as_mut_simd_f32s(values);
                for tile in 0..tiles.count() {
                    let taps = by.both(tiles.corner(tile).read(simd, pixels));
                    let first = (image * tiles.count() + tile) * *pitch / at_once + group;
                    points(first, *step / at_once).write(taps, values);
                }
            }
        }
    }
}

/// Transforms products back, to images of a size.
struct ReadOut<'a> {
    from: &'a mut Transformed,
    y: &'a mut [f32],
    size: [usize; 3],
}

impl WithSimd for ReadOut<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, y, size: [channels, height, width] } = self;
        let Transformed { values, pitch, step, planes, .. } = from;
        let (tiles, size, at_once) = (planes.tiles, height * width, S::F32_LANES);
        let (values, _) = S::as_simd_f32s(values);
        for (image, y) in y.chunks_exact_mut(channels * size).enumerate() {
            for (group, y) in y.chunks_mut(at_once * size).enumerate() {
                let (pixels, _) = S::as_mut_simd_f32s(&mut planes.values);
                for tile in 0..tiles.count() {
                    let first = (image * tiles.count() + tile) * *pitch / at_once + group;
                    let places = OfProducts.both(points(first, *step / at_once).read(simd, values));
                    tiles.corner(tile).write(places, pixels);
                }
                planes.give(y, [height, width], at_once);
            }
        }
    }
}
