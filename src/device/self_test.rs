//! A test calculation on a device, for a shader that fails to compile gives zeros in silence.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData, Transaction};

use crate::error::{Error, Result};
use crate::rng::{Purpose, stream, uniform};

/// Largest allowed error, relative to the largest expected value.
const TOLERANCE: f32 = 1e-3;
/// Shape of the input: images, channels, height, width.
const INPUT: [usize; 4] = [2, 3, 9, 9];
/// Shape of the weights: filters, channels, height, width.
const WEIGHT: [usize; 4] = [4, 3, 3, 3];

/// Compares value and gradients of one convolution on `device` with the CPU's.
///
/// # Errors
/// When they differ or cannot be read.
pub async fn self_test(device: &Device) -> Result<()> {
    let expected = convolution(&Device::flex()).await?;
    let found = convolution(device).await?;
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        compare(name, expected, found)?;
    }
    Ok(())
}

/// The value of a convolution and the gradients of its mean square for input and weights.
async fn convolution(device: &Device) -> Result<[(&'static str, Vec<f32>); 3]> {
    let tracking = device.clone().autodiff();
    let mut rng = stream(0, Purpose::Probe, 0);
    let mut leaf = |dims: [usize; 4]| {
        let values = uniform(&mut rng, dims.iter().product(), -1.0, 1.0);
        Tensor::<4>::from_data(TensorData::new(values, dims), &tracking).require_grad()
    };
    let input = leaf(INPUT);
    let weight = leaf(WEIGHT);
    let value = conv2d(input.clone(), weight.clone(), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    let gradients = value.clone().square().mean().backward();
    let lost = || Error::Device("the GPU did not compute the gradients of a test convolution; choose the CPU".into());
    let for_input = input.grad(&gradients).ok_or_else(lost)?;
    let for_weight = weight.grad(&gradients).ok_or_else(lost)?;
    let all = Transaction::default().register(value.inner()).register(for_input).register(for_weight);
    let unread =
        |error: String| Error::Device(format!("a test convolution could not be read back ({error}); choose the CPU"));
    let read = all.execute_async().await.map_err(|error| unread(error.to_string()))?;
    let values = read.into_iter().map(|data| data.try_into_vec::<f32>().map_err(|error| unread(format!("{error:?}"))));
    let [value, for_input, for_weight] = <[Vec<f32>; 3]>::try_from(values.collect::<Result<Vec<_>>>()?)
        .map_err(|_| unread("a part is missing".into()))?;
    Ok([("value", value), ("gradient for the input", for_input), ("gradient for the weights", for_weight)])
}

/// Refuses values that differ from those expected; a NaN differs from everything.
fn compare(name: &str, expected: &[f32], found: &[f32]) -> Result<()> {
    let scale = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * scale;
    if expected.len() == found.len() && expected.iter().zip(found).all(close) {
        return Ok(());
    }
    Err(Error::Device(format!(
        "the GPU gives wrong numbers (the {name} of a test convolution differs from the CPU's); update the graphics driver or \
         choose the CPU"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_passes_its_own_test() {
        futures_lite::future::block_on(self_test(&Device::flex())).expect("flex agrees with itself");
    }

    #[test]
    fn the_value_agrees_with_a_slow_loop() {
        let [(_, value), ..] = futures_lite::future::block_on(convolution(&Device::flex())).expect("flex computes");
        let mut rng = stream(0, Purpose::Probe, 0);
        let input = uniform(&mut rng, INPUT.iter().product(), -1.0, 1.0);
        let weight = uniform(&mut rng, WEIGHT.iter().product(), -1.0, 1.0);
        // image 1, filter 2, row 0 (the row above it is padding), column 4
        let mut sum = 0.0;
        for channel in 0..3 {
            for (row, column) in (1..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
                let pixel = input[((3 + channel) * 9 + (row - 1)) * 9 + (4 + column - 1)];
                sum += pixel * weight[((2 * 3 + channel) * 3 + row) * 3 + column];
            }
        }
        let found = value[((4 + 2) * 9) * 9 + 4];
        assert!((found - sum).abs() < 1e-5, "{found} is not {sum}");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let right = [1.0, -2.0, 0.5];
        assert!(compare("value", &right, &[1.0, -2.001, 0.5]).is_ok());
        for wrong in [vec![0.0, 0.0, 0.0], vec![1.0, -2.01, 0.5], vec![1.0, f32::NAN, 0.5], vec![1.0, -2.0]] {
            let error = compare("value", &right, &wrong).expect_err("must be refused").to_string();
            assert!(error.contains("value") && error.contains("choose the CPU"), "{error}");
        }
    }
}
