//! `nolabel data`, and data that is not what it should be.

use std::fs;

use crate::{Lab, TRAINING};

#[test]
fn known_data_sets_are_listed_with_their_places() {
    let lab = Lab::new();
    let listed: serde_json::Value = serde_json::from_str(&lab.well("data list --json").out).expect("JSON");
    assert_eq!(listed[0]["name"], "fashion-mnist");
    assert_eq!(listed[0]["classes"].as_array().map(Vec::len), Some(10));
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    fs::create_dir(lab.path("data")).expect("a folder");
    fs::rename(lab.path("moved"), lab.path("data/fashion-mnist")).expect("a folder");
    assert!(lab.well("data list").out.contains("data/fashion-mnist"), "the working folder comes first");
}

#[test]
fn a_check_names_every_file_that_is_not_the_real_one() {
    let lab = Lab::new();
    let said = lab.run("data check fashion-mnist:images");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.out.matches("fewer bytes than").count(), 4, "{}", said.out);
    assert!(said.err.contains("4 files cannot be used"), "{}", said.err);
    let missing = lab.run("data check fashion-mnist:nowhere");
    assert_eq!((missing.code, missing.out.matches("it is missing").count()), (Some(1), 4));
}

#[test]
fn damaged_data_is_refused_before_anything_is_written() {
    let lab = Lab::new();
    let file = lab.path("images/train-images-idx3-ubyte");
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() - 1]).expect("a file");
    lab.badly(&format!("{TRAINING} --steps 2"), 1, &["train-images-idx3-ubyte"]);
    fs::remove_file(&file).expect("it was there");
    lab.badly(&format!("{TRAINING} --steps 2"), 1, &["has no file train-images-idx3-ubyte"]);
    assert!(!lab.path("runs").exists());
}
