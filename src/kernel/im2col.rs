//! What lies under a filter, position by position, as the columns of a matrix.

use super::Window;

/// Numbers of columns that are computed with at once: as many as a core's own cache holds.
const BLOCK: usize = 192 * 1024;
/// Products of narrower matrices are slow, and wider ones gain nothing.
const COLUMNS: [usize; 2] = [64, 1024];

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) images: usize,
    /// Channels, rows and columns of an image that goes in.
    pub(super) input: [usize; 3],
    /// The same of what comes out.
    pub(super) output: [usize; 3],
    pub(super) kernel: [usize; 2],
    pub(super) window: Window,
    /// The sizes of the tensor that comes out.
    pub(super) shape: [usize; 4],
}

impl Plan {
    /// Of `x`: `[n, in, h, w]` and `w`: `[out, in / groups, k, k']`.
    ///
    /// # Panics
    /// Where they do not fit.
    pub(super) fn new(x: &[usize], w: &[usize], window: Window) -> Self {
        let Window { stride, padding, dilation, groups } = window;
        let (channels, kernel) = (w[1] * groups, [w[2], w[3]]);
        assert_eq!(x[1], channels, "a filter for {channels} channels meets an image of {}", x[1]);
        let side = |size: usize, kernel: usize| {
            let room = (size + 2 * padding).checked_sub(dilation * (kernel - 1) + 1);
            room.expect("the filter is no larger than the image with its padding") / stride + 1
        };
        let output = [w[0], side(x[2], kernel[0]), side(x[3], kernel[1])];
        let shape = [x[0], output[0], output[1], output[2]];
        let plan = Self { images: x[0], input: [x[1], x[2], x[3]], output, kernel, window, shape };
        if plan.is_pointwise() { plan.flat() } else { plan }
    }

