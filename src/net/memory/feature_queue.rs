//! SwAV's feature queue, for batches smaller than the number of prototypes.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::net::Init;

/// Features of the latest steps, newest first; one queue for each view that gets codes. Each step scores them with its current
/// prototypes.
#[derive(Module, Debug)]
pub struct FeatureQueue {
    rows: Param<Tensor<2>>,
}

impl FeatureQueue {
    /// Queue of zeros, with the largest multiple of `batch` rows that is no more than `length`.
    ///
    /// # Errors
    /// [`Error::Config`] if `length` is less than `batch`.
    pub fn init(length: usize, width: usize, batch: usize, init: &mut Init) -> Result<Self> {
        let rows = length.checked_div(batch).unwrap_or(0) * batch;
        if rows == 0 {
            return Err(Error::Config(format!("a queue of {length} features does not hold one batch of {batch}")));
        }
        Ok(Self { rows: init.frozen_rows([rows, width], |_, n| vec![0.0; n]) })
    }

    /// True if `batches` pushes of `batch` rows have replaced all initial zeros: only then may the rows be used.
    pub fn is_full(&self, batches: usize, batch: usize) -> bool {
        batches * batch >= self.rows.dims()[0]
    }

    /// Features in the queue, without gradient: `[len, d]`.
    pub fn rows(&self) -> Tensor<2> {
        self.rows.val().detach()
    }

    /// Adds the features of a batch, `[b, d]`, at the front and drops the b oldest.
    pub fn push(self, features: Tensor<2>) -> Self {
        let [length, _] = self.rows.dims();
        let [count, _] = features.dims();
        let features = features.detach().inner();
        let rows = self.rows.map(|rows| {
            let kept = rows.inner().narrow(0, 0, length - count);
            Tensor::from_inner(Tensor::cat(vec![features, kept], 0))
        });
        Self { rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn recent(length: usize, batch: usize) -> Result<FeatureQueue> {
        FeatureQueue::init(length, 1, batch, &mut Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff()))
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_are_dropped() {
        // of 7 rows, 6 hold whole batches
        let mut recent = recent(7, 2).expect("a queue");
        for step in 1..=4 {
            assert_eq!(recent.is_full(step - 1, 2), step == 4);
            recent = recent.push(Tensor::full([2, 1], step as f32, &Device::flex().autodiff()));
        }
        let rows: Vec<f32> = recent.rows().into_data().try_to_vec().expect("floats");
        assert_eq!(rows, [4.0, 4.0, 3.0, 3.0, 2.0, 2.0]);
        assert!(!recent.rows.val().is_require_grad());
    }

    #[test]
    fn a_queue_shorter_than_a_batch_is_an_error() {
        let said = recent(3, 4).expect_err("3 hold no 4").to_string();
        assert!(said.contains('3') && said.contains('4'), "{said}");
    }
}
