//! Classification: cross-entropy and accuracy.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Softmax cross-entropy `-mean_i log softmax(z_i)[y_i]`, in nats.
///
/// `logits` z: `[n, k]`; `labels` y: `[n]`, each below k -> `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [n, _] = logits.dims();
    assert_eq!(labels.dims(), [n], "cross_entropy: one label a row");
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).mean().neg()
}

/// Share of rows whose largest logit is at the label, in 0 to 1.
///
/// `logits`: `[n, k]`; `labels`: `[n]` -> `[1]`.
pub fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [n, _] = logits.dims();
    assert_eq!(labels.dims(), [n], "accuracy: one label a row");
    logits.argmax(1).squeeze_dim::<1>(1).equal(labels).float().mean()
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
}