    /// Whether columns are the pixels as they lie.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.window.stride == 1 && self.window.padding == 0
    }

    /// With images of one row: where neighbours do not matter it makes no difference, and one long row is quicker.
    fn flat(self) -> Self {
        let row = |[channels, height, width]: [usize; 3]| [channels, 1, height * width];
        Self { input: row(self.input), output: row(self.output), ..self }
    }

    /// Rows of the matrix of a group: its channels times the points of the filter.
    pub(super) fn depth(&self) -> usize {
        self.input[0] / self.window.groups * self.kernel[0] * self.kernel[1]
    }

    /// Columns of an image: the positions of the filter.
    pub(super) fn area(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Numbers of an image that goes in.
    pub(super) fn taken(&self) -> usize {
        self.input.iter().product()
    }

    /// Numbers of an image that comes out.
    pub(super) fn given(&self) -> usize {
        self.output.iter().product()
    }

    /// Channels of a group that come out.
    pub(super) fn makes(&self) -> usize {
        self.output[0] / self.window.groups
    }

    /// Images that are computed with at once.
    pub(super) fn together(&self) -> usize {
        let columns = (BLOCK / self.depth().max(1)).clamp(COLUMNS[0], COLUMNS[1]);
        (columns / self.area().max(1)).clamp(1, self.images.max(1))
    }

    /// `x`: `[images, in, h, w]` -> the columns of a group `[depth, images * area]`; what lies outside an image is 0.
    pub(super) fn unfold(&self, x: &[f32], group: usize, columns: &mut [f32]) {
        if self.window.padding > 0 {
            columns.fill(0.0);
        }
        let stride = self.window.stride;
        self.runs(x.len() / self.taken(), group, |column, pixel, count| {
            let columns = &mut columns[column..column + count];
            if stride == 1 {
                columns.copy_from_slice(&x[pixel..pixel + count]);
            } else {
                columns.iter_mut().zip(x[pixel..].iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        });
    }

    /// The transpose of [`Plan::unfold`]: adds the columns of a group to the pixels that they come from.
    pub(super) fn fold(&self, columns: &[f32], group: usize, x: &mut [f32]) {
        let stride = self.window.stride;
        self.runs(x.len() / self.taken(), group, |column, pixel, count| {
            let columns = &columns[column..column + count];
            if stride == 1 {
                x[pixel..pixel + count].iter_mut().zip(columns).for_each(|(to, from)| *to += from);
            } else {
                x[pixel..].iter_mut().step_by(stride).zip(columns).for_each(|(to, from)| *to += from);
            }
        });
    }

    /// Calls `visit` with where a run of columns begins, the pixel that it begins with, and how many there are: those of a row
    /// of positions under one point of the filter, as far as they lie inside the image. Pixels lie a stride apart.
    fn runs(&self, images: usize, group: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let ([channels, height, width], [_, _, across]) = (self.input, self.output);
        let Window { stride, padding, dilation, groups } = self.window;
        let (own, [rows, columns]) = (channels / groups, self.kernel);
        for channel in 0..own {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let ([top, bottom], [left, right]) = (self.inside(1, row), self.inside(2, column));
                if left == right {
                    continue;
                }
                let line = ((channel * rows + row) * columns + column) * images * self.area();
                for image in 0..images {
                    let plane = (image * channels + group * own + channel) * height * width;
                    for y in top..bottom {
                        let pixel = (y * stride + row * dilation - padding) * width + left * stride + column * dilation;
                        let at = line + image * self.area() + y * across + left;
                        visit(at, plane + pixel - padding, right - left);
                    }
                }
            }
        }
    }

    /// The first position along an axis at which this point of the filter lies inside the image, and the first after them.
    fn inside(&self, axis: usize, point: usize) -> [usize; 2] {
        let Window { stride, padding, dilation, .. } = self.window;
        let reach = point * dilation;
        let first = padding.saturating_sub(reach).div_ceil(stride);
        let end = (self.input[axis] + padding).saturating_sub(reach).div_ceil(stride).min(self.output[axis]);
        [first.min(end), end]
    }

    /// The rows of a group `[makes, images * area]` out of `y`: `[images, out, area]`. Those of a single image lie so already.
    pub(super) fn gather<'a>(&self, y: &'a [f32], group: usize, rows: &'a mut [f32]) -> &'a [f32] {
        if y.len() == self.given() {
            return &y[group * self.makes() * self.area()..][..self.makes() * self.area()];
        }
        self.planes(y.len() / self.given(), group, |row, plane, area| {
            rows[row..row + area].copy_from_slice(&y[plane..plane + area]);
        });
        rows
    }

    /// The reverse of [`Plan::gather`].
    pub(super) fn scatter(&self, rows: &[f32], group: usize, y: &mut [f32]) {
        self.planes(y.len() / self.given(), group, |row, plane, area| {
            y[plane..plane + area].copy_from_slice(&rows[row..row + area]);
        });
    }

    /// Calls `visit` with where each plane of a group lies in rows, where in images, and its length.
    fn planes(&self, images: usize, group: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (area, makes) = (self.area(), self.makes());
        for (image, channel) in (0..images).flat_map(|image| (0..makes).map(move |channel| (image, channel))) {
            let row = (channel * images + image) * area;
            visit(row, (image * self.output[0] + group * makes + channel) * area, area);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: [Window; 5] = [
        Window { stride: 1, padding: 1, dilation: 1, groups: 1 },
        Window { stride: 2, padding: 1, dilation: 1, groups: 2 },
        Window { stride: 1, padding: 4, dilation: 2, groups: 1 },
        Window { stride: 3, padding: 0, dilation: 1, groups: 2 },
        // some points of the filter never meet the image
        Window { stride: 4, padding: 9, dilation: 9, groups: 1 },
    ];

    fn plan(window: Window) -> Plan {
        Plan::new(&[3, 4, 7, 6], &[6, 4 / window.groups, 3, 2], window)
    }

    #[test]
    fn columns_hold_what_lies_under_the_filter() {
        for window in WINDOWS {
            let plan = plan(window);
            let x: Vec<f32> = (1..=3 * plan.taken()).map(|value| value as f32).collect();
            let ([_, down, across], area) = (plan.output, plan.area());
            let mut columns = vec![f32::NAN; plan.depth() * 3 * area];
            for group in 0..window.groups {
                plan.unfold(&x, group, &mut columns);
                for (at, found) in columns.iter().enumerate() {
                    let (line, image, position) = (at / (3 * area), at / area % 3, at % area);
                    let (channel, row, column) = (line / 6, line / 2 % 3, line % 2);
                    let place = |position: usize, point: usize, side: usize| {
                        (position * window.stride + point * window.dilation)
                            .checked_sub(window.padding)
                            .filter(|at| *at < side)
                    };
                    let pixel = place(position / across % down, row, 7).zip(place(position % across, column, 6));
                    let channel = group * 4 / window.groups + channel;
                    let expected = pixel.map_or(0.0, |(y, z)| x[((image * 4 + channel) * 7 + y) * 6 + z]);
                    assert_eq!(*found, expected, "{window:?}, group {group}, {at}");
                }
            }
        }
    }

    #[test]
    fn folding_is_the_transpose_of_unfolding() {
        let number = |seed: f32| move |at: usize| (at as f32 * seed).sin();
        for window in WINDOWS {
            let plan = plan(window);
            let x: Vec<f32> = (0..3 * plan.taken()).map(number(0.7)).collect();
            let g: Vec<f32> = (0..plan.depth() * 3 * plan.area()).map(number(1.3)).collect();
            let (mut columns, mut back) = (vec![0.0; g.len()], vec![0.0; x.len()]);
            let group = window.groups - 1;
            plan.unfold(&x, group, &mut columns);
            plan.fold(&g, group, &mut back);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            assert!((dot(&columns, &g) - dot(&x, &back)).abs() < 1e-3, "{window:?}");
        }
    }

    #[test]
    fn rows_are_gathered_and_scattered_back() {
        let plan = plan(WINDOWS[1]);
        let y: Vec<f32> = (0..3 * plan.given()).map(|value| value as f32).collect();
        let (mut rows, mut back) = (vec![0.0; y.len() / 2], vec![0.0; y.len()]);
        for group in 0..2 {
            plan.gather(&y, group, &mut rows);
            assert_eq!(rows[0], (group * 3 * plan.area()) as f32);
            assert_eq!(rows[plan.area()], (plan.given() + group * 3 * plan.area()) as f32, "the next image");
            plan.scatter(&rows, group, &mut back);
        }
        assert_eq!(back, y);
    }

    #[test]
    #[should_panic = "no larger than the image"]
    fn a_filter_must_fit() {
        let _ = Plan::new(&[1, 1, 2, 2], &[1, 1, 3, 3], Window { stride: 1, padding: 0, dilation: 1, groups: 1 });
    }
}
