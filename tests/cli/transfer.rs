//! `nolabel eval RUN --data OTHER`: an encoder is probed with images that it did not learn from.

use std::fs;

use serde_json::Value;

use crate::folder::write_image;
use crate::{Lab, TRAINING};

fn json(lab: &Lab, arguments: &str) -> Value {
    serde_json::from_str(&lab.succeeds(&format!("{arguments} --device cpu --json -q")).out).expect("JSON")
}

fn kept(lab: &Lab) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(lab.path("run/eval.json")).expect("a file")).expect("JSON")
}

/// A run, and photographs in colour of another size.
fn trained() -> Lab {
    let lab = Lab::new();
    for number in 0..50 {
        let part = if number < 40 { "train" } else { "val" };
        write_image(&lab, &format!("photos/{part}/lying"), number, false);
        write_image(&lab, &format!("photos/{part}/standing"), number, true);
    }
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    lab
}

#[test]
fn other_images_are_adapted_and_have_controls_of_their_own() {
    let lab = trained();
    let own = json(&lab, "eval run --probe knn");
    let other = json(&lab, "eval run --probe knn --data folder:photos?size=24");
    assert_eq!((&other["data"]["name"], &other["data"]["image"]["channels"]), (&"folder".into(), &3.into()));
    let rows = |card: &Value, source: &str| -> Vec<Value> {
        card["rows"].as_array().expect("rows").iter().filter(|row| row["source"] == source).cloned().collect()
    };
    assert_eq!(rows(&other, "raw-pixels")[0]["width"], 16 * 16, "gray, and of the run's size");
    assert!(rows(&other, "raw-pixels")[0]["accuracy"].as_f64() > Some(0.8), "stripes are told apart: {other}");
    for source in ["trained", "untrained", "raw-pixels", "pca"] {
        assert_ne!(rows(&own, source), rows(&other, source));
    }
    assert!(other["from_cache"].is_null(), "no control of the run's own images serves others");

    // both evaluations are kept
    let digests: Vec<Value> = kept(&lab).iter().map(|known| known["data"]["sha256"].clone()).collect();
    assert_eq!(digests, [own["data"]["sha256"].clone(), other["data"]["sha256"].clone()]);
    let compared = lab.succeeds("compare run --probe knn --format json --device cpu -q").out;
    let compared: Value = serde_json::from_str(&compared).expect("JSON");
    assert_eq!(compared["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(compared["data"][0]["sha256"], own["data"]["sha256"], "runs are compared on what they learned from");
    assert_eq!(kept(&lab).len(), 2, "nothing was left to measure");

    let said = lab.succeeds("eval run --probe knn --data folder:photos?size=24 --device cpu -q").out.replace('\n', " ");
    for words in ["run did not learn from", "colours converted to gray", "24x24 px resized to 16x16", "From the cache"]
    {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    fs::write(lab.path("card.json"), other.to_string()).expect("a file");
    let again = lab.succeeds("eval --card card.json --device cpu -q").out;
    assert!(again.contains("The largest difference is 0.00"), "{again}");
}

#[test]
fn every_measure_works_on_transfer_images() {
    let lab = trained();
    // the images the run learned from are not needed
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    let ask = "--probe retrieval,sgd,finetune --steps 2 --lr 0.1 --few-labels 2";
    lab.fails_with(&format!("eval run {ask} --data folder:photos?size=24 --device cpu -q"), 2, &["linear probe"]);
    let ask = "--probe linear,sgd,finetune --steps 2 --lr 0.1 --few-labels 2 --draws 2 --supervised";
    let card = json(&lab, &format!("eval run {ask} --data folder:photos?size=24"));
    for part in ["sgd", "finetune", "supervised", "few_labels"] {
        assert!(card[part].is_object(), "no {part} in {card}");
    }
    let again = json(&lab, "eval run --data fashion-mnist:moved --probe knn");
    assert_eq!(again["data"]["image"], serde_json::json!({ "channels": 1, "height": 16, "width": 16 }));
    lab.generate("others", 7);
    let plain = lab.succeeds("eval run --data mnist:others --probe knn --device cpu -q").out;
    assert!(plain.contains("Probed with mnist, which the run did not learn from."), "{plain}");
}

#[test]
fn a_memory_bank_does_not_limit_the_images_of_a_transfer() {
    let lab = trained();
    // its checkpoint has a row for each of the hundred images that it learned from
    let pirl = TRAINING.replace("rotation", "pirl");
    lab.succeeds(&format!("{pirl} --steps 2 --set transform=rotation --set negatives=16 --out pirl -q"));
    let card = json(&lab, "eval pirl --probe knn --data folder:photos?size=24");
    assert_eq!(card["data"]["train_images"], 80);
}
