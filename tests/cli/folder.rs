//! `--data folder:DIR`: the user's own images.

use std::fs;
use std::path::Path;

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
    let train = format!("train rotation --data folder:~/photos,size=16 {OPTIONS}");
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
    assert!(said.err.contains("photos: no classes, 57 images to learn from, 3 to test on (held out"), "{}", said.err);
    assert!(said.err.contains("not used: 1 other file (1 .txt)"), "{}", said.err);
    let record = data(&lab, "run");
    let [train_images, test_images] = ["train_images", "test_images"].map(|key| record[key].as_integer());
    assert_eq!(train_images.zip(test_images).map(|(train, test)| train + test), Some(60));
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
    refused("folder:photos,size=big", 2, &["size=big", "between 8 and 1024"]);
    refused("foldr:photos", 2, &["foldr", "'folder'"]);
    refused("folder:nowhere", 1, &["no folder nowhere"]);
    fs::create_dir(lab.path("empty")).expect("a folder");
    refused("folder:empty", 1, &["empty holds no image to learn from", "PNG, JPEG, WebP"]);
    lab.fails_with(
        &format!("train rotation --steps 2 --out run {OPTIONS}"),
        2,
        &["--data", "fashion-mnist", "folder:DIR"],
    );
    refused("empty", 2, &["`empty` is a path", "folder:empty", "clips:empty"]);
    refused("./some/place", 2, &["folder:./some/place"]);
    fs::write(lab.path("film.mp4"), "no film").expect("a file");
    refused("film.mp4", 2, &["`film.mp4` is a file", "clips:film.mp4"]);
    refused("folder:film.mp4", 1, &["is a file"]);
    fs::write(lab.path("empty/notes.txt"), "words").expect("a file");
    fs::write(lab.path("empty/film.mp4"), "no film").expect("a file");
    refused("folder:empty", 1, &["films by `clips:DIR`", "it holds 2 other files (1 .mp4, 1 .txt)"]);
    assert!(!lab.path("run").exists());
}

/// Two classes of stripes below `folder`, `count` images each.
fn write_classes(lab: &Lab, folder: &str, count: usize) {
    for number in 0..count {
        write_image(lab, &format!("{folder}/lying"), number, false);
        write_image(lab, &format!("{folder}/standing"), number, true);
    }
}

/// Trains for two steps on a folder and evaluates raw pixels alone; returns what was said and the linear row of the pixels.
fn pixels(lab: &Lab, spec: &str) -> (crate::Said, serde_json::Value) {
    let _ = fs::remove_dir_all(lab.path("pixels"));
    let said = lab.succeeds(&format!("train rotation --data {spec} --steps 2 --out pixels {OPTIONS}"));
    let evaluated = lab.succeeds("eval pixels --layer gap --probe linear --device cpu --json -q").out;
    let report: serde_json::Value = serde_json::from_str(&evaluated).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    (said, rows.iter().find(|row| row["source"] == "raw-pixels").expect("a control").clone())
}

#[test]
fn halves_are_understood_and_a_line_says_how() {
    let lab = Lab::new();
    for (first, second) in [("train", "valid"), ("Training", "TEST_images"), ("data/train2017", "data/val2017")] {
        let folder = format!("{}-{}", first.replace('/', "-"), second.len());
        write_classes(&lab, &format!("{folder}/{first}"), 20);
        write_classes(&lab, &format!("{folder}/{second}"), 10);
        let (said, row) = pixels(&lab, &format!("folder:{folder},size=16"));
        let line = format!("{folder}: 2 classes (`lying`, `standing`), 40 images to learn from");
        assert!(said.err.contains(&line) && said.err.contains("20 to test on"), "{}", said.err);
        assert!(row["accuracy"].as_f64() > Some(0.9), "{row}");
    }
}

