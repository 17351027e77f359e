//! Tiles of jigsaw puzzles, with remedies against solving them by edges and colours.

use burn::tensor::Tensor;
use rand::RngExt;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::method::DataInfo;
use crate::net::Pixels;
use crate::options::options;
use crate::rng::Rng;
use crate::view::{Patch, PatchNormalisation, cut_patches, gray, normalise_patches, project_colours};

options! {
    /// Tiles of a puzzle.
    pub struct TileOptions {
        /// Shorter side of the resized image; 0 keeps its size.
        resize: usize = 0, in 0..=2048, unit "px";
        /// Side of the central crop that is cut into tiles; 0 takes the shorter side.
        crop: usize = 0, in 0..=2048, unit "px";
        /// Cells along a side of the puzzle.
        grid: usize = 2, in 2..=3, unit "cells";
        /// Side of the tiles, smaller than the cells, so that edges do not continue from tile to tile.
        tile: usize = 12, in 1..=2048, unit "px";
        /// Range of the random position of each tile in its cell.
        jitter: usize = 2, in 0..=256, unit "px";
        /// Range of an additional shift of each colour channel, against chromatic aberration.
        channel_jitter: usize = 0, in 0..=64, unit "px";
        /// Share of gray images, against chromatic aberration.
        gray: f64 = 0.5, in 0.0..=1.0;
        /// Share of colour images less their green-magenta axis, against chromatic aberration.
        project: f64 = 0.5, in 0.0..=1.0;
        /// Level of normalisation of each tile, so that brightness does not reveal neighbours.
        level: PatchNormalisation = PatchNormalisation::Deviation;
    }
}

