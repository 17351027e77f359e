//! `nolabel compare`, `nolabel embed` and `nolabel report`: commands on existing runs.

use std::fs;

use parquet::file::reader::SerializedFileReader;
use parquet::record::{Row, RowAccessor};
use serde_json::Value;

use crate::{Lab, TEST, TRAINING};

/// Three runs in `runs`: two seeds of rotation, one of SimSiam.
fn trained() -> Lab {
    let lab = Lab::new();
    for seed in [1, 2] {
        lab.succeeds(&format!("{TRAINING} --steps 3 --seed {seed} --out runs/rotation-{seed} -q"));
    }
    let simsiam = TRAINING.replace("rotation", "simsiam");
    lab.succeeds(&format!("{simsiam} --steps 3 --set projector=16 --set predictor=8 --out runs/simsiam-1 -q"));
    lab
}

fn json(lab: &Lab, arguments: &str) -> Value {
    serde_json::from_str(&lab.succeeds(arguments).out).expect("JSON")
}

#[test]
fn evaluations_are_kept_with_everything_to_repeat_them() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    let said = json(&lab, "eval run --device cpu --json -q");
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(lab.path("run/eval.json")).expect("a file")).expect("JSON");
    let kept = &kept[0];
    for key in ["nolabel", "method", "seed", "step", "data", "device", "settings", "rows"] {
        assert_eq!(said[key], kept[key], "{key}");
    }
    assert_eq!((&kept["total_steps"], &kept["data"]["test_images"]), (&3.into(), &TEST.into()));
    assert_eq!(kept["data"]["sha256"].as_str().map(str::len), Some(64));
    let rows = kept["rows"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["validation"].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share))));
    // the best layer is chosen by images set aside from training, not by test images
    let linear = |row: &&Value| row["source"] == "trained" && row["probe"] == "linear";
    let of = |row: &Value| row["validation"].as_f64().expect("a share");
    let best = rows.iter().filter(linear).reduce(|best, row| if of(row) > of(best) { row } else { best }).expect("one");
    let compared = json(&lab, "compare run --device cpu --format json -q");
    let trained = &compared["data"][0]["lines"][0]["probes"][0]["trained"];
    assert_eq!((&trained["layer"], &trained["accuracy"]["mean"]), (&best["layer"], &best["accuracy"]));
    lab.succeeds("eval run --device cpu --probe knn --layer gap -q");
    let text = fs::read_to_string(lab.path("run/eval.json")).expect("a file");
    assert_eq!(
        serde_json::from_str::<Vec<Value>>(&text).expect("JSON").len(),
        2,
        "one question does not replace another"
    );
}

