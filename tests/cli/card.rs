//! `nolabel eval --card`: an evaluation is reproduced, or the reason why it cannot be is given.

use std::fs;

use serde_json::Value;

use crate::{Lab, TRAINING};

/// A run and its card, beside one another in `here`.
fn measured() -> (Lab, Value) {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out here/run -q"));
    let said = lab.succeeds("eval here/run --device cpu --json -q").out;
    fs::write(lab.path("here/card.json"), &said).expect("a file");
    (lab, serde_json::from_str(&said).expect("JSON"))
}

#[test]
fn a_card_is_reproduced_after_run_and_images_moved() {
    let (lab, card) = measured();
    let count = |rows: &Value| rows.as_array().expect("rows").len();
    let seeds = card["untrained"].as_array().expect("untrained encoders of other seeds");
    let others: usize = seeds.iter().map(|other| count(&other["rows"])).sum();
    let count = count(&card["rows"]) + others + count(&card["supervised"]["rows"]);
    let said = lab.succeeds("eval --card here/card.json --device cpu -q").out;
    for words in
        ["here/run against here/card.json", "then: nolabel", "block3", "points", "The largest difference is 0.00"]
    {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    assert!(said.contains(&format!("All {count} numbers were reproduced")), "{said}");

    // a path that is not valid from here may be valid from the card's folder
    fs::rename(lab.path("here"), lab.path("there")).expect("a folder");
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    lab.fails_with("eval --card there/card.json -q", 1, &["there is no run in here/run", "--card there/card.json RUN"]);
    fs::write(lab.path("there/card.json"), card.to_string().replace("here/run", "run")).expect("a file");
    let again = lab.succeeds("eval --card there/card.json --data fashion-mnist:moved --device cpu --json -q").out;
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&again["reproduced"], &again["largest_difference"]), (&true.into(), &0.0.into()));
    assert_eq!(again["numbers"].as_array().map(Vec::len), Some(count));
    lab.succeeds("eval --card there/card.json there/run --data fashion-mnist:moved --device cpu -q");
    let kept = fs::read_to_string(lab.path("there/run/eval.json")).expect("a file");
    assert_eq!(serde_json::from_str::<Vec<Value>>(&kept).expect("JSON").len(), 1, "a card leaves the run as it is");
}

#[test]
fn other_numbers_images_and_checkpoints_fail_the_card() {
    let (lab, mut card) = measured();
    let path = lab.path("here/card.json");
    let accuracy = card["rows"][0]["accuracy"].as_f64().expect("a share");
    card["rows"][0]["accuracy"] = (accuracy - 0.002).into();
    fs::write(&path, card.to_string()).expect("a file");
    let said = lab.run("eval --card here/card.json --device cpu -q");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("+0.20") && !said.out.contains("were reproduced"), "{}", said.out);
    assert!(said.err.contains("linear of block1, trained encoder, differs by 0.20 points"), "{}", said.err);

    lab.generate("others", 2);
    let words = ["not the images of the card", "--data"];
    lab.fails_with("eval --card here/card.json --data fashion-mnist:others --device cpu -q", 1, &words);
    lab.succeeds(&format!("{TRAINING} --steps 3 --seed 2 --out other -q"));
    lab.fails_with(
        "eval --card here/card.json other -q",
        1,
        &["other has no checkpoint with the digest", "another run"],
    );
    card["checkpoint"] = Value::Null;
    fs::write(&path, card.to_string()).expect("a file");
    lab.fails_with("eval --card here/card.json -q", 1, &["no evaluation card", "--json > card.json"]);
    fs::write(&path, "{}").expect("a file");
    lab.fails_with("eval --card here/card.json", 1, &["no evaluation card", "--json > card.json"]);
    lab.fails_with("eval --card nothing.json", 1, &["nothing.json"]);
    lab.fails_with("eval --card here/card.json --probe knn", 2, &["--card", "--probe"]);
}

#[test]
fn a_file_of_weights_has_a_card_too() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    lab.succeeds("export run --out encoder.safetensors");
    let common = "--data fashion-mnist:images --device cpu --probe knn --input-mean 0.5";
    let card = lab.succeeds(&format!("eval --weights encoder.safetensors {common} --json -q")).out;
    fs::write(lab.path("card.json"), &card).expect("a file");
    let said = lab.succeeds("eval --card card.json --device cpu -q").out;
    assert!(said.contains("encoder.safetensors against card.json") && said.contains("were reproduced"), "{said}");
    fs::rename(lab.path("encoder.safetensors"), lab.path("moved.safetensors")).expect("a file");
    lab.fails_with("eval --card card.json -q", 1, &["encoder.safetensors"]);
    lab.succeeds("eval --card card.json moved.safetensors --device cpu -q");
    lab.succeeds(&format!("{TRAINING} --steps 4 --out longer -q"));
    lab.succeeds("export longer --out longer.safetensors");
    lab.fails_with("eval --card card.json longer.safetensors --device cpu -q", 1, &["not the file that was measured"]);
}
