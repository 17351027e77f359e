//! Fixtures of the ops' tests: images with the results of other programs (`tests/fixtures/views`).

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One image and the expected result of each case.
#[derive(Deserialize)]
pub struct Fixture<Case> {
    shape: [usize; 3],
    image: Vec<f32>,
    pub cases: Vec<Case>,
}

impl<Case: DeserializeOwned> Fixture<Case> {
    pub fn read(json: &str) -> Self {
        let fixture: Self = serde_json::from_str(json).expect("a fixture");
        assert!(!fixture.cases.is_empty());
        fixture
    }

    /// The image as a batch of one: `[1, c, h, w]`.
    pub fn image(&self) -> Tensor<4> {
        let [c, h, w] = self.shape;
        Tensor::from_data(TensorData::new(self.image.clone(), [1, c, h, w]), &Device::flex())
    }
}

pub fn values(x: Tensor<4>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("floats")
}

pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "at {index}: {found} is not {expected}");
    }
}
