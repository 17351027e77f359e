//! `nolabel sweep`: many runs, killed, stopped and resumed.

use std::fs;
use std::process::Stdio;

use crate::resume::assert_same;
use crate::{Lab, Said, TRAINING, wait_until};
use nolabel::session::event::Event;

/// Four runs of seconds.
const SWEEP: &str = "sweep rotation,aet --data fashion-mnist:images --seeds 1,2 --batch 8 --steps 12 --device cpu \
                     --set encoder.width=4 --probe knn --out runs";

/// Number of times that a run was started or resumed.
fn starts(lab: &Lab, run: &str) -> usize {
    lab.events(run).iter().filter(|event| matches!(event, Event::Started(_))).count()
}

#[test]
fn a_sweep_killed_after_its_first_run_does_not_train_it_again() {
    let lab = Lab::new();
    let planned = lab.succeeds(&format!("{SWEEP} --dry-run")).out;
    assert!(planned.starts_with("4 runs in runs, 0 of them done"), "{planned}");
    assert!(!lab.path("runs").exists(), "a plan writes nothing");
    let mut child = lab.command(SWEEP).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let measured = lab.path("runs/rotation-fashion-mnist-1/eval.json");
    let whole = || fs::read_to_string(&measured).is_ok_and(|text| text.contains("supervised"));
    wait_until("the first run, with its last control", whole);
    child.kill().expect("it may have ended");
    child.wait().expect("ends");
    let log = lab.path("runs/rotation-fashion-mnist-1/events.jsonl");
    let before = (fs::read(&log).expect("a file"), fs::read(&measured).expect("a file"));

    let said = lab.succeeds(SWEEP);
    assert!(said.err.contains("4 runs in runs, "), "{}", said.err);
    assert!(said.err.contains("1/4  rotation-fashion-mnist-1  done"), "{}", said.err);
    assert!(said.err.contains("run 4 of 4: aet-fashion-mnist-2"), "{}", said.err);
    assert!(!said.err.contains("run 1 of 4"), "the first is not begun again: {}", said.err);
    assert_eq!((fs::read(&log).expect("a file"), fs::read(&measured).expect("a file")), before);
    // the second run may have been killed before its first checkpoint: it alone may have started twice
    let caught = starts(&lab, "runs/aet-fashion-mnist-1");
    for run in ["rotation-fashion-mnist-1", "rotation-fashion-mnist-2", "aet-fashion-mnist-2"] {
        assert_eq!(starts(&lab, &format!("runs/{run}")), 1, "{run}");
    }

    // a sweep trains the same runs as `nolabel train`, and its table is that of `nolabel compare`
    lab.succeeds(&format!("{TRAINING} --steps 12 --seed 2 --out alone -q"));
    assert_same(&lab, "alone", "runs/rotation-fashion-mnist-2");
    let hint = said.err.lines().find_map(|line| line.strip_prefix("the table again: nolabel ")).expect("a hint");
    assert_eq!(hint, "compare runs --probe knn");
    assert_eq!(lab.succeeds(hint).out, said.out);
    let (compared, asked) = said.out.split_once("its own task").expect("what each was asked");
    let rows = |text: &str| -> Vec<String> {
        let of_method = |line: &&str| line.starts_with("rotation") || line.starts_with("aet");
        text.lines().filter(of_method).map(String::from).collect()
    };
    for rows in [compared, asked].map(rows) {
        assert!(rows.len() == 2 && rows.iter().all(|row| row.contains('±')), "a row a method over two seeds: {rows:?}");
    }

    // nothing is left to do: the images are not even read
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    assert_eq!(lab.succeeds(SWEEP).out, said.out);
    lab.fails_with(&format!("{SWEEP} --seeds 1,2,3 -q"), 1, &["there is no folder"]);
    let more = lab.succeeds(&SWEEP.replace("1,2 ", "1,2,3 ").replace(":images", ":moved")).err;
    assert!(more.contains("5/6  rotation-fashion-mnist-3  to be trained"), "{more}");
    assert_eq!(starts(&lab, "runs/aet-fashion-mnist-1"), caught, "other files with the same images: {more}");
}