#[test]
fn runs_are_compared_by_method_and_measured_once() {
    let lab = trained();
    let first = lab.succeeds("compare runs --device cpu");
    assert!(first.err.contains("measuring runs/rotation-1 (run 1 of 3)"), "{}", first.err);
    for words in [
        "fashion-mnist: probed with 100 training and 40 test images",
        "PCA of raw pixels",
        "verdict",
        "validation images",
    ] {
        assert!(first.out.contains(words), "no `{words}` in\n{}", first.out);
    }
    let line = |method: &str| first.out.lines().find(|line| line.starts_with(method)).expect("a line").to_string();
    assert!(line("rotation").contains('±') && !line("simsiam").contains('±'), "{}", first.out);
    let asked = first.out.split_once("its own task on test images:").expect("a second table").1;
    let told = |words: &str| asked.lines().any(|line| line.starts_with("rotation") && line.contains(words));
    assert!(told("rotation accuracy") && told("(guessing gives 25.0 %)"), "{asked}");

    // nothing is left to measure: the images are not even read
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    let again = lab.succeeds("compare runs/simsiam-1 runs --device cpu");
    assert_eq!((again.out, again.err.as_str()), (first.out, ""), "a run that is named twice counts once");
    let report = json(&lab, "compare runs --format json");
    let lines = report["data"][0]["lines"].as_array().expect("lines");
    assert_eq!((&lines[0]["seeds"], &lines[1]["method"]), (&serde_json::json!([1, 2]), &"simsiam".into()));
    let [own, control] =
        ["trained", "untrained"].map(|of| lines[1]["probes"][1][of]["accuracy"]["mean"].as_f64().expect("a share"));
    let [pixels, pca] =
        ["pixels", "pca"].map(|of| lines[1]["probes"][1][of]["accuracy"]["mean"].as_f64().expect("a share"));
    let points = lines[1]["probes"][1]["points"]["mean"].as_f64().expect("points");
    assert!((points - 100.0 * (own - control.max(pixels).max(pca))).abs() < 1e-9, "{report}");

    let csv = lab.succeeds("compare runs --format csv --probe knn").out;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    // counted from the end: the device's name holds a comma
    let column = rows[0].iter().rev().position(|head| *head == "knn").expect("a column");
    assert_eq!(rows[2].iter().rev().nth(column).and_then(|cell| cell.parse().ok()), Some(own));
    assert!(csv.contains(",\"CPU (flex, ") && csv.contains(",rotation accuracy,0."), "{csv}");
    assert!(!csv.contains("linear"), "{csv}");
    let markdown = lab.succeeds("compare runs --format markdown").out;
    assert!(markdown.lines().any(|line| line.starts_with("| simsiam | 1 |")), "{markdown}");
    let cells = markdown.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count());
    let cells: Vec<usize> = cells.collect();
    assert!(cells.windows(2).all(|pair| pair[0] == pair[1]), "{markdown}");
    assert!(markdown.contains("| rotation accuracy "), "{markdown}");
    assert!(markdown.lines().any(|line| line.starts_with("| --- | --- |")), "{markdown}");

    // evaluations with other images are not reused, and here there are none to measure with
    lab.fails_with("compare runs/simsiam-1 --images 50 -q", 1, &["runs/simsiam-1 cannot be measured", "nolabel eval"]);
    lab.succeeds("eval runs/simsiam-1 --images 50 --data fashion-mnist:moved --device cpu -q");
    lab.succeeds("compare runs/simsiam-1 --images 50 -q");
}

