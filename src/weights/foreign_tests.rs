//! Files as other projects write them: read as the network that they are, or refused in words.

use std::collections::BTreeMap;

use burn::tensor::{Device, Distribution, Tensor};
use futures_lite::future::block_on;
use safetensors::tensor::{Dtype, TensorView};

use super::export::little;
use super::{ImportOptions, import};
use crate::net::{Encoder, EncoderConfig, EncoderKind, encoder_with_random_vectors, tensors};

/// Another library's name of a tensor that torchvision calls so.
type Renaming<'a> = &'a dyn Fn(&str) -> String;

/// Names and shapes of tensors that a plain ResNet does not have.
type Additions<'a> = &'a [(&'a str, &'a [usize])];

/// Shapes and bytes of tensors by name.
type State = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

fn network(kind: EncoderKind) -> (Encoder, State) {
    let config = EncoderConfig { width: 4, ..EncoderConfig::published(kind, "imagenet") };
    let encoder = encoder_with_random_vectors(&config, 3);
    let read = block_on(tensors::read(encoder.state())).expect("flex reads");
    let state = read.into_iter().map(|(name, data)| (name, little(data).expect("floats")));
    let mut state: State = state.collect();
    state.insert("bn1.num_batches_tracked".into(), (vec![], vec![0; 4]));
    (encoder, state)
}

fn file(state: &State) -> Vec<u8> {
    let views = state.iter().map(|(name, (shape, bytes))| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("floats"))
    });
    safetensors::serialize(views, None).expect("a file")
}

