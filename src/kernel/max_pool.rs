//! The largest of each cell of 2x2 pixels, and the way back to where it stood.

use burn_flex::FlexTensor;

use super::parallel::made;
use super::tensor;

/// Maps that are cut into cells; a last odd row or column belongs to none.
struct Plan {
    shape: [usize; 4],
}

impl Plan {
    fn of(x: &FlexTensor) -> Self {
        let shape = x.layout().shape();
        Self { shape: [0, 1, 2, 3].map(|axis| shape[axis]) }
    }

    fn maps(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Values of a map.
    fn taken(&self) -> usize {
        self.shape[2] * self.shape[3]
    }

    /// Rows and columns of cells.
    fn cells(&self) -> [usize; 2] {
        [self.shape[2] / 2, self.shape[3] / 2]
    }

    /// Cells of a map.
    fn given(&self) -> usize {
        self.cells().iter().product()
    }
}

/// All bits where `b` is taken and `a` comes before it: only if it is larger, or is not a number, which passes for larger than
/// any as in PyTorch. Bits, because nobody can foresee which pixel is the largest, and a processor that guesses at a jump
/// guesses wrong.
fn beats(b: f32, a: f32) -> u32 {
    u32::from((b > a) | b.is_nan()).wrapping_neg()
}

/// The value where the bits are set, 0 elsewhere.
fn only(value: f32, bits: u32) -> f32 {
    f32::from_bits(value.to_bits() & bits)
}

fn larger(a: f32, b: f32) -> f32 {
    let bits = beats(b, a);
    f32::from_bits((b.to_bits() & bits) | (a.to_bits() & !bits))
}

/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
pub(super) fn value(x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let plan = Plan::of(&x);
    let ([images, channels, _, width], [rows, columns]) = (plan.shape, plan.cells());
    let work = |_: &mut (), y: &mut [f32], [x]: [&[f32]; 1]| {
        for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(2 * width)) {
            let (upper, lower) = x.split_at(width);
            for ((y, a), b) in y.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                *y = larger(larger(a[0], a[1]), larger(b[0], b[1]));
            }
        }
    };
    let y = made((plan.maps() * plan.given(), plan.given()), [(x.storage(), plan.taken())], || (), work);
    tensor(y, &[images, channels, rows, columns])
}

/// The gradient with respect to x, from that with respect to the cells: the largest of each gets all of it.
pub(super) fn gradient(x: &FlexTensor, g: &FlexTensor) -> FlexTensor {
    let (x, g) = (x.to_contiguous(), g.to_contiguous());
    let plan = Plan::of(&x);
    let ([.., width], [_, columns]) = (plan.shape, plan.cells());
    let values = plan.maps() * plan.taken();
    if plan.given() == 0 {
        return tensor(vec![0.0; values], &plan.shape);
    }
    let work = |_: &mut (), dx: &mut [f32], [x, g]: [&[f32]; 2]| {
        let rows = dx.chunks_exact_mut(2 * width).zip(x.chunks_exact(2 * width));
        for ((dx, x), g) in rows.zip(g.chunks_exact(columns)) {
            let ((da, db), (a, b)) = (dx.split_at_mut(width), x.split_at(width));
            let (da, db) = (da.chunks_exact_mut(2), db.chunks_exact_mut(2));
            let (a, b) = (a.chunks_exact(2), b.chunks_exact(2));
            for ((((da, db), a), b), &g) in da.zip(db).zip(a).zip(b).zip(g) {
                let below = beats(larger(b[0], b[1]), larger(a[0], a[1]));
                for (d, pixels, bits) in [(da, a, !below), (db, b, below)] {
                    let right = beats(pixels[1], pixels[0]);
                    (d[0], d[1]) = (only(g, bits & !right), only(g, bits & right));
                }
            }
        }
    };
    let inputs = [(x.storage(), plan.taken()), (g.storage(), plan.given())];
    let dx = made((values, plan.taken()), inputs, || (), work);
    tensor(dx, &plan.shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::max_pool2d;
    use burn::tensor::ops::MaxPoolOptions;
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::kernel::max_of_cells;
    use crate::rng::{Purpose, stream, uniform};

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    /// A few values only, so that many cells hold the largest twice.
    fn maps(shape: [usize; 4]) -> Tensor<4> {
        let pixels = uniform(&mut stream(1, Purpose::Views, 0), shape.iter().product(), 0.0, 5.0);
        let pixels: Vec<f32> = pixels.into_iter().map(f32::round).collect();
        Tensor::from_data(TensorData::new(pixels, shape), &Device::flex())
    }

    #[test]
    fn value_and_gradient_are_burns_to_the_last_bit() {
        for shape in [[2, 3, 8, 8], [1, 2, 7, 5], [3, 1, 2, 9], [1, 1, 1, 6], [2, 2, 5, 1]] {
            let [n, c, h, w] = shape;
            let weights = maps([n, c, (h / 2).max(1), (w / 2).max(1)]);
            let weights = weights.slice([0..n, 0..c, 0..h / 2, 0..w / 2]);
            let both: [fn(Tensor<4>) -> Tensor<4>; 2] = [max_of_cells, |x| max_pool2d(x, MaxPoolOptions::new([2, 2]))];
            let [ours, burns] = both.map(|pool| {
                if h < 2 || w < 2 {
                    return (vec![], vec![0.0; n * c * h * w]);
                }
                let x = Tensor::<4>::from_inner(maps(shape)).require_grad();
                let y = pool(x.clone());
                let gradients = (y.clone() * Tensor::from_inner(weights.clone())).sum().backward();
                (values(y.inner()), values(x.grad(&gradients).expect("a gradient")))
            });
            assert_eq!(ours, burns, "{shape:?}");
            assert_eq!(values(max_of_cells(maps(shape))), ours.0, "{shape:?} without gradient");
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_passed_over() {
        let x = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [3.0, 2.0]]]], &Device::flex());
        assert!(values(max_of_cells(x))[0].is_nan());
    }

    #[test]
    fn a_turned_view_is_read_as_it_looks() {
        let x = maps([1, 2, 6, 4]).swap_dims(2, 3);
        let copied = Tensor::from_data(x.clone().into_data(), &Device::flex());
        assert_eq!(values(max_of_cells(x)), values(max_pool2d(copied, MaxPoolOptions::new([2, 2]))));
    }
}
