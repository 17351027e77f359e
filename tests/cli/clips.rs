//! `--data clips:DIR` and generated clips: training on successive frames.

use std::fs;

use zune_png::PngEncoder;
use zune_png::zune_core::bit_depth::BitDepth;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::EncoderOptions;

use crate::Lab;
use crate::resume::{assert_same, copy_as_of};
use nolabel::session::event::Event;

const SIDE: usize = 32;
const OPTIONS: &str = "--batch 8 --set encoder.width=4 --device cpu -q";

/// Frames of a bright square or bar that moves over a still background.
fn write_clip(lab: &Lab, folder: &str, number: usize, bar: bool) {
    fs::create_dir_all(lab.path(folder)).expect("a folder");
    let speckled = |x: usize, y: usize, seed: usize| (x / 2 * 37 + y / 2 * 101 + seed * 17 + x / 2 * (y / 2) * 13) % 90;
    for frame in 0..12 {
        let left = 6 + frame;
        let top = 8 + number % 5;
        let [width, height] = if bar { [8, 16] } else { [12, 12] };
        let inside = |x: usize, y: usize| (left..left + width).contains(&x) && (top..top + height).contains(&y);
        let pixel = |at: usize| {
            let (x, y) = (at % SIDE, at / SIDE);
            if inside(x, y) { 160 + speckled(x - left, y - top, number + 50) } else { speckled(x, y, number) }
        };
        let pixels: Vec<u8> = (0..SIDE * SIDE).flat_map(|at| [pixel(at) as u8; 3]).collect();
        let mut bytes = Vec::new();
        let options = EncoderOptions::new(SIDE, SIDE, ColorSpace::RGB, BitDepth::Eight);
        PngEncoder::new(&pixels, options).encode(&mut bytes).expect("an image");
        fs::write(lab.path(folder).join(format!("frame{frame}.png")), bytes).expect("a file");
    }
}

fn write_clips(lab: &Lab) {
    for number in 0..6 {
        write_clip(lab, &format!("films/square/{number}"), number, false);
        write_clip(lab, &format!("films/bar/{number}"), number, true);
    }
}

#[test]
fn clips_of_frames_are_trained_on_resumed_exactly_and_probed() {
    let lab = Lab::new();
    write_clips(&lab);
    let train = format!("train motion --data clips:films?size={SIDE} {OPTIONS} --set mask_side=12");
    lab.succeeds(&format!("{train} --steps 20 --out whole"));
    lab.succeeds(&format!("{train} --steps 20 --save-every 13 --out cut"));
    copy_as_of(&lab, "cut", "resumed", 13);
    lab.succeeds("train --resume --out resumed --device cpu -q");
    assert_same(&lab, "whole", "resumed");

    let pretext = lab.events("whole").into_iter().find_map(|event| match event {
        Event::Pretext(pretext) => Some(pretext),
        _ => None,
    });
    let pretext = pretext.expect("it is asked of test images");
    assert!(pretext.chance.is_some_and(|fixed| fixed > 0.1), "squares move in the test clips too: {pretext:?}");
    let losses: Vec<f64> = lab
        .events("whole")
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None })
        .collect();
    assert!(losses[19] < 0.8 * losses[0], "{losses:?}");

    let said = lab.succeeds("eval whole --device cpu --json -q").out;
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert!(report["rows"].as_array().is_some_and(|rows| rows.len() > 10), "{report}");

    // the same images in another order of frames are other clips
    for (from, to) in [("frame3", "frame3x"), ("frame4", "frame3"), ("frame3x", "frame4")] {
        let at = |name: &str| lab.path(&format!("films/bar/2/{name}.png"));
        fs::rename(at(from), at(to)).expect("a file");
    }
    lab.fails_with("train --resume --out whole --device cpu", 1, &["not those the run learned from"]);
}

#[test]
fn a_filmed_street_teaches_motion_masks() {
    let lab = Lab::new();
    let film = concat!(env!("CARGO_MANIFEST_DIR"), "/data/film");
    assert!(std::path::Path::new(film).is_dir(), "no film: `make data SETS=film` fetches it, and ffmpeg reads it");
    lab.succeeds(&format!(
        "train motion --data clips:{film}?size=96 --set size=48 --epochs 4 --device cpu --out run -q"
    ));
    let asked = lab.events("run").into_iter().find_map(|event| match event {
        Event::Pretext(pretext) => Some(pretext),
        _ => None,
    });
    let asked = asked.expect("the film's last tenth is asked about");
    assert!(asked.images == 79 && asked.chance.is_some_and(|fixed| asked.value > fixed + 0.1), "{asked:?}");
}

#[test]
fn generated_clips_serve_every_method() {
    let lab = Lab::new();
    let said = lab.succeeds(&format!("train motion --data moving-shapes {OPTIONS} --steps 2 --images 64 --out run"));
    assert!(said.out.contains("overlap with what moves on 640 test images"), "{}", said.out);
    lab.succeeds(&format!("train rotation --data moving-shapes {OPTIONS} --steps 2 --images 64 --out other"));
}

