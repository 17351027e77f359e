//! Convolutions with 3x3 filters in fewer than half the products.
//!
//! A filter of three points at two neighbouring places takes six products; over sums and differences of the four values
//! under it, four do (Winograd 1980). Along both axes, 16 do for 2x2 places instead of 36: F(2x2, 3x3) of Lavin and Gray 2016.
//! Tiles of 4x4 pixels that overlap by two, filters and what comes out are each transformed by sums and differences; in
//! between, each of the 16 points is a product of matrices, filters by tiles. Larger tiles would save more and round worse:
//! this one is as exact as the definition.
//!
//! The gradient of the input is the same convolution, with the filters turned; that of the filters goes the way back.

use burn_flex::FlexTensor;

use super::columns::Plan;
use super::parallel::{each, of_each};
use super::product::{Matrix, product};
use super::{Window, tensor};

/// Tiles that are transformed at once, beside one another: the width of the narrowest processors.
const LANES: usize = 4;
/// Points of a transformed tile.
const POINTS: usize = 16;
/// Fewer channels than these, on either side, are not worth the transforms.
const CHANNELS: usize = 8;
/// Numbers that are computed with at once: as many as a core's own cache holds.
const BLOCK: usize = 192 * 1024;
/// Products with fewer tiles are slow, and with more gain nothing.
const TILES: [usize; 2] = [64, 512];
/// Parts of a batch whose gradients are summed apart and then together: the same on every machine, so that the sum does not
/// depend on the number of threads.
const PARTS: usize = 16;

/// One value of several tiles.
type Lanes<const N: usize> = [f32; N];

#[inline(always)]
fn plus<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    std::array::from_fn(|lane| a[lane] + b[lane])
}

#[inline(always)]
fn minus<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    std::array::from_fn(|lane| a[lane] - b[lane])
}

#[inline(always)]
fn half<const N: usize>(a: Lanes<N>) -> Lanes<N> {
    a.map(|value| 0.5 * value)
}

/// A transform along an axis, along both.
#[inline(always)]
fn both<const N: usize, const A: usize, const B: usize>(
    x: [[Lanes<N>; A]; A],
    along: impl Fn([Lanes<N>; A]) -> [Lanes<N>; B],
) -> [[Lanes<N>; B]; B] {
    let columns: [[Lanes<N>; B]; A] = std::array::from_fn(|column| along(x.map(|row| row[column])));
    std::array::from_fn(|row| along(columns.map(|column| column[row])))
}

/// What a tile is multiplied as.
#[inline(always)]
fn of_input<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 4] {
    [minus(a, c), plus(b, c), minus(c, b), minus(b, d)]
}

/// What a filter is multiplied as.
#[inline(always)]
fn of_filter<const N: usize>([a, b, c]: [Lanes<N>; 3]) -> [Lanes<N>; 4] {
    let (outer, b) = (half(plus(a, c)), half(b));
    [a, plus(outer, b), minus(outer, b), c]
}

/// What comes out, of the products.
#[inline(always)]
fn of_products<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 2] {
    [plus(a, plus(b, c)), minus(minus(b, c), d)]
}

/// The transpose of [`of_products`].
#[inline(always)]
fn to_products<const N: usize>([a, b]: [Lanes<N>; 2]) -> [Lanes<N>; 4] {
    [a, plus(a, b), minus(a, b), b.map(|value| -value)]
}

/// The transpose of [`of_filter`].
#[inline(always)]
fn to_filter<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 3] {
    let middle = half(plus(b, c));
    [plus(a, middle), half(minus(b, c)), plus(middle, d)]
}

/// Whether a convolution can be computed here, and is worth it.
pub(super) fn suits(plan: &Plan) -> bool {
    let Window { stride, padding, dilation, groups } = plan.window;
    let plain = plan.kernel == [3, 3] && [stride, dilation, groups] == [1, 1, 1] && padding <= 2;
    plain && plan.input[0] >= CHANNELS && plan.output[0] >= CHANNELS
}

/// `y = conv(x, w)`, `[n, out, h', w']`.
pub(super) fn value(x: &FlexTensor, w: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (x, w) = (x.to_contiguous(), w.to_contiguous());
    convolved(x.storage(), &filters(w.storage(), plan), plan)
}

/// The gradient of the loss with respect to x, from that with respect to y.
pub(super) fn of_data(w: &FlexTensor, g: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (w, g) = (w.to_contiguous(), g.to_contiguous());
    let [[input, ..], [output, ..]] = [plan.input, plan.output];
    let w: &[f32] = w.storage();
    let turned = |at: usize| {
        let (i, o, point) = (at / 9 / output, at / 9 % output, at % 9);
        w[(o * input + i) * 9 + 8 - point]
    };
    let turned: Vec<f32> = (0..w.len()).map(turned).collect();
    let window = Window { padding: 2 - plan.window.padding, ..plan.window };
    let back = Plan::new(&plan.shape, &[input, output, 3, 3], window);
    convolved(g.storage(), &filters(&turned, &back), &back)
}

