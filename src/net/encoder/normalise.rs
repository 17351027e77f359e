//! Normalisation of an encoder's input, on the device of the batch.

use burn::tensor::{Tensor, TensorData};

use super::pixels::Pixels;

impl Pixels {
    /// Normalises images, `(x - mean) / std`: `[n, c, h, w]` -> the same shape.
    pub fn normalise(&self, images: Tensor<4>) -> Tensor<4> {
        let x = match self.mean.as_slice() {
            [0.0] => images,
            [mean] => images.sub_scalar(*mean),
            means => images.clone() - channelwise(means, &images),
        };
        match self.std.as_slice() {
            [1.0] => x,
            [std] => x.div_scalar(*std),
            stds => x.clone() / channelwise(stds, &x),
        }
    }
}

/// One value a channel, `[1, c, 1, 1]`, on the device of `like`.
fn channelwise(values: &[f64], like: &Tensor<4>) -> Tensor<4> {
    let floats: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(floats, [1, values.len(), 1, 1]), &like.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn each_channel_has_its_own_mean_and_deviation() {
        // three channels, then one value for all
        let x = Tensor::<4>::from_data([[[[0.5f32]], [[0.5]], [[1.0]]]], &Device::flex());
        let pixels = Pixels { mean: vec![0.5, 0.25, 0.0], std: vec![0.1, 0.5, 2.0] };
        let y: Vec<f32> = pixels.normalise(x.clone()).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [0.0, 0.5, 0.5]);
        let one = Pixels { mean: vec![0.5], std: vec![0.25] };
        let y: Vec<f32> = one.normalise(x).into_data().try_to_vec().expect("floats");
        assert_eq!(y, [0.0, 0.0, 2.0]);
    }
}
