//! Tiles of a grid and their permutation, for jigsaw puzzles and PIRL.

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::resample::{Filter, Window, resample};
use crate::rng::Rng;

/// Cuts each image into `grid` x `grid` cells, and a tile at a random position out of each cell.
///
/// A remainder of rows or columns is dropped at the bottom and on the right. The gaps between tiles prevent the shortcut of matching
/// edges that continue from tile to tile.
///
/// `images`: `[n, c, h, w]` -> `[n grid^2, c, tile, tile]`, the tiles of image 0 first, row by row. Noroozi and Favaro
/// 2016, section 3.3.
pub fn tiles(images: Tensor<4>, grid: usize, tile: usize, rng: &mut Rng) -> Tensor<4> {
    let cells = cells(images, grid);
    let [m, _, height, width] = cells.dims();
    assert!(tile <= height && tile <= width, "tiles: a tile must fit its cell");
    let window = |rng: &mut Rng| {
        let top = rng.random_range(0..=height - tile);
        let left = rng.random_range(0..=width - tile);
        Window { top, left, height: tile, width: tile, mirrored: false }
    };
    let windows: Vec<_> = (0..m).map(|_| window(rng)).collect();
    resample(cells, &windows, [tile, tile], Filter::Bilinear)
}

/// Cells of the grid: `[n, c, h, w]` -> `[n grid^2, c, h / grid, w / grid]`.
fn cells(images: Tensor<4>, grid: usize) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert!((1..=h.min(w)).contains(&grid), "tiles: a cell needs at least one pixel");
    let height = h / grid;
    let width = w / grid;
    let whole = images.slice([0..n, 0..c, 0..height * grid, 0..width * grid]);
    let cells = whole.reshape([n, c, grid, height, grid, width]).permute([0, 2, 4, 1, 3, 5]);
    cells.reshape([n * grid * grid, c, height, width])
}

/// Random permutations of `count` tiles, one for each of `n` images, drawn uniformly.
pub fn permutations(n: usize, count: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    let shuffled = |_| {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(rng);
        order
    };
    (0..n).map(shuffled).collect()
}

/// Permutes the tiles of each image: position j of image i gets tile `orders[i][j]`.
///
/// `tiles`: `[n count, c, t, t]`, `orders`: n permutations of `count` -> the same shape.
pub fn arrange(tiles: Tensor<4>, orders: &[Vec<usize>]) -> Tensor<4> {
    let [m, ..] = tiles.dims();
    assert_eq!(orders.iter().map(Vec::len).sum::<usize>(), m, "arrange: one position per tile");
    let image =
        |(i, order): (usize, &Vec<usize>)| order.iter().map(|tile| (i * order.len() + tile) as i32).collect::<Vec<_>>();
    let from: Vec<i32> = orders.iter().enumerate().flat_map(image).collect();
    let from = Tensor::<1, Int>::from_data(TensorData::new(from, [m]), &tiles.device());
    tiles.select(0, from)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::values;
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    /// Pixel (r, c) of image i has the value 10000 i + 100 r + c.
    fn numbered(n: usize, side: usize) -> Tensor<4> {
        let pixel = |at: usize| (10_000 * (at / side / side) + 100 * (at / side % side) + at % side) as f32;
        let values: Vec<f32> = (0..n * side * side).map(pixel).collect();
        Tensor::from_data(TensorData::new(values, [n, 1, side, side]), &Device::flex())
    }

    #[test]
    fn tiles_are_copied_from_their_cells_row_by_row() {
        let [n, grid, cell, tile] = [40, 3, 9, 6];
        let found = tiles(numbered(n, 28), grid, tile, &mut stream(1, Purpose::Views, 0));
        assert_eq!(found.dims(), [n * 9, 1, tile, tile]);
        let mut offsets = std::collections::BTreeSet::new();
        for (index, pixels) in values(found).chunks(tile * tile).enumerate() {
            let image = index / 9;
            let row = index % 9 / 3;
            let column = index % 3;
            let first = pixels[0] as usize - 10_000 * image;
            let top = first / 100 - row * cell;
            let left = first % 100 - column * cell;
            assert!(top <= cell - tile && left <= cell - tile, "tile {index} starts outside its cell");
            let expected = |at: usize| (10_000 * image + first + 100 * (at / tile) + at % tile) as f32;
            assert!(pixels.iter().enumerate().all(|(at, &pixel)| pixel == expected(at)));
            offsets.insert((top, left));
        }
        assert_eq!(offsets.len(), 16, "every offset of 4 by 4 occurs");
    }

    #[test]
    fn a_tile_as_large_as_its_cell_is_the_cell() {
        let found = tiles(numbered(1, 4), 2, 2, &mut stream(1, Purpose::Views, 0));
        let expected = [0., 1., 100., 101., 2., 3., 102., 103., 200., 201., 300., 301., 202., 203., 302., 303.];
        assert_eq!(values(found), expected);
    }

    #[test]
    fn each_image_draws_its_own_permutation() {
        let orders = permutations(300, 4, &mut stream(1, Purpose::Views, 0));
        let distinct: std::collections::BTreeSet<_> = orders.iter().cloned().collect();
        assert_eq!(distinct.len(), 24, "all 4! orders occur");
        assert!(orders.iter().all(|order| {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            sorted == [0, 1, 2, 3]
        }));
    }

    #[test]
    fn arrange_permutes_tiles_within_their_image() {
        let x =
            Tensor::<4>::from_data(TensorData::new((0..6).map(|x| x as f32).collect(), [6, 1, 1, 1]), &Device::flex());
        assert_eq!(values(arrange(x, &[vec![2, 0, 1], vec![0, 2, 1]])), [2.0, 0.0, 1.0, 3.0, 5.0, 4.0]);
    }
}