#[test]
fn a_validation_half_is_what_settings_are_chosen_by() {
    let lab = Lab::new();
    write_classes(&lab, "photos/train", 20);
    write_classes(&lab, "photos/valid", 10);
    write_classes(&lab, "photos/test", 6);
    let (said, row) = pixels(&lab, "folder:photos,size=16");
    let line = "40 images to learn from (`train`), 20 to choose L2 and layer by (`valid`), 12 to test on (`test`)";
    assert!(said.err.contains(line), "{}", said.err);
    assert_eq!(data(&lab, "pixels")["validation_images"].as_integer(), Some(20));
    // shares of twenty images, where a sixth of forty would give shares of six
    let validation = row["validation"].as_f64().expect("L2 was chosen");
    assert!((20.0 * validation).fract().min(1.0 - (20.0 * validation).fract()) < 1e-9 && validation > 0.9, "{row}");
    let told = lab.succeeds("eval pixels --layer gap --probe linear --device cpu").out;
    assert!(told.contains("chosen on the 20 validation images"), "{told}");
    // labels that say the opposite choose otherwise and are never learned from
    fs::rename(lab.path("photos/valid/lying"), lab.path("photos/valid/other")).expect("a folder");
    fs::rename(lab.path("photos/valid/standing"), lab.path("photos/valid/lying")).expect("a folder");
    fs::rename(lab.path("photos/valid/other"), lab.path("photos/valid/standing")).expect("a folder");
    let (_, row) = pixels(&lab, "folder:photos,size=16");
    assert!(row["validation"].as_f64() < Some(0.1) && row["accuracy"].as_f64() > Some(0.9), "{row}");
}

#[test]
fn litter_and_folders_without_images_count_for_nothing() {
    let lab = Lab::new();
    write_classes(&lab, "pets", 30);
    fs::create_dir_all(lab.path("pets/annotations")).expect("a folder");
    fs::create_dir_all(lab.path("pets/__MACOSX/lying")).expect("a folder");
    for number in 0..20 {
        fs::write(lab.path(&format!("pets/annotations/{number}.xml")), "<annotation/>").expect("a file");
        fs::write(lab.path(&format!("pets/__MACOSX/lying/._{number}.jpg")), "fork").expect("a file");
    }
    fs::write(lab.path("pets/lying/Thumbs.db"), b"\xd0\xcf\x11\xe0").expect("a file");
    fs::write(lab.path("pets/lying/.DS_Store"), b"Bud1").expect("a file");
    let (said, _) = pixels(&lab, "folder:pets,size=16");
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert!(said.err.contains("2 classes") && said.err.contains("not used: 20 other files (20 .xml)"), "{}", said.err);
}

#[test]
fn a_class_without_a_readable_image_is_left_out_by_name() {
    let lab = Lab::new();
    write_classes(&lab, "photos/train", 10);
    write_classes(&lab, "photos/val", 4);
    for place in ["photos/train/bird/1.avif", "photos/train/bird/2.avif", "photos/val/bird/3.avif"] {
        fs::create_dir_all(lab.path(place).parent().expect("a folder")).expect("a folder");
        fs::write(lab.path(place), b"\0\0\0\x20ftypavif\0\0\0\0").expect("a file");
    }
    fs::remove_dir_all(lab.path("photos/val/lying")).expect("a folder");
    let (said, _) = pixels(&lab, "folder:photos,size=16");
    for words in [
        "1.avif is left out: it is of the format AVIF, which is not read",
        "class `bird` is left out, and 1 file for testing with it: it has 2 files to learn from, and none can be read",
        "there is no test image of class `lying`",
        "2 classes (`lying`, `standing`), 20 images to learn from (`train`), 4 to test on (`val`), 2 files left out",
    ] {
        assert!(said.err.contains(words), "no `{words}` in\n{}", said.err);
    }
}

