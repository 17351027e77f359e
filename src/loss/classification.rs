//! Classification: cross-entropy and accuracy.

use burn::tensor::{Int, Tensor};

use crate::kernel;

/// Softmax cross-entropy `-mean_i log softmax(z_i)[y_i]`, in nats.
///
/// `logits` z: `[n, k]`; `labels` y: `[n]`, each below k -> `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [n, _] = logits.dims();
    assert_eq!(labels.dims(), [n], "cross_entropy: one label per row");
    kernel::cross_entropy(logits, labels)
}

/// Logits are equal where they differ by less than this share of the largest one: rounding, of which products of unit rows leave
/// about 1e-7 in single precision.
const ROUNDING: f64 = 1e-5;

/// Each column's chance to be picked as the largest of its row, where equal logits are in random order: 1 for a single largest
/// logit, 1/m for each of m equal ones. So a network that gives every image the same embedding scores at chance level, not 0 or
/// 1 depending on the order of the columns.
///
/// `logits`: `[n, k]` -> `[n, k]`, rows that sum to 1, without gradient.
pub fn first_place(logits: Tensor<2>) -> Tensor<2> {
    let logits = logits.detach();
    let largest = logits.clone().max_dim(1); // [n, 1]
    let least = largest.clone() - largest.abs() * ROUNDING;
    let equal = logits.greater_equal(least).float();
    let count = equal.clone().sum_dim(1);
    equal / count
}

/// The expected share of rows whose largest logit is at the label, where equal logits are in random order; see [`first_place`].
///
/// `logits`: `[n, k]`; `labels`: `[n]` -> `[1]`, without gradient.
pub fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [n, _] = logits.dims();
    assert_eq!(labels.dims(), [n], "accuracy: one label per row");
    kernel::accuracy(logits.clone().detach(), labels.clone(), ROUNDING)
        .unwrap_or_else(|| first_place(logits).gather(1, labels.unsqueeze_dim(1)).mean())
}

/// The expected share of rows whose partner in the other set is the nearest by dot product: top-1 retrieval, with equal
/// similarities in random order.
///
/// `a`: `[n, d]`; `b`: `[n, d]` or longer; row i of both belongs together -> `[1]`, without gradient.
pub fn partners_found(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let ([n, _], device) = (a.dims(), a.device());
    let own = Tensor::<1, Int>::arange(0..n as i64, &device);
    accuracy(kernel::linear(a.detach(), b.detach(), None), own)
}

/// The expected share of queries whose own key is the nearest by dot product among the keys of the batch and `others`, with equal
/// similarities in random order.
///
/// The keys of the batch take part because those of a queue come from an earlier network: a network that gives every image the
/// same embedding would find the only key of its own step every time.
///
/// `q`, `k`: `[n, d]`, row i of both belongs together; `others`: `[m, d]` -> `[1]`, without gradient.
pub fn own_keys_found(q: Tensor<2>, k: Tensor<2>, others: Tensor<2>) -> Tensor<1> {
    partners_found(q, Tensor::cat(vec![k.detach(), others.detach()], 0))
}

/// The expected share of rows for which both pick the same column, with equal logits in random order.
///
/// `a`, `b`: `[n, k]` -> `[1]`, without gradient.
pub fn agreement(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    (first_place(a) * first_place(b)).sum_dim(1).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn labels(values: &[i64], device: &Device) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
    }

    fn logits(values: &[f32], k: usize, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / k, k]), device)
    }

    /// The formula row by row, in double precision.
    fn slowly(values: &[f32], k: usize, labels: &[i64]) -> f64 {
        let rows = values.chunks(k).zip(labels);
        let losses = rows.map(|(row, &label)| {
            let sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum();
            sum.ln() - f64::from(row[label as usize])
        });
        losses.sum::<f64>() / labels.len() as f64
    }

    const Z: [f32; 12] = [0.3, -1.2, 2.0, 0.1, 1.5, 0.0, -0.7, 0.9, -2.0, 0.4, 0.4, 3.1];
    const Y: [i64; 3] = [2, 0, 1];

    #[test]
    fn zero_logits_give_ln_k() {
        let device = Device::flex();
        let loss: f32 = cross_entropy(Tensor::zeros([5, 4], &device), labels(&[0, 1, 2, 3, 0], &device)).into_scalar();
        assert!((loss - 1.386_294_4).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn cross_entropy_and_accuracy_agree_with_a_slow_loop() {
        let device = Device::flex();
        let z = logits(&Z, 4, &device);
        let loss: f32 = cross_entropy(z.clone(), labels(&Y, &device)).into_scalar();
        assert!((f64::from(loss) - slowly(&Z, 4, &Y)).abs() < 1e-6);
        let hits: f32 = accuracy(z, labels(&Y, &device)).into_scalar();
        assert!((hits - 2.0 / 3.0).abs() < 1e-6, "{hits}");
    }

    #[test]
    fn gradient_agrees_with_central_differences() {
        let device = Device::flex().autodiff();
        let z = logits(&Z, 4, &device).require_grad();
        let gradients = cross_entropy(z.clone(), labels(&Y, &device)).backward();
        let gradient: Vec<f32> = z.grad(&gradients).expect("a gradient").into_data().try_to_vec().expect("floats");
        for (index, found) in gradient.iter().enumerate() {
            let shifted = |by: f32| {
                let mut moved = Z;
                moved[index] += by;
                slowly(&moved, 4, &Y)
            };
            let expected = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{index}: {found} is not {expected}");
        }
    }

    #[test]
    fn equal_logits_share_the_first_place() {
        let device = Device::flex();
        let number = |x: Tensor<1>| x.into_scalar::<f32>();
        // a single largest one, three equal ones, four that differ by rounding
        let z = [0.1, 0.2, 0.9, 0.3, 2.0, 2.0, -1.0, 2.0, 10.0, 10.000_001, 9.999_999, 10.0];
        let shares: Vec<f32> = first_place(logits(&z, 4, &device)).into_data().try_to_vec().expect("floats");
        let third = 1.0 / 3.0;
        let expected = [0.0, 0.0, 1.0, 0.0, third, third, 0.0, third, 0.25, 0.25, 0.25, 0.25];
        assert!(shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{shares:?}");
        for label in 0..4 {
            let same = logits(&[0.0; 20], 4, &device);
            assert!((number(accuracy(same, labels(&[label; 5], &device))) - 0.25).abs() < 1e-6, "label {label}");
        }
        let collapsed = logits(&[0.6, 0.8, 0.6, 0.8, 0.6, 0.8, 0.6, 0.8, 0.6, 0.8], 2, &device);
        assert!((number(partners_found(collapsed.clone(), collapsed)) - 0.2).abs() < 1e-6, "one in five");
        // an embedding that all images share, among keys of a network that has moved since
        let same = logits(&[1.0; 8], 2, &device);
        let earlier = logits(&[1.0, 0.999, 0.998, 1.0], 2, &device);
        assert!((number(own_keys_found(same.clone(), same, earlier)) - 0.25).abs() < 1e-6, "one in four");
        let apart = logits(&[1.0, 0.0, 0.0, 1.0], 2, &device);
        assert_eq!(number(partners_found(apart.clone(), apart.clone())), 1.0);
        assert_eq!(number(agreement(apart.clone(), apart.clone())), 1.0);
        assert!((number(agreement(apart, Tensor::zeros([2, 2], &device))) - 0.5).abs() < 1e-6);
    }
}
