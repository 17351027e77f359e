//! Help, lists and bad usage.

use std::io::Read;
use std::process::Stdio;

use serde_json::json;

use crate::Lab;
use nolabel::methods::METHODS;

#[test]
fn the_list_of_methods_is_the_list_of_the_library() {
    let lab = Lab::new();
    let text = lab.succeeds("methods").out;
    let json = lab.succeeds("methods --json").out;
    let cards: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(cards.as_array().map(Vec::len), Some(METHODS.len()));
    for (entry, card) in METHODS.iter().zip(cards.as_array().expect("a list")) {
        let info = entry.info();
        assert!(text.contains(info.id) && text.contains(info.task), "{} is not listed", info.id);
        assert_eq!(card["id"], info.id);
        assert_eq!(card["small"]["method"], info.id, "the preset comes with the card");
        let explained = lab.succeeds(&format!("methods {}", info.id)).out;
        assert!(explained.contains("optimizer.lr") && explained.contains(info.url), "{explained}");
        assert!(explained.contains(&format!("Group: {}", info.group.title())), "{explained}");
    }
    // every setting with meaning, range and both values
    let card = &cards[METHODS.iter().position(|entry| entry.info().id == "simsiam").expect("a method")];
    let option = |key: &str| {
        let list = card["options"].as_array().expect("a list").iter();
        list.clone().find(|option| option["key"] == key).unwrap_or_else(|| panic!("no option {key}")).clone()
    };
    let predictor = option("predictor");
    assert!(predictor["help"].as_str().expect("a text").starts_with("Width of the predictor's bottleneck"));
    assert_eq!(
        [&predictor["range"], &predictor["small"], &predictor["full"]],
        [&json!("1 to 65536"), &json!(128), &json!(512)]
    );
    assert_eq!(option("encoder.kind")["full"], "resnet18-cifar");
    assert_eq!(option("schedule.per_epoch")["range"], "true or false");
    let table = lab.succeeds("methods simsiam").out;
    for column in
        ["key ", "meaning", "range", "small", "full", "Stop the gradient at the target view.", "stop_gradient=false"]
    {
        assert!(table.contains(column), "no {column} in {table}");
    }
    assert!(lab.succeeds("methods motion").out.contains("Settings for moving-shapes"));
    assert!(lab.succeeds("methods motion --data clips").out.contains("Settings for clips"));
}

#[test]
fn the_readme_has_the_table_of_methods() {
    let printed = Lab::new().succeeds("methods --format markdown").out;
    let readme = include_str!("../../README.md");
    let (_, after) =
        readme.split_once("<!-- methods: printed by `nolabel methods --format markdown` -->\n").expect("a mark");
    let (table, _) = after.split_once("<!-- end of methods -->").expect("a mark");
    assert_eq!(table, printed, "put the printed table into README.md");
    assert_eq!(printed.lines().count(), METHODS.len() + 2);
}