#[test]
fn a_photograph_with_a_film_behind_it_is_read() {
    let lab = Lab::new();
    write_classes(&lab, "photos/train", 10);
    write_classes(&lab, "photos/test", 6);
    for number in [1, 3, 5] {
        let path = lab.path(&format!("photos/test/lying/{number}.jpg"));
        let mut bytes = fs::read(&path).expect("a file");
        bytes.extend(b"\0\0\0\x18ftypmp42\xff\xd9 a film \xff\xda and its end");
        fs::write(&path, bytes).expect("a file");
    }
    let (said, row) = pixels(&lab, "folder:photos,size=16");
    assert!(!said.err.contains("left out"), "{}", said.err);
    assert_eq!(row["accuracy"].as_f64(), Some(1.0), "{row}");
}

/// Stripes as a scanner of 12 bits writes them: a PNG file of 16 bits a channel whose values stay below 4096.
fn write_twelve_bits(folder: &Path, number: u16, upright: bool) {
    let value = |place: usize| {
        let along = if upright { place % 20 } else { place / 20 };
        if (along / 3).is_multiple_of(2) { 3200 - 10 * number } else { 480 }
    };
    let values: Vec<u8> = (0..400).flat_map(|place| value(place).to_be_bytes()).collect();
    let mut bytes = Vec::new();
    let options = EncoderOptions::new(20, 20, ColorSpace::Luma, BitDepth::Sixteen);
    PngEncoder::new(&values, options).encode(&mut bytes).expect("an image");
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join(format!("{number}.png")), bytes).expect("a file");
}

#[test]
fn twelve_bits_in_sixteen_are_stretched_and_that_is_said() {
    let lab = Lab::new();
    for (half, count) in [("train", 20), ("val", 5)] {
        for (number, (class, upright)) in
            (0..count).flat_map(|number| [(number, ("lying", false)), (number, ("standing", true))])
        {
            write_twelve_bits(&lab.path(&format!("scans/{half}/{class}")), number, upright);
        }
    }
    let (said, row) = pixels(&lab, "folder:scans,size=16");
    assert!(said.err.contains("50 images of 16 bits a channel use 12 of them"), "{}", said.err);
    assert_eq!(row["accuracy"].as_f64(), Some(1.0), "{row}");
}

#[test]
fn every_row_of_an_embedding_names_its_file() {
    let lab = Lab::new();
    write_classes(&lab, "photos/train", 10);
    write_classes(&lab, "photos/test", 3);
    let commas = "photos/test/lying/a, \"b\" é.jpg";
    fs::rename(lab.path("photos/test/lying/1.jpg"), lab.path(commas)).expect("a file");
    fs::write(lab.path("photos/test/lying/2.jpg"), "broken").expect("a file");
    lab.succeeds(&format!("train rotation --data folder:photos,size=16 --steps 2 --out run {OPTIONS}"));
    let said = lab.succeeds("embed run --out test.csv --layer gap --device cpu -q");
    assert!(said.err.contains("2.jpg is left out") && said.out.contains("5 images"), "{}{}", said.err, said.out);
    let text = fs::read_to_string(lab.path("test.csv")).expect("a file");
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].starts_with("index,file,label,class,f0,"), "{}", rows[0]);
    assert_eq!(rows.len(), 6);
    assert!(text.contains(",\"test/lying/a, \"\"b\"\" é.jpg\",0,lying,"), "{text}");
    assert!(rows[1..].iter().all(|row| row.contains("test/standing/") == row.contains(",1,standing,")), "{text}");
    lab.succeeds("embed run --out test.npy --layer gap --device cpu -q");
    let beside = fs::read_to_string(lab.path("test-rows.csv")).expect("a file");
    let starts: Vec<String> = rows.iter().map(|row| row.split("f0").next().unwrap_or(row).to_string()).collect();
    assert_eq!(beside.lines().count(), 6);
    assert!(beside.lines().skip(1).zip(&starts[1..]).all(|(beside, row)| row.starts_with(beside)), "{beside}");
    lab.succeeds("embed run --out test.parquet --layer gap --device cpu -q");
    let bytes = fs::read(lab.path("test.parquet")).expect("a file");
    let holds = |word: &str| bytes.windows(word.len()).any(|some| some == word.as_bytes());
    assert!(holds("file") && holds("test/standing/0.jpg"));
}
