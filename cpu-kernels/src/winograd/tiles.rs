//! Tiles of images and their transforms, forward and backward, with one channel per SIMD lane.

use pulp::{Arch, Simd, WithSimd};

use super::simd::{MAX_LANES, SquareLayout};
use super::transform::{InputTransform, OUTPUT_TILE, OutputTransform, OutputTransposed, TILE, Transform};
use crate::im2col::Im2col;
use crate::matmul::Matrix;

/// Values of a transformed tile.
pub(super) const TILE_POINTS: usize = TILE * TILE;
/// Transformed values of a block of images: as many as fit into a core's own cache.
const BLOCK: usize = 192 * 1024;
/// Fewest and most tiles of a block: products with fewer rows are slow, more gain nothing.
const TILES: [usize; 2] = [64, 512];

/// Rows and columns of tiles that cover an output image. The last ones may reach over its edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileGrid {
    rows: usize,
    columns: usize,
}

impl TileGrid {
    pub(super) fn of(plan: &Im2col) -> Self {
        let [_, height, width] = plan.output;
        Self { rows: height.div_ceil(OUTPUT_TILE), columns: width.div_ceil(OUTPUT_TILE) }
    }

    pub(super) fn count(self) -> usize {
        self.rows * self.columns
    }

    /// Pixels per row of [`PaddedPlanes`].
    fn row(self) -> usize {
        self.columns * OUTPUT_TILE + TILE - OUTPUT_TILE
    }

    /// Layout of a tile in [`PaddedPlanes`].
    #[inline(always)]
    fn corner(self, tile: usize) -> SquareLayout {
        let first = (tile / self.columns * self.row() + tile % self.columns) * OUTPUT_TILE;
        SquareLayout { first, down: self.row(), across: 1 }
    }

    /// Images whose transformed tiles fit into [`BLOCK`], at least one.
    pub(super) fn images_per_block(self, plan: &Im2col) -> usize {
        let tile = TILE_POINTS * (plan.input[0] + plan.output[0]);
        let tiles = (BLOCK / tile).clamp(TILES[0], TILES[1]);
        (tiles / self.count().max(1)).clamp(1, plan.images.max(1))
    }
}

/// As many channels of an image as there are lanes, channels last, padded with zeros on all sides as far as tiles reach.
struct PaddedPlanes {
    values: Vec<f32>,
    tiles: TileGrid,
}

impl PaddedPlanes {
    fn new(tiles: TileGrid) -> Self {
        let rows = tiles.rows * OUTPUT_TILE + TILE - OUTPUT_TILE;
        Self { values: vec![0.0; rows * tiles.row() * MAX_LANES], tiles }
    }

    /// Copies channels in, `padding` pixels from the first row and column. All images have one size, so the zeros around them
    /// stay; lanes left over in the last group keep old values, whose results nobody reads.
    #[inline(always)]
    fn copy_from(&mut self, channels: &[f32], [height, width]: [usize; 2], padding: usize, lanes: usize) {
        for (lane, plane) in channels.chunks_exact(height * width).enumerate() {
            let rows = self.values.chunks_exact_mut(self.tiles.row() * lanes).skip(padding);
            for (to, pixels) in rows.zip(plane.chunks_exact(width)) {
                let to = to.chunks_exact_mut(lanes).skip(padding);
                to.zip(pixels).for_each(|(to, pixel)| to[lane] = *pixel);
            }
        }
    }

    /// Copies channels out, without what tiles compute beyond the edge of the image.
    #[inline(always)]
    fn copy_to(&self, channels: &mut [f32], [height, width]: [usize; 2], lanes: usize) {
        for (lane, plane) in channels.chunks_exact_mut(height * width).enumerate() {
            let rows = self.values.chunks_exact(self.tiles.row() * lanes);
            for (pixels, from) in plane.chunks_exact_mut(width).zip(rows) {
                pixels.iter_mut().zip(from.chunks_exact(lanes)).for_each(|(pixel, from)| *pixel = from[lane]);
            }
        }
    }
}

/// Transformed tiles of a block of images: for each of the 36 points a matrix with one row per tile and one column per channel.
pub(super) struct TransformedTiles {
    values: Vec<f32>,
    channels: usize,
    /// Values from one row to the next.
    pub(super) pitch: usize,
    /// Values from the matrix of one point to the next: not a power of two, or all points of a tile would compete for the same
    /// cache lines.
    step: usize,
    planes: PaddedPlanes,
}

