//! The value of a convolution and its two gradients.

use burn_flex::FlexTensor;

use super::im2col::Plan;
use super::matmul::{Matrix, product};
use super::parallel::{PARTS, made, summed};
use super::{Window, tensor, winograd};

/// Space for the columns and the rows of some images.
struct Scratch {
    columns: Vec<f32>,
    rows: Vec<f32>,
}

impl Scratch {
    fn of(plan: &Plan) -> Self {
        let columns = plan.together() * plan.area();
        Self { columns: vec![0.0; plan.depth() * columns], rows: vec![0.0; plan.makes() * columns] }
    }

    /// The space of so many images.
    fn sized(&mut self, plan: &Plan, images: usize) -> (&mut [f32], &mut [f32]) {
        let columns = images * plan.area();
        (&mut self.columns[..plan.depth() * columns], &mut self.rows[..plan.makes() * columns])
    }
}

/// The weights of a group, `[makes, depth]`.
fn of_group<'a>(w: &'a [f32], plan: &Plan, group: usize) -> Matrix<'a> {
    let size = plan.makes() * plan.depth();
    Matrix::new(&w[group * size..][..size], plan.makes())
}

/// `y = w columns(x)`, `[n, out, h', w']`.
pub(super) fn value(x: &FlexTensor, w: &FlexTensor, window: Window) -> FlexTensor {
    let plan = Plan::new(x.layout().shape(), w.layout().shape(), window);
    if winograd::suits(&plan) {
        return winograd::value(x, w, &plan);
    }
    let (x, w) = (x.to_contiguous(), w.to_contiguous());
    let (w, together, given): (&[f32], _, _) = (w.storage(), plan.together(), plan.given());
    let work = |scratch: &mut Scratch, y: &mut [f32], [x]: [&[f32]; 1]| {
        let images = y.len() / given;
        let (columns, rows) = scratch.sized(&plan, images);
        for group in 0..window.groups {
            plan.unfold(x, group, columns);
            let (w, columns) = (of_group(w, &plan, group), Matrix::new(columns, plan.depth()));
            if images == 1 {
                product(&mut y[group * rows.len()..][..rows.len()], images * plan.area(), w, columns, false);
            } else {
                product(rows, images * plan.area(), w, columns, false);
                plan.scatter(rows, group, y);
            }
        }
    };
    let size = (plan.images * given, together * given);
    let y = made(size, [(x.storage(), together * plan.taken())], || Scratch::of(&plan), work);
    tensor(y, &plan.shape)
}

/// The gradient of the loss with respect to x, from that with respect to y: each column's part, `w^T g`, goes back to the
/// pixels that it came from.
pub(super) fn of_data(x: &FlexTensor, w: &FlexTensor, g: &FlexTensor, window: Window) -> FlexTensor {
    let shape = x.layout().shape();
    let plan = Plan::new(shape, w.layout().shape(), window);
    if winograd::suits(&plan) {
        return winograd::of_data(w, g, &plan);
    }
    let (w, g) = (w.to_contiguous(), g.to_contiguous());
    let (w, together, taken): (&[f32], _, _) = (w.storage(), plan.together(), plan.taken());
    let work = |scratch: &mut Scratch, dx: &mut [f32], [g]: [&[f32]; 1]| {
        let images = dx.len() / taken;
        let (columns, rows) = scratch.sized(&plan, images);
        for group in 0..window.groups {
            let rows = Matrix::new(plan.gather(g, group, rows), plan.makes());
            product(columns, images * plan.area(), of_group(w, &plan, group).transposed(), rows, false);
            plan.fold(columns, group, dx);
        }
    };
    let size = (plan.images * taken, together * taken);
    let dx = made(size, [(g.storage(), together * plan.given())], || Scratch::of(&plan), work);
    tensor(dx, shape)
}

/// The gradient with respect to w: `g columns(x)^T`, summed over the images.
pub(super) fn of_weights(x: &FlexTensor, w: &FlexTensor, g: &FlexTensor, window: Window) -> FlexTensor {
    let shape = w.layout().shape();
    let plan = Plan::new(x.layout().shape(), shape, window);
    if winograd::suits(&plan) {
        return winograd::of_weights(x, g, &plan);
    }
    let (x, g) = (x.to_contiguous(), g.to_contiguous());
    let (together, taken, given) = (plan.together(), plan.taken(), plan.given());
    let part = plan.images.div_ceil(PARTS).next_multiple_of(together);
    let of_part = |[x, g]: [&[f32]; 2]| {
        let (mut scratch, mut sum) = (Scratch::of(&plan), vec![0.0; plan.output[0] * plan.depth()]);
        for (x, g) in x.chunks(together * taken).zip(g.chunks(together * given)) {
            let (columns, rows) = scratch.sized(&plan, x.len() / taken);
            for (group, sum) in sum.chunks_mut(plan.makes() * plan.depth()).enumerate() {
                plan.unfold(x, group, columns);
                let rows = Matrix::new(plan.gather(g, group, rows), plan.makes());
                product(sum, plan.depth(), rows, Matrix::new(columns, plan.depth()).transposed(), true);
            }
        }
        sum
    };
    let inputs = [(x.storage(), part * taken), (g.storage(), part * given)];
    tensor(summed(inputs, plan.output[0] * plan.depth(), of_part), shape)
}