fn renamed(state: &State, rename: impl Fn(&str) -> String) -> State {
    state.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

/// The names of numbered children, with `layer1` at `first`.
fn numbered(name: &str, first: usize) -> String {
    let (module, rest) = name.split_once('.').expect("a module");
    let number = match module {
        "conv1" => 0,
        "bn1" => 1,
        layer => layer["layer".len()..].parse::<usize>().expect("a number") + first - 1,
    };
    format!("{number}.{rest}")
}

/// Tensors of zeros.
fn zeros(names: &[(&str, &[usize])]) -> State {
    let tensor = |shape: &[usize]| (shape.to_vec(), vec![0; 4 * shape.iter().product::<usize>()]);
    names.iter().map(|(name, shape)| (name.to_string(), tensor(shape))).collect()
}

fn said(state: &State, options: &ImportOptions) -> String {
    import(&file(state), options, 1, &Device::flex()).expect_err("must be refused").to_string()
}

#[test]
fn usual_names_give_the_networks_features() {
    let (encoder, state) = network(EncoderKind::Resnet18Cifar);
    let x = Tensor::<4>::random([2, 3, 32, 32], Distribution::Uniform(0.0, 1.0), &Device::flex());
    let expected = encoder.forward(x.clone()).into_data();
    let prefixes = [
        "",
        "module.",
        "backbone.",
        "encoder.",
        "encoder_q.",
        "model.",
        "online_encoder.",
        "student.",
        "net.",
        "f.",
        "state_dict.model.backbone.",
        "_orig_mod.module.",
        "0.",
        "encoder_q.net.",
        "model.module.resnet.",
    ];
    let names: [(&str, Renaming); 6] = [
        ("torchvision", &|name| name.to_string()),
        ("shortcut", &|name| name.replace("downsample", "shortcut")),
        ("Sequential", &|name| numbered(name, 4)),
        ("Sequential without the pooling", &|name| numbered(name, 3)),
        ("Sequential of conv1, bn1, layers", &|name| numbered(name, 2)),
        ("Sequential and shortcut", &|name| numbered(name, 2).replace("downsample", "shortcut")),
    ];
    for prefix in prefixes {
        for (scheme, name) in names {
            let file = file(&renamed(&state, |ours| format!("{prefix}{}", name(ours))));
            let imported = import(&file, &ImportOptions::default(), 1, &Device::flex());
            let imported = imported.unwrap_or_else(|error| panic!("{prefix} {scheme}: {error}"));
            assert_eq!(imported.encoder.forward(x.clone()).into_data(), expected, "{prefix} {scheme}");
            assert_eq!(imported.config.kind, EncoderKind::Resnet18Cifar);
            assert_eq!(imported.left_out, None, "{prefix} {scheme}");
            assert!(imported.found.contains("stride 1, padding 1 and no pooling"), "{}", imported.found);
        }
    }
}

#[test]
fn the_query_encoder_is_read_and_the_rest_left_out() {
    let (encoder, state) = network(EncoderKind::Resnet18Cifar);
    let (_, key) = network(EncoderKind::Resnet18Cifar);
    let mut all = renamed(&state, |name| format!("state_dict.encoder_q.net.{}", numbered(name, 3)));
    let shifted = key.into_iter().map(|(name, (shape, mut bytes))| {
        bytes.iter_mut().for_each(|byte| *byte ^= 1);
        (format!("state_dict.encoder_k.net.{}", numbered(&name, 3)), (shape, bytes))
    });
    all.extend(shifted);
    all.extend(zeros(&[
        ("state_dict.encoder_q.net.8.weight", &[8, 32]),
        ("state_dict.queue", &[8, 16]),
        ("state_dict.queue_ptr", &[1]),
    ]));
    let imported = import(&file(&all), &ImportOptions::default(), 1, &Device::flex()).expect("the query encoder");
    let x = Tensor::<4>::random([2, 3, 32, 32], Distribution::Uniform(0.0, 1.0), &Device::flex());
    assert_eq!(imported.encoder.forward(x.clone()).into_data(), encoder.forward(x).into_data());
    assert!(imported.found.contains("under `state_dict.encoder_q.net.`"), "{}", imported.found);
    let left_out = imported.left_out.expect("a sentence");
    let count = state.len() - 1 + 3;
    assert!(left_out.starts_with(&format!("left out: {count} tensors of heads, momentum encoders")), "{left_out}");
    assert!(left_out.contains("encoder_k") && left_out.contains("queue"), "{left_out}");
}

#[test]
fn other_networks_are_refused_and_named() {
    let (_, eighteen) = network(EncoderKind::Resnet18);
    let (_, fifty) = network(EncoderKind::Resnet50);
    let cases: [(&State, Additions, &str); 9] = [
        (&eighteen, &[("layer1.0.se.fc1.weight", &[1, 4, 1, 1])], "squeeze-and-excitation"),
        (&fifty, &[("layer3.2.se_module.fc1.bias", &[4])], "squeeze-and-excitation"),
        (&eighteen, &[("layer1.0.cbam.ca.weight", &[4, 4, 1, 1])], "attention in its blocks"),
        (&fifty, &[("layer2.0.aa.filt", &[4, 1, 3, 3])], "anti-aliased"),
        (&eighteen, &[("layer1.0.conv1.bias", &[4])], "`layer1.0.conv1.bias`"),
        (&eighteen, &[("layer4.2.conv1.weight", &[32, 32, 3, 3])], "2-2-2-3 blocks"),
        (&fifty, &[("conv2.weight", &[4, 4, 3, 3]), ("bn2.weight", &[4])], "--arch resnet50"),
        (&eighteen, &[("layer5.0.conv1.weight", &[64, 32, 3, 3])], "`layer5.0.conv1.weight`"),
        (&eighteen, &[("normalize.mean", &[3])], "--input-mean"),
    ];
    for (state, extra, word) in cases {
        let mut state = state.clone();
        state.extend(zeros(extra));
        let said = said(&state, &ImportOptions::default());
        assert!(said.contains(word), "{extra:?}: no `{word}` in {said}");
    }
}

#[test]
fn other_shapes_and_missing_tensors_are_refused_in_words() {
    let (_, eighteen) = network(EncoderKind::Resnet18);
    let (_, fifty) = network(EncoderKind::Resnet50);
    let with = |state: &State, names: &[(&str, &[usize])]| {
        let mut state = state.clone();
        state.extend(zeros(names));
        said(&state, &ImportOptions::default())
    };
    let grouped = with(&fifty, &[("layer1.0.conv2.weight", &[4, 1, 3, 3])]);
    assert!(grouped.contains("layer1.0.conv2.weight") && grouped.contains("ResNeXt"), "{grouped}");
    let wide = with(&fifty, &[("layer1.0.conv1.weight", &[8, 4, 1, 1])]);
    assert!(wide.contains("layer1.0.conv1.weight") && wide.contains("wide"), "{wide}");
    let mut deep = fifty.clone();
    deep.remove("conv1.weight");
    deep.extend(zeros(&[("conv1.0.weight", &[4, 3, 3, 3]), ("conv1.3.weight", &[4, 4, 3, 3])]));
    let deep = said(&deep, &ImportOptions::default());
    assert!(deep.contains("ResNet-D"), "{deep}");
    let without_statistics = eighteen.into_iter().filter(|(name, _)| !name.contains("running_"));
    let group_norm = said(&without_statistics.collect(), &ImportOptions::default());
    assert!(group_norm.contains("running_mean") && group_norm.contains("group norm"), "{group_norm}");
}

#[test]
fn a_numbered_large_stem_needs_the_users_word() {
    let (_, state) = network(EncoderKind::Resnet18);
    let hidden = renamed(&state, |name| numbered(name, 3));
    let unclear = said(&hidden, &ImportOptions::default());
    assert!(unclear.contains("--arch resnet18"), "{unclear}");
    let options = ImportOptions { kind: Some(EncoderKind::Resnet18), ..ImportOptions::default() };
    import(&file(&hidden), &options, 1, &Device::flex()).expect("as the user says");
    let whole = renamed(&state, |name| numbered(name, 4));
    import(&file(&whole), &ImportOptions::default(), 1, &Device::flex()).expect("its pooling has a number");
}