#[test]
fn the_comparison_is_a_page_too() {
    let lab = trained();
    let said = lab.succeeds("compare runs --device cpu --out comparison.html -q").out;
    assert_eq!(said, "comparison.html: open it in a browser\n");
    let page = fs::read_to_string(lab.path("comparison.html")).expect("a file");
    for words in [
        "<h1>3 runs on fashion-mnist</h1>",
        "Linear probe, accuracy in percent",
        "kNN, accuracy in percent",
        "raw pixels",
        "validation images",
        "<pre>nolabel compare runs --device cpu --out comparison.html -q</pre>",
        "<dt>runs/rotation-2</dt><dd>seed 2, 3 steps",
        "<th>rotation<small>rotation accuracy ",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
    // everything is inside: nothing is fetched, nothing is executed
    for outside in ["<script", "<link", "url(", "src=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // two lines with two probes each, and the numbers are those of the other formats
    assert_eq!(page.matches("<circle class=\"dot trained\"").count(), 4);
    for control in ["pixels", "pca"] {
        assert_eq!(page.matches(&format!("class=\"level {control}\"")).count(), 2, "{control}: a line in each chart");
    }
    let report = json(&lab, "compare runs --format json");
    for line in report["data"][0]["lines"].as_array().expect("lines") {
        for reading in line["probes"].as_array().expect("readings") {
            for of in ["trained", "untrained", "pixels", "pca"] {
                let mean = reading[of]["accuracy"]["mean"].as_f64().expect("a share");
                assert!(page.contains(&format!(">{:.1}", 100.0 * mean)), "{of} of {line}");
            }
        }
    }

    lab.succeeds("compare runs --out table.csv");
    let written = fs::read_to_string(lab.path("table.csv")).expect("a file");
    assert_eq!(written, lab.succeeds("compare runs --format csv").out, "the ending says what is written");
    lab.fails_with("compare runs --out table.pdf", 2, &["table.pdf", ".html", "--format"]);
    lab.fails_with("compare runs --out images", 2, &["images is a folder"]);
    lab.fails_with("compare runs --out nowhere/x.html", 1, &["nowhere/x.html"]);
}

#[test]
fn runs_that_cannot_be_compared_are_named() {
    let lab = Lab::new();
    lab.fails_with("compare images", 1, &["no run in images", "nolabel train"]);
    lab.fails_with("compare nowhere", 1, &["no run in nowhere"]);
    lab.fails_with("compare", 2, &["RUN"]);
    lab.succeeds(&format!("{TRAINING} --steps 3 --out runs/run -q"));
    fs::remove_dir_all(lab.path("runs/run/checkpoints")).expect("a folder");
    lab.fails_with("compare runs/run", 1, &["has no checkpoint yet", "another folder"]);
    lab.succeeds(&format!("{TRAINING} --steps 3 --out runs/whole -q"));
    let said = lab.succeeds("compare runs --device cpu --probe knn --images 50 -q");
    assert!(said.err.starts_with("warning: left out: the run in runs/run"), "{}", said.err);
    fs::write(lab.path("runs/whole/eval.json"), "[").expect("a file");
    lab.fails_with("compare runs/whole", 1, &["eval.json cannot be read", "delete it"]);
}

#[test]
fn features_are_written_for_other_programs() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    let said = lab.succeeds("embed run --out test.csv --layer block3 --grid 2 --device cpu -q").out;
    assert!(said.starts_with("40 images of fashion-mnist, 64 features of block3, in test.csv"), "{said}");
    let text = fs::read_to_string(lab.path("test.csv")).expect("a file");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0].len()), (TEST + 1, 3 + 64));
    assert_eq!(rows[0][..4], ["index", "label", "class", "f0"]);
    assert_eq!(rows[13][..3], ["12", "2", "pullover"]);

    lab.succeeds("embed run --out test.npy --layer block3 --grid 2 --device cpu -q");
    let array = |name: &str| {
        let bytes = fs::read(lab.path(name)).expect("a file");
        let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert!(bytes.starts_with(b"\x93NUMPY\x01\x00") && end.is_multiple_of(64) && bytes[end - 1] == b'\n');
        (String::from_utf8(bytes[10..end].to_vec()).expect("text"), bytes[end..].to_vec())
    };
    let (header, values) = array("test.npy");
    assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (40, 64), }"), "{header}");
    let floats: Vec<f32> =
        values.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four"))).collect();
    let written: Vec<f32> =
        rows[1..].iter().flat_map(|row| row[3..].iter().map(|x| x.parse().expect("a number"))).collect();
    assert_eq!(floats, written, "both formats hold the same to the last bit");
    assert!(floats.iter().any(|value| *value > 0.0));
    let (header, labels) = array("test-labels.npy");
    assert!(header.contains("'<u2'") && header.contains("(40,)") && labels[..6] == [0, 0, 1, 0, 2, 0], "{header}");

    lab.succeeds("embed run --out test.parquet --layer block3 --grid 2 --device cpu -q");
    let columns = SerializedFileReader::new(fs::File::open(lab.path("test.parquet")).expect("a file"));
    let columns: Vec<Row> = columns.expect("a Parquet file").into_iter().map(|row| row.expect("a row")).collect();
    assert_eq!(columns.len(), TEST);
    for (row, line) in columns.iter().zip(&rows[1..]) {
        let cells: Vec<(&str, String)> =
            row.get_column_iter().map(|(name, cell)| (name.as_str(), cell.to_string())).collect();
        assert_eq!(cells.iter().map(|(name, _)| *name).collect::<Vec<_>>(), rows[0]);
        assert_eq!([&cells[0].1, &cells[1].1], [line[0], line[1]]);
        assert_eq!(cells[2].1.trim_matches('"'), line[2]);
        let floats = (3..cells.len()).map(|column| row.get_float(column).expect("a float").to_string());
        assert_eq!(floats.collect::<Vec<_>>(), line[3..]);
    }

    let said = lab.succeeds("embed run --out few.csv --split train --images 7 --device cpu -q").out;
    assert!(said.starts_with("7 images of fashion-mnist, 16 features of gap"), "{said}");
    let text = fs::read_to_string(lab.path("few.csv")).expect("a file");
    let indices: Vec<usize> =
        text.lines().skip(1).map(|line| line.split(',').next().expect("an index").parse().expect("a number")).collect();
    assert!(indices.len() == 7 && indices.is_sorted() && indices[6] > 6, "drawn from all of them: {indices:?}");
    lab.fails_with("embed run --out features.txt", 2, &["features.txt", ".npy", ".csv", ".parquet"]);
    lab.fails_with("embed run --out x.csv --layer block9 --device cpu -q", 2, &["no layer `block9`", "block4"]);
    lab.fails_with("embed images --out x.csv", 1, &["no run in images"]);
    lab.fails_with("embed run --out nowhere/x.csv --device cpu -q", 1, &["nowhere/x.csv"]);
}

