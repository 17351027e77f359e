//! The devices under test, and comparisons between them.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::device::{DeviceChoice, select};
use nolabel::rng::{Purpose, stream, uniform};

/// The first GPU.
pub fn gpu() -> Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    let start = || {
        let selected = futures_lite::future::block_on(select(DeviceChoice::Gpu(None)));
        selected.expect("a GPU, or Mesa's llvmpipe for OpenGL").device
    };
    GPU.get_or_init(start).clone()
}

/// Values from -1 to 1.
pub fn random(seed: u64, shape: &[usize]) -> TensorData {
    let values = uniform(&mut stream(seed, Purpose::Views, 0), shape.iter().product(), -1.0, 1.0);
    TensorData::new(values, shape.to_vec())
}

/// A leaf of the autodiff graph.
pub fn leaf<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(random(seed, &shape), device).require_grad()
}

/// Named results of a calculation, with the values in row-major order.
pub type Results = Vec<(String, Vec<f32>)>;

/// A tensor as a named result.
pub fn result<const D: usize>(name: &str, x: Tensor<D>) -> (String, Vec<f32>) {
    (name.to_string(), x.into_data().try_to_vec().expect("floats"))
}

/// Runs a calculation on the CPU and on the GPU. Each result may differ by `allowed` times its largest value.
pub fn assert_same(what: &str, allowed: f32, calculation: impl Fn(&Device) -> Results) {
    let expected = calculation(&Device::flex().autodiff());
    let found = calculation(&gpu().autodiff());
    assert_eq!(expected.len(), found.len(), "{what}");
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        assert_eq!(expected.len(), found.len(), "{what}: {name}");
        let scale = expected.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
        for (place, (a, b)) in expected.iter().zip(found).enumerate() {
            assert!((a - b).abs() <= allowed * scale, "{what}: {name}, value {place} is {b}, on the CPU {a}");
        }
    }
}
