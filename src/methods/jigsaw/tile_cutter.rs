//! How jigsaw puzzles are cut: where tiles lie, and what keeps them from being joined by their edges and colours.

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
    /// How puzzles are cut.
    pub struct TileOptions {
        /// Shorter side that images are resized to; 0 keeps their size.
        resize: usize = 0, in 0..=2048, unit "px";
        /// Side of the central square that is cut up; 0 takes the whole shorter side.
        crop: usize = 0, in 0..=2048, unit "px";
        /// Cells to a side of the puzzle.
        grid: usize = 2, in 2..=3, unit "cells";
        /// Side of the tiles; smaller than the cells, so that edges do not go on from tile to tile.
        tile: usize = 12, in 1..=2048, unit "px";
        /// Room in which each tile is moved at random.
        jitter: usize = 2, in 0..=256, unit "px";
        /// Room in which each colour channel is moved by itself, against the colour fringes of lenses.
        channel_jitter: usize = 0, in 0..=64, unit "px";
        /// Share of images that are made gray, against the same fringes.
        gray: f64 = 0.5, in 0.0..=1.0;
        /// Share of the other images whose colours are projected, against the same fringes.
        project: f64 = 0.5, in 0.0..=1.0;
        /// Normalisation of each tile by itself, so that brightness does not join them.
        level: PatchNormalisation = PatchNormalisation::Deviation;
    }
}

