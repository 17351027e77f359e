//! `nolabel export`, `nolabel eval --weights` and `nolabel train --init`: encoders exported and imported.

use std::fs;

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