/// The gradient with respect to w.
pub(super) fn of_weights(x: &FlexTensor, g: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (x, g) = (x.to_contiguous(), g.to_contiguous());
    let ([input, ..], [output, ..]) = (plan.input, plan.output);
    let tiles = Tiles::of(plan);
    let (together, taken, given) = (tiles.together(plan), plan.taken(), plan.given());
    let part = plan.images.div_ceil(PARTS).next_multiple_of(together);
    let of_part = |[x, g]: [&[f32]; 2]| {
        let (mut from, mut to) = (Transformed::new(input, together, tiles), Transformed::new(output, together, tiles));
        let mut sum = vec![0.0; POINTS * output * input];
        for (x, g) in x.chunks(together * taken).zip(g.chunks(together * given)) {
            from.fill_with_input(x, plan);
            to.fill_with_gradient(g, plan);
            let columns = x.len() / taken * tiles.count();
            for (point, sum) in sum.chunks_exact_mut(output * input).enumerate() {
                product(sum, input, to.matrix(point, columns), from.matrix(point, columns).transposed(), true);
            }
        }
        sum
    };
    let sums = of_each([(x.storage(), part * taken), (g.storage(), part * given)], of_part);
    let sum = sums.into_iter().reduce(|mut sum, part| {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        sum
    });
    let sum = sum.unwrap_or_else(|| vec![0.0; POINTS * output * input]);
    let of_filter = |at: usize| {
        let points = grid(|row, column| [sum[(4 * row + column) * output * input + at]]);
        both(points, to_filter).into_iter().flatten().flatten()
    };
    tensor((0..output * input).flat_map(of_filter).collect(), &[output, input, 3, 3])
}

/// A square of values, each by its row and column.
#[inline(always)]
fn grid<const N: usize, const A: usize>(value: impl Fn(usize, usize) -> Lanes<N>) -> [[Lanes<N>; A]; A] {
    std::array::from_fn(|row| std::array::from_fn(|column| value(row, column)))
}

/// `[out, in, 3, 3]` -> `[16, out, in]`, transformed.
fn filters(w: &[f32], plan: &Plan) -> Vec<f32> {
    let count = plan.output[0] * plan.input[0];
    let mut transformed = vec![0.0; POINTS * count];
    for (at, filter) in w.chunks_exact(9).enumerate() {
        let points = both(grid(|row, column| [filter[3 * row + column]]), of_filter);
        for (point, [value]) in points.into_iter().flatten().enumerate() {
            transformed[point * count + at] = value;
        }
    }
    transformed
}

/// With filters that are transformed already.
fn convolved(x: &[f32], filters: &[f32], plan: &Plan) -> FlexTensor {
    let ([input, ..], [output, ..]) = (plan.input, plan.output);
    let tiles = Tiles::of(plan);
    let (together, taken, given) = (tiles.together(plan), plan.taken(), plan.given());
    let mut y = vec![0.0; plan.images * given];
    let scratch = || [input, output].map(|channels| Transformed::new(channels, together, tiles));
    let work = |[from, to]: &mut [Transformed; 2], y: &mut [f32], [x]: [&[f32]; 1]| {
        from.fill_with_input(x, plan);
        let columns = x.len() / taken * tiles.count();
        for (point, filters) in filters.chunks_exact(output * input).enumerate() {
            let pitch = to.pitch;
            product(to.lines_of(point), pitch, Matrix::new(filters, output), from.matrix(point, columns), false);
        }
        to.read_out(y, plan);
    };
    each((&mut y, together * given), [(x, together * taken)], scratch, work);
    tensor(y, &plan.shape)
}

/// How what comes out is cut into tiles of 2x2: rows and columns of them. The last may reach over the edge.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    fn of(plan: &Plan) -> Self {
        let [_, height, width] = plan.output;
        Self { rows: height.div_ceil(2), columns: width.div_ceil(2) }
    }

    fn count(self) -> usize {
        self.rows * self.columns
    }

    /// Images that are computed with at once.
    fn together(self, plan: &Plan) -> usize {
        let tile = POINTS * (plan.input[0] + plan.output[0]);
        let tiles = (BLOCK / tile).clamp(TILES[0], TILES[1]);
        (tiles / self.count().max(1)).clamp(1, plan.images.max(1))
    }

    /// Calls `visit` with the row and the first column of every few tiles; the last of them may lie beside the last column.
    #[inline(always)]
    fn visit(self, mut visit: impl FnMut(usize, usize)) {
        for row in 0..self.rows {
            for column in (0..self.columns).step_by(LANES) {
                visit(row, column);
            }
        }
    }
}

/// The pixels of a plane by whether their row and column are even or odd: neighbouring tiles find theirs side by side.
struct Parities {
    values: Vec<f32>,
    /// Pixels of one kind, and room behind them.
    kind: usize,
    /// Of one kind in a row.
    columns: usize,
}