#[test]
fn help_teaches() {
    let lab = Lab::new();
    let top = lab.succeeds("--help").out;
    for command in ["toy", "methods", "data", "devices", "train", "eval", "serve"] {
        assert!(top.contains(command), "no `{command}` in\n{top}");
        assert_eq!(lab.run(&format!("{command} --help")).code, Some(0), "nolabel {command} --help");
    }
    let train = lab.succeeds("train --help").out;
    let flat = train.split_whitespace().collect::<Vec<_>>().join(" ");
    for entry in METHODS {
        assert!(flat.contains(&format!("{}: {}", entry.info().id, entry.info().task)), "{train}");
    }
    assert!(train.contains("nolabel train --resume"), "{train}");
    assert!(lab.succeeds("--version").out.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_usage_exits_with_2_and_names_a_remedy() {
    let lab = Lab::new();
    let data = "--data fashion-mnist:images";
    lab.fails_with(&format!("train rotatoin {data}"), 2, &["rotatoin", "'rotation'"]);
    lab.fails_with("train rotation --data fashon-mnist:images", 2, &["fashon-mnist", "'fashion-mnist'"]);
    lab.fails_with("train rotation", 2, &["--data"]);
    lab.fails_with(&format!("train rotation {data} --device cuda"), 2, &["cuda", "gpu:0"]);
    lab.fails_with(&format!("train rotation {data} --preset tiny"), 2, &["tiny", "small"]);
    lab.fails_with(&format!("train rotation {data} --epochs 2 --steps 2"), 2, &["--epochs", "--steps"]);
    lab.fails_with(&format!("train rotation {data} --steps 0"), 2, &["0"]);
    lab.fails_with(&format!("train rotation {data} --lr -1"), 2, &["optimizer.lr"]);
    lab.fails_with(
        &format!("train rotation {data} --batch 1"),
        2,
        &["`batch` must be a whole number, 2 or more images, not 1"],
    );
    lab.fails_with(&format!("train rotation {data} --batch 101 --device cpu"), 2, &["only 100 training images"]);
    let endless = format!("train moco {data} --batch 8 --set queue=16777216 --device cpu");
    lab.fails_with(&endless, 2, &["more than 1024 million values", "lower"]);
    lab.fails_with(&format!("train rotation {data} --set flp=true"), 2, &["`flp`", "did you mean `flip`"]);
    lab.fails_with(
        &format!("train rotation {data} --set flip=perhaps"),
        2,
        &["`flip` must be true or false, not perhaps"],
    );
    lab.fails_with(&format!("train rotation {data} --set flip"), 2, &["KEY=VALUE"]);
    lab.fails_with(&format!("train rotation {data} --set method=simsiam"), 2, &["an argument of its own"]);
    lab.fails_with(
        &format!("train rotation {data} --steps 4 --set steps=9"),
        2,
        &["`steps` is given twice", "--steps"],
    );
    lab.fails_with(
        &format!("train rotation {data} --set size=100000"),
        2,
        &["`size` must be a whole number, 0 to 2048 px, not 100000"],
    );
    lab.fails_with(
        &format!("train rotation {data} --batch 8 --set micro_batches=3"),
        2,
        &["micro_batches must divide batch"],
    );
    lab.fails_with(
        &format!("train byol {data} --batch 8 --set width=0 --device cpu"),
        2,
        &["`width` must be a whole number, 1 to 65536"],
    );
    lab.fails_with(
        &format!("train simsiam {data} --batch 8 --set layers=0 --device cpu"),
        2,
        &["`layers` must be a whole number, 1 to 64 layers, not 0"],
    );
    lab.fails_with(&format!("train rotation {data} --keep-best rank"), 2, &["no embeddings", "--keep-best loss"]);
    lab.fails_with(
        &format!("train rotation {data} --set schedule.at_epochs=[2]"),
        2,
        &["set schedule.kind=steps before"],
    );
    lab.fails_with(
        &format!("train rotation {data} --set schedule.kind=stairs"),
        2,
        &["stairs", "cosine, steps or steps-then-line"],
    );
    lab.fails_with(&format!("train rotation {data} --save-every soon"), 2, &["soon", "5m"]);
    lab.fails_with("eval", 2, &["RUN"]);
    lab.fails_with("fly", 2, &["fly"]);
    assert!(!lab.path("runs").exists(), "nothing is written for what is refused");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child =
        Lab::new().command("methods --json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert_eq!((child.wait().expect("ends").code(), err.as_str()), (Some(0), ""));
}

#[test]
fn the_cpu_is_always_listed() {
    let said = Lab::new().succeeds("devices --json").out;
    let found: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let listed = found["devices"].as_array().expect("a list");
    assert_eq!(listed.last().map(|device| device["choice"].clone()), Some("cpu".into()));
    assert_ne!(found["auto"]["kind"], "software-gpu");
}

#[test]
fn without_a_command_the_help_is_the_result() {
    let lab = Lab::new();
    let said = lab.succeeds("");
    assert!(said.out.contains("Usage: nolabel <COMMAND>") && said.out.contains("Start here:"), "{}", said.out);
    assert_eq!(said.err, "");
    assert!(lab.succeeds("data").out.contains("Usage: nolabel data <COMMAND>"));
}

#[test]
fn a_wrong_path_to_a_run_is_answered_with_the_runs_there_are() {
    let lab = Lab::new();
    lab.fails_with("eval nowhere", 1, &["no run in nowhere: it does not exist", "`nolabel train` makes one"]);
    for name in ["runs/one", "runs/two", "mine"] {
        lab.succeeds(&format!("{} --steps 1 --out {name} -q", crate::TRAINING));
    }
    for command in ["eval nowhere", "export nowhere --out x.onnx", "report nowhere", "compare nowhere"] {
        lab.fails_with(command, 1, &["no run in nowhere: it does not exist; the runs here: mine, runs/one, runs/two"]);
    }
    lab.fails_with("eval runs", 1, &["no run in runs: it has no run.toml; the runs here: runs/one, runs/two"]);
    lab.fails_with("eval runs/three", 1, &["the runs here: runs/one, runs/two"]);
}
