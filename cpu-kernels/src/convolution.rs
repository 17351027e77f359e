//! Convolution by im2col and matrix products: the forward pass and the gradients of input and weight.

use burn_flex::FlexTensor;

use super::im2col::Im2col;
use super::matmul::{Matrix, matmul};
use super::parallel::{CHUNKS, fill_chunks, sum_chunks};
use super::{ConvGeometry, tensor, winograd};

/// Buffers of a thread for one block of images: the im2col matrix and the output rows of a group.
struct Scratch {
    columns: Vec<f32>,
    rows: Vec<f32>,
}

impl Scratch {
    fn of(plan: &Im2col) -> Self {
        let columns = plan.images_per_block() * plan.positions();
        Self { columns: vec![0.0; plan.depth() * columns], rows: vec![0.0; plan.group_outputs() * columns] }
    }

    /// The buffers cut to a block of `images`, of which the last may have fewer.
    fn sized(&mut self, plan: &Im2col, images: usize) -> (&mut [f32], &mut [f32]) {
        let columns = images * plan.positions();
        (&mut self.columns[..plan.depth() * columns], &mut self.rows[..plan.group_outputs() * columns])
    }
}

/// Weights of a group: `[group_outputs, depth]`.
fn of_group<'a>(w: &'a [f32], plan: &Im2col, group: usize) -> Matrix<'a> {
    let size = plan.group_outputs() * plan.depth();
    Matrix::new(&w[group * size..][..size], plan.group_outputs())
}

/// `y = w im2col(x)`: `[n, out, h', w']`.
pub(super) fn forward(x: &FlexTensor, w: &FlexTensor, geometry: ConvGeometry) -> FlexTensor {
    let plan = Im2col::new(x.layout().shape(), w.layout().shape(), geometry);
    if winograd::suits(&plan) {
        return winograd::forward(x, w, &plan);
    }
    let x = x.to_contiguous();
    let w = w.to_contiguous();
    let w: &[f32] = w.storage();
    let block = plan.images_per_block();
    let output_len = plan.output_len();
    let work = |scratch: &mut Scratch, y: &mut [f32], [x]: [&[f32]; 1]| {
        let images = y.len() / output_len;
        let (columns, rows) = scratch.sized(&plan, images);
        for group in 0..geometry.groups {
            plan.unfold(x, group, columns);
            let w = of_group(w, &plan, group);
            let columns = Matrix::new(columns, plan.depth());
            if images == 1 {
                matmul(&mut y[group * rows.len()..][..rows.len()], images * plan.positions(), w, columns, false);
            } else {
                matmul(rows, images * plan.positions(), w, columns, false);
                plan.scatter(rows, group, y);
            }
        }
    };
    let size = (plan.images * output_len, block * output_len);
    let y = fill_chunks(size, [(x.storage(), block * plan.input_len())], || Scratch::of(&plan), work);
    tensor(y, &plan.shape)
}

/// Gradient of the loss with respect to x `[n, in, h, w]`, given its gradient `g` with respect to y: `col2im(w^T g)`.
pub(super) fn input_gradient(x: &FlexTensor, w: &FlexTensor, g: &FlexTensor, geometry: ConvGeometry) -> FlexTensor {
    let shape = x.layout().shape();
    let plan = Im2col::new(shape, w.layout().shape(), geometry);
    if winograd::suits(&plan) {
        return winograd::input_gradient(w, g, &plan);
    }
    let w = w.to_contiguous();
    let g = g.to_contiguous();
    let w: &[f32] = w.storage();
    let block = plan.images_per_block();
    let input_len = plan.input_len();
    let work = |scratch: &mut Scratch, dx: &mut [f32], [g]: [&[f32]; 1]| {
        let images = dx.len() / input_len;
        let (columns, rows) = scratch.sized(&plan, images);
        for group in 0..geometry.groups {
            let rows = Matrix::new(plan.gather(g, group, rows), plan.group_outputs());
            matmul(columns, images * plan.positions(), of_group(w, &plan, group).transposed(), rows, false);
            plan.fold(columns, group, dx);
        }
    };
    let size = (plan.images * input_len, block * input_len);
    let dx = fill_chunks(size, [(g.storage(), block * plan.output_len())], || Scratch::of(&plan), work);
    tensor(dx, shape)
}

/// Gradient of the loss with respect to w `[out, in / groups, k, k']`, given its gradient `g` with respect to y: `g
/// im2col(x)^T`, summed over the images.
pub(super) fn weight_gradient(x: &FlexTensor, w: &FlexTensor, g: &FlexTensor, geometry: ConvGeometry) -> FlexTensor {
    let shape = w.layout().shape();
    let plan = Im2col::new(x.layout().shape(), shape, geometry);
    if winograd::suits(&plan) {
        return winograd::weight_gradient(x, g, &plan);
    }
    let x = x.to_contiguous();
    let g = g.to_contiguous();
    let block = plan.images_per_block();
    let input_len = plan.input_len();
    let output_len = plan.output_len();
    let chunk = plan.images.div_ceil(CHUNKS).next_multiple_of(block);
    let of_chunk = |[x, g]: [&[f32]; 2]| {
        let mut scratch = Scratch::of(&plan);
        let mut sum = vec![0.0; plan.output[0] * plan.depth()];
        for (x, g) in x.chunks(block * input_len).zip(g.chunks(block * output_len)) {
            let (columns, rows) = scratch.sized(&plan, x.len() / input_len);
            for (group, sum) in sum.chunks_mut(plan.group_outputs() * plan.depth()).enumerate() {
                plan.unfold(x, group, columns);
                let rows = Matrix::new(plan.gather(g, group, rows), plan.group_outputs());
                matmul(sum, plan.depth(), rows, Matrix::new(columns, plan.depth()).transposed(), true);
            }
        }
        sum
    };
    let inputs = [(x.storage(), chunk * input_len), (g.storage(), chunk * output_len)];
    tensor(sum_chunks(inputs, plan.output[0] * plan.depth(), of_chunk), shape)
}
