//! Random grids of patches with gaps and jitter, and the pairs of neighbours in them.

use rand::RngExt;

use crate::error::{Error, Result};
use crate::method::DataInfo;
use crate::options::options;
use crate::rng::Rng;
use crate::view::Patch;

/// Positions around a patch, row by row, without the patch itself.
pub(crate) const PLACES: [&str; 8] =
    ["above left", "above", "above right", "left", "right", "below left", "below", "below right"];

/// Class of the neighbour at an offset of rows and columns, by rows of three without the centre.
pub(crate) fn place([down, right]: [isize; 2]) -> usize {
    let cell = (3 * (down + 1) + right + 1) as usize;
    assert!(cell < 9 && cell != 4, "place: a neighbour is one cell away");
    if cell < 4 { cell } else { cell - 1 }
}

/// Class of the first patch relative to the second.
pub(crate) fn swapped(place: usize) -> usize {
    7 - place
}

options! {
    /// Grids of patches, in pixels of the resized image.
    #[derive(Copy)]
    pub struct GridOptions {
        /// Side of the patches.
        patch: usize = 10, in 2..=2048, unit "px";
        /// Gap between patches, so that no edge continues from one to the next; at least twice `jitter`.
        gap: usize = 4, in 0..=2048, unit "px";
        /// Largest random shift of each patch.
        jitter: usize = 1, in 0..=1024, unit "px";
        /// Cells along a side of a grid of patches; 0 takes as many as fit.
        grid: usize = 2, in 2..=256, or 0, unit "cells";
        /// Grids of each image.
        grids: usize = 2, in 1..=256, unit "grids";
        /// Most patches of a step; 0 sets no bound.
        patches: usize = 0, in 0.., unit "patches";
        /// Smallest area that images are resized to; 0 keeps their size.
        min_pixels: usize = 0, in 0..=67_108_864, unit "px";
        /// Largest area that images are resized to; 0 keeps their size.
        max_pixels: usize = 0, in 0..=67_108_864, unit "px";
    }
}

impl GridOptions {
    /// The authors' setting for large images: patches of 96 px with gaps of 48 px, in `grids` grids of as many as fit.
    pub(crate) fn published(grids: usize) -> Self {
        Self { patch: 96, gap: 48, jitter: 7, grid: 0, grids, patches: 512, min_pixels: 150_000, max_pixels: 450_000 }
    }
}

/// Layout of grids, checked against the size of the images.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Side of a patch, in pixels.
    pub patch: usize,
    gap: usize,
    jitter: usize,
    /// Cells along a side of a grid; 0: as many as fit.
    grid: usize,
    /// Grids of each image.
    grids: usize,
    /// Most patches of a step; 0: no bound.
    most: usize,
    /// Smallest and largest area of the resized image; 0: images keep their size.
    pixels: [usize; 2],
}

/// Patches of a batch, and the pairs of neighbours in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Neighbours {
    /// Patches of each image, in its own pixels.
    pub patches: Vec<Vec<Patch>>,
    /// Index of the first patch of each pair.
    pub first: Vec<i32>,
    /// Index of the second patch of each pair.
    pub second: Vec<i32>,
    /// Position of the second patch relative to the first.
    pub labels: Vec<i32>,
}

/// A grid on an image: first row and column, numbers of rows and columns.
struct Grid {
    start: [usize; 2],
    cells: [usize; 2],
}

impl Layout {
    /// Layout for these data.
    ///
    /// # Errors
    /// If two neighbouring patches do not always fit.
    pub(crate) fn of(options: &GridOptions, data_info: &DataInfo) -> Result<Self> {
        let GridOptions { patch, gap, jitter, grid, grids, patches, min_pixels, max_pixels } = *options;
        let layout = Self { patch, gap, jitter, grid, grids, most: patches, pixels: [min_pixels, max_pixels] };
        layout.check(data_info)?;
        Ok(layout)
    }

    fn check(&self, data_info: &DataInfo) -> Result<()> {
        let wrong = |what: String| Err(Error::Config(what));
        if self.pixels[0] > self.pixels[1] {
            return wrong("min_pixels must be at most max_pixels".into());
        }
        if self.gap < 2 * self.jitter {
            let Self { gap, jitter, .. } = *self;
            return wrong(format!(
                "with a gap of {gap} px and a jitter of {jitter} px patches would overlap: gap must be at least twice jitter"
            ));
        }
        let least = self.resized([data_info.size.height, data_info.size.width], self.pixels[0]);
        // a grid may start anywhere in its first cell; two cells must fit after the last start
        let needed = match self.grid {
            0 => 3 * self.pitch() - self.gap - 1,
            cells => self.extent(cells),
        };
        let fits = if self.grid == 0 {
            least.iter().any(|&side| side >= needed)
        } else {
            least.iter().all(|&side| side >= needed)
        };
        if !fits {
            let [height, width] = least;
            return wrong(format!(
                "patches of {} px with gaps of {} px need {needed} px, but images are {height} x {width}",
                self.patch, self.gap
            ));
        }
        let cells = self
            .resized([data_info.size.height, data_info.size.width], self.pixels[1])
            .map(|side| self.fitting(side, 0));
        if self.most > 0 && self.most < cells[0] * cells[1] {
            return wrong(format!("patches must be at least {}, the patches of the largest grid", cells[0] * cells[1]));
        }
        Ok(())
    }

