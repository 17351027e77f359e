//! `nolabel export`, `nolabel eval --weights` and `nolabel train --init`: encoders exported and imported.

use std::fs;
use std::path::Path;

use crate::{Lab, TRAINING};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn an_exported_encoder_is_measured_as_the_runs_own() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --epochs 1 --out run -q"));
    let said = lab.succeeds("export run --out encoder.safetensors");
    for word in ["small", "trained by rotation on fashion-mnist for 12 steps", "20 tensors", "mean [", "std ["] {
        assert!(said.out.contains(word), "no `{word}` in {}", said.out);
    }
    let of_run = json(&lab.succeeds("eval run --device cpu --json -q").out);
    let arguments = "--data fashion-mnist:images --device cpu --json -q";
    let of_file = json(&lab.succeeds(&format!("eval --weights encoder.safetensors {arguments}")).out);
    let trained = |report: &Value| -> Vec<Value> {
        let rows = report["rows"].as_array().expect("rows").iter().filter(|row| row["source"] == "trained");
        rows.cloned().collect()
    };
    assert_eq!(trained(&of_run), trained(&of_file));
    assert_eq!(of_file["encoder"]["kind"], "small");
    assert_eq!(of_file["sha256"].as_str().map(str::len), Some(64));
    let table = lab.succeeds("eval --weights encoder.safetensors --data fashion-mnist:images --device cpu --probe knn");
    for word in ["small of width 4, trained by rotation", "untrained encoder", "raw pixels", "Best with best"] {
        assert!(table.out.contains(word), "no `{word}` in {}", table.out);
    }
}

#[test]
fn an_onnx_model_is_written_by_its_name_or_by_request() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let said = lab.succeeds("export run --out encoder.onnx");
    assert!(said.out.contains("`features` are [n, 16]"), "{}", said.out);
    let model = fs::read(lab.path("encoder.onnx")).expect("a file");
    let holds = |word: &str| model.windows(word.len()).any(|window| window == word.as_bytes());
    for word in ["BatchNormalization", "stages.3.units.0.conv.weight", "features", "images"] {
        assert!(holds(word), "no `{word}` in the model");
    }
    lab.fails_with("export run --out encoder.onnx", 1, &["exists already"]);
    lab.fails_with("export run --out encoder", 2, &["--format safetensors or --format onnx"]);
    lab.succeeds("export run --out encoder --format onnx");
    assert_eq!(fs::read(lab.path("encoder")).expect("a file"), model);
    lab.fails_with("export images --out other.onnx", 1, &["no run in images"]);
    lab.fails_with("export run --out nowhere/encoder.onnx", 1, &["nowhere"]);
    assert!(
        !fs::read_dir(lab.path("")).expect("a folder").any(|entry| entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .starts_with(".nolabel"))
    );
}

#[test]
fn files_of_other_projects_are_probed_on_gray_images_too() {
    let lab = Lab::new();
    let moco = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/moco.pth");
    fs::copy(moco, lab.path("moco.pth")).expect("a copy");
    let common = "--data fashion-mnist:images --device cpu --probe knn";
    let said = lab.succeeds(&format!("eval --weights moco.pth {common}"));
    for word in ["moco.pth: resnet18 of width 1, named as by MoCo", "layer4", "gap"] {
        assert!(said.out.contains(word), "no `{word}` in {}", said.out);
    }
    let slow = lab.succeeds(&format!("eval --weights moco.pth --prefix state_dict.module.encoder_k {common}"));
    assert!(slow.out.contains("under `state_dict.module.encoder_k.`"), "{}", slow.out);
    let eval = |rest: &str| format!("eval --weights {rest} {common}");
    lab.fails_with(
        &eval("moco.pth --arch resnet50"),
        1,
        &["moco.pth: it has no tensor `state_dict.module.encoder_q.layer1.0.conv3.weight`"],
    );
    lab.fails_with(&eval("moco.pth --arch resnet99"), 2, &["resnet99", "resnet50"]);
    lab.fails_with(&eval("moco.pth --input-std 0"), 2, &["encoder.input_std"]);
    lab.fails_with(&eval("images"), 1, &["images is no file of weights"]);
    lab.fails_with(&eval("nothing.pth"), 1, &["nothing.pth"]);
    lab.fails_with("eval --weights moco.pth", 2, &["--data"]);
    lab.fails_with("eval", 2, &["RUN"]);
    let bytes = fs::read(moco).expect("the fixture");
    fs::write(lab.path("cut.pth"), &bytes[..bytes.len() / 2]).expect("a file");
    lab.fails_with(&eval("cut.pth"), 1, &["cut.pth: this is not a whole file of PyTorch"]);
}

