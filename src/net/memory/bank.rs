//! Memory bank: one row for every training image (Wu et al. 2018; Misra and van der Maaten 2020).

use std::collections::HashMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use rand::RngExt;

use crate::loss::unit_rows;
use crate::net::Init;
use crate::rng::{self, Rng};

/// Memory bank: one unit row for every training image, a moving average of its features.
#[derive(Module, Debug)]
pub struct MemoryBank {
    rows: Param<Tensor<2>>,
}

/// Rows of a batch's images in the bank: `[b, 2]`, the row's index and 1, or 0 if the same image comes again later in the batch. The
/// tensor is of floats, like all that a step hands to a method's update; indices up to 2^24 are exact.
pub fn bank_indices(indices: &[usize], device: &Device) -> Tensor<2> {
    let last: HashMap<usize, usize> = indices.iter().enumerate().map(|(position, &index)| (index, position)).collect();
    let pairs = indices.iter().enumerate().flat_map(|(position, index)| {
        let counts = if last[index] == position { 1.0 } else { 0.0 };
        [*index as f32, counts]
    });
    Tensor::from_data(TensorData::new(pairs.collect::<Vec<f32>>(), [indices.len(), 2]), device)
}

fn row_numbers(indices: &Tensor<2>) -> Tensor<1, Int> {
    indices.clone().narrow(1, 0, 1).squeeze_dim::<1>(1).int()
}

impl MemoryBank {
    /// Bank of rows drawn from U(-b, b) with b = 1 / sqrt(d / 3) and normalised to length 1, as in VISSL.
    pub fn init(rows: usize, width: usize, init: &mut Init) -> Self {
        let bound = 1.0 / (width as f32 / 3.0).sqrt();
        Self { rows: init.frozen_rows([rows, width], |rng, n| rng::uniform(rng, n, -bound, bound)) }
    }

    /// Bank of zero rows, which are orthogonal to everything. The first [`MemoryBank::update`] of a row sets it to its image's
    /// features.
    pub fn empty(rows: usize, width: usize, init: &mut Init) -> Self {
        Self { rows: init.frozen_rows([rows, width], |_, n| vec![0.0; n]) }
    }

    /// Rows of a batch, without gradient, with `features` in place of rows that are still zero: `indices` (from [`bank_indices`])
    /// `[b, 2]`, `features` `[b, d]` -> `[b, d]`.
    pub fn at_or(&self, indices: &Tensor<2>, features: &Tensor<2>) -> Tensor<2> {
        let rows = self.at(indices);
        let unknown = rows.clone().square().sum_dim(1).equal_elem(0.0).expand(rows.dims());
        rows.mask_where(unknown, features.clone().detach())
    }

    /// Rows of a batch, without gradient: `indices` (from [`bank_indices`]) `[b, 2]` -> `[b, d]`.
    pub fn at(&self, indices: &Tensor<2>) -> Tensor<2> {
        self.rows.val().detach().select(0, row_numbers(indices))
    }

    /// Rows by their numbers, without gradient: `[k]` -> `[k, d]`.
    pub fn rows(&self, numbers: Tensor<1, Int>) -> Tensor<2> {
        self.rows.val().detach().select(0, numbers)
    }

    /// Draws `count` of the numbers below `rows` uniformly with replacement, for negatives. They may hit positives, as in the
    /// papers' code.
    pub fn draw(rows: usize, count: usize, rng: &mut Rng) -> Vec<i32> {
        (0..count).map(|_| rng.random_range(0..rows) as i32).collect()
    }