#[test]
fn still_images_are_refused_where_clips_are_needed() {
    let lab = Lab::new();
    let refused = |spec: &str, code: i32, words: &[&str]| {
        lab.fails_with(&format!("train motion --data {spec} --steps 2 --out run {OPTIONS}"), code, words);
    };
    refused("fashion-mnist:images", 1, &["do not follow one another", "moving-shapes", "clips:DIR"]);
    refused("clips", 2, &["which folder"]);
    refused("clips:nowhere", 1, &["no folder and no film nowhere"]);
    refused("moving-shapes:here", 2, &["lies in no folder"]);
    fs::create_dir(lab.path("empty")).expect("a folder");
    refused("clips:empty", 1, &["empty holds no clip to learn from", "in the order of their names"]);
    fs::write(lab.path("empty/film.mp4"), "no film").expect("a file");
    let said = lab.command(&format!("train motion --data clips:empty --steps 2 --out run {OPTIONS}"));
    let said = crate::Said::from({ said }.env("PATH", "").output().expect("the binary runs"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("film.mp4 is a film") && said.err.contains("install it"), "{}", said.err);
    assert!(!lab.path("run").exists());
}

/// Lets ffmpeg write a film of `frames` generated frames.
fn write_film(lab: &Lab, path: &str, frames: usize, options: &str) {
    fs::create_dir_all(lab.path(path).parent().expect("a folder")).expect("a folder");
    let source = format!("-nostdin -v error -f lavfi -i testsrc=size=64x64:rate=30 -frames:v {frames} {options}");
    let mut command = std::process::Command::new("ffmpeg");
    let status = command.args(source.split_whitespace()).arg(lab.path(path)).status().expect("ffmpeg is installed");
    assert!(status.success());
}

#[test]
fn strays_beside_clips_change_nothing() {
    let lab = Lab::new();
    write_clips(&lab);
    let frames = || {
        let train = format!("train motion --data clips:films,size={SIDE} {OPTIONS} --set mask_side=12");
        let _ = fs::remove_dir_all(lab.path("run"));
        let said = lab.succeeds(&format!("{train} --steps 2 --out run")).err;
        let record: toml::Table = fs::read_to_string(lab.path("run/run.toml")).expect("a file").parse().expect("TOML");
        (record["data"]["sha256"].clone(), said)
    };
    let (clean, said) = frames();
    assert!(said.contains("films: 12 clips, 2 classes (`bar`, `square`), 1"), "{said}");
    fs::write(lab.path("films/README.txt"), "twelve clips").expect("a file");
    fs::write(lab.path("films/bar/0/Thumbs.db"), b"\xd0\xcf\x11\xe0").expect("a file");
    fs::write(lab.path("films/bar/list.csv"), "0,1,2").expect("a file");
    fs::copy(lab.path("films/bar/0/frame0.png"), lab.path("films/cover.png")).expect("a copy");
    let (strays, said) = frames();
    assert_eq!(clean, strays, "the same frames in the same order, of the same classes");
    assert!(said.contains("not used: 1 image beside clips in `films`, 2 other files"), "{said}");
}

#[test]
fn clips_in_halves_keep_to_them() {
    let lab = Lab::new();
    for number in 0..4 {
        let half = if number < 3 { "train" } else { "test" };
        write_clip(&lab, &format!("films/{half}/square/{number}"), number, false);
        write_clip(&lab, &format!("films/{half}/bar/{number}"), number, true);
    }
    let said = lab.succeeds(&format!("train motion --data clips:films,size={SIDE} {OPTIONS} --steps 2 --out run"));
    let line = "films: 8 clips, 2 classes (`bar`, `square`), 72 frames to learn from (`train`), 24 to test on (`test`)";
    assert!(said.err.contains(line), "{}", said.err);
}

#[test]
fn a_broken_film_is_named_and_the_others_are_read() {
    let lab = Lab::new();
    (0..5).for_each(|number| write_film(&lab, &format!("films/{number}.mp4"), 24, "-c:v mpeg4"));
    let path = lab.path("films/2.mp4");
    let bytes = fs::read(&path).expect("a film");
    fs::write(&path, &bytes[..bytes.len() * 6 / 10]).expect("a file");
    let said = lab.succeeds(&format!("train motion --data clips:films,size={SIDE} {OPTIONS} --steps 2 --out run"));
    assert!(said.err.contains("2.mp4 is left out: it cannot be read as a film"), "{}", said.err);
    assert!(said.err.contains("72 frames to learn from, 24 to test on"), "{}", said.err);
    let alone = format!("train motion --data clips:films/2.mp4,size={SIDE} {OPTIONS} --steps 2 --out other");
    lab.fails_with(&alone, 1, &["holds no clip to learn from"]);
}

#[test]
fn films_give_the_frames_they_have_whatever_they_are_called() {
    let lab = Lab::new();
    // a pause of five seconds after twelve frames, as screens and telephones record
    let pause = "-vf setpts='if(lt(N,12),N/30,N/30+5)/TB' -fps_mode vfr -c:v mpeg4";
    write_film(&lab, "pause/screen.mkv", 24, pause);
    write_film(&lab, "camcorder/a.MTS", 24, "-c:v mpeg2video -f mpegts");
    write_film(&lab, "camcorder/b", 24, "-c:v mpeg4 -f matroska");
    for (place, frames) in [("pause/screen.mkv", 24), ("pause", 24), ("camcorder", 48), ("camcorder/a.MTS", 24)] {
        let _ = fs::remove_dir_all(lab.path("run"));
        lab.succeeds(&format!("train motion --data clips:{place},size={SIDE} {OPTIONS} --steps 2 --out run"));
        let record: toml::Table = fs::read_to_string(lab.path("run/run.toml")).expect("a file").parse().expect("TOML");
        let count = |key: &str| record["data"][key].as_integer().expect("a count");
        assert_eq!(count("train_images") + count("test_images"), frames, "{place}");
    }
}