    fn pitch(&self) -> usize {
        self.patch + self.gap
    }

    fn extent(&self, cells: usize) -> usize {
        cells * self.pitch() - self.gap
    }

    /// Number of cells that fit after a start.
    fn fitting(&self, side: usize, start: usize) -> usize {
        if self.grid > 0 { self.grid } else { (side + self.gap - start) / self.pitch() }
    }

    /// Sides of the image after resizing to an area.
    fn resized(&self, size: [usize; 2], pixels: usize) -> [usize; 2] {
        if pixels == 0 {
            return size;
        }
        let scale = (pixels as f64 / (size[0] * size[1]) as f64).sqrt();
        size.map(|side| (side as f64 * scale).round() as usize)
    }

    /// Draws grids and patches, and pairs each patch with its neighbours in both directions. Drawing ends before `most` patches are
    /// exceeded.
    pub(crate) fn draw(&self, n: usize, size: [usize; 2], rng: &mut Rng) -> Neighbours {
        let mut found = Neighbours { patches: vec![Vec::new(); n], ..Neighbours::default() };
        let mut count = 0;
        for image in 0..n {
            let area = if self.pixels[1] == 0 { 0 } else { rng.random_range(self.pixels[0]..=self.pixels[1]) };
            let resized = self.resized(size, area);
            for _ in 0..self.grids {
                let grid = self.grid(resized, rng);
                let [rows, columns] = grid.cells;
                if self.most > 0 && count + rows * columns > self.most {
                    return found;
                }
                found.patches[image].extend(self.patches(&grid, resized, size, rng));
                found.add_pairs(grid.cells, count);
                count += rows * columns;
            }
        }
        found
    }

    fn grid(&self, resized: [usize; 2], rng: &mut Rng) -> Grid {
        let mut start = |side: usize| {
            let last = if self.grid > 0 { side - self.extent(self.grid) } else { self.pitch() - 1 };
            rng.random_range(0..=last)
        };
        let start = [start(resized[0]), start(resized[1])];
        Grid { start, cells: [0, 1].map(|axis| self.fitting(resized[axis], start[axis])) }
    }

    /// Patches of a grid, each with its own jitter within the image; in pixels of the original image.
    fn patches(&self, grid: &Grid, resized: [usize; 2], size: [usize; 2], rng: &mut Rng) -> Vec<Patch> {
        let scale = [0, 1].map(|axis| size[axis] as f64 / resized[axis] as f64);
        let mut patches = Vec::with_capacity(grid.cells[0] * grid.cells[1]);
        for cell in 0..grid.cells[0] * grid.cells[1] {
            let index = [cell / grid.cells[1], cell % grid.cells[1]];
            let corner = [0, 1].map(|axis| {
                let jitter = rng.random_range(0..=2 * self.jitter);
                let at = (grid.start[axis] + index[axis] * self.pitch() + jitter).saturating_sub(self.jitter);
                at.min(resized[axis] - self.patch) as f64 * scale[axis]
            });
            let [height, width] = scale.map(|scale| self.patch as f64 * scale);
            patches.push(Patch { top: corner[0], left: corner[1], height, width });
        }
        patches
    }
}

impl Neighbours {
    /// Adds all pairs of neighbours of a grid whose first patch has index `start`.
    fn add_pairs(&mut self, [rows, columns]: [usize; 2], start: usize) {
        let number = |row: usize, column: usize| (start + row * columns + column) as i32;
        for row in 0..rows {
            for column in 0..columns {
                // up and to the left; both directions are added
                for (up, left) in [(1usize, 1isize), (1, 0), (1, -1), (0, 1)] {
                    let (Some(above), Some(beside)) = (row.checked_sub(up), column.checked_add_signed(-left)) else {
                        continue;
                    };
                    if beside < columns {
                        let label = place([-(up as isize), -left]);
                        self.push(number(row, column), number(above, beside), label);
                        self.push(number(above, beside), number(row, column), swapped(label));
                    }
                }
            }
        }
    }

