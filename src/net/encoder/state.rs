//! Encoder weights under torchvision's names.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::TensorData;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::Encoder;
use crate::error::{Error, Result};
use crate::net::tensors::{self, NamedTensor};

/// True for the tensors that torchvision has in addition: the classifier and counts of batches.
fn is_tolerated(name: &str) -> bool {
    name.starts_with("fc.") || name.ends_with("num_batches_tracked")
}

/// Tensors of a safetensors file by name, for [`Encoder::with_state`].
///
/// # Errors
/// [`Error::Checkpoint`] if the bytes are not a whole safetensors file, or an encoder tensor is not stored as 32-bit floats.
pub fn parse_state(bytes: &[u8]) -> Result<HashMap<String, TensorData>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| Error::Checkpoint(format!("this is not a whole safetensors file: {error}")))?;
    let mut state = HashMap::new();
    for (name, view) in file.iter().filter(|(name, _)| !is_tolerated(name)) {
        if view.dtype() != Dtype::F32 {
            return Err(Error::Checkpoint(format!("`{name}` is not stored as 32-bit floats")));
        }
        let floats: Vec<f32> =
            view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        state.insert(name.to_string(), TensorData::new(floats, view.shape().to_vec()));
    }
    Ok(state)
}

impl Encoder {
    /// Weights and running statistics. For residual networks, names and shapes are those of torchvision's state_dict without the
    /// classifier: `conv1.weight`, `layer1.0.bn2.running_var`, `layer2.0.downsample.0.weight`. For an encoder of two halves, names
    /// begin with `body.` and `second.`.
    ///
    /// As with [`tensors::gather`], call it on `valid()` of a model in training.
    pub fn state(&self) -> Vec<NamedTensor> {
        match &self.second {
            None => tensors::gather(&self.body),
            Some(_) => tensors::gather(self),
        }
    }

    /// Names of the same tensors by their parameter ids.
    pub fn state_ids(&self) -> HashMap<ParamId, String> {
        match &self.second {
            None => tensors::ids(&self.body),
            Some(_) => tensors::ids(self),
        }
    }

