//! `nolabel data`, and damaged data.

use std::fs;

use crate::{Lab, TRAINING};

#[test]
fn known_data_sets_are_listed_with_their_places() {
    let lab = Lab::new();
    let listed: serde_json::Value = serde_json::from_str(&lab.succeeds("data list --json").out).expect("JSON");
    let names: Vec<_> = listed.as_array().expect("a list").iter().map(|set| set["name"].clone()).collect();
    assert_eq!(names, ["fashion-mnist", "mnist", "cifar-10", "cifar-100"]);
    assert_eq!(listed[0]["classes"].as_array().map(Vec::len), Some(10));
    assert_eq!(listed[2]["size"], serde_json::json!({ "channels": 3, "height": 32, "width": 32 }));
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    fs::create_dir(lab.path("data")).expect("a folder");
    fs::rename(lab.path("moved"), lab.path("data/fashion-mnist")).expect("a folder");
    assert!(lab.succeeds("data list").out.contains("data/fashion-mnist"), "the working folder comes first");
}

#[test]
fn a_check_names_every_file_that_is_not_the_real_one() {
    let lab = Lab::new();
    let said = lab.run("data check fashion-mnist:images");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.out.matches("fewer bytes than").count(), 4, "{}", said.out);
    assert!(said.err.contains("4 files cannot be used"), "{}", said.err);
    for (set, files) in [("fashion-mnist", 4), ("mnist", 4), ("cifar-10", 6), ("cifar-100", 2)] {
        let missing = lab.run(&format!("data check {set}:nowhere"));
        assert_eq!((missing.code, missing.out.matches("it is missing").count()), (Some(1), files), "{set}");
    }
    lab.fails_with("data check folder:images", 2, &["folder", "cifar-10"]);
}

#[test]
fn damaged_data_is_refused_before_anything_is_written() {
    let lab = Lab::new();
    let file = lab.path("images/train-images-idx3-ubyte");
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() - 1]).expect("a file");
    lab.fails_with(&format!("{TRAINING} --steps 2"), 1, &["train-images-idx3-ubyte"]);
    fs::remove_file(&file).expect("it was there");
    lab.fails_with(&format!("{TRAINING} --steps 2"), 1, &["has no file train-images-idx3-ubyte"]);
    assert!(!lab.path("runs").exists());
}

/// Writes CIFAR-10 with ten images in each file, one of each class, each in another shade of gray.
fn write_cifar(lab: &Lab) {
    fs::create_dir(lab.path("cifar")).expect("a folder");
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        let record = |class: u8| std::iter::once(class).chain(std::iter::repeat_n(20 * class, 3072));
        fs::write(lab.path("cifar").join(format!("{name}.bin")), (0..10).flat_map(record).collect::<Vec<u8>>())
            .expect("a file");
    }
}

#[test]
fn cifar_is_trained_on_and_probed() {
    let lab = Lab::new();
    write_cifar(&lab);
    let training = "train rotation --data cifar-10:cifar --batch 8 --set encoder.width=4 --device cpu";
    lab.succeeds(&format!("{training} --steps 2 --out run -q"));
    let record: toml::Table = fs::read_to_string(lab.path("run/run.toml")).expect("a file").parse().expect("TOML");
    assert_eq!(record["data"]["train_images"].as_integer(), Some(50));
    assert_eq!(record["data"]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(record["data"].get("size"), None);
    // each class has a gray of its own, and every test image is among the training images
    let said = lab.succeeds("eval run --device cpu --probe knn --layer block1 --json -q").out;
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(4), "{report}");
    assert_eq!(report["data"]["sha256"], record["data"]["sha256"].as_str().expect("a digest"));

    let file = lab.path("cifar/data_batch_3.bin");
    let whole = fs::read(&file).expect("a file");
    let refused = |words: &[&str]| lab.fails_with(&format!("{training} --steps 2 --out other"), 1, words);
    fs::write(&file, &whole[..whole.len() - 7]).expect("a file");
    refused(&["data_batch_3.bin", "30723 bytes are not whole records of 3073"]);
    let mut mislabelled = whole.clone();
    mislabelled[3073] = 200;
    fs::write(&file, mislabelled).expect("a file");
    refused(&["data_batch_3.bin", "record 2 has the label 200"]);
    fs::remove_file(&file).expect("it was there");
    refused(&["has no file data_batch_3.bin or data_batch_3.bin.gz"]);
    assert!(!lab.path("other").exists());
}