/// Cutter of tiles, for images of one size.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    /// Cells along a side.
    pub grid: usize,
    /// Side of a tile, in pixels.
    pub tile: usize,
    /// Side of the central crop after resizing, in pixels.
    size: usize,
    /// Ratio of the crop to the shorter side of the image.
    share: f64,
    jitter: usize,
    channel_jitter: usize,
    gray: f64,
    project: f64,
    level: PatchNormalisation,
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Cutter {
    /// Cutter for these data.
    ///
    /// # Errors
    /// If tiles do not fit their cells.
    pub(crate) fn of(config: &RunConfig, options: &TileOptions, data_info: &DataInfo) -> Result<Self> {
        let shorter = data_info.size.height.min(data_info.size.width);
        let (size, share) = match (options.resize, options.crop) {
            (0, 0) => (shorter, 1.0),
            (0, crop) => (crop, crop as f64 / shorter as f64),
            (resized, 0) => (resized, 1.0),
            (resized, crop) => (crop, crop as f64 / resized as f64),
        };
        let TileOptions { grid, tile, jitter, channel_jitter, gray, project, level, .. } = *options;
        if share > 1.0 {
            return Err(Error::Config("crop must not exceed resize, nor the images where resize is 0".into()));
        }
        let cell = size / grid;
        if tile + jitter > cell {
            return Err(Error::Config(format!(
                "a tile of {tile} px with {jitter} px to move in does not fit a cell of {cell} px (grid of {grid} in {size} px)"
            )));
        }
        let mean = config.encoder.input_mean.clone();
        let std = Pixels::of(&config.data).std;
        Ok(Self { grid, tile, size, share, jitter, channel_jitter, gray, project, level, mean, std })
    }

    /// Number of tiles of a puzzle.
    pub(crate) fn tiles(&self) -> usize {
        self.grid * self.grid
    }

    /// Cuts the tiles of each image, row by row: `[n, c, h, w]` -> `[n * tiles, c, tile, tile]`.
    pub(crate) fn cut(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, c, ..] = images.dims();
        let square = self.recolour(self.square(images), rng);
        // channels are cut separately, because each has a shift of its own
        let places: Vec<Vec<Patch>> = (0..n).flat_map(|_| self.places(c, rng)).collect();
        let count = self.tiles();
        let t = self.tile;
        let planes = cut_patches(square.reshape([n * c, 1, self.size, self.size]), &places, t); // [n * c * count, 1, t, t]
        let tiles = planes.reshape([n, c, count, t, t]).swap_dims(1, 2).reshape([n * count, c, t, t]);
        self.levelled(tiles)
    }

    /// Central crop, resized.
    fn square(&self, images: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = images.dims();
        if [h, w] == [self.size; 2] && self.share == 1.0 {
            return images;
        }
        let side = self.share * h.min(w) as f64;
        let top = (h as f64 - side) / 2.0;
        let left = (w as f64 - side) / 2.0;
        cut_patches(images, &vec![vec![Patch::square(top, left, side)]; n], self.size)
    }

    /// Makes some images gray and projects the colours of some others; whole images, so that the tiles of one do not differ.
    fn recolour(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, ..] = images.dims();
        let mut choose = |p: f64| (0..n).map(|_| rng.random::<f64>() < p).collect::<Vec<_>>();
        let grays = choose(self.gray);
        let projected = choose(self.project);
        project_colours(gray(images, &grays), &projected)
    }

    /// Positions of the tiles of an image, a list for each channel.
    fn places(&self, channels: usize, rng: &mut Rng) -> Vec<Vec<Patch>> {
        let cell = self.size / self.grid;
        let rest = (cell - self.tile - self.jitter) / 2;
        let mut lists = vec![Vec::with_capacity(self.tiles()); channels];
        for tile in 0..self.tiles() {
            let mut draw = |within: usize| rng.random_range(0..=within);
            let corner = [tile / self.grid, tile % self.grid].map(|index| index * cell + rest + draw(self.jitter));
            for list in &mut lists {
                // within the lower and right border
                let [top, left] = corner.map(|at| (at + draw(self.channel_jitter)).min(self.size - self.tile) as f64);
                list.push(Patch::square(top, left, self.tile as f64));
            }
        }
        lists
    }

    fn levelled(&self, tiles: Tensor<4>) -> Tensor<4> {
        normalise_patches(tiles, self.level, &self.mean, &self.std)
    }

    /// Arranges tiles in their grid with white lines: `[n * tiles, c, t, t]` -> `[n, c, grid (t + 2), grid (t + 2)]`.
    pub(crate) fn lay(&self, tiles: Tensor<4>) -> Tensor<4> {
        let [m, c, ..] = tiles.dims();
        let grid = self.grid;
        let side = self.tile + 2;
        let framed = tiles.clamp(0.0, 1.0).pad((1, 1, 1, 1), 1.0);
        let rows = framed.reshape([m / self.tiles(), grid, grid, c, side, side]).permute([0, 3, 1, 4, 2, 5]);
        rows.reshape([m / self.tiles(), c, grid * side, grid * side])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::data::Size;
    use crate::method::Method;
    use crate::methods::jigsaw::{Jigsaw, JigsawOptions};
    use crate::methods::test_support;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, TensorData};

    fn cutter(preset: Preset, side: usize, channels: usize, changes: &[(&str, &str)]) -> Cutter {
        let mut config = Jigsaw::PRESETS.of(preset, if channels == 1 { "fashion-mnist" } else { "imagenet" });
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        let options = config.read_options::<JigsawOptions>().expect("possible options");
        let data_info = DataInfo::of(Size { channels, height: side, width: side }, 8);
        Cutter::of(&config, &options.tiles, &data_info).expect("a cutter")
    }

    fn numbers(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    /// An image whose pixels are their own coordinates: row in the first channel, column in the last.
    fn chart(side: usize) -> Tensor<4> {
        let row = |place: usize| (place / side) as f32;
        let column = |place: usize| (place % side) as f32;
        let planes = (0..side * side).map(row).chain((0..side * side).map(|_| 0.5)).chain((0..side * side).map(column));
        Tensor::from_data(TensorData::new(planes.collect::<Vec<f32>>(), [1, 3, side, side]), &Device::flex())
    }

    #[test]
    fn tiles_stay_in_their_cells() {
        let plain = [("level", "keep"), ("gray", "0"), ("project", "0"), ("resize", "0")];
        let cutter = cutter(Preset::Full, 255, 3, &plain);
        assert_eq!((cutter.grid, cutter.tile, cutter.size), (3, 64, 255));
        let mut offsets = std::collections::BTreeSet::new();
        for draw in 0..12 {
            let tiles = cutter.cut(chart(255), &mut stream(draw, Purpose::Views, 0));
            assert_eq!(tiles.dims(), [9, 3, 64, 64]);
            let first = numbers(tiles.slice([0..9, 0..3, 0..1, 0..1]));
            for (tile, corner) in first.chunks(3).enumerate() {
                let top = corner[0] - 85.0 * (tile / 3) as f32;
                let left = corner[2] - 85.0 * (tile % 3) as f32;
                // 21 px within the cell, 2 px for the channel, within the image
                assert!((0.0..=23.0).contains(&top) && (0.0..=23.0).contains(&left), "{top}, {left}");
                assert!(corner[0] <= 191.0 && corner[2] <= 191.0);
                offsets.insert(top as usize);
            }
        }
        assert!(offsets.len() > 15, "{offsets:?}");
    }

    #[test]
    fn channels_shift_separately() {
        let off_diagonal = |jitter: &str| {
            let changes =
                [("level", "keep"), ("gray", "0"), ("project", "0"), ("resize", "0"), ("channel_jitter", jitter)];
            let cutter = cutter(Preset::Full, 255, 3, &changes);
            // all channels are equal, so tiles differ between channels by their shifts only
            let same = chart(255).slice([0..1, 0..1]).expand([1, 3, 255, 255]);
            let tiles = cutter.cut(same, &mut stream(1, Purpose::Views, 0));
            let red = tiles.clone().slice([0..9, 0..1]);
            let blue = tiles.slice([0..9, 2..3]);
            (red - blue).abs().max().into_scalar::<f32>()
        };
        assert_eq!(off_diagonal("0"), 0.0);
        assert!((1.0..=2.0).contains(&off_diagonal("2")));
    }

    /// Accuracy of finding the right neighbour of each tile of the left column by the pixels along their edge only.
    fn solved_by_edges(cutter: &Cutter) -> f64 {
        let n = 40;
        let t = cutter.tile;
        let fine = crate::rng::uniform(&mut stream(5, Purpose::Views, 0), n * 784, 0.0, 1.0);
        let fine = Tensor::<4>::from_data(TensorData::new(fine, [n, 1, 28, 28]), &Device::flex());
        // noise that is correlated over less than four pixels
        let x = crate::view::blur(fine, &vec![1.0; n], crate::view::Kernel::Explicit { inverse_share: 4 });
        let tiles = numbers(cutter.cut(x, &mut stream(1, Purpose::Views, 0)));
        let column = |tile: usize, c: usize| (0..t).map(move |r| tile * t * t + r * t + c);
        let away = |left: usize, right: usize| {
            let pairs = column(left, t - 1).zip(column(right, 0));
            pairs.map(|(a, b)| (tiles[a] - tiles[b]).powi(2)).sum::<f32>()
        };
        let mut right = 0usize;
        let mut asked = 0usize;
        for puzzle in 0..n {
            for row in 0..2 {
                let left = 4 * puzzle + 2 * row;
                let candidates = [4 * puzzle + 1, 4 * puzzle + 3];
                let best = candidates.into_iter().min_by(|&a, &b| away(left, a).total_cmp(&away(left, b)));
                right += usize::from(best == Some(left + 1));
                asked += 1;
            }
        }
        right as f64 / asked as f64
    }

    #[test]
    fn without_jitter_edges_solve_the_puzzle() {
        let remedy = solved_by_edges(&cutter(Preset::Small, 28, 1, &[("tile", "10"), ("jitter", "4")]));
        let trap = solved_by_edges(&cutter(Preset::Small, 28, 1, &[("tile", "14"), ("jitter", "0")]));
        println!("neighbours found by their edges: {trap:.2} without a gap, {remedy:.2} with one; guessing gives 0.50");
        assert!(trap > 0.9 && remedy < 0.65, "{trap} {remedy}");
    }

    #[test]
    fn without_normalisation_brightness_solves_the_puzzle() {
        // a horizontal brightness gradient only
        let light: Vec<f32> =
            (0..784).map(|place| 0.2 + 0.02 * (place % 28) as f32 + 0.001 * (place % 7) as f32).collect();
        let x = Tensor::<4>::from_data(TensorData::new(light, [1, 1, 28, 28]), &Device::flex());
        let means = |level: &str| {
            let tiles =
                cutter(Preset::Small, 28, 1, &[("level", level)]).cut(x.clone(), &mut stream(1, Purpose::Views, 0));
            numbers(tiles.reshape([4, 1, 1, -1]).mean_dim(3))
        };
        let kept = means("keep");
        assert!(kept[0] + 0.2 < kept[1] && kept[2] + 0.2 < kept[3], "left is darker than right: {kept:?}");
        let own = means("deviation");
        assert!(own.iter().all(|mean| (mean - own[0]).abs() < 1e-5), "nothing is left of it: {own:?}");
    }

    #[test]
    fn tiles_that_do_not_fit_are_refused() {
        let mut config = test_support::tiny(Jigsaw::INFO.id);
        config.set("tile", "14").expect("an option");
        let said = test_support::build::<Jigsaw>(&config).expect_err("no room to move").to_string();
        assert!(said.contains("14 px") && said.contains("cell of 14 px"), "{said}");
    }
}
