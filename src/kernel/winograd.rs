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
use super::parallel::{PARTS, made, summed};
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
    let (x, filters) = (x.to_contiguous(), Filters::of(w));
    convolved(x.storage(), |point| filters.at(point), plan)
}

/// The gradient of the loss with respect to x, from that with respect to y: a convolution with the filters turned by half a
/// turn, which exchanges the first and the last point along each axis, and with what goes in and what comes out exchanged.
pub(super) fn of_data(w: &FlexTensor, g: &FlexTensor, plan: &Plan) -> FlexTensor {
    let (g, filters) = (g.to_contiguous(), Filters::of(w));
    let [[input, ..], [output, ..]] = [plan.input, plan.output];
    let window = Window { padding: 2 - plan.window.padding, ..plan.window };
    let back = Plan::new(&plan.shape, &[input, output, 3, 3], window);
    let turned = |along: usize| [3, 1, 2, 0][along];
    convolved(g.storage(), |point| filters.at(4 * turned(point / 4) + turned(point % 4)).transposed(), &back)
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
        back(&sum, output * input)
    };
    let inputs = [(x.storage(), part * taken), (g.storage(), part * given)];
    tensor(summed(inputs, 9 * output * input, of_part), &[output, input, 3, 3])
}

/// The gradients of so many filters from those of the transformed ones.
fn back(points: &[f32], count: usize) -> Vec<f32> {
    let mut filters = vec![0.0; 9 * count];
    for (at, filter) in filters.chunks_exact_mut(9).enumerate() {
        let points = grid(|row, column| [points[(4 * row + column) * count + at]]);
        let rows = both(points, to_filter).into_iter().flatten();
        filter.iter_mut().zip(rows).for_each(|(to, [value])| *to = value);
    }
    filters
}

/// Writes pairs of pixels next to one another, as far as the row reaches.
#[inline(always)]
fn paired([even, odd]: [Lanes<LANES>; 2], to: &mut [f32]) {
    let pixels: [f32; 2 * LANES] = std::array::from_fn(|at| if at % 2 == 0 { even[at / 2] } else { odd[at / 2] });
    match to.first_chunk_mut() {
        Some(to) => *to = pixels,
        None => to.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = pixel),
    }
}

/// A square of values, each by its row and column.
#[inline(always)]
fn grid<const N: usize, const A: usize>(value: impl Fn(usize, usize) -> Lanes<N>) -> [[Lanes<N>; A]; A] {
    std::array::from_fn(|row| std::array::from_fn(|column| value(row, column)))
}

/// Filters, transformed: `[16, out, in]`.
struct Filters {
    values: Vec<f32>,
    output: usize,
}

impl Filters {
    /// From `[out, in, 3, 3]`.
    fn of(w: &FlexTensor) -> Self {
        let (w, output) = (w.to_contiguous(), w.layout().shape()[0]);
        let w: &[f32] = w.storage();
        let count = w.len() / 9;
        let mut values = vec![0.0; POINTS * count];
        for (at, filter) in w.chunks_exact(9).enumerate() {
            let points = both(grid(|row, column| [filter[3 * row + column]]), of_filter);
            for (point, [value]) in points.into_iter().flatten().enumerate() {
                values[point * count + at] = value;
            }
        }
        Self { values, output }
    }

    /// `[out, in]` at a point.
    fn at(&self, point: usize) -> Matrix<'_> {
        let count = self.values.len() / POINTS;
        Matrix::new(&self.values[point * count..][..count], self.output)
    }
}

/// With filters that are transformed already: `[out, in]` at each point.
fn convolved<'a>(x: &[f32], filter: impl Fn(usize) -> Matrix<'a> + Sync + Send, plan: &Plan) -> FlexTensor {
    let ([input, ..], [output, ..]) = (plan.input, plan.output);
    let tiles = Tiles::of(plan);
    let (together, taken, given) = (tiles.together(plan), plan.taken(), plan.given());
    let scratch = || [input, output].map(|channels| Transformed::new(channels, together, tiles));
    let work = |[from, to]: &mut [Transformed; 2], y: &mut [f32], [x]: [&[f32]; 1]| {
        from.fill_with_input(x, plan);
        let columns = x.len() / taken * tiles.count();
        for point in 0..POINTS {
            let pitch = to.pitch;
            product(to.lines_of(point), pitch, filter(point), from.matrix(point, columns), false);
        }
        to.read_out(y, plan);
    };
    let y = made((plan.images * given, together * given), [(x, together * taken)], scratch, work);
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

    /// Where every few of so many begin.
    fn steps(count: usize) -> impl Iterator<Item = usize> {
        (0..count).step_by(LANES)
    }
}

