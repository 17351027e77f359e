//! im2col: the pixels under a filter, position by position, as the columns of a matrix; and its transpose, col2im.

use super::ConvGeometry;

/// Values of the im2col matrix of a block of images: as many as fit into a core's own cache.
const BLOCK: usize = 192 * 1024;
/// Fewest and most columns of that matrix: products of narrower matrices are slow, wider ones gain nothing.
const COLUMNS: [usize; 2] = [64, 1024];

/// Sizes of a convolution and of its im2col matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Im2col {
    pub(super) images: usize,
    /// Channels, rows and columns of an input image.
    pub(super) input: [usize; 3],
    /// Channels, rows and columns of an output image.
    pub(super) output: [usize; 3],
    pub(super) kernel: [usize; 2],
    pub(super) geometry: ConvGeometry,
    /// Shape of the output tensor, `[n, out, h', w']`. `output` has other rows and columns for a pointwise convolution.
    pub(super) shape: [usize; 4],
}

impl Im2col {
    /// Sizes for inputs of shape `x`: `[n, in, h, w]` and weights of shape `w`: `[out, in / groups, k, k']`.
    ///
    /// # Panics
    /// If the channels differ or the filter is larger than the padded image.
    pub(super) fn new(x: &[usize], w: &[usize], geometry: ConvGeometry) -> Self {
        let ConvGeometry { stride, padding, dilation, groups } = geometry;
        let channels = w[1] * groups;
        let kernel = [w[2], w[3]];
        assert_eq!(x[1], channels, "a filter for {channels} channels meets an image of {}", x[1]);
        let side = |size: usize, kernel: usize| {
            let room = (size + 2 * padding).checked_sub(dilation * (kernel - 1) + 1);
            room.expect("the filter is no larger than the image with its padding") / stride + 1
        };
        let output = [w[0], side(x[2], kernel[0]), side(x[3], kernel[1])];
        let shape = [x[0], output[0], output[1], output[2]];
        let plan = Self { images: x[0], input: [x[1], x[2], x[3]], output, kernel, geometry, shape };
        if plan.is_pointwise() { plan.flat() } else { plan }
    }

