//! A test calculation on a device, for a shader that fails to compile gives zeros in silence.

mod embeddings;
mod images;
mod layers;
mod updates;

use burn::tensor::{Device, Tensor, TensorData, Transaction};

use crate::error::{Error, Result};
use crate::rng::{Purpose, stream, uniform};

/// Largest allowed error, relative to the largest expected value of a tensor.
const TOLERANCE: f32 = 1e-3;
/// Results of the calculation, and what each of them is.
type Results = Vec<(&'static str, Vec<f32>)>;

/// Tensors to be read back together, flattened.
type Outputs = Vec<(&'static str, Tensor<1>)>;

/// Compares the values and the gradients of every kernel of ours on `device` with the CPU's.
///
/// # Errors
/// If they differ or cannot be read; the message names the kernel.
pub async fn self_test(device: &Device) -> Result<()> {
    let expected = calculate(&Device::flex()).await?;
    let found = calculate(device).await?;
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        compare(name, expected, found)?;
    }
    Ok(())
}

/// All results of a device, read in one go.
async fn calculate(device: &Device) -> Result<Results> {
    let tracking = device.clone().autodiff();
    let parts = [
        layers::convolution,
        layers::unit,
        layers::residual_unit,
        layers::max_pooling,
        layers::classifier,
        embeddings::rows,
        embeddings::columns,
    ];
    let outputs = parts.map(|part| part(&tracking));
    let lost = || Error::Device("the GPU did not compute the gradients of a test calculation; choose the CPU".into());
    let outputs: Outputs = outputs.into_iter().map(|part| part.ok_or_else(lost)).collect::<Result<Vec<_>>>()?.concat();
    let outputs = [outputs, updates::all(device), images::all(device)].concat();
    let unread =
        |error: String| Error::Device(format!("a test calculation could not be read back ({error}); choose the CPU"));
    let names: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
    let all = outputs.into_iter().fold(Transaction::default(), |all, (_, tensor)| all.register(tensor));
    let read = all.execute_async().await.map_err(|error| unread(error.to_string()))?;
    let values = read.into_iter().map(|data| data.try_into_vec::<f32>().map_err(|error| unread(format!("{error:?}"))));
    Ok(names.into_iter().zip(values.collect::<Result<Vec<_>>>()?).collect())
}

/// Values in -1 to 1.
fn drawn<const D: usize>(seed: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    let values = uniform(&mut stream(seed, Purpose::Probe, 0), dims.iter().product(), -1.0, 1.0);
    Tensor::from_data(TensorData::new(values, dims), device)
}

/// [`drawn`], with a gradient.
fn leaf<const D: usize>(seed: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    drawn(seed, dims, device).require_grad()
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let x = if x.device().is_autodiff() { x.inner() } else { x };
    x.flatten(0, D as isize - 1)
}

/// Refuses values that differ from those expected; a NaN differs from everything.
fn compare(name: &str, expected: &[f32], found: &[f32]) -> Result<()> {
    let scale = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * scale;
    if expected.len() == found.len() && expected.iter().zip(found).all(close) {
        return Ok(());
    }
    Err(Error::Device(format!(
        "the GPU gives wrong numbers (the {name} of a test calculation differs from the CPU's); update the graphics driver or \
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
    fn no_result_is_zero() {
        // a kernel that writes nothing would pass if zeros were expected
        let results = futures_lite::future::block_on(calculate(&Device::flex())).expect("flex computes");
        assert!(results.len() > 30);
        for (name, values) in results {
            assert!(values.iter().any(|value| value.abs() > 1e-3), "{name}: {values:?}");
        }
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