/// A plane of which each row has been transformed: for each of the four values that a tile has there, the rows of tiles one
/// after the other, first as the even rows of pixels have it and then as the odd ones. Tiles that lie below one another in
/// the plane lie a row of tiles apart, and all that the transform along columns adds up lies in step.
struct Halfway {
    values: Vec<f32>,
    /// Values of the even rows, and room behind them.
    half: usize,
    /// A row of pixels with the zeros before and behind it.
    line: Vec<f32>,
    tiles: Tiles,
}

impl Halfway {
    fn new(tiles: Tiles) -> Self {
        let half = (tiles.rows + 1) * tiles.columns + LANES;
        Self { values: vec![0.0; 8 * half], half, line: vec![0.0; 2 * (tiles.columns + LANES) + 2], tiles }
    }

    /// From a plane of `width` columns; around it lie `padding` zeros, always as many. What is written beside the last column
    /// is written over by the row after it, be it of zeros.
    #[inline(always)]
    fn fill<const K: usize>(
        &mut self,
        plane: &[f32],
        width: usize,
        padding: usize,
        along: impl Fn([Lanes<LANES>; K]) -> [Lanes<LANES>; 4],
    ) {
        let Self { values, half, line, tiles } = self;
        let begins = |y: usize| y % 2 * *half + y / 2 * tiles.columns;
        for (y, pixels) in plane.chunks_exact(width).enumerate() {
            line[padding..padding + width].copy_from_slice(pixels);
            let row = begins(y + padding);
            for column in Tiles::steps(tiles.columns) {
                let line: &[f32; 2 * LANES + 2] = line[2 * column..].first_chunk().expect("there is room behind a row");
                let tap = |tap: usize| std::array::from_fn(|lane| line[2 * lane + tap]);
                for (place, value) in along(std::array::from_fn(tap)).into_iter().enumerate() {
                    put(values, 2 * place * *half + row + column, value);
                }
            }
        }
        for row in (plane.len() / width + padding..2 * tiles.rows + 2).map(begins) {
            (0..4).for_each(|place| values[2 * place * *half + row..][..tiles.columns].fill(0.0));
        }
    }

    /// What a transform along columns takes for this place in a row, some tiles beside one another from this one on.
    #[inline(always)]
    fn taps<const K: usize>(&self, place: usize, tile: usize) -> [Lanes<LANES>; K] {
        let row = |tap: usize| (2 * place + tap % 2) * self.half + tap / 2 * self.tiles.columns;
        std::array::from_fn(|tap| lanes(&self.values, row(tap) + tile))
    }
}

#[inline(always)]
fn lanes(values: &[f32], at: usize) -> Lanes<LANES> {
    *values[at..].first_chunk().expect("there is room behind the last tile")
}

#[inline(always)]
fn put(values: &mut [f32], at: usize, lanes: Lanes<LANES>) {
    *values[at..].first_chunk_mut().expect("there is room behind the last tile") = lanes;
}

/// Tiles of some images, transformed: for each point, a line a channel.
struct Transformed {
    values: Vec<f32>,
    channels: usize,
    /// Values from one line to the next: the tiles, and room for what is written beside the last.
    pitch: usize,
    tiles: Tiles,
    halfway: Halfway,
}

impl Transformed {
    fn new(channels: usize, images: usize, tiles: Tiles) -> Self {
        let pitch = (images * tiles.count() + LANES).next_multiple_of(LANES);
        Self { values: vec![0.0; POINTS * channels * pitch], channels, pitch, tiles, halfway: Halfway::new(tiles) }
    }

    /// From `x`: `[images, in, h, w]`.
    fn fill_with_input(&mut self, x: &[f32], plan: &Plan) {
        self.fill(x, plan.input, plan.window.padding, of_input);
    }

