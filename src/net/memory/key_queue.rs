//! MoCo's key queue.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::net::Init;

/// Keys of the latest steps, a ring buffer of K unit rows. The write position follows from the step number, so a checkpoint needs
/// only the rows.
#[derive(Module, Debug)]
pub struct KeyQueue {
    rows: Param<Tensor<2>>,
}

impl KeyQueue {
    /// Queue of K = `length` rows of d = `width` values, drawn uniformly from the unit sphere. Each step will push `keys` rows.
    ///
    /// # Errors
    /// [`Error::Config`] if `keys` does not divide K.
    pub fn init(length: usize, width: usize, keys: usize, init: &mut Init) -> Result<Self> {
        if keys == 0 || length == 0 || !length.is_multiple_of(keys) {
            return Err(Error::Config(format!(
                "a queue of {length} keys cannot be filled {keys} at a time: choose a multiple"
            )));
        }
        Ok(Self { rows: init.unit_rows([length, width]) })
    }

    /// Keys in the queue, without gradient: `[K, d]`.
    pub fn rows(&self) -> Tensor<2> {
        self.rows.val().detach()
    }

    /// Replaces the oldest rows by the keys of step `step` (from 0): unit rows `[b, d]`. Call it after the loss, because keys are
    /// not negatives of their own queries.
    pub fn push(self, keys: Tensor<2>, step: usize) -> Self {
        let [length, width] = self.rows.dims();
        let [count, _] = keys.dims();
        assert_eq!(length % count, 0, "queue: {count} keys do not divide {length} rows");
        let start = Self::start(step, count, length);
        let rows = self.rows.map(|rows| {
            let moved = rows.inner().slice_assign([start..start + count, 0..width], keys.detach().inner());
            Tensor::from_inner(moved)
        });
        Self { rows }
    }

    /// First row that the keys of step `step` replace.
    fn start(step: usize, count: usize, length: usize) -> usize {
        (step % (length / count)) * count
    }

    /// Age of each row in steps, before step `step`, for display; `None` for rows that still hold their random initial values.
    pub fn ages(length: usize, keys: usize, step: usize) -> Vec<Option<usize>> {
        let blocks = length / keys;
        let age = |block: usize| {
            // the latest step below `step` that wrote this block
            let latest = (step + blocks - 1 - block) / blocks;
            latest.checked_sub(1).map(|rounds| step - 1 - (rounds * blocks + block))
        };
        (0..length).map(|row| age(row / keys)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn queue(length: usize, keys: usize) -> Result<KeyQueue> {
        KeyQueue::init(length, 2, keys, &mut Init::new(stream(1, Purpose::Weights, 0), &Device::flex().autodiff()))
    }

    fn values(queue: &KeyQueue) -> Vec<f32> {
        queue.rows().into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn rows_start_at_unit_length_and_carry_no_gradient() {
        let queue = queue(8, 2).expect("a queue");
        for row in values(&queue).chunks(2) {
            assert!((row[0].hypot(row[1]) - 1.0).abs() < 1e-6, "{row:?}");
        }
        assert!(!queue.rows.val().is_require_grad());
        assert_eq!(crate::net::tensors::count(&queue), 0);
    }

    #[test]
    fn keys_are_replaced_first_in_first_out() {
        let mut queue = queue(6, 2).expect("a queue");
        let initial = values(&queue);
        for step in 0..5 {
            let keys = Tensor::<2>::full([2, 2], step as f32, &Device::flex().autodiff());
            queue = queue.push(keys, step);
            let now = values(&queue);
            let slot = (step % 3) * 4;
            assert_eq!(now[slot..slot + 4], [step as f32; 4]);
            // every initial row is replaced after exactly K / b steps
            assert_eq!(now.iter().zip(&initial).any(|(a, b)| a == b), step < 2, "step {step}");
        }
        assert_eq!(values(&queue), [[3.0; 4], [4.0; 4], [2.0; 4]].concat());
    }

    #[test]
    fn ages_follow_from_the_step_number() {
        let ages = |step| KeyQueue::ages(6, 2, step).into_iter().step_by(2).collect::<Vec<_>>();
        assert_eq!(ages(0), [None, None, None]);
        assert_eq!(ages(2), [Some(1), Some(0), None]);
        // the blocks were written at steps 3, 4 and 2, as in the test above
        assert_eq!(ages(5), [Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn a_batch_that_does_not_divide_the_queue_is_an_error() {
        let said = queue(6, 4).expect_err("4 does not divide 6").to_string();
        assert!(said.contains('6') && said.contains('4'), "{said}");
        assert!(queue(0, 4).is_err() && queue(4, 0).is_err());
    }
}