#[test]
fn processes_share_the_runs_of_a_sweep() {
    let lab = Lab::new();
    let spawn = || {
        let mut command = lab.command(&format!("{SWEEP} --no-supervised -q"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    };
    let said = [spawn(), spawn(), spawn()].map(|child| Said::from(child.wait_with_output().expect("ends")));
    for said in &said {
        assert_eq!((said.code, &said.out), (Some(0), &lab.succeeds("compare runs --probe knn").out), "{said:?}");
    }
    for method in ["rotation", "aet"] {
        for seed in [1, 2] {
            assert_eq!(starts(&lab, &format!("runs/{method}-fashion-mnist-{seed}")), 1, "{method} {seed}");
        }
    }
    let left = fs::read_dir(lab.path("runs")).expect("a folder").count();
    assert_eq!(left, 4, "no claim is left behind");
}

#[test]
fn a_sweep_is_listed_as_commands_of_one_run_each() {
    let lab = Lab::new();
    let sweep = format!("{SWEEP} --no-supervised");
    let listed = lab.succeeds(&format!("{sweep} --list")).out;
    let commands: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("nolabel ")).collect();
    assert_eq!(commands, [1, 2, 3, 4].map(|number| format!("{sweep} --only {number}")));
    // what another process trains is not waited for, since a scheduler asked for this very run
    fs::create_dir(lab.path("runs")).expect("a folder");
    let claim = lab.path("runs/aet-fashion-mnist-1.claim");
    let mut child =
        lab.command(&format!("{} -q", commands[1])).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut beat = 0;
    wait_until("the refusal", || {
        beat += 1;
        fs::write(&claim, format!("another-machine 7 {beat}\n")).expect("a file");
        child.try_wait().expect("it can be asked").is_some()
    });
    let said = Said::from(child.wait_with_output().expect("ended"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("another process trains this run on another-machine, process 7"), "{said:?}");
    fs::remove_file(&claim).expect("it was there");
    let said = lab.succeeds(commands[1]);
    assert!(said.err.contains("run 2 of 4: aet-fashion-mnist-1") && said.out.contains("aet"), "{said:?}");
    assert!(!said.out.contains("rotation"), "{said:?}");
    let listed = lab.succeeds(&format!("{sweep} --list")).out;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    lab.fails_with(&format!("{sweep} --only 5"), 2, &["the sweep has 4 runs"]);
}

#[test]
fn a_sweep_measures_the_supervised_control_by_default() {
    let lab = Lab::new();
    let sweep = SWEEP.replace("rotation,aet", "rotation").replace("--seeds 1,2", "--seeds 1");
    let without = lab.succeeds(&format!("{sweep} --no-supervised -q")).out;
    assert!(!without.contains("with labels"), "{without}");
    let planned = lab.succeeds(&format!("{sweep} --dry-run")).out;
    assert!(planned.contains("trained, to be measured"), "{planned}");
    let with = lab.succeeds(&format!("{sweep} -q")).out;
    assert!(with.contains("with labels"), "{with}");
    assert_eq!(starts(&lab, "runs/rotation-fashion-mnist-1"), 1, "it is measured again, not trained again");
    // another method of the same length with the same encoder has the same control
    let both = sweep.replace("sweep rotation", "sweep rotation,aet");
    let said = lab.succeeds(&both);
    assert!(!said.err.contains("supervised encoder: training"), "{}", said.err);
    let shares: Vec<&str> = said.out.lines().filter(|line| line.contains("in kNN")).collect();
    assert_eq!(shares.len(), 2, "{}", said.out);
    let json = lab.succeeds("compare runs --probe knn --format json -q").out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let of = |line: usize| json["data"][0]["lines"][line]["probes"][0]["supervised"].clone();
    assert!(of(0)["accuracy"]["mean"].is_number() && of(0) == of(1), "{json}");
}

#[test]
fn values_are_tried_and_a_failure_is_named_at_the_end() {
    let lab = Lab::new();
    let sweep = "sweep rotation --data fashion-mnist:images --batch 8 --steps 4 --device cpu --probe knn \
                 --set encoder.width=4 --set optimizer.lr=0.01,1e30 -q";
    let said = lab.run(sweep);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("error: 1 of 2 runs failed; the same command tries them again"), "{}", said.err);
    assert!(said.err.contains("\n  rotation-fashion-mnist-1-optimizer.lr=1e30: the loss is"), "{}", said.err);
    assert!(said.out.contains("fashion-mnist: probed with 100 training"), "what went well is shown: {}", said.out);
    assert!(lab.path("runs/sweep/rotation-fashion-mnist-1-optimizer.lr=0.01/eval.json").is_file());
}

#[test]
fn an_impossible_sweep_is_refused_before_any_training() {
    let lab = Lab::new();
    let refused =
        |arguments: &str, words: &[&str]| lab.fails_with(&format!("sweep {arguments} --device cpu -q"), 2, words);
    refused("rotation", &["--data"]);
    refused("rotatoin --data fashion-mnist", &["rotatoin", "'rotation'"]);
    refused("rotation --data fashion-mnist:images --set flp=true,false", &["`flp`", "did you mean `flip`"]);
    refused("rotation --data fashion-mnist:images --set optimizer.lr=0.1,", &["a value of optimizer.lr is missing"]);
    refused("rotation --data fashion-mnist:images --seeds one", &["one"]);
    refused("colorization --data fashion-mnist:images --dry-run", &["colorization needs colour images"]);
    refused(
        "rotation --data fashion-mnist:images --set batch=1,8",
        &["`batch` must be a whole number, 2 or more images, not 1"],
    );
    assert!(!lab.path("runs").exists(), "nothing is written for what is refused");
    lab.fails_with("sweep rotation --data fashion-mnist:nowhere --dry-run", 1, &["there is no folder", "nowhere"]);
    lab.succeeds(&format!("{TRAINING} --steps 3 --out runs/sweep/rotation-fashion-mnist-1 -q"));
    refused("rotation --data fashion-mnist:images --out runs/sweep/rotation-fashion-mnist-1", &["is a run itself"]);
    refused("rotation --data fashion-mnist:images --out images/train-labels-idx1-ubyte", &["is a file"]);
    refused(
        "rotation --data fashion-mnist:images --steps 4 --batch 8 --set encoder.width=4",
        &["steps is 3, not 4", "--out"],
    );
    let all = lab.succeeds("sweep all --data fashion-mnist --out many --dry-run").out;
    assert!(all.contains("left out: colorization needs colour images, motion needs clips"), "{all}");
    let able = nolabel::methods::METHODS.len() - 2;
    assert!(all.starts_with(&format!("{able} runs in many, 0 of them done")), "{all}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_the_same_command_resumes() {
    let lab = Lab::new();
    let sweep = SWEEP.replace("--steps 12", "--steps 400");
    lab.succeeds(&format!("{TRAINING} --steps 400 --seed 1 --out alone -q"));
    let child = lab.command(&sweep).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let log = lab.path("runs/aet-fashion-mnist-1/events.jsonl");
    let steps = || fs::read_to_string(&log).map_or(0, |text| text.matches("\"event\":\"step\"").count());
    wait_until("the second run", || steps() > 50);
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let said = Said::from(child.wait_with_output().expect("ends"));
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.err.contains(&format!("continue with\n  nolabel {sweep}")), "{}", said.err);
    assert_eq!(said.out, "", "a table would not be whole");

    let planned = lab.succeeds(&format!("{sweep} --dry-run")).out;
    assert!(planned.contains("2/4  aet-fashion-mnist-1       saved at step "), "{planned}");
    assert!(planned.contains("of training left"), "{planned}");
    lab.succeeds(&sweep.replace("--seeds 1,2", "--seeds 1"));
    assert_eq!((starts(&lab, "runs/rotation-fashion-mnist-1"), starts(&lab, "runs/aet-fashion-mnist-1")), (1, 2));
    assert_same(&lab, "alone", "runs/rotation-fashion-mnist-1");
}
