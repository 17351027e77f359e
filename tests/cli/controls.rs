//! Controls, few labels and the cache of `nolabel eval`.

use std::fs;

use serde_json::Value;

use crate::{Lab, TRAINING};

fn json(lab: &Lab, arguments: &str) -> Value {
    serde_json::from_str(&lab.succeeds(&format!("{arguments} --device cpu --json -q")).out).expect("JSON")
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn controls_are_measured_once_or_where_the_cache_is_damaged() {
    let lab = Lab::new();
    for (seed, steps, out) in [(1, 2, "one"), (1, 4, "longer"), (2, 2, "other")] {
        lab.succeeds(&format!("{TRAINING} --steps {steps} --seed {seed} --out {out} -q"));
    }
    // the cheap controls: the others have tests of their own
    let measure = |ask: &str| json(&lab, &format!("{ask} --untrained-seeds 1 --supervised=never"));
    let first = measure("eval one");
    assert_eq!(first["from_cache"], Value::Null, "nothing is known yet");
    let sources = ["trained", "untrained", "raw-pixels", "pca"];
    let of = |card: &Value, source: &str| -> Vec<Value> {
        card["rows"].as_array().expect("rows").iter().filter(|row| row["source"] == source).cloned().collect()
    };
    assert_eq!(sources.map(|source| of(&first, source).len()), [10, 10, 2, 2]);
    assert_eq!(of(&first, "pca")[0]["width"], 16, "as many components as the last layer has features");

    let said = lab.succeeds("eval one --untrained-seeds 1 --supervised=never --device cpu");
    assert!(said.out.contains("From the cache, measured before with the same images"), "{}", said.out);
    assert!(!said.err.contains("raw pixels") && !said.err.contains("untrained encoder"), "{}", said.err);
    let longer = measure("eval longer");
    assert_eq!(words(&longer["from_cache"]), ["untrained encoder", "raw pixels", "PCA of raw pixels"]);
    for source in &sources[1..] {
        assert_eq!(of(&longer, source), of(&first, source), "the run's length is nothing to {source}");
    }
    assert_ne!(of(&longer, "trained"), of(&first, "trained"));
    let other = measure("eval other");
    assert_eq!(words(&other["from_cache"]), ["raw pixels", "PCA of raw pixels"], "another seed has other weights");
    assert_eq!(words(&measure("eval one --layer block2 --probe knn")["from_cache"])[0], "untrained encoder");
    assert_eq!(measure("eval one --images 50")["from_cache"], Value::Null, "fewer images are another question");
    assert_eq!(measure("eval one --fresh")["from_cache"], Value::Null);

    for entry in fs::read_dir(lab.path(".cache/nolabel/controls")).expect("the cache") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        fs::write(&path, text.replace("sha256 = \"", "sha256 = \"0")).expect("a file");
    }
    let again = measure("eval one");
    assert_eq!((&again["from_cache"], &again["rows"]), (&Value::Null, &first["rows"]), "damaged: measured anew");
    assert_eq!(words(&measure("eval one")["from_cache"]).len(), 3, "and kept again");
}

#[test]
fn other_untrained_seeds_are_reported_by_mean_and_range() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let card = json(&lab, "eval run --probe knn");
    let seeds: Vec<&Value> = card["untrained"].as_array().expect("seeds").iter().map(|other| &other["seed"]).collect();
    assert_eq!(seeds, [2, 3], "the run's own is among the rows");
    // the run of that seed has the same weights before its first step
    lab.succeeds(&format!("{TRAINING} --steps 2 --seed 2 --out second -q"));
    let second = json(&lab, "eval second --probe knn");
    let rows = second["rows"].as_array().expect("rows").iter().filter(|row| row["source"] == "untrained");
    assert_eq!(card["untrained"][0]["rows"].as_array().expect("rows"), &rows.cloned().collect::<Vec<_>>());
    assert!(words(&second["from_cache"]).contains(&"untrained encoder"), "{second}");
    let said = lab.succeeds("eval run --probe knn --device cpu -q").out;
    assert!(said.contains("Untrained encoders of 3 seeds") && said.contains("kNN"), "{said}");
    let five = json(&lab, "eval run --probe knn --images 50 --untrained-seeds 5");
    assert_eq!(five["untrained"].as_array().map(Vec::len), Some(4));
    assert!(json(&lab, "eval run --probe knn --images 60")["untrained"].is_null(), "not of an impression");
}

#[test]
fn few_labels_give_one_curve_for_each_source() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 4 --out run -q"));
    let card = json(&lab, "eval run --few-labels 5,1 --draws 3");
    let few = &card["few_labels"];
    assert_eq!(few["settings"], serde_json::json!({ "labels": [1, 5], "draws": 3, "seed": 0 }));
    let curves = few["curves"].as_array().expect("curves");
    let sources: Vec<&Value> = curves.iter().map(|curve| &curve["source"]).collect();
    assert_eq!(sources, ["trained", "untrained", "raw-pixels"]);
    for point in curves.iter().flat_map(|curve| curve["points"].as_array().expect("points")) {
        let numbers = |key: &str| -> Vec<f64> {
            point[key].as_array().expect("numbers").iter().map(|number| number.as_f64().expect("a number")).collect()
        };
        let accuracies = numbers("accuracies");
        let penalties = numbers("penalties");
        let interval = numbers("interval");
        let mean = point["mean"].as_f64().expect("a mean");
        assert!((accuracies.iter().sum::<f64>() / 3.0 - mean).abs() < 1e-9, "{point}");
        assert!(interval[0] <= mean && mean <= interval[1], "{point}");
        let known = [0.1, 0.01, 0.001, 0.0001];
        assert!(penalties.iter().all(|l2| known.contains(l2)), "{point}");
        assert!(point["labels"] == 5 || penalties == [0.1; 3], "one over ten labelled images");
    }
    // stripes of ten kinds are easily told apart from few of their pixels
    assert!(curves[2]["points"][1]["mean"].as_f64().is_some_and(|mean| mean > 0.8), "{few}");
    assert_eq!(json(&lab, "eval run --few-labels 5,1 --draws 3 --fresh")["few_labels"], *few, "draws repeat");
    let said = lab.succeeds("eval run --few-labels 1,5 --draws 3 --device cpu -q").out.replace('\n', " ");
    for words in ["labels a class", "Mean of 3 draws", "few labels of raw pixels", "(Student's t over the draws)"] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    fs::write(lab.path("card.json"), card.to_string()).expect("a file");
    let again = lab.succeeds("eval --card card.json --device cpu -q").out;
    assert!(again.contains("linear, 5 labels a class") && again.contains("were reproduced"), "{again}");

    lab.fails_with("eval run --few-labels 11 --device cpu -q", 2, &["only 10 training images of class", "at most"]);
    lab.fails_with("eval run --few-labels 5 --probe knn --device cpu -q", 2, &["linear probe", "--probe"]);
    lab.fails_with("eval run --few-labels 0", 2, &["--few-labels"]);
    lab.fails_with("eval run --draws 3", 2, &["--few-labels"]);
}