#[test]
fn a_run_from_an_exported_encoder_resumes_without_the_file() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --epochs 2 --out first -q"));
    lab.succeeds("export first --out encoder.safetensors");
    let start = format!("{TRAINING} --steps 4 --init encoder.safetensors");
    lab.succeeds(&format!("{start} --out second -q"));
    let record = fs::read_to_string(lab.path("second/run.toml")).expect("a record");
    assert!(record.contains("[start]") && record.contains("trained by rotation"), "{record}");
    assert!(lab.checkpoints("second").contains(&"step-00000000.safetensors".to_string()));
    // before its first step the encoder is the exported one; other weights are random
    fs::remove_file(lab.path("second/checkpoints/step-00000004.safetensors")).expect("the last checkpoint");
    lab.succeeds("export second --out again.safetensors");
    let knn = |file: &str| {
        let arguments = "--data fashion-mnist:images --device cpu --probe knn --json -q";
        json(&lab.succeeds(&format!("eval --weights {file} {arguments}")).out)["rows"].clone()
    };
    assert_eq!(knn("again.safetensors"), knn("encoder.safetensors"));
    fs::remove_file(lab.path("encoder.safetensors")).expect("the file");
    lab.succeeds("train --resume --out second --device cpu -q");
    assert!(lab.checkpoints("second").contains(&"step-00000004.safetensors".to_string()));
    lab.fails_with(&format!("{TRAINING} --out third --init encoder.safetensors"), 1, &["encoder.safetensors"]);
    let wider = TRAINING.replace("encoder.width=4", "encoder.width=8");
    let words = ["does not fit this run's", "--set encoder.width=4"];
    lab.fails_with(&format!("{wider} --out third --init again.safetensors"), 1, &words);
}

/// Writes a residual network of 2-2-2-2 blocks and width 8 as other programs name it, weights drawn from a seed.
fn write_residual(path: &Path, seed: u64, name: impl Fn(&str) -> String, extra: &[(&str, &[usize])]) {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let conv = |name: &str, shape: [usize; 4]| (format!("{name}.weight"), shape.to_vec());
    let norm = |name: &str, width: usize| {
        ["weight", "bias", "running_mean", "running_var"].map(|part| (format!("{name}.{part}"), vec![width]))
    };
    shapes.push(conv("conv1", [8, 3, 3, 3]));
    shapes.extend(norm("bn1", 8));
    for stage in 1..=4usize {
        let width = 8 << (stage - 1);
        for block in 0..2 {
            let at = format!("layer{stage}.{block}");
            let input = if block == 0 && stage > 1 { width / 2 } else { width };
            shapes.push(conv(&format!("{at}.conv1"), [width, input, 3, 3]));
            shapes.push(conv(&format!("{at}.conv2"), [width, width, 3, 3]));
            shapes.extend(norm(&format!("{at}.bn1"), width));
            shapes.extend(norm(&format!("{at}.bn2"), width));
            if input != width {
                shapes.push(conv(&format!("{at}.downsample.0"), [width, input, 1, 1]));
                shapes.extend(norm(&format!("{at}.downsample.1"), width));
            }
        }
    }
    let mut noise = seed | 1;
    let mut draw = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        0.01 + 0.2 * (noise >> 40) as f32 / (1u64 << 24) as f32
    };
    let named = shapes.iter().map(|(ours, shape)| (name(ours), shape.clone()));
    let named = named.chain(extra.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())));
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape) in named {
        let start = data.len();
        (0..shape.iter().product::<usize>()).for_each(|_| data.extend(draw().to_le_bytes()));
        header.insert(name, serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}));
    }
    let header = Value::Object(header).to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()).expect("a file");
}

#[test]
fn a_moco_file_gives_the_rows_of_its_query_encoder() {
    let lab = Lab::new();
    let numbered = |name: &str| {
        let (module, rest) = name.split_once('.').expect("a module");
        let number = match module {
            "conv1" => 0,
            "bn1" => 1,
            layer => layer["layer".len()..].parse::<usize>().expect("a number") + 2,
        };
        format!("encoder_q.net.{number}.{rest}")
    };
    write_residual(&lab.path("plain.safetensors"), 3, str::to_string, &[]);
    let others: [(&str, &[usize]); 3] =
        [("encoder_q.net.8.weight", &[16, 64]), ("encoder_k.net.8.weight", &[16, 64]), ("queue", &[16, 32])];
    write_residual(&lab.path("moco.safetensors"), 3, numbered, &others);
    let eval = |file: &str| {
        lab.succeeds(&format!("eval --weights {file} --data fashion-mnist:images --device cpu --probe knn --json -q"))
    };
    let plain = eval("plain.safetensors");
    let demo = eval("moco.safetensors");
    assert_eq!(json(&plain.out)["rows"], json(&demo.out)["rows"]);
    assert_eq!(plain.err, "", "all of it is used");
    assert!(demo.err.starts_with("note: moco.safetensors: left out: 3 tensors of heads"), "{}", demo.err);
    assert!(json(&demo.out)["left_out"].as_str().is_some_and(|said| said.contains("`queue`")), "{}", demo.out);
}

#[test]
fn a_network_with_other_blocks_is_refused() {
    let lab = Lab::new();
    let squeeze: [(&str, &[usize]); 2] =
        [("layer1.0.se.fc1.weight", &[2, 8, 1, 1]), ("layer1.0.se.fc2.weight", &[8, 2, 1, 1])];
    write_residual(&lab.path("seresnet18.safetensors"), 3, str::to_string, &squeeze);
    let eval = "eval --weights seresnet18.safetensors --data fashion-mnist:images --device cpu --probe knn";
    let words = ["2 tensors that a resnet18-cifar does not have", "`layer1.0.se.fc1.weight`", "squeeze-and-excitation"];
    lab.fails_with(eval, 1, &words);
    lab.fails_with(&format!("{eval} --arch resnet18-cifar"), 1, &words);
}
