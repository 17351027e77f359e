//! Dropout, with masks drawn on the host, so that one seed gives one mask on every device.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// Mask for [`dropout`] of this shape: 0 with probability `p`, else `1 / (1 - p)`, so that the expected value stays (Srivastava
/// et al. 2014, scaled in training as in PyTorch). `None` for p = 0.
pub fn dropout_mask(shape: [usize; 2], p: f64, rng: &mut Rng, device: &Device) -> Option<Tensor<2>> {
    if p == 0.0 {
        return None;
    }
    let kept = (1.0 / (1.0 - p)) as f32;
    let values = (0..shape[0] * shape[1]).map(|_| if rng.random::<f64>() < p { 0.0 } else { kept });
    Some(Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), device))
}

/// Dropout: `x` times the mask in training, that is on a device that tracks gradients; `x` itself in inference.
///
/// `x`, `mask`: `[n, d]` -> `[n, d]`.
pub fn dropout(x: Tensor<2>, mask: Option<&Tensor<2>>) -> Tensor<2> {
    match mask {
        Some(mask) if x.device().is_autodiff() => x * mask.clone(),
        _ => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn half_is_dropped_and_the_mean_stays() {
        let mask = dropout_mask([200, 50], 0.5, &mut stream(1, Purpose::Views, 0), &Device::flex()).expect("a mask");
        let values: Vec<f32> = mask.into_data().try_to_vec().expect("floats");
        assert!(values.iter().all(|value| *value == 0.0 || *value == 2.0));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!(dropout_mask([2, 2], 0.0, &mut stream(1, Purpose::Views, 0), &Device::flex()).is_none());
    }

    #[test]
    fn nothing_is_dropped_in_inference() {
        let mask = Tensor::<2>::from_floats([[0.0, 2.0]], &Device::flex());
        let run = |device: &Device| -> Vec<f32> {
            dropout(Tensor::<2>::from_floats([[3.0, 3.0]], device), Some(&mask))
                .into_data()
                .try_to_vec()
                .expect("floats")
        };
        assert_eq!(run(&Device::flex()), [3.0, 3.0]);
        assert_eq!(run(&Device::flex().autodiff()), [0.0, 6.0]);
    }
}
