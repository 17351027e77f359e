//! Damaged files of a run, as `make fuzz` makes them by the hundred.

use std::fs;

use crate::{Lab, TRAINING};

#[test]
fn lines_that_are_no_events_are_counted_in_a_warning() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let report = "report run --device cpu -q --out report.html";
    assert_eq!(lab.succeeds(report).err, "");
    let path = lab.path("run/events.jsonl");
    let whole = fs::read_to_string(&path).expect("events");
    fs::write(&path, format!("{{\"event\":\"st\n{whole}[[[[\n")).expect("a file");
    fs::remove_file(lab.path("report.html")).expect("the report");
    let said = lab.succeeds(report).err;
    assert!(said.contains("run/events.jsonl: 2 lines damaged or of another version, left out"), "{said}");
}

#[test]
fn a_record_that_cannot_be_read_is_refused_in_a_sentence() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 --out run -q"));
    let path = lab.path("run/run.toml");
    let whole = fs::read_to_string(&path).expect("a record");
    let nested = format!("{whole}deep = {}\n", "[".repeat(100_000));
    for damaged in
        [whole.replacen("seed = 1", "seed = 99999999999999999999", 1), nested, whole[..whole.len() / 2].into()]
    {
        fs::write(&path, damaged).expect("a file");
        for command in ["show run", "export run --out encoder.onnx", "train --resume --out run --device cpu"] {
            lab.fails_with(command, 1, &["run.toml"]);
        }
    }
}
