//! `nolabel eval --probe retrieval`, `sgd`, `finetune` and `--supervised`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::{Lab, TRAINING};

fn json(lab: &Lab, arguments: &str) -> Value {
    serde_json::from_str(&lab.succeeds(&format!("{arguments} --device cpu --json -q")).out).expect("JSON")
}

fn list<'a>(card: &'a Value, path: &str) -> Vec<&'a Value> {
    card.pointer(path).and_then(Value::as_array).into_iter().flatten().collect()
}

fn words<'a>(card: &'a Value, path: &str) -> Vec<&'a str> {
    list(card, path).into_iter().filter_map(Value::as_str).collect()
}

/// Source, layer and probe of each row.
fn names<'a>(card: &'a Value, path: &str) -> Vec<[&'a str; 3]> {
    let name = |row: &'a Value| ["source", "layer", "probe"].map(|key| row[key].as_str().expect("a name"));
    list(card, path).into_iter().map(name).collect()
}

fn accuracy(card: &Value, path: &str, of: [&str; 3]) -> f64 {
    let place = names(card, path).iter().position(|name| *name == of).unwrap_or_else(|| panic!("no {of:?} in {card}"));
    list(card, path)[place]["accuracy"].as_f64().expect("a share")
}

/// Repeats the measurement of a card.
fn found_again(lab: &Lab, card: &Value) -> String {
    fs::write(lab.path("card.json"), card.to_string()).expect("a file");
    let said = lab.succeeds("eval --card card.json --device cpu -q").out;
    assert!(said.contains("were reproduced") && said.contains("The largest difference is 0.00"), "{said}");
    said
}

#[test]
fn neighbours_are_ranked_at_every_layer_for_controls_too() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let card = json(&lab, "eval run --probe retrieval");
    let measures = ["precision@1", "precision@5", "precision@10", "map"];
    for measure in measures {
        let layers: Vec<[&str; 3]> =
            names(&card, "/rows").into_iter().filter(|name| name[0] == "trained" && name[2] == measure).collect();
        assert_eq!(layers.len(), 5, "{measure}: {layers:?}");
        for row in list(&card, "/rows").into_iter().filter(|row| row["probe"] == measure) {
            let [low, high] = [0, 1].map(|end| row["interval"][end].as_f64().expect("an end"));
            let mean = row["accuracy"].as_f64().expect("a share");
            assert!(low <= mean && mean <= high && row["validation"].is_f64(), "{row}");
        }
    }
    // stripes of ten kinds lie close together, and with ten images of each all of the first ten can be right
    let pixels = measures.map(|measure| accuracy(&card, "/rows", ["raw-pixels", "pixels", measure]));
    assert!(pixels[0] > 0.8 && pixels.iter().all(|share| *share > 0.5), "{pixels:?}");
    assert!(pixels[0] >= pixels[1] && pixels[1] >= pixels[2], "the nearest are the best: {pixels:?}");
    let said = lab.succeeds("eval run --probe retrieval --device cpu").out;
    let head = said.lines().find(|line| line.starts_with("features of")).expect("a table");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>()[4..], ["P@1", "P@5", "P@10", "mAP"]);
    for words in ["mAP: ", "ranked by cosine", "raw pixels, PCA of raw pixels, ", ". --fresh"] {
        assert!(said.replace('\n', " ").contains(words), "no `{words}` in\n{said}");
    }
    found_again(&lab, &card);
    let compared = lab.succeeds("compare run --probe retrieval --device cpu");
    assert!(compared.out.contains("P@1") && compared.err.is_empty(), "known already: {}", compared.err);
    assert!(json(&lab, "eval run --probe knn")["from_cache"].is_null(), "what was not ranked is no answer");
}

#[test]
fn a_linear_layer_is_trained_on_encoders_and_pixels_alike() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let card = json(&lab, "eval run --probe sgd --steps 40 --lr 0.001,0.05");
    assert_eq!(
        (list(&card, "/rows").len(), &card["settings"]["linear"]),
        (0, &false.into()),
        "nothing else was asked for"
    );
    let expected = [["trained", "gap", "sgd"], ["untrained", "gap", "sgd"], ["raw-pixels", "pixels", "sgd"]];
    assert_eq!(names(&card, "/sgd/rows"), expected);
    for row in list(&card, "/sgd/rows") {
        assert!([0.001, 0.05].contains(&row["lr"].as_f64().expect("a rate")) && row["validation"].is_f64(), "{row}");
    }
    // crops and mirrors spoil pixels for a linear layer, but stripes of other widths stay others
    assert!(accuracy(&card, "/sgd/rows", expected[2]) > 0.25, "{card}");
    assert_eq!(card["sgd"]["plan"]["length"], serde_json::json!({ "steps": 40 }));
    assert!(found_again(&lab, &card).contains("sgd"));

    let said = lab.succeeds("eval run --probe sgd --steps 40 --lr 0.001,0.05 --device cpu");
    for words in
        ["linear layer on", "the better control", "40 steps of 100 views", "crops of 30 to 100 %", "0.001, 0.05"]
    {
        assert!(said.out.replace('\n', " ").contains(words), "no `{words}` in\n{}", said.out);
    }
    assert!(said.out.contains("From the cache") && !said.err.contains("untrained"), "{}", said.err);
    assert!(said.err.contains("probing trained encoder: training with labels, step 38 of 40"), "{}", said.err);
    let block = json(&lab, "eval run --probe sgd --steps 4 --lr 0.1 --layer block2");
    assert_eq!(names(&block, "/sgd/rows")[0], ["trained", "block2", "sgd"]);
    assert!(list(&block, "/sgd/rows")[0]["validation"].is_null(), "one rate leaves nothing to choose");
    lab.fails_with("eval run --probe sgd --steps 4 --lr 1e38 --device cpu -q", 2, &["learning rate", "smaller"]);
}