#[test]
fn features_are_mapped_for_other_programs() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 3 --out run -q"));
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(lab.path(name)).expect("a file");
        text.lines().map(|line| line.split(',').map(String::from).collect()).collect()
    };
    for (map, title) in [("pca", "PCA"), ("tsne", "t-SNE")] {
        let said = lab.succeeds(&format!("embed run --out {map}.csv --layer block3 --map {map} --device cpu -q")).out;
        assert_eq!(said, format!("40 images of fashion-mnist, places by {title} of block3, in {map}.csv\n"));
        let rows = rows(&format!("{map}.csv"));
        assert_eq!((rows.len(), rows[0].join(",")), (TEST + 1, "index,label,class,x,y".to_string()));
        // images of a class are stripes of one kind: they lie nearer to one another than to others
        let place = |row: &Vec<String>| [3, 4].map(|column: usize| row[column].parse::<f64>().expect("a number"));
        let apart = |a: &Vec<String>, b: &Vec<String>| {
            let ([ax, ay], [bx, by]) = (place(a), place(b));
            (ax - bx).hypot(ay - by)
        };
        let mean = |same: bool| {
            let pairs = rows[1..].iter().enumerate().flat_map(|(i, a)| rows[1..i + 1].iter().map(move |b| (a, b)));
            let found: Vec<f64> = pairs.filter(|(a, b)| (a[1] == b[1]) == same).map(|(a, b)| apart(a, b)).collect();
            found.iter().sum::<f64>() / found.len() as f64
        };
        assert!(mean(true) < 0.7 * mean(false), "{map}: {} and {}", mean(true), mean(false));
    }
    lab.succeeds("embed run --out map.npy --map tsne --device cpu -q");
    let bytes = fs::read(lab.path("map.npy")).expect("a file");
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("'shape': (40, 2)"));
    lab.fails_with("embed run --out x.csv --map umap", 2, &["umap", "tsne"]);
}

#[test]
fn the_report_is_one_page_with_everything_in_it() {
    let lab = trained();
    let said = lab.succeeds("report runs/rotation-1 --device cpu -q").out;
    assert!(said.starts_with("runs/rotation-1/report.html"), "{said}");
    let page = fs::read_to_string(lab.path("runs/rotation-1/report.html")).expect("a file");
    for words in [
        "<h1>Rotation prediction",
        "What it learned",
        "How training went",
        "Health",
        "Views and predictions",
        "Nearest neighbours",
        "A map of the features",
        "Confusion matrix",
        "PCA of raw pixels",
        "t-SNE: neighbours stay neighbours",
        "nolabel train rotation --data fashion-mnist:",
        "--set encoder.width=4",
        "raw pixels",
    ] {
        assert!(page.contains(words), "no `{words}`");
    }
    // everything is inside: nothing is fetched, nothing is executed
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("url("));
    let sources = page.split("src=\"").skip(1);
    assert!(sources.clone().count() > 50 && sources.clone().all(|source| source.starts_with("data:image/png;base64,")));
    // the table has the numbers that eval kept
    let kept: Value = serde_json::from_str(&fs::read_to_string(lab.path("runs/rotation-1/eval.json")).expect("a file"))
        .expect("JSON");
    for row in kept[0]["rows"].as_array().expect("rows") {
        let text = format!("{:.1} %<small>", 100.0 * row["accuracy"].as_f64().expect("a share"));
        assert!(page.contains(&text), "{row}");
    }
    let again = lab.succeeds("report runs/rotation-1 --device cpu --out again.html");
    assert!(!again.err.contains("raw pixels"), "what is known is not measured again: {}", again.err);
    assert_eq!(fs::read_to_string(lab.path("again.html")).expect("a file"), page);

    lab.succeeds("report runs/simsiam-1 --device cpu --images 50 -q");
    lab.fails_with("report images", 1, &["no run in images"]);
    lab.fails_with("report runs/simsiam-1 --out images -q", 2, &["images is a folder"]);
    lab.fails_with("report runs/simsiam-1 --out nowhere/x.html --device cpu -q", 1, &["nowhere/x.html"]);
}