/// Layout of the 6x6 points of a transformed tile or filter whose points lie `step` registers apart.
#[inline(always)]
pub(super) fn points(first: usize, step: usize) -> SquareLayout {
    SquareLayout { first, down: TILE * step, across: step }
}

impl TransformedTiles {
    pub(super) fn new(channels: usize, images: usize, tiles: TileGrid) -> Self {
        let pitch = channels.next_multiple_of(MAX_LANES);
        let step = images * tiles.count() * pitch + MAX_LANES;
        Self { values: vec![0.0; TILE_POINTS * step], channels, pitch, step, planes: PaddedPlanes::new(tiles) }
    }

    /// Transforms the input `x`: `[images, in, h, w]`.
    pub(super) fn fill_with_input(&mut self, x: &[f32], plan: &Im2col) {
        Arch::new().dispatch(Fill {
            to: self,
            x,
            size: plan.input,
            padding: plan.geometry.padding,
            by: InputTransform,
        });
    }

    /// Transforms the gradient with respect to the output: `[images, out, h', w']`.
    pub(super) fn fill_with_gradient(&mut self, g: &[f32], plan: &Im2col) {
        Arch::new().dispatch(Fill { to: self, x: g, size: plan.output, padding: 0, by: OutputTransposed });
    }

    /// Transforms the products into the output `y`: `[images, out, h', w']`.
    pub(super) fn read_out(&mut self, y: &mut [f32], plan: &Im2col) {
        Arch::new().dispatch(ReadOut { from: self, y, size: plan.output });
    }

    /// Matrix of a point, its first `rows` rows.
    pub(super) fn matrix(&self, point: usize, rows: usize) -> Matrix<'_> {
        Matrix::pitched(&self.values[point * self.step..][..rows * self.pitch], self.channels, self.pitch)
    }

    /// Mutable values of the first `rows` rows of a point, each `pitch` long.
    pub(super) fn rows_mut(&mut self, point: usize, rows: usize) -> &mut [f32] {
        &mut self.values[point * self.step..][..rows * self.pitch]
    }
}

/// Transforms tiles of the images `x` into `to`.
struct Fill<'a, T, const K: usize> {
    to: &'a mut TransformedTiles,
    x: &'a [f32],
    size: [usize; 3],
    padding: usize,
    by: T,
}

impl<T: Transform<K, TILE>, const K: usize> WithSimd for Fill<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { to, x, size: [channels, height, width], padding, by } = self;
        let TransformedTiles { values, pitch, step, planes, .. } = to;
        let tiles = planes.tiles;
        let size = height * width;
        let lanes = S::F32_LANES;
        for (image, x) in x.chunks_exact(channels * size).enumerate() {
            for (group, x) in x.chunks(lanes * size).enumerate() {
                planes.copy_from(x, [height, width], padding, lanes);
                let (pixels, _) = S::as_simd_f32s(&planes.values);
                let (values, _) = S::as_mut_simd_f32s(values);
                for tile in 0..tiles.count() {
                    let taps = by.both(tiles.corner(tile).read(simd, pixels));
                    let first = (image * tiles.count() + tile) * *pitch / lanes + group;
                    points(first, *step / lanes).write(taps, values);
                }
            }
        }
    }
}

/// Transforms the products in `from` into the images `y`.
struct ReadOut<'a> {
    from: &'a mut TransformedTiles,
    y: &'a mut [f32],
    size: [usize; 3],
}

impl WithSimd for ReadOut<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, y, size: [channels, height, width] } = self;
        let TransformedTiles { values, pitch, step, planes, .. } = from;
        let tiles = planes.tiles;
        let size = height * width;
        let lanes = S::F32_LANES;
        let (values, _) = S::as_simd_f32s(values);
        for (image, y) in y.chunks_exact_mut(channels * size).enumerate() {
            for (group, y) in y.chunks_mut(lanes * size).enumerate() {
                let (pixels, _) = S::as_mut_simd_f32s(&mut planes.values);
                for tile in 0..tiles.count() {
                    let first = (image * tiles.count() + tile) * *pitch / lanes + group;
                    let outputs = OutputTransform.both(points(first, *step / lanes).read(simd, values));
                    tiles.corner(tile).write(outputs, pixels);
                }
                planes.copy_to(y, [height, width], lanes);
            }
        }
    }
}