    /// True if the im2col matrix is the image itself: a 1x1 filter of stride 1 without padding.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.geometry.stride == 1 && self.geometry.padding == 0
    }

    /// The same convolution over images of a single row: equal for a pointwise filter, and one long row is copied faster.
    fn flat(self) -> Self {
        let row = |[channels, height, width]: [usize; 3]| [channels, 1, height * width];
        Self { input: row(self.input), output: row(self.output), ..self }
    }

    /// Rows of a group's im2col matrix: its input channels times the points of the filter.
    pub(super) fn depth(&self) -> usize {
        self.input[0] / self.geometry.groups * self.kernel[0] * self.kernel[1]
    }

    /// Columns of the im2col matrix per image: the positions of the filter.
    pub(super) fn positions(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Values of an input image.
    pub(super) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Values of an output image.
    pub(super) fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Output channels of a group.
    pub(super) fn group_outputs(&self) -> usize {
        self.output[0] / self.geometry.groups
    }

    /// Images whose im2col matrix fits into [`BLOCK`], at least one.
    pub(super) fn images_per_block(&self) -> usize {
        let columns = (BLOCK / self.depth().max(1)).clamp(COLUMNS[0], COLUMNS[1]);
        (columns / self.positions().max(1)).clamp(1, self.images.max(1))
    }

    /// im2col: `x`: `[images, in, h, w]` -> a group's matrix `[depth, images * positions]`, with zeros for the padding.
    pub(super) fn unfold(&self, x: &[f32], group: usize, columns: &mut [f32]) {
        if self.geometry.padding > 0 {
            columns.fill(0.0);
        }
        let stride = self.geometry.stride;
        self.runs(x.len() / self.input_len(), group, |column, pixel, count| {
            let columns = &mut columns[column..column + count];
            if stride == 1 {
                columns.copy_from_slice(&x[pixel..pixel + count]);
            } else {
                columns.iter_mut().zip(x[pixel..].iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        });
    }

    /// col2im, the transpose of [`Im2col::unfold`]: adds each entry of a group's matrix to the pixel it was copied from.
    pub(super) fn fold(&self, columns: &[f32], group: usize, x: &mut [f32]) {
        let stride = self.geometry.stride;
        self.runs(x.len() / self.input_len(), group, |column, pixel, count| {
            let columns = &columns[column..column + count];
            if stride == 1 {
                x[pixel..pixel + count].iter_mut().zip(columns).for_each(|(to, from)| *to += from);
            } else {
                x[pixel..].iter_mut().step_by(stride).zip(columns).for_each(|(to, from)| *to += from);
            }
        });
    }

    /// Visits the matrix in runs of neighbouring entries whose pixels lie `stride` apart in one image row: those of a row of
    /// positions under one point of the filter, without the padding. `visit` takes the offset of the first entry, the offset
    /// of its pixel, and the number of entries.
    fn runs(&self, images: usize, group: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let [channels, height, width] = self.input;
        let [_, _, across] = self.output;
        let ConvGeometry { stride, padding, dilation, groups } = self.geometry;
        let own = channels / groups;
        let [rows, columns] = self.kernel;
        for channel in 0..own {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let [top, bottom] = self.inside(1, row);
                let [left, right] = self.inside(2, column);
                if left == right {
                    continue;
                }
                let line = ((channel * rows + row) * columns + column) * images * self.positions();
                for image in 0..images {
                    let plane = (image * channels + group * own + channel) * height * width;
                    for y in top..bottom {
                        let pixel = (y * stride + row * dilation - padding) * width + left * stride + column * dilation;
                        let at = line + image * self.positions() + y * across + left;
                        visit(at, plane + pixel - padding, right - left);
                    }
                }
            }
        }
    }

    /// Range of positions along an axis at which this point of the filter lies inside the image, not in the padding: the first,
    /// and one past the last.
    fn inside(&self, axis: usize, point: usize) -> [usize; 2] {
        let ConvGeometry { stride, padding, dilation, .. } = self.geometry;
        let reach = point * dilation;
        let first = padding.saturating_sub(reach).div_ceil(stride);
        let end = (self.input[axis] + padding).saturating_sub(reach).div_ceil(stride).min(self.output[axis]);
        [first.min(end), end]
    }

    /// Rows of a group `[group_outputs, images * positions]` out of `y`: `[images, out, positions]`. One image needs no copy.
    pub(super) fn gather<'a>(&self, y: &'a [f32], group: usize, rows: &'a mut [f32]) -> &'a [f32] {
        if y.len() == self.output_len() {
            return &y[group * self.group_outputs() * self.positions()..][..self.group_outputs() * self.positions()];
        }
        self.planes(y.len() / self.output_len(), group, |row, plane, positions| {
            rows[row..row + positions].copy_from_slice(&y[plane..plane + positions]);
        });
        rows
    }

    /// Inverse of [`Im2col::gather`].
    pub(super) fn scatter(&self, rows: &[f32], group: usize, y: &mut [f32]) {
        self.planes(y.len() / self.output_len(), group, |row, plane, positions| {
            y[plane..plane + positions].copy_from_slice(&rows[row..row + positions]);
        });
    }

    /// Visits each channel of a group in each image: its offset in the rows of the group, its offset in the images, its length.
    fn planes(&self, images: usize, group: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let positions = self.positions();
        let group_outputs = self.group_outputs();
        for (image, channel) in (0..images).flat_map(|image| (0..group_outputs).map(move |channel| (image, channel))) {
            let row = (channel * images + image) * positions;
            visit(row, (image * self.output[0] + group * group_outputs + channel) * positions, positions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRIES: [ConvGeometry; 5] = [
        ConvGeometry { stride: 1, padding: 1, dilation: 1, groups: 1 },
        ConvGeometry { stride: 2, padding: 1, dilation: 1, groups: 2 },
        ConvGeometry { stride: 1, padding: 4, dilation: 2, groups: 1 },
        ConvGeometry { stride: 3, padding: 0, dilation: 1, groups: 2 },
        // some points of the filter never meet the image
        ConvGeometry { stride: 4, padding: 9, dilation: 9, groups: 1 },
    ];

    fn plan(geometry: ConvGeometry) -> Im2col {
        Im2col::new(&[3, 4, 7, 6], &[6, 4 / geometry.groups, 3, 2], geometry)
    }

    #[test]
    fn columns_hold_the_pixels_under_the_filter() {
        for geometry in GEOMETRIES {
            let plan = plan(geometry);
            let x: Vec<f32> = (1..=3 * plan.input_len()).map(|value| value as f32).collect();
            let [_, down, across] = plan.output;
            let positions = plan.positions();
            let mut columns = vec![f32::NAN; plan.depth() * 3 * positions];
            for group in 0..geometry.groups {
                plan.unfold(&x, group, &mut columns);
                for (at, found) in columns.iter().enumerate() {
                    let line = at / (3 * positions);
                    let image = at / positions % 3;
                    let position = at % positions;
                    let channel = line / 6;
                    let row = line / 2 % 3;
                    let column = line % 2;
                    let place = |position: usize, point: usize, side: usize| {
                        (position * geometry.stride + point * geometry.dilation)
                            .checked_sub(geometry.padding)
                            .filter(|at| *at < side)
                    };
                    let pixel = place(position / across % down, row, 7).zip(place(position % across, column, 6));
                    let channel = group * 4 / geometry.groups + channel;
                    let expected = pixel.map_or(0.0, |(y, z)| x[((image * 4 + channel) * 7 + y) * 6 + z]);
                    assert_eq!(*found, expected, "{geometry:?}, group {group}, {at}");
                }
            }
        }
    }

    #[test]
    fn fold_is_the_transpose_of_unfold() {
        let number = |seed: f32| move |at: usize| (at as f32 * seed).sin();
        for geometry in GEOMETRIES {
            let plan = plan(geometry);
            let x: Vec<f32> = (0..3 * plan.input_len()).map(number(0.7)).collect();
            let g: Vec<f32> = (0..plan.depth() * 3 * plan.positions()).map(number(1.3)).collect();
            let mut columns = vec![0.0; g.len()];
            let mut back = vec![0.0; x.len()];
            let group = geometry.groups - 1;
            plan.unfold(&x, group, &mut columns);
            plan.fold(&g, group, &mut back);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            assert!((dot(&columns, &g) - dot(&x, &back)).abs() < 1e-3, "{geometry:?}");
        }
    }

    #[test]
    fn scatter_undoes_gather() {
        let plan = plan(GEOMETRIES[1]);
        let y: Vec<f32> = (0..3 * plan.output_len()).map(|value| value as f32).collect();
        let mut rows = vec![0.0; y.len() / 2];
        let mut back = vec![0.0; y.len()];
        for group in 0..2 {
            plan.gather(&y, group, &mut rows);
            assert_eq!(rows[0], (group * 3 * plan.positions()) as f32);
            assert_eq!(
                rows[plan.positions()],
                (plan.output_len() + group * 3 * plan.positions()) as f32,
                "the next image"
            );
            plan.scatter(&rows, group, &mut back);
        }
        assert_eq!(back, y);
    }

    #[test]
    #[should_panic = "no larger than the image"]
    fn a_filter_larger_than_the_image_panics() {
        let _ =
            Im2col::new(&[1, 1, 2, 2], &[1, 1, 3, 3], ConvGeometry { stride: 1, padding: 0, dilation: 1, groups: 1 });
    }
}
