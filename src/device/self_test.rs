//! A test calculation on a device, for a shader that fails to compile gives zeros in silence.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData, Transaction};

use crate::error::{Error, Result};
use crate::kernel::{self, ConvGeometry, NormTensors, UnitConfig};
use crate::rng::{Purpose, stream, uniform};

/// Largest allowed error, relative to the largest expected value of a tensor.
const TOLERANCE: f32 = 1e-3;
/// Added to the variance of the norm under test.
const EPSILON: f32 = 1e-5;

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
    let outputs = [convolution(&tracking), unit(&tracking), classifier(&tracking)];
    let lost = || Error::Device("the GPU did not compute the gradients of a test calculation; choose the CPU".into());
    let outputs: Outputs = outputs.into_iter().map(|part| part.ok_or_else(lost)).collect::<Result<Vec<_>>>()?.concat();
    let unread =
        |error: String| Error::Device(format!("a test calculation could not be read back ({error}); choose the CPU"));
    let names: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
    let all = outputs.into_iter().fold(Transaction::default(), |all, (_, tensor)| all.register(tensor));
    let read = all.execute_async().await.map_err(|error| unread(error.to_string()))?;
    let values = read.into_iter().map(|data| data.try_into_vec::<f32>().map_err(|error| unread(format!("{error:?}"))));
    Ok(names.into_iter().zip(values.collect::<Result<Vec<_>>>()?).collect())
}

fn leaf<const D: usize>(seed: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    let values = uniform(&mut stream(seed, Purpose::Probe, 0), dims.iter().product(), -1.0, 1.0);
    Tensor::from_data(TensorData::new(values, dims), device).require_grad()
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    x.inner().flatten(0, D as isize - 1)
}

/// Convolution of stride 2 with a bias, on maps with an odd side.
fn convolution(device: &Device) -> Option<Outputs> {
    let x = leaf(1, [2, 3, 9, 8], device);
    let w = leaf(2, [5, 3, 3, 3], device);
    let bias = leaf(3, [5], device);
    let geometry = ConvGeometry { stride: 2, padding: 1, dilation: 1, groups: 1 };
    let y = kernel::convolve(x.clone(), w.clone(), Some(bias.clone()), geometry);
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("output of a convolution", flat(y)),
        ("input gradient of a convolution", flat(Tensor::from_inner(x.grad(&gradients)?))),
        ("weight gradient of a convolution", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("bias gradient of a convolution", flat(Tensor::from_inner(bias.grad(&gradients)?))),
    ])
}

/// Convolution, batch norm, ReLU and max pooling, on maps whose last row and column no window covers.
fn unit(device: &Device) -> Option<Outputs> {
    let x = leaf(4, [3, 4, 7, 5], device);
    let w = leaf(5, [6, 4, 3, 3], device);
    let scale = leaf(6, [6], device);
    let shift = leaf(7, [6], device);
    let geometry = ConvGeometry { stride: 1, padding: 1, dilation: 1, groups: 1 };
    let (y, mean) = if kernel::has_unit(device, geometry) {
        let config = UnitConfig { geometry, groups: 1, views: 1, relu: true, pool: 2, epsilon: EPSILON, momentum: 1.0 };
        let running = Tensor::zeros([6], device);
        let norm = NormTensors {
            scale: scale.clone(),
            shift: shift.clone(),
            running_mean: running.clone(),
            running_var: running,
        };
        let (y, [mean, _]) = kernel::unit(x.clone(), w.clone(), norm, config);
        (y, mean)
    } else {
        let y = kernel::convolve(x.clone(), w.clone(), None, geometry).reshape([3, 6, 35]);
        let normed = kernel::batch_norm(y, scale.clone(), shift.clone(), f64::from(EPSILON));
        (relu(kernel::max_pool_2x2(normed.output.reshape([3, 6, 7, 5]))), normed.mean)
    };
    let gradients = y.clone().square().mean().backward();
    Some(vec![
        ("output of a unit", flat(y)),
        ("batch mean of a unit", flat(mean)),
        ("input gradient of a unit", flat(Tensor::from_inner(x.grad(&gradients)?))),
        ("weight gradient of a unit", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("scale gradient of a unit", flat(Tensor::from_inner(scale.grad(&gradients)?))),
        ("shift gradient of a unit", flat(Tensor::from_inner(shift.grad(&gradients)?))),
    ])
}

/// Mean pooling, linear layer and cross-entropy.
fn classifier(device: &Device) -> Option<Outputs> {
    let x = leaf(8, [5, 7, 3, 3], device);
    let w = leaf(9, [4, 7], device);
    let labels = Tensor::<1, Int>::from_data(TensorData::new(vec![0, 3, 1, 2, 3], [5]), device);
    let features = kernel::mean_pool(x.clone());
    let logits = kernel::linear(features.clone(), w.clone(), None) * 5.0;
    let loss = kernel::cross_entropy(logits, labels);
    let gradients = loss.clone().backward();
    Some(vec![
        ("mean pooling", flat(features)),
        ("cross-entropy", loss.inner()),
        ("weight gradient of a linear layer", flat(Tensor::from_inner(w.grad(&gradients)?))),
        ("input gradient of mean pooling", flat(Tensor::from_inner(x.grad(&gradients)?))),
    ])
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
        assert!(results.len() > 10);
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
