//! An encoder as an ONNX model.

mod graph;
mod protobuf;

use std::collections::HashMap;

use super::export::{About, KEY, little};
use crate::error::{Error, Result};
use crate::net::{Encoder, Input, tensors};
use graph::Graph;
use protobuf::Message;

/// Versions of the file format and of its operator set: those of 2021, which old and new runtimes read.
const FORMAT: i64 = 8;
const OPERATORS: i64 = 15;
/// Bytes of the largest file that the format allows.
const MAX_BYTES: usize = i32::MAX as usize;

/// The encoder as an ONNX model from images to `features` `[n, width]` and to the map of each layer under its name.
///
/// Images are `[n, c, h, w]` in 0 to 1 with any n, h and w; normalising them is part of the model. Encoders that read another
/// form of an image than its pixels take that form, as [`Input::read`] makes it, in place of images.
///
/// # Errors
/// When the device is lost, or the model is larger than the format allows.
pub async fn onnx(encoder: &Encoder, about: &About) -> Result<Vec<u8>> {
    let mut state = HashMap::new();
    for (name, data) in tensors::read(encoder.state()).await? {
        state.insert(name, little(data)?);
    }
    let input = if encoder.input() == Input::Pixels { "images" } else { encoder.input().word() };
    let graph = Graph::of(encoder, state, input).finish();
    let mut model = Message::default();
    model.int(1, FORMAT);
    model.text(2, "nolabel");
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.text(6, &about.trained);
    model.message(7, &graph);
    let mut operators = Message::default();
    operators.text(1, "");
    operators.int(2, OPERATORS);
    model.message(8, &operators);
    let mut said = Message::default();
    said.text(1, KEY);
    said.text(2, &about.to_text());
    model.message(14, &said);
    let bytes = model.into_bytes();
    if bytes.len() > MAX_BYTES {
        return Err(Error::Weights("an ONNX file holds 2 GB at most; export as safetensors instead".into()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{ENCODER_KINDS, EncoderConfig, encoder_for_tests, encoder_with_random_vectors};
    use crate::weights::safetensors;
    use ::safetensors::tensor::{Dtype, TensorView};
    use burn::tensor::{Device, Distribution, Tensor};
    use futures_lite::future::block_on;
    use std::collections::HashSet;

    /// The fields of a message that are bytes, in their order.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let end = bytes.iter().position(|byte| byte & 0x80 == 0).expect("an end");
            let (number, rest) = bytes.split_at(end + 1);
            *bytes = rest;
            number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
        }
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let length = match key & 7 {
                0 => {
                    varint(&mut bytes);
                    continue;
                }
                2 => varint(&mut bytes) as usize,
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (value, rest) = bytes.split_at(length);
            found.push((key >> 3, value));
            bytes = rest;
        }
        found
    }

    fn all(bytes: &[u8], field: u64) -> Vec<&[u8]> {
        fields(bytes).into_iter().filter(|(number, _)| *number == field).map(|(_, value)| value).collect()
    }

    fn texts(bytes: &[u8], field: u64) -> Vec<String> {
        all(bytes, field).into_iter().map(|value| String::from_utf8(value.to_vec()).expect("a text")).collect()
    }

    fn about(config: &EncoderConfig, channels: usize) -> About {
        About { encoder: config.clone(), channels, trained: "not trained".into() }
    }

    fn configs(width: Option<usize>) -> Vec<(String, EncoderConfig, usize)> {
        let plain = ENCODER_KINDS.map(|kind| {
            let config = EncoderConfig::published(kind, "cifar-10");
            (kind.word().to_string(), EncoderConfig { width: width.unwrap_or(config.width), ..config }, 3)
        });
        let small = EncoderConfig::small(width.unwrap_or(32));
        let lab = small.clone().reading(Input::Lab, &[50.0, 0.0, 0.0], &[25.0, 30.0, 30.0]);
        let sides = small.reading(Input::Sides, &[0.5], &[0.25]);
        plain.into_iter().chain([("lab".into(), lab, 3), ("sides".into(), sides, 1)]).collect()
    }

    #[test]
    fn values_precede_their_uses_and_no_tensor_is_left_out() {
        for (name, config, channels) in configs(Some(4)) {
            let encoder = encoder_for_tests(&config, channels, &Device::flex());
            let model = block_on(onnx(&encoder, &about(&config, channels))).expect("a model");
            let [graph] = all(&model, 7)[..] else { panic!("{name}: one graph") };
            let tensors: Vec<String> = all(graph, 5).into_iter().flat_map(|tensor| texts(tensor, 8)).collect();
            assert!(encoder.state().iter().all(|tensor| tensors.contains(&tensor.name)), "{name}");
            let inputs: Vec<String> = all(graph, 11).into_iter().flat_map(|input| texts(input, 1)).collect();
            assert_eq!(inputs.len(), 1, "{name}");
            let mut known: HashSet<String> = tensors.into_iter().chain(inputs).collect();
            for node in all(graph, 1) {
                assert!(texts(node, 1).iter().all(|input| known.contains(input)), "{name}: {:?}", texts(node, 1));
                assert!(texts(node, 2).into_iter().all(|output| known.insert(output)), "{name}: made twice");
            }
            let outputs: Vec<String> = all(graph, 12).into_iter().flat_map(|output| texts(output, 1)).collect();
            assert!(outputs.iter().all(|output| known.contains(output)), "{name}: {outputs:?}");
            let layers = encoder.layer_names();
            assert_eq!(outputs[0], "features");
            assert_eq!(outputs[1..], layers[..layers.len() - 1], "{name}");
        }
    }

    #[test]
    fn the_small_encoder_is_a_chain_of_four_blocks() {
        let config = EncoderConfig::small(4).normalised_for("mnist");
        let encoder = encoder_for_tests(&config, 1, &Device::flex());
        let model = block_on(onnx(&encoder, &about(&config, 1))).expect("a model");
        let operators: Vec<String> = all(all(&model, 7)[0], 1).into_iter().flat_map(|node| texts(node, 4)).collect();
        let block = ["Conv", "BatchNormalization", "Relu", "MaxPool"];
        let expected = [&["Sub", "Div"][..], &block, &block, &block, &block[..3], &["GlobalAveragePool", "Flatten"]];
        assert_eq!(operators, expected.concat());
        let said = String::from_utf8_lossy(all(&model, 14)[0]).to_string();
        assert!(said.contains("\"kind\":\"small\""), "{said}");
    }

    /// Writes the files that tests/reference/exports.py compares, where the variable names a folder.
    #[test]
    fn for_other_programs() {
        let Ok(folder) = std::env::var("NOLABEL_EXPORTS") else {
            return println!("NOLABEL_EXPORTS is not set: nothing written for other programs");
        };
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, config, channels) in configs(None) {
            let device = Device::flex();
            let encoder = encoder_with_random_vectors(&config, channels);
            let images = Tensor::<4>::random([2, channels, 64, 64], Distribution::Uniform(0.0, 1.0), &device);
            let raw = encoder.input().read(images.clone());
            let mut expected = vec![("images".to_string(), little(images.clone().into_data()).expect("floats"))];
            expected
                .push(("read".into(), little(encoder.pixels().normalise(raw.clone()).into_data()).expect("floats")));
            expected.push(("raw".into(), little(raw.into_data()).expect("floats")));
            expected.push(("features".into(), little(encoder.forward(images.clone()).into_data()).expect("floats")));
            for (layer, map) in encoder.layer_names().into_iter().zip(encoder.maps(images)) {
                expected.push((layer, little(map.into_data()).expect("floats")));
            }
            let views = expected.iter().map(|(name, (shape, bytes))| {
                (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("floats"))
            });
            let write = |ending: &str, bytes: Vec<u8>| {
                std::fs::write(format!("{folder}/{name}.{ending}"), bytes).expect("a file");
            };
            write("expected.safetensors", ::safetensors::serialize(views, None).expect("a file"));
            write("safetensors", block_on(safetensors(&encoder, &about(&config, channels))).expect("a file"));
            write("onnx", block_on(onnx(&encoder, &about(&config, channels))).expect("a model"));
        }
    }
}