impl Parities {
    fn new(rows: usize, columns: usize) -> Self {
        let kind = rows * columns + LANES;
        Self { values: vec![0.0; 4 * kind], kind, columns }
    }

    /// From a plane of `width` columns; around it lie `padding` zeros.
    fn fill(&mut self, plane: &[f32], width: usize, padding: usize) {
        self.values.fill(0.0);
        for (y, line) in plane.chunks_exact(width).enumerate() {
            let y = y + padding;
            for odd in 0..2 {
                let first = (odd + padding) % 2;
                let at = (2 * (y % 2) + odd) * self.kind + y / 2 * self.columns + (first + padding) / 2;
                let from = line.iter().skip(first).step_by(2);
                self.values[at..].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// The pixels in this row and column of several tiles, the first of which is given.
    #[inline(always)]
    fn at(&self, tile: [usize; 2], row: usize, column: usize) -> Lanes<LANES> {
        let kind = (2 * (row % 2) + column % 2) * self.kind;
        let at = kind + (tile[0] + row / 2) * self.columns + tile[1] + column / 2;
        lanes(&self.values, at)
    }
}

#[inline(always)]
fn lanes(values: &[f32], at: usize) -> Lanes<LANES> {
    *values[at..].first_chunk().expect("there is room behind the last tile")
}

/// Tiles of some images, transformed: for each point, a line a channel.
struct Transformed {
    values: Vec<f32>,
    channels: usize,
    /// Values from one line to the next: the tiles, and room for what is written beside the last.
    pitch: usize,
    tiles: Tiles,
    parities: Parities,
}

impl Transformed {
    fn new(channels: usize, images: usize, tiles: Tiles) -> Self {
        let pitch = (images * tiles.count() + LANES).next_multiple_of(LANES);
        let parities = Parities::new(tiles.rows + 1, tiles.columns + 1);
        Self { values: vec![0.0; POINTS * channels * pitch], channels, pitch, tiles, parities }
    }

    /// From `x`: `[images, in, h, w]`.
    fn fill_with_input(&mut self, x: &[f32], plan: &Plan) {
        self.fill(x, plan.input, plan.window.padding, |tile, parities| {
            both(grid(|row, column| parities.at(tile, row, column)), of_input)
        });
    }

    /// From the gradient with respect to what comes out: `[images, out, h', w']`.
    fn fill_with_gradient(&mut self, g: &[f32], plan: &Plan) {
        self.fill(g, plan.output, 0, |tile, parities| {
            both(grid(|row, column| parities.at(tile, row, column)), to_products)
        });
    }

    /// From images of this size. What is written beside the last column of tiles is written over by the row after it.
    #[inline(always)]
    fn fill(
        &mut self,
        x: &[f32],
        [channels, height, width]: [usize; 3],
        padding: usize,
        transform: impl Fn([usize; 2], &Parities) -> [[Lanes<LANES>; 4]; 4],
    ) {
        let Self { values, pitch, tiles, parities, .. } = self;
        for (number, plane) in x.chunks_exact(height * width).enumerate() {
            let (image, channel) = (number / channels, number % channels);
            parities.fill(plane, width, padding);
            let line = channel * *pitch + image * tiles.count();
            tiles.visit(|row, column| {
                let at = line + row * tiles.columns + column;
                let points = transform([row, column], parities);
                for (point, value) in points.into_iter().flatten().enumerate() {
                    values[at + point * channels * *pitch..][..LANES].copy_from_slice(&value);
                }
            });
        }
    }

    /// Into `y`: `[images, out, h', w']`.
    fn read_out(&self, y: &mut [f32], plan: &Plan) {
        let ([channels, height, width], tiles) = (plan.output, self.tiles);
        for (number, plane) in y.chunks_exact_mut(height * width).enumerate() {
            let line = number % channels * self.pitch + number / channels * tiles.count();
            tiles.visit(|row, column| {
                let at = line + row * tiles.columns + column;
                let point = |point: usize| lanes(&self.values, at + point * channels * self.pitch);
                let pixels = both(grid(|row, column| point(4 * row + column)), of_products);
                let rows = plane[2 * row * width..].chunks_exact_mut(width);
                for (to, [even, odd]) in rows.zip(pixels) {
                    let pairs: [f32; 2 * LANES] =
                        std::array::from_fn(|at| if at % 2 == 0 { even[at / 2] } else { odd[at / 2] });
                    let to = &mut to[2 * column..];
                    match to.first_chunk_mut() {
                        Some(to) => *to = pairs,
                        None => to.iter_mut().zip(pairs).for_each(|(to, from)| *to = from),
                    }
                }
            });
        }
    }

    /// The first so many columns of a point's lines.
    fn matrix(&self, point: usize, columns: usize) -> Matrix<'_> {
        let size = self.channels * self.pitch;
        Matrix::pitched(&self.values[point * size..][..size], columns, self.pitch)
    }

    fn lines_of(&mut self, point: usize) -> &mut [f32] {
        let size = self.channels * self.pitch;
        &mut self.values[point * size..][..size]
    }
}