/// Cuts puzzles as the options say.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    /// Cells to a side.
    pub grid: usize,
    /// Pixels to a side of a tile.
    pub tile: usize,
    /// The central square that is cut up, brought to so many pixels to a side.
    size: usize,
    /// The square's share of the shorter side of the image.
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
    /// Takes the options up.
    ///
    /// # Errors
    /// When tiles do not fit their cells.
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

    /// Tiles of a puzzle.
    pub(crate) fn tiles(&self) -> usize {
        self.grid * self.grid
    }

    /// The tiles of every image in their own order: `[n, c, h, w]` -> `[n * tiles, c, tile, tile]`, image by image.
    pub(crate) fn cut(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, c, ..] = images.dims();
        let square = self.recolour(self.square(images), rng);
        // every channel of an image is cut by itself: the last pixels of its place are its own
        let places: Vec<Vec<Patch>> = (0..n).flat_map(|_| self.places(c, rng)).collect();
        let (count, t) = (self.tiles(), self.tile);
        let planes = cut_patches(square.reshape([n * c, 1, self.size, self.size]), &places, t); // [n * c * count, 1, t, t]
        let tiles = planes.reshape([n, c, count, t, t]).swap_dims(1, 2).reshape([n * count, c, t, t]);
        self.levelled(tiles)
    }

    /// The central square at its size.
    fn square(&self, images: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = images.dims();
        if [h, w] == [self.size; 2] && self.share == 1.0 {
            return images;
        }
        let side = self.share * h.min(w) as f64;
        let (top, left) = ((h as f64 - side) / 2.0, (w as f64 - side) / 2.0);
        cut_patches(images, &vec![vec![Patch::square(top, left, side)]; n], self.size)
    }

    /// Some images gray, the colours of some others projected: each image as a whole, or its tiles would differ.
    fn recolour(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, ..] = images.dims();
        let mut choose = |p: f64| (0..n).map(|_| rng.random::<f64>() < p).collect::<Vec<_>>();
        let (grays, projected) = (choose(self.gray), choose(self.project));
        project_colours(gray(images, &grays), &projected)
    }

    /// Where the tiles of an image lie, one list a channel.
    fn places(&self, channels: usize, rng: &mut Rng) -> Vec<Vec<Patch>> {
        let cell = self.size / self.grid;
        let rest = (cell - self.tile - self.jitter) / 2;
        let mut lists = vec![Vec::with_capacity(self.tiles()); channels];
        for tile in 0..self.tiles() {
            let mut draw = |within: usize| rng.random_range(0..=within);
            let corner = [tile / self.grid, tile % self.grid].map(|index| index * cell + rest + draw(self.jitter));
            for list in &mut lists {
                // beyond the lower and right border there is nothing to be cut
                let [top, left] = corner.map(|at| (at + draw(self.channel_jitter)).min(self.size - self.tile) as f64);
                list.push(Patch::square(top, left, self.tile as f64));
            }
        }
        lists
    }

    fn levelled(&self, tiles: Tensor<4>) -> Tensor<4> {
        normalise_patches(tiles, self.level, &self.mean, &self.std)
    }

    /// Tiles laid out in their grid, a white line around each: `[n * tiles, c, t, t]` -> `[n, c, grid (t + 2), grid (t + 2)]`.
    pub(crate) fn lay(&self, tiles: Tensor<4>) -> Tensor<4> {
        let ([m, c, ..], grid, side) = (tiles.dims(), self.grid, self.tile + 2);
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

    /// Every pixel of the square knows where it is: row in the first channel, column in the last.
    fn chart(side: usize) -> Tensor<4> {
        let row = |place: usize| (place / side) as f32;
        let column = |place: usize| (place % side) as f32;
        let planes = (0..side * side).map(row).chain((0..side * side).map(|_| 0.5)).chain((0..side * side).map(column));
        Tensor::from_data(TensorData::new(planes.collect::<Vec<f32>>(), [1, 3, side, side]), &Device::flex())
    }

    #[test]
    fn full_tiles_stay_in_their_cells_but_for_two_pixels_a_channel() {
        let plain = [("level", "keep"), ("gray", "0"), ("project", "0"), ("resize", "0")];
        let cutter = cutter(Preset::Full, 255, 3, &plain);
        assert_eq!((cutter.grid, cutter.tile, cutter.size), (3, 64, 255));
        let mut offsets = std::collections::BTreeSet::new();
        for draw in 0..12 {
            let tiles = cutter.cut(chart(255), &mut stream(draw, Purpose::Views, 0));
            assert_eq!(tiles.dims(), [9, 3, 64, 64]);
            let first = numbers(tiles.slice([0..9, 0..3, 0..1, 0..1]));
            for (tile, corner) in first.chunks(3).enumerate() {
                let (top, left) = (corner[0] - 85.0 * (tile / 3) as f32, corner[2] - 85.0 * (tile % 3) as f32);
                // 21 px within the cell, 2 px of a channel's own, and no pixel beyond the picture
                assert!((0.0..=23.0).contains(&top) && (0.0..=23.0).contains(&left), "{top}, {left}");
                assert!(corner[0] <= 191.0 && corner[2] <= 191.0);
                offsets.insert(top as usize);
            }
        }
        assert!(offsets.len() > 15, "{offsets:?}");
    }

    #[test]
    fn channels_move_by_themselves_and_the_switch_stops_them() {
        let off_diagonal = |jitter: &str| {
            let changes =
                [("level", "keep"), ("gray", "0"), ("project", "0"), ("resize", "0"), ("channel_jitter", jitter)];
            let cutter = cutter(Preset::Full, 255, 3, &changes);
            // the same chart in all channels: tiles differ between channels only by their own moves
            let same = chart(255).slice([0..1, 0..1]).expand([1, 3, 255, 255]);
            let tiles = cutter.cut(same, &mut stream(1, Purpose::Views, 0));
            let (red, blue) = (tiles.clone().slice([0..9, 0..1]), tiles.slice([0..9, 2..3]));
            (red - blue).abs().max().into_scalar::<f32>()
        };
        assert_eq!(off_diagonal("0"), 0.0);
        assert!((1.0..=2.0).contains(&off_diagonal("2")));
    }

    /// The share of neighbours, left and right, that belong together by the pixels along their common edge alone: the
    /// tile in the left column finds its right neighbour among all tiles of the right column.
    fn solved_by_edges(cutter: &Cutter) -> f64 {
        let (n, t) = (40, cutter.tile);
        let fine = crate::rng::uniform(&mut stream(5, Purpose::Views, 0), n * 784, 0.0, 1.0);
        let fine = Tensor::<4>::from_data(TensorData::new(fine, [n, 1, 28, 28]), &Device::flex());
        // neighbouring pixels are alike, those four apart are not
        let x = crate::view::blur(fine, &vec![1.0; n], crate::view::Kernel::Explicit { inverse_share: 4 });
        let tiles = numbers(cutter.cut(x, &mut stream(1, Purpose::Views, 0)));
        let column = |tile: usize, c: usize| (0..t).map(move |r| tile * t * t + r * t + c);
        let away = |left: usize, right: usize| {
            let pairs = column(left, t - 1).zip(column(right, 0));
            pairs.map(|(a, b)| (tiles[a] - tiles[b]).powi(2)).sum::<f32>()
        };
        let (mut right, mut asked) = (0usize, 0usize);
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
    fn without_room_to_move_edges_solve_the_puzzle() {
        let remedy = solved_by_edges(&cutter(Preset::Small, 28, 1, &[("tile", "10"), ("jitter", "4")]));
        let trap = solved_by_edges(&cutter(Preset::Small, 28, 1, &[("tile", "14"), ("jitter", "0")]));
        println!("neighbours found by their edges: {trap:.2} without a gap, {remedy:.2} with one; guessing gives 0.50");
        assert!(trap > 0.9 && remedy < 0.65, "{trap} {remedy}");
    }

    #[test]
    fn without_levels_of_their_own_brightness_solves_the_puzzle() {
        // a light from one side, and nothing else to be seen
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
    fn tiles_that_do_not_fit_are_refused_in_words() {
        let mut config = test_support::tiny(Jigsaw::INFO.id);
        config.set("tile", "14").expect("an option");
        let said = test_support::build::<Jigsaw>(&config).expect_err("no room to move").to_string();
        assert!(said.contains("14 px") && said.contains("cell of 14 px"), "{said}");
    }
}
