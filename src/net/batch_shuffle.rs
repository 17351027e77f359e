//! Shuffling batch norm (MoCo) on one device: the keys go through the encoder in another order, so that the groups of a split
//! batch norm differ from those of the queries.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// A permutation of a batch, drawn on the host.
#[derive(Clone, Debug)]
pub struct BatchShuffle {
    /// Row at each position of the shuffled batch: `[n]`.
    pub order: Tensor<1, Int>,
    /// Inverse permutation, the shuffled position of each row: `[n]`.
    pub inverse: Tensor<1, Int>,
}

impl BatchShuffle {
    /// Draws a permutation of `n` rows, all equally likely (Fisher and Yates).
    pub fn draw(n: usize, rng: &mut Rng, device: &Device) -> Self {
        let mut order: Vec<i32> = (0..n as i32).collect();
        for last in (1..n).rev() {
            order.swap(last, rng.random_range(0..=last));
        }
        let mut inverse = vec![0; n];
        order.iter().enumerate().for_each(|(position, &row)| inverse[row as usize] = position as i32);
        let tensor = |values: Vec<i32>| Tensor::from_data(TensorData::new(values, [n]), device);
        Self { order: tensor(order), inverse: tensor(inverse) }
    }

    /// Shuffles the rows of `x`: `[n, ...]` -> the same shape.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.select(0, self.order.clone())
    }

    /// Restores the order from before [`BatchShuffle::apply`]: `[n, ...]` -> the same shape.
    pub fn undo<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.select(0, self.inverse.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn undo_restores_the_order_exactly() {
        let device = Device::flex();
        let x =
            Tensor::<2>::from_data(TensorData::new((0..40).map(|i| i as f32).collect::<Vec<_>>(), [20, 2]), &device);
        let shuffle = BatchShuffle::draw(20, &mut stream(1, Purpose::Views, 0), &device);
        let there = shuffle.apply(x.clone());
        assert_ne!(there.clone().into_data(), x.clone().into_data());
        let mut first: Vec<f32> = there.clone().narrow(1, 0, 1).into_data().try_to_vec().expect("floats");
        first.sort_by(f32::total_cmp);
        assert_eq!(first, (0..20).map(|i| 2.0 * i as f32).collect::<Vec<_>>(), "every row once");
        assert_eq!(shuffle.undo(there).into_data(), x.into_data());
    }
}