    /// From the gradient with respect to what comes out: `[images, out, h', w']`.
    fn fill_with_gradient(&mut self, g: &[f32], plan: &Plan) {
        self.fill(g, plan.output, 0, to_products);
    }

    /// From images of this size. What is written beside the last tile is written over by the image after it.
    #[inline(always)]
    fn fill<const K: usize>(
        &mut self,
        x: &[f32],
        [channels, height, width]: [usize; 3],
        padding: usize,
        along: impl Fn([Lanes<LANES>; K]) -> [Lanes<LANES>; 4] + Copy,
    ) {
        let Self { values, pitch, tiles, halfway, .. } = self;
        for (number, plane) in x.chunks_exact(height * width).enumerate() {
            let (image, channel) = (number / channels, number % channels);
            halfway.fill(plane, width, padding, along);
            let line = channel * *pitch + image * tiles.count();
            for place in 0..4 {
                for tile in Tiles::steps(tiles.count()) {
                    for (row, value) in along(halfway.taps(place, tile)).into_iter().enumerate() {
                        put(values, line + (4 * row + place) * channels * *pitch + tile, value);
                    }
                }
            }
        }
    }

    /// Into `y`: `[images, out, h', w']`.
    fn read_out(&mut self, y: &mut [f32], plan: &Plan) {
        let ([channels, height, width], Tiles { columns, .. }) = (plan.output, self.tiles);
        let Self { values, pitch, tiles, halfway, .. } = self;
        for (number, plane) in y.chunks_exact_mut(height * width).enumerate() {
            let line = number % channels * *pitch + number / channels * tiles.count();
            for place in 0..4 {
                for tile in Tiles::steps(tiles.count()) {
                    let point = |row: usize| lanes(values, line + (4 * row + place) * channels * *pitch + tile);
                    for (odd, value) in of_products(std::array::from_fn(point)).into_iter().enumerate() {
                        put(&mut halfway.values, (2 * place + odd) * halfway.half + tile, value);
                    }
                }
            }
            for (row, to) in plane.chunks_exact_mut(width).enumerate() {
                let from = row % 2 * halfway.half + row / 2 * columns;
                for column in Tiles::steps(columns) {
                    let place = |place: usize| lanes(&halfway.values, from + 2 * place * halfway.half + column);
                    paired(of_products(std::array::from_fn(place)), &mut to[2 * column..]);
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn dot<const A: usize>(a: [Lanes<1>; A], b: [Lanes<1>; A]) -> f32 {
        a.into_iter().zip(b).map(|([a], [b])| a * b).sum()
    }

    #[test]
    fn four_products_make_two_places_of_a_filter_of_three_points() {
        let (d, g) = ([[0.3f32], [-1.2], [0.7], [2.1]], [[0.9f32], [-0.4], [1.6]]);
        let (input, filter) = (of_input(d), of_filter(g));
        let products = std::array::from_fn(|point| [input[point][0] * filter[point][0]]);
        for (place, [found]) in of_products(products).into_iter().enumerate() {
            let expected = dot([d[place], d[place + 1], d[place + 2]], g);
            assert!((found - expected).abs() < 1e-6, "{place}: {found} is not {expected}");
        }
    }

    #[test]
    fn the_ways_back_are_transposes() {
        let (m, y, g) = ([[0.3f32], [-1.2], [0.7], [2.1]], [[1.3f32], [-0.8]], [[0.9f32], [-0.4], [1.6]]);
        assert!((dot(of_products(m), y) - dot(m, to_products(y))).abs() < 1e-6);
        assert!((dot(of_filter(g), m) - dot(g, to_filter(m))).abs() < 1e-6);
    }

    #[test]
    fn only_what_gains_by_it_is_computed_so() {
        let suits = |channels: [usize; 2], kernel: usize, stride: usize, groups: usize| {
            let window = Window { stride, padding: 1, dilation: 1, groups };
            let w = [channels[1], channels[0] / groups, kernel, kernel];
            super::suits(&Plan::new(&[1, channels[0], 9, 9], &w, window))
        };
        assert!(suits([8, 16], 3, 1, 1));
        assert!(!suits([3, 32], 3, 1, 1), "the transforms would cost more than the products");
        assert!(!suits([16, 16], 5, 1, 1) && !suits([16, 16], 3, 2, 1) && !suits([16, 16], 3, 1, 2));
    }
}