#[test]
fn fine_tuning_is_compared_with_a_cached_supervised_control() {
    let lab = Lab::new();
    for (steps, out) in [(2, "run"), (3, "longer")] {
        lab.succeeds(&format!("{TRAINING} --steps {steps} --out {out} -q"));
    }
    let checkpoint = lab.path("run/checkpoints").join(lab.checkpoints("run").last().expect("a checkpoint"));
    let before = fs::read(&checkpoint).expect("a file");
    let ask = "--probe finetune --steps 60 --lr 0.1";
    let card = json(&lab, &format!("eval run {ask}"));
    let expected = [["trained", "gap", "finetune"], ["supervised", "gap", "finetune"]];
    assert_eq!(names(&card, "/finetune/rows"), expected);
    for name in expected {
        assert!(accuracy(&card, "/finetune/rows", name) > 0.5, "stripes are easily learned: {card}");
    }
    assert_eq!(fs::read(&checkpoint).expect("a file"), before, "the run's weights stay as they are");
    found_again(&lab, &card);
    let longer = json(&lab, &format!("eval longer {ask}"));
    assert_eq!(words(&longer, "/from_cache"), ["supervised encoder"]);
    assert_eq!(list(&longer, "/finetune/rows")[1], list(&card, "/finetune/rows")[1], "it is the same for all runs");
    let said = lab.succeeds(&format!("eval run {ask} --device cpu -q")).out.replace('\n', " ");
    for words in ["fine-tuned from", "untrained weights (supervised)", "the supervised control", "same steps"] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    assert!(
        json(&lab, "eval run --probe finetune --steps 3")["from_cache"].is_null(),
        "fewer steps are another control"
    );
}

#[test]
fn the_layers_of_a_supervised_encoder_are_read_like_the_others() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    let first = lab.succeeds("eval run --probe knn --images 50 --device cpu -q").out;
    assert!(first.contains("add --supervised") && !first.contains("supervised encoder"), "an impression: {first}");
    let without = lab.succeeds("eval run --probe knn --supervised=never --device cpu -q").out;
    assert!(!without.contains("supervised"), "{without}");
    let card = json(&lab, "eval run --probe knn");
    let plan = &card["supervised"]["plan"];
    assert_eq!((&plan["length"]["steps"], &plan["batch"]), (&3.into(), &8.into()), "as much as the run took");
    let found = names(&card, "/supervised/rows");
    assert_eq!(found[0], ["supervised", "gap", "finetune"], "its own linear layer");
    assert_eq!(
        found[1..].iter().map(|name| name[1]).collect::<Vec<_>>(),
        ["block1", "block2", "block3", "block4", "gap"]
    );
    let rows = names(&card, "/rows");
    assert!(rows.iter().all(|name| name[0] != "supervised"), "what compare reads stays without labels");
    assert!(found_again(&lab, &card).contains("knn, supervised"));
    for ask in ["eval run --probe knn --supervised --device cpu", "eval run --probe knn --device cpu"] {
        let said = lab.succeeds(ask);
        assert!(said.out.contains("supervised encoder") && said.out.contains("after training with labels"), "{said:?}");
        assert!(!said.err.contains("supervised") && !said.out.contains("--supervised"), "kept: {said:?}");
    }
    lab.succeeds("report run --device cpu -q");
    let compared: Value =
        serde_json::from_str(&lab.succeeds("compare run --probe knn --device cpu --format json -q").out).expect("JSON");
    let over = compared["data"][0]["lines"][0]["probes"][0]["points"]["mean"].as_f64().expect("points");
    let trained =
        compared["data"][0]["lines"][0]["probes"][0]["trained"]["accuracy"]["mean"].as_f64().expect("a share");
    assert!(over < 100.0 * trained, "{compared}");

    lab.fails_with("eval run --probe sgd --supervised --device cpu -q", 2, &["linear, knn or retrieval", "--probe"]);
    lab.fails_with("eval run --lr 0.1 --device cpu -q", 2, &["--probe sgd", "--supervised"]);
    lab.fails_with("eval run --probe sgd --lr 0", 2, &["--lr", "positive number"]);
    lab.fails_with("eval run --probe sgd --steps 2 --epochs 2", 2, &["--steps", "--epochs"]);
    lab.fails_with("eval --card card.json --supervised", 2, &["--card", "--supervised"]);
}

#[test]
fn a_killed_evaluation_loses_only_the_unfinished_part() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let mut command = lab.command("eval run --probe knn --supervised --steps 100000 --device cpu");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let begun = lines.into_iter().any(|line| line.contains("supervised encoder: training with labels"));
    child.kill().expect("a signal");
    child.wait().expect("an end");
    assert!(begun, "the training was reported");
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(lab.path("run/eval.json")).expect("kept")).expect("JSON");
    assert_eq!(
        (names(&kept[0], "/rows")[0].as_slice(), &kept[0]["supervised"]),
        (&["trained", "block1", "knn"][..], &Value::Null)
    );
    let again = json(&lab, "eval run --probe knn --supervised --steps 2");
    assert_eq!(words(&again, "/from_cache")[..3], ["untrained encoder", "raw pixels", "PCA of raw pixels"]);
    assert_eq!(again["rows"], kept[0]["rows"]);
}
