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
    let words = ["has no file train-images-idx3-ubyte", "it holds t10k-images-idx3-ubyte, "];
    lab.fails_with(&format!("{TRAINING} --steps 2"), 1, &words);
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

#[test]
fn sets_are_read_as_other_programs_unpacked_them() {
    let lab = Lab::new();
    fs::create_dir_all(lab.path("torch/FashionMNIST/raw")).expect("a folder");
    fs::create_dir_all(lab.path("dots")).expect("a folder");
    for file in fs::read_dir(lab.path("images")).expect("a folder") {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        fs::copy(&path, lab.path(&format!("torch/FashionMNIST/raw/{name}"))).expect("a copy");
        fs::copy(&path, lab.path(&format!("dots/{}", name.replace("-idx", ".idx")))).expect("a copy");
    }
    let digest = |spec: &str| {
        let _ = fs::remove_dir_all(lab.path("run"));
        lab.succeeds(&format!(
            "train rotation --data {spec} --batch 8 --set encoder.width=4 --device cpu --steps 2 --out run -q"
        ));
        let record: toml::Table = fs::read_to_string(lab.path("run/run.toml")).expect("a file").parse().expect("TOML");
        record["data"]["sha256"].as_str().expect("a digest").to_string()
    };
    let own = digest("fashion-mnist:images");
    assert_eq!((digest("fashion-mnist:torch"), digest("fashion-mnist:dots")), (own.clone(), own));
    let mnist = "train rotation --data mnist:torch --steps 2 --device cpu -q";
    lab.fails_with(mnist, 1, &["no file train-images-idx3-ubyte", "it holds FashionMNIST/"]);

    write_cifar(&lab);
    fs::create_dir_all(lab.path("python/cifar-10-batches-py")).expect("a folder");
    for file in fs::read_dir(lab.path("cifar")).expect("a folder") {
        let path = file.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let pickle = pickled(&fs::read(&path).expect("a file"));
        fs::write(lab.path(&format!("python/cifar-10-batches-py/{name}")), pickle).expect("a file");
    }
    fs::create_dir_all(lab.path("below")).expect("a folder");
    let plain = digest("cifar-10:cifar");
    fs::rename(lab.path("cifar"), lab.path("below/cifar-10-batches-bin")).expect("a folder");
    assert_eq!((digest("cifar-10:python"), digest("cifar-10:below")), (plain.clone(), plain));
}

/// Ten records of CIFAR as `pickle.dumps({b"labels": [..], b"data": array}, protocol=3)` writes them.
fn pickled(records: &[u8]) -> Vec<u8> {
    let mut pickle = b"\x80\x03}q\x00(C\x06labelsq\x01]q\x02(".to_vec();
    records.chunks(3073).for_each(|record| pickle.extend([b'K', record[0]]));
    pickle.extend(b"eC\x04dataq\x03cnumpy._core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06C\x01bq\x07\x87q\x08Rq\x09");
    pickle.extend(b"(K\x01K\x0aM\x00\x0c\x86q\x0acnumpy\ndtype\nq\x0bX\x02\x00\x00\x00u1q\x0c\x89\x88\x87q\x0dRq\x0e");
    pickle.extend(b"(K\x03X\x01\x00\x00\x00|q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x10b\x89B");
    pickle.extend(30_720u32.to_le_bytes());
    records.chunks(3073).for_each(|record| pickle.extend(&record[1..]));
    pickle.extend(b"q\x11tq\x12bu.");
    pickle
}