    fn push(&mut self, first: i32, second: i32, label: usize) {
        self.first.push(first);
        self.second.push(second);
        self.labels.push(label as i32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::data::Size;
    use crate::method::Method;
    use crate::methods::context_prediction::{ContextPrediction, ContextPredictionOptions};
    use crate::rng::{Purpose, stream};

    fn layout(preset: Preset, size: [usize; 2], changes: &[(&str, &str)]) -> Result<Layout> {
        let mut config = ContextPrediction::PRESETS.of(preset, "fashion-mnist");
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        let options = config.read_options::<ContextPredictionOptions>()?;
        Layout::of(&options.grid, &DataInfo::of(Size { channels: 1, height: size[0], width: size[1] }, 8))
    }

    /// Class after mirroring left to right.
    fn mirrored(place: usize) -> usize {
        [2, 1, 0, 4, 3, 7, 6, 5][place]
    }

    #[test]
    fn classes_are_rows_of_three_and_follow_swaps_and_mirrors() {
        let all: Vec<[isize; 2]> =
            (-1..=1).flat_map(|y| (-1..=1).map(move |x| [y, x])).filter(|d| *d != [0, 0]).collect();
        let found: Vec<usize> = all.iter().map(|&d| place(d)).collect();
        assert_eq!(found, (0..8).collect::<Vec<_>>());
        for [y, x] in all {
            assert_eq!(place([-y, -x]), swapped(place([y, x])));
            assert_eq!(place([y, -x]), mirrored(place([y, x])));
        }
    }

    #[test]
    fn a_block_of_nine_has_forty_pairs() {
        let mut found = Neighbours::default();
        found.add_pairs([3, 3], 9);
        assert_eq!(found.labels.len(), 40);
        let middle: Vec<i32> = (0..40).filter(|&i| found.first[i] == 13).map(|i| found.labels[i]).collect();
        let mut sorted = middle.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..8).collect::<Vec<_>>());
        for ((first, second), label) in found.first.iter().zip(&found.second).zip(&found.labels) {
            let [a, b] = [first - 9, second - 9].map(|number| [number as isize / 3, number as isize % 3]);
            assert_eq!(place([b[0] - a[0], b[1] - a[1]]), *label as usize);
        }
    }

    #[test]
    fn inside_a_grid_all_positions_are_equally_frequent() {
        let mut found = Neighbours::default();
        let columns = 6;
        found.add_pairs([5, columns], 0);
        let mut counts = [0; 8];
        for (first, label) in found.first.iter().zip(&found.labels) {
            let [row, column] = [*first as usize / columns, *first as usize % columns];
            if (1..4).contains(&row) && (1..5).contains(&column) {
                counts[*label as usize] += 1;
            }
        }
        assert_eq!(counts, [12; 8]);
    }

    #[test]
    fn patches_keep_their_gap_inside_the_image() {
        for (preset, size) in [(Preset::Full, [500, 640]), (Preset::Small, [28, 28])] {
            let layout = layout(preset, size, &[]).expect("a layout");
            let mut starts = std::collections::BTreeSet::new();
            for seed in 0..20 {
                let mut rng = stream(seed, Purpose::Views, 0);
                let found = layout.draw(4, size, &mut rng);
                let all: Vec<&Patch> = found.patches.iter().flatten().collect();
                for patch in &all {
                    assert!(patch.top >= 0.0 && patch.top + patch.height <= size[0] as f64 + 1e-9);
                    assert!(patch.left >= 0.0 && patch.left + patch.width <= size[1] as f64 + 1e-9);
                }
                let least = (layout.gap - 2 * layout.jitter) as f64;
                for (first, second) in found.first.iter().zip(&found.second) {
                    let a = all[*first as usize];
                    let b = all[*second as usize];
                    let scale = a.height / layout.patch as f64;
                    let apart = [(a.top - b.top).abs() - a.height, (a.left - b.left).abs() - a.width];
                    // at the border of the image two patches may be closer, by the jitter at most
                    let enough = (least - layout.jitter as f64) * scale - 1e-6;
                    assert!(apart[0].max(apart[1]) >= enough, "{apart:?} is under {enough}");
                }
                starts.insert(all[0].top as usize);
            }
            assert!(starts.len() > 2, "grids start at {starts:?}");
        }
        assert_eq!(layout(Preset::Full, [500, 640], &[]).map(|l| l.gap - 2 * l.jitter).expect("a layout"), 34);
    }

    #[test]
    fn published_grids_fill_images_up_to_the_bound() {
        let layout = layout(Preset::Full, [500, 640], &[]).expect("a layout");
        let found = layout.draw(8, [500, 640], &mut stream(3, Purpose::Views, 0));
        let count: usize = found.patches.iter().map(Vec::len).sum();
        assert!((150..=512).contains(&count), "{count}");
        for patch in found.patches.iter().flatten() {
            let area = (500.0 * 640.0) * (96.0 / patch.height) * (96.0 / patch.width);
            assert!((149_000.0..=451_000.0).contains(&area), "{area}");
        }
        let bounded = Layout { most: 40, ..layout };
        let found = bounded.draw(8, [500, 640], &mut stream(3, Purpose::Views, 0));
        let count: usize = found.patches.iter().map(Vec::len).sum();
        assert!(count <= 40 && found.first.iter().chain(&found.second).all(|&number| (number as usize) < count));
    }

    #[test]
    fn impossible_layouts_are_refused() {
        let said = |changes: &[(&str, &str)]| {
            layout(Preset::Small, [28, 28], changes).expect_err("must be refused").to_string()
        };
        assert!(said(&[("jitter", "5")]).contains("overlap"));
        assert!(said(&[("patch", "20")]).contains("28 x 28"));
        assert!(said(&[("grid", "1")]).contains("grid"));
        let many = [("grid", "0"), ("patch", "4"), ("gap", "4"), ("patches", "3")];
        assert!(said(&many).contains("patches must be at least 16"), "{}", said(&many));
    }
}
