//! A batch in another order and back, so that split batch norms see other groups of keys than of queries (MoCo's
//! "shuffling BN" on one device).

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// A permutation of a batch, drawn on the host.
#[derive(Clone, Debug)]
pub struct Shuffle {
    /// Which row comes to each place `[n]`.
    pub order: Tensor<1, Int>,
    /// Which place each row went to `[n]`.
    pub back: Tensor<1, Int>,
}

impl Shuffle {
    /// Every order of `n` rows is equally likely (Fisher and Yates).
    pub fn draw(n: usize, rng: &mut Rng, device: &Device) -> Self {
        let mut order: Vec<i32> = (0..n as i32).collect();
        for last in (1..n).rev() {
            order.swap(last, rng.random_range(0..=last));
        }
        let mut back = vec![0; n];
        order.iter().enumerate().for_each(|(place, &row)| back[row as usize] = place as i32);
        let tensor = |values: Vec<i32>| Tensor::from_data(TensorData::new(values, [n]), device);
        Self { order: tensor(order), back: tensor(back) }
    }

    /// In the drawn order.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.select(0, self.order.clone())
    }

    /// In the old order again.
    pub fn undo<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.select(0, self.back.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn an_order_is_undone_exactly() {
        let device = Device::flex();
        let x =
            Tensor::<2>::from_data(TensorData::new((0..40).map(|i| i as f32).collect::<Vec<_>>(), [20, 2]), &device);
        let shuffle = Shuffle::draw(20, &mut stream(1, Purpose::Views, 0), &device);
        let there = shuffle.apply(x.clone());
        assert_ne!(there.clone().into_data(), x.clone().into_data());
        let mut first: Vec<f32> = there.clone().narrow(1, 0, 1).into_data().try_to_vec().expect("floats");
        first.sort_by(f32::total_cmp);
        assert_eq!(first, (0..20).map(|i| 2.0 * i as f32).collect::<Vec<_>>(), "every row once");
        assert_eq!(shuffle.undo(there).into_data(), x.into_data());
    }
}
