//! Gradient accumulation: a batch in micro-batches, and their results joined.

use burn::tensor::Tensor;

use super::{Batch, StepResult};

/// Micro-batches of a batch, `count` of one size.
pub(super) fn of(batch: &Batch, count: usize) -> impl Iterator<Item = Batch> {
    let size = batch.indices.len() / count;
    (0..count).map(move |index| {
        let rows = |images: &Tensor<4>| match count {
            1 => images.clone(),
            _ => images.clone().narrow(0, index * size, size),
        };
        Batch {
            images: rows(&batch.images),
            indices: batch.indices[index * size..][..size].to_vec(),
            next: batch.next.as_ref().map(rows),
        }
    })
}

/// Concatenates the first tensors of all micro-batches, the second ones, and so on.
pub(crate) fn stacked(carries: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
    let count = carries.first().map_or(0, Vec::len);
    let mut carries: Vec<_> = carries.into_iter().map(Vec::into_iter).collect();
    let mut next = || carries.iter_mut().filter_map(Iterator::next).collect();
    (0..count).map(|_| Tensor::cat(next(), 0)).collect()
}

/// Means of loss and metrics over the micro-batches.
pub(super) fn mean(answers: Vec<StepResult>) -> StepResult {
    let mean = |number: fn(&StepResult) -> Option<&Tensor<1>>| {
        let numbers: Vec<_> = answers.iter().filter_map(number).cloned().collect();
        match numbers.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            _ => Some(Tensor::cat(numbers, 0).mean()),
        }
    };
    let loss = mean(|answer| Some(&answer.loss)).expect("a batch has a micro-batch");
    StepResult {
        loss,
        metric: mean(|answer| answer.metric.as_ref()),
        baseline: mean(|answer| answer.baseline.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn numbers(values: &[f32]) -> Tensor<1> {
        Tensor::from_floats(values, &Device::flex())
    }

    #[test]
    fn micro_batches_hold_each_image_once() {
        let images = numbers(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).reshape([6, 1, 1, 1]);
        let batch = Batch { next: Some(images.clone() + 10.0), ..Batch::of(images, (20..26).collect()) };
        let micro_batches: Vec<_> = of(&batch, 3).collect();
        assert_eq!(micro_batches.len(), 3);
        let last = &micro_batches[2];
        assert_eq!(last.indices, [24, 25]);
        let values = |x: &Tensor<4>| x.clone().into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(
            (values(&last.images), values(last.next.as_ref().expect("frames"))),
            (vec![4.0, 5.0], vec![14.0, 15.0])
        );
    }

    #[test]
    fn carried_tensors_are_concatenated_by_position() {
        let row = |value: f32| numbers(&[value, value]).unsqueeze_dim::<2>(0);
        let stacked = stacked(vec![vec![row(1.0), row(2.0)], vec![row(3.0), row(4.0)]]);
        let values = |x: &Tensor<2>| x.clone().into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(stacked.iter().map(values).collect::<Vec<_>>(), [[1.0, 1.0, 3.0, 3.0], [2.0, 2.0, 4.0, 4.0]]);
        assert!(super::stacked(vec![Vec::new(), Vec::new()]).is_empty());
    }

    #[test]
    fn results_are_means() {
        let answer = |loss: f32, metric: Option<f32>| StepResult {
            loss: numbers(&[loss]),
            metric: metric.map(|metric| numbers(&[metric])),
            baseline: None,
        };
        let mean = mean(vec![answer(1.0, Some(0.5)), answer(3.0, Some(0.0))]);
        let number = |x: Tensor<1>| x.into_scalar::<f32>();
        assert_eq!((number(mean.loss), mean.metric.map(number), mean.baseline.is_none()), (2.0, Some(0.25), true));
    }
}
