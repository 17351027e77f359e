//! `nolabel watch`: a run followed while another process trains it, and told after its end.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{Lab, Said, TRAINING, wait_until};

fn spawn(lab: &Lab, arguments: &str) -> Child {
    lab.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

fn told(lab: &Lab, run: &str) -> Value {
    serde_json::from_str(&lab.run(&format!("watch {run} --json")).out).expect("JSON")
}

#[test]
fn a_finished_run_says_where_it_ended() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 12 --out run -q"));
    let said = lab.succeeds("watch run");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("rotation on fashion-mnist, seed 1: finished, on CPU"), "{said:?}");
    assert!(lines[1].starts_with("step 12 of 12, epoch 1.0, loss ") && lines[1].contains(", in "), "{said:?}");
    assert!(lines[2].starts_with("health at step ") && lines[2].ends_with(": healthy"), "{said:?}");
    assert_eq!(lines[3..], ["last checkpoint: step 12"]);
    let summary = told(&lab, "run");
    for (key, value) in [("state", json!("finished")), ("step", json!(12)), ("total_steps", json!(12))] {
        assert_eq!(summary[key], value, "{summary}");
    }
    assert_eq!((&summary["health"], &summary["seconds_left"]), (&json!("healthy"), &Value::Null), "{summary}");
    lab.fails_with("watch nowhere", 1, &["there is no run in nowhere", "the runs here: run"]);
}

#[test]
fn a_killed_run_is_told_from_one_that_is_trained() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 12 --save-every 4 --out run -q"));
    // as a process leaves it that is killed in the middle of a line
    let path = lab.path("run/events.jsonl");
    let text = fs::read_to_string(&path).expect("events");
    let end = text.match_indices("{\"event\":\"step\"").nth(6).expect("the seventh step").0;
    fs::write(&path, &text[..end + 9]).expect("a file");
    let said = lab.run("watch run");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains(": failed or killed, on CPU") && said.out.contains("step 6 of 12"), "{said:?}");
    assert!(said.out.contains("last checkpoint: step 4"), "{said:?}");
    assert!(said.err.contains("failed or was killed; continue with\n  nolabel train --resume --out run"), "{said:?}");
    assert_eq!(told(&lab, "run")["state"], "killed");
}

/// A cluster warns with SIGTERM: the run is saved, its watcher says so, and the resumed run is that of an undisturbed one.
#[cfg(unix)]
#[test]
fn a_run_is_followed_until_its_cluster_ends_it() {
    let lab = Lab::new();
    let training = format!("{TRAINING} --epochs 40 --save-every 1h -q");
    lab.succeeds(&format!("{training} --out whole"));
    let mut child = spawn(&lab, &format!("{training} --out run"));
    wait_until("some steps", || lab.path("run/run.toml").is_file() && told(&lab, "run")["step"].as_u64() >= Some(3));
    let said = lab.succeeds("watch run --once");
    assert!(said.out.contains(": being trained, on CPU") && said.out.contains(" left"), "{said:?}");
    let watcher = spawn(&lab, "watch run");
    wait_until("further steps", || told(&lab, "run")["step"].as_u64() >= Some(40));
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(asked.success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let followed = Said::from(watcher.wait_with_output().expect("it ends with the run"));
    assert_eq!(followed.code, Some(1), "{followed:?}");
    let summary = told(&lab, "run");
    assert_eq!((&summary["state"], &summary["last_checkpoint"]), (&json!("stopped"), &summary["step"]), "{summary}");
    assert!(followed.out.contains(&format!("step {} of 480", summary["step"])), "{followed:?}");
    assert!(followed.err.contains("was stopped before its last step; continue with"), "{followed:?}");

    lab.succeeds("train --resume --out run --device cpu -q");
    crate::resume::assert_same(&lab, "whole", "run");
    lab.succeeds("watch run");
}

#[test]
fn as_many_checkpoints_are_kept_as_asked() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 10 --save-every 2 --keep-last 4 --out run -q"));
    let steps = |steps: &[usize]| steps.iter().map(|step| format!("step-{step:08}.safetensors")).collect::<Vec<_>>();
    assert_eq!(lab.checkpoints("run"), steps(&[4, 6, 8, 10]));
    lab.succeeds("train --resume --out run --steps 12 --save-every 2 --device cpu -q");
    assert_eq!(lab.checkpoints("run"), steps(&[10, 12]));
    lab.fails_with(&format!("{TRAINING} --keep-last 0 --out other"), 2, &["--keep-last"]);
}