    /// Loads the weights of such a state_dict of floats. torchvision's classifier (`fc.`) and counts of batches
    /// (`num_batches_tracked`) are ignored.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if a tensor is missing, has another shape, or does not belong to this encoder.
    pub fn with_state(self, mut state: HashMap<String, TensorData>) -> Result<Self> {
        let loaded = match &self.second {
            None => Self { body: tensors::scatter(self.body, &mut state)?, ..self },
            Some(_) => tensors::scatter(self, &mut state)?,
        };
        let mut superfluous: Vec<_> = state.into_keys().filter(|name| !is_tolerated(name)).collect();
        superfluous.sort();
        match superfluous.first() {
            None => Ok(loaded),
            Some(name) => {
                let count = superfluous.len();
                Err(Error::Checkpoint(format!(
                    "the encoder has no place for {count} of the tensors, among them `{name}`"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::encoder::tests::build;
    use crate::net::{EncoderConfig, EncoderKind};
    use burn::tensor::{Device, Tensor};

    fn tiny() -> Encoder {
        let config = EncoderConfig { width: 2, ..EncoderConfig::published(EncoderKind::Resnet50Cifar, "cifar-10") };
        build(&config, 3, &Device::flex())
    }

    fn state(encoder: &Encoder) -> HashMap<String, TensorData> {
        let read = futures_lite::future::block_on(tensors::read(encoder.state())).expect("flex reads");
        read.into_iter().collect()
    }

    #[test]
    fn names_of_a_resnet_are_torchvisions() {
        let encoder = tiny();
        let names: Vec<_> = encoder.state().into_iter().map(|named| named.name).collect();
        // len(torchvision.models.resnet50().state_dict()) is 320: 53 counts of batches and 2 of the classifier
        assert_eq!(names.len(), 320 - 53 - 2);
        for name in
            ["conv1.weight", "bn1.running_mean", "layer1.0.downsample.0.weight", "layer1.0.downsample.1.running_var"]
        {
            assert!(names.iter().any(|found| found == name), "{name} is missing");
        }
        assert_eq!(names[names.len() - 1], "layer4.2.bn3.running_var");
    }

    #[test]
    fn an_encoder_with_anothers_state_computes_the_same() {
        let source = tiny();
        let x = Tensor::<4>::from_data([[[[0.3f32; 8]; 8], [[0.9; 8]; 8], [[0.1; 8]; 8]]], &Device::flex());
        let mut values = state(&source);
        values.insert("fc.weight".into(), TensorData::from([1.0f32]));
        values.insert("bn1.num_batches_tracked".into(), TensorData::from([7.0f32]));
        let config = EncoderConfig { width: 2, ..EncoderConfig::published(EncoderKind::Resnet50Cifar, "cifar-10") };
        let mut init = crate::net::Init::new(crate::rng::stream(9, crate::rng::Purpose::Weights, 0), &Device::flex());
        let other = Encoder::init(&config, 3, &mut init).expect("a model");
        assert_ne!(other.forward(x.clone()).into_data(), source.forward(x.clone()).into_data());
        let copy = other.with_state(values.clone()).expect("the same architecture");
        assert_eq!(copy.forward(x.clone()).into_data(), source.forward(x).into_data());
    }

    #[test]
    fn the_state_holds_both_halves_of_a_split_encoder() {
        let config = EncoderConfig::small(2).reading(crate::net::Input::Bands, &[0.0], &[1.0]);
        let source = build(&config, 1, &Device::flex());
        let values = state(&source);
        assert!(values.contains_key("second.stages.0.units.0.conv.weight"), "{:?}", values.keys());
        let mut init = crate::net::Init::new(crate::rng::stream(9, crate::rng::Purpose::Weights, 0), &Device::flex());
        let other = Encoder::init(&config, 1, &mut init).expect("a model").with_state(values).expect("its own state");
        let x = Tensor::<4>::ones([1, 1, 16, 16], &Device::flex());
        assert_eq!(other.forward(x.clone()).into_data(), source.forward(x).into_data());
    }

    #[test]
    fn an_error_names_the_tensor_that_does_not_fit() {
        let full = state(&tiny());
        let refused = |change: &dyn Fn(&mut HashMap<String, TensorData>)| {
            let mut values = full.clone();
            change(&mut values);
            tiny().with_state(values).expect_err("a wrong state").to_string()
        };
        let missing = refused(&|values| drop(values.remove("layer3.2.conv2.weight")));
        assert!(missing.contains("layer3.2.conv2.weight"), "{missing}");
        let shape = refused(&|values| drop(values.insert("bn1.weight".into(), TensorData::from([1.0f32; 3]))));
        assert!(shape.contains("bn1.weight") && shape.contains("[3]"), "{shape}");
        let stranger =
            refused(&|values| drop(values.insert("layer5.0.conv1.weight".into(), TensorData::from([1.0f32]))));
        assert!(stranger.contains("layer5.0.conv1.weight"), "{stranger}");
    }

    /// Compares with the files that tests/reference/torchvision_models.py wrote, where the variable names their folder.
    #[test]
    fn features_are_torchvisions() {
        let Ok(folder) = std::env::var("NOLABEL_TORCHVISION") else {
            return println!("NOLABEL_TORCHVISION is not set: nothing compared with whole torchvision models");
        };
        let kinds =
            [EncoderKind::Resnet18, EncoderKind::Resnet18Cifar, EncoderKind::Resnet50, EncoderKind::Resnet50Cifar];
        for (kind, file) in kinds.into_iter().zip(["resnet18", "resnet18-cifar", "resnet50", "resnet50-cifar"]) {
            let bytes = std::fs::read(format!("{folder}/{file}.safetensors")).expect("a file of the script");
            let mut values = parse_state(&bytes).expect("floats");
            let mut take = |name: &str| values.remove(name).expect(name);
            let input = take("input");
            let expected = take("features");
            let config = EncoderConfig::published(kind, "imagenet");
            let encoder = build(&config, 3, &Device::flex()).with_state(values).expect("torchvision's names");
            let found = encoder.forward(Tensor::from_data(input, &Device::flex()));
            let expected = Tensor::<2>::from_data(expected, &Device::flex());
            let error: f32 = (found - expected.clone()).abs().max().into_scalar();
            let size: f32 = expected.abs().max().into_scalar();
            println!("{file}: largest difference {error:e}, largest feature {size}");
            assert!(error < 1e-4, "{file}: {error}");
        }
    }
}
