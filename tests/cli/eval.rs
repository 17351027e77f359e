//! `nolabel eval` and `nolabel toy`: an encoder measured beside its controls.

use std::fs;

use crate::{Lab, TRAINING};
use serde_json::Value;

fn rows(json: &Value, source: &str, probe: &str) -> Vec<(String, f64)> {
    let rows =
        json["rows"].as_array().expect("rows").iter().filter(|row| row["source"] == source && row["probe"] == probe);
    rows.map(|row| (row["layer"].as_str().expect("a name").to_string(), row["accuracy"].as_f64().expect("a number")))
        .collect()
}

#[test]
fn every_layer_is_measured_beside_its_controls() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --epochs 2 --out run -q"));
    let said = lab.succeeds("eval run --device cpu");
    for words in
        ["trained encoder", "untrained encoder", "raw pixels", "block3", "gap", "Best with best", "k = 20", "one seed"]
    {
        assert!(said.out.contains(words), "no `{words}` in\n{}", said.out);
    }
    let json: Value = serde_json::from_str(&lab.succeeds("eval run --device cpu --json -q").out).expect("JSON");
    assert_eq!((&json["method"], &json["step"], &json["seed"]), (&"rotation".into(), &24.into(), &1.into()));
    for probe in ["linear", "knn"] {
        for source in ["trained", "untrained"] {
            let layers: Vec<String> = rows(&json, source, probe).into_iter().map(|(layer, _)| layer).collect();
            assert_eq!(layers, ["block1", "block2", "block3", "block4", "gap"]);
        }
        // stripes of ten kinds are easily told apart from their pixels
        assert!(rows(&json, "raw-pixels", probe)[0].1 > 0.8);
    }
    assert_ne!(rows(&json, "trained", "linear"), rows(&json, "untrained", "linear"), "training changed something");
    let table: Vec<&str> = said.out.lines().filter(|line| line.contains("block2")).collect();
    let (_, accuracy) = rows(&json, "trained", "linear")[1].clone();
    assert!(table[0].contains(&format!("{:.1} %", 100.0 * accuracy)), "table and JSON agree: {}", table[0]);
}

#[test]
fn one_layer_one_reader_and_few_images_can_be_asked_for() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let said = lab
        .succeeds("eval run --device cpu --probe knn --layer block2 --images 50 --test-images 20 --grid 2 --json -q");
    let json: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(4), "{json}");
    assert_eq!((&json["settings"]["train_images"], &json["settings"]["grid"]), (&50.into(), &2.into()));
    lab.fails_with("eval run --device cpu --layer block9", 2, &["no layer `block9`", "block4"]);
    lab.fails_with("eval run --probe magic", 2, &["magic", "linear"]);
    lab.fails_with("eval images", 1, &["no run in images"]);
}

#[test]
fn an_unwritable_run_is_refused_before_measuring() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    for command in ["report run --out no/report.html", "compare run --out no/table.html", "embed run --out no/f.npy"] {
        lab.fails_with(&format!("{command} -q"), 1, &["there is no folder no"]);
    }
    fs::write(lab.path("run/eval.json"), "{broken").expect("a file");
    lab.fails_with("eval run --device cpu -q", 1, &["eval.json cannot be read", "delete it"]);
    fs::remove_file(lab.path("run/eval.json")).expect("it is there");
    let record = fs::read_to_string(lab.path("run/run.toml")).expect("a record");
    fs::write(lab.path("run/run.toml"), record.replace("seed = 1", "seed = 2")).expect("a file");
    lab.fails_with("eval run --device cpu -q", 1, &["was changed", "seed is 1, not 2"]);
}

#[test]
fn the_toy_trains_probes_judges_and_can_be_repeated() {
    let lab = Lab::new();
    let toy = "toy --data fashion-mnist:images --batch 8 --set encoder.width=4 --epochs 1 --device cpu";
    let first = lab.succeeds(toy);
    for words in [
        "rotation accuracy on 40 test images",
        "features of",
        "raw pixels",
        "Best with best",
        "Measured with 100 training",
    ] {
        assert!(first.out.contains(words), "no `{words}` in\n{}", first.out);
    }
    assert!(lab.path("runs/toy-rotation-fashion-mnist-1/run.toml").is_file());
    let compared = lab.succeeds("compare runs --device cpu");
    assert!(compared.err.is_empty() && compared.out.contains("rotation"), "measured once: {}", compared.err);
    lab.fails_with(toy, 1, &["holds a run already", "--resume"]);
    let again = lab.succeeds("toy --resume --device cpu");
    assert_eq!(first.out, again.out, "what is known is not measured again");
    assert!(!again.err.contains("probing"), "{}", again.err);
}