    /// Moves the rows of a batch towards its features: `m <- l2(momentum m + (1 - momentum) v)`. Of an image that comes twice, the
    /// last features count. All other rows stay bit for bit.
    ///
    /// `indices` (from [`bank_indices`]): `[b, 2]`, `v`: `[b, d]`.
    pub fn update(self, indices: &Tensor<2>, v: Tensor<2>, momentum: f64) -> Self {
        let indices = indices.clone().inner();
        let numbers = row_numbers(&indices); // [b]
        let counts = indices.narrow(1, 1, 1); // [b, 1]
        let v = v.detach().inner();
        let rows = self.rows.map(|rows| {
            let rows = rows.inner();
            let old = rows.clone().select(0, numbers.clone());
            let new = unit_rows(old.clone().mul_scalar(momentum) + v.mul_scalar(1.0 - momentum));
            Tensor::from_inner(rows.select_assign(0, numbers, (new - old) * counts, IndexingUpdateOp::Add))
        });
        Self { rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{table, tensor};
    use crate::rng::{Purpose, stream};

    fn bank(n: usize, d: usize) -> MemoryBank {
        MemoryBank::init(n, d, &mut Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff()))
    }

    fn values(x: Tensor<2>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    fn all(bank: &MemoryBank) -> Vec<f32> {
        values(bank.rows.val())
    }

    /// The table `A(n, 3, s)` of the golden values, with unit rows.
    fn golden(n: usize, s: f64) -> Tensor<2> {
        unit_rows(tensor(&table(n, 3, s), &Device::flex().autodiff()))
    }

    #[test]
    fn an_update_has_its_golden_value_and_leaves_other_rows() {
        let mut bank = bank(8, 3);
        bank.rows = bank.rows.map(|_| golden(8, 3.0).detach());
        let before = all(&bank);
        let device = Device::flex();
        let bank = bank.update(&bank_indices(&[0], &device), golden(4, 0.0).narrow(0, 0, 1), 0.5);
        let after = all(&bank);
        for (found, expected) in after[..3].iter().zip([0.747_403, 0.385_102, -0.541_374]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        assert_eq!(after[3..], before[3..]);
    }

    #[test]
    fn of_an_image_that_comes_twice_the_last_counts() {
        // image 2 comes first and last
        let device = Device::flex();
        let v = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], &device);
        let bank = bank(4, 2).update(&bank_indices(&[2, 1, 2], &device), v, 0.0);
        let rows = all(&bank);
        for (found, expected) in rows[2..6].iter().zip([0.0, 1.0, -1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{rows:?}");
        }
    }

    #[test]
    fn rows_start_at_unit_length_and_carry_no_gradient() {
        let bank = bank(5, 3);
        let rows = all(&bank);
        for row in rows.chunks(3) {
            assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        let found = bank.at(&bank_indices(&[4, 0], &Device::flex().autodiff()));
        assert_eq!(values(found.clone()), [&rows[12..15], &rows[..3]].concat());
        assert!(!found.is_require_grad());
        let negatives = bank.rows(Tensor::from_data([1, 1], &Device::flex().autodiff()));
        assert_eq!(values(negatives), [&rows[3..6], &rows[3..6]].concat());
        assert_eq!(crate::net::tensors::count(&bank), 0);
    }

    #[test]
    fn a_zero_row_takes_the_first_features_of_its_image() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &device);
        let bank = MemoryBank::empty(3, 2, &mut init);
        let first = bank_indices(&[1, 2], &device);
        let features = Tensor::<2>::from_floats([[0.6, 0.8], [0.0, 1.0]], &device).require_grad();
        let own = bank.at_or(&first, &features);
        assert_eq!(values(own.clone()), [0.6, 0.8, 0.0, 1.0]);
        assert!(!own.is_require_grad());
        let bank = bank.update(&first, features.clone(), 0.5);
        for (found, expected) in all(&bank).iter().zip([0.0, 0.0, 0.6, 0.8, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let other = Tensor::<2>::from_floats([[1.0, 0.0], [1.0, 0.0]], &device);
        assert_eq!(values(bank.at_or(&bank_indices(&[0, 1], &device), &other))[..2], [1.0, 0.0]);
        assert_eq!(values(bank.at_or(&first, &other)), values(bank.at(&first)), "rows that were updated stay");
    }

    #[test]
    fn negatives_are_drawn_uniformly() {
        let mut hits = [0usize; 5];
        MemoryBank::draw(5, 5000, &mut stream(3, Purpose::Views, 0)).iter().for_each(|&row| hits[row as usize] += 1);
        assert!(hits.iter().all(|&hits| (900..1100).contains(&hits)), "{hits:?}");
    }
}
