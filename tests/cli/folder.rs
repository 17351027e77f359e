//! `--data folder:DIR`: the user's own images.

use std::fs;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use zune_png::PngEncoder;
use zune_png::zune_core::bit_depth::BitDepth;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::EncoderOptions;

use crate::Lab;

const OPTIONS: &str = "--batch 8 --set encoder.width=4 --device cpu -q";

/// Stripes whose direction is the class; size and brightness vary, and PNG and JPEG files alternate.
pub fn write_image(lab: &Lab, folder: &str, number: usize, upright: bool) {
    let width = 20 + number % 7;
    let height = 24 - number % 5;
    let bright =
        |x: usize, y: usize| if (if upright { x } else { y } / 3).is_multiple_of(2) { 200 - number } else { 30 };
    let pixel = |place: usize| [1, 2, 3].map(|part| (bright(place % width, place / width) / part) as u8);
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let mut bytes = Vec::new();
    if number.is_multiple_of(2) {
        let options = EncoderOptions::new(width, height, ColorSpace::RGB, BitDepth::Eight);
        PngEncoder::new(&pixels, options).encode(&mut bytes).expect("an image");
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::Rgb8).expect("an image");
    }
    fs::create_dir_all(lab.path(folder)).expect("a folder");
    // the ending of a file does not decide how it is read
    fs::write(lab.path(folder).join(format!("{number}.jpg")), bytes).expect("a file");
}

fn data(lab: &Lab, run: &str) -> toml::Value {
    let text = fs::read_to_string(lab.path(run).join("run.toml")).expect("a file");
    text.parse::<toml::Table>().expect("TOML")["data"].clone()
}

#[test]
fn photographs_in_class_folders_train_resume_and_probe() {
    let lab = Lab::new();
    for number in 0..40 {
        write_image(&lab, "photos/train/lying", number, false);
        write_image(&lab, "photos/train/standing", number, true);
    }
    for number in 40..50 {
        write_image(&lab, "photos/val/lying", number, false);
        write_image(&lab, "photos/val/standing", number, true);
    }
    let train = format!("train rotation --data folder:photos?size=16 {OPTIONS}");
    lab.succeeds(&format!("{train} --steps 12 --out whole"));
    let record = data(&lab, "whole");
    assert_eq!((record["name"].as_str(), record["size"].as_integer()), (Some("folder"), Some(16)));
    assert_eq!((record["train_images"].as_integer(), record["test_images"].as_integer()), (Some(80), Some(20)));
    assert!(record["folder"].as_str().is_some_and(|folder| folder.starts_with('/')), "{record}");

    let said = lab.succeeds("eval whole --device cpu --json -q").out;
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let pixels = rows.iter().find(|row| row["source"] == "raw-pixels" && row["probe"] == "linear").expect("a control");
    assert_eq!(pixels["width"], 3 * 16 * 16);
    assert!(pixels["accuracy"].as_f64() > Some(0.9), "stripes are told apart from their pixels: {pixels}");

    // moved photographs are the same images; resized or altered ones are others
    fs::rename(lab.path("photos"), lab.path("moved")).expect("a folder");
    lab.fails_with("train --resume --out whole --device cpu", 1, &["no folder", "photos"]);
    let resume = "train --resume --out whole --device cpu -q --data";
    lab.fails_with(&format!("{resume} folder:moved?size=24"), 1, &["not those the run learned from"]);
    lab.succeeds(&format!("{resume} folder:moved"));
    write_image(&lab, "moved/train/lying", 0, true);
    lab.fails_with(&format!("{resume} folder:moved"), 1, &["not those the run learned from"]);
}

#[test]
fn photographs_without_classes_are_trained_on_but_not_probed() {
    let lab = Lab::new();
    (0..60).for_each(|number| write_image(&lab, "photos", number, number % 3 == 0));
    fs::write(lab.path("photos/notes.txt"), "taken in summer").expect("a file");
    let train = format!("train rotation --data folder:photos?size=16 {OPTIONS}");
    let said = lab.succeeds(&format!("{train} --steps 5 --out run"));
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert!(said.err.contains("notes.txt is left out: it is neither a PNG nor a JPEG file"), "{}", said.err);
    let record = data(&lab, "run");
    let [train_images, test_images] = ["train_images", "test_images"].map(|key| record[key].as_integer());
    assert_eq!(train_images.zip(test_images).map(|(train, test)| train + test), Some(60));
    fs::remove_file(lab.path("photos/notes.txt")).expect("it was there");
    lab.fails_with("eval run --device cpu -q", 1, &["have no classes", "--data"]);
    lab.fails_with(&format!("{train} --steps 5 --probe-every 2 --out other"), 1, &["have no classes", "--probe-every"]);
    lab.fails_with(&format!("toy --data folder:photos?size=16 {OPTIONS}"), 1, &["have no classes", "nolabel train"]);
    assert!(!lab.path("other").exists() && !lab.path("runs").exists());
}

#[test]
fn folders_that_cannot_be_used_are_refused_in_words() {
    let lab = Lab::new();
    let refused = |spec: &str, code: i32, words: &[&str]| {
        lab.fails_with(&format!("train rotation --data {spec} --steps 2 --out run {OPTIONS}"), code, words);
    };
    refused("folder", 2, &["which folder"]);
    refused("folder:photos?size=big", 2, &["?size=big", "between 8 and 1024"]);
    refused("foldr:photos", 2, &["foldr", "'folder'"]);
    refused("folder:nowhere", 1, &["no folder nowhere"]);
    fs::create_dir(lab.path("empty")).expect("a folder");
    refused("folder:empty", 1, &["empty holds no image to learn from", "PNG and JPEG"]);
    assert!(!lab.path("run").exists());
}
