//! `nolabel train` from start to end.

use std::fs;

use crate::{Lab, TRAINING};
use nolabel::session::checkpoint;
use nolabel::session::event::{Event, Verdict};

#[test]
fn a_run_leaves_its_record_its_events_and_two_checkpoints() {
    let lab = Lab::new();
    let said = lab.succeeds(&format!("{TRAINING} --steps 30 --save-every 10 --seed 3 --lr 0.01"));
    let run = "runs/rotation-fashion-mnist-3";
    assert!(said.out.contains("rotation accuracy on 40 test images"), "{}", said.out);
    assert!(said.out.contains(&format!("nolabel eval {run}")), "{}", said.out);
    assert!(said.err.contains("step 30/30") && said.err.contains("epoch 2/3"), "{}", said.err);

    let record: toml::Table =
        fs::read_to_string(lab.path(run).join("run.toml")).expect("a file").parse().expect("TOML");
    assert_eq!(record["nolabel"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(record["config"]["optimizer"]["lr"].as_float(), Some(0.01));
    assert_eq!(record["config"]["encoder"]["width"].as_integer(), Some(4));
    assert_eq!(record["data"]["train_images"].as_integer(), Some(100));
    assert_eq!(record["data"]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(record["device"]["kind"].as_str(), Some("cpu"));

    let events = lab.events(run);
    assert!(
        matches!(&events[0], Event::Started(started) if started.total_steps == 30 && started.steps_per_epoch == 12)
    );
    let steps: Vec<usize> =
        events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step.step) } else { None }).collect();
    assert_eq!(steps, (1..=30).collect::<Vec<_>>(), "on the CPU every step is told");
    assert!(matches!(events.last(), Some(Event::Done(done)) if done.finished && done.step == 30));

    assert_eq!(lab.checkpoints(run), ["step-00000020.safetensors", "step-00000030.safetensors"]);
    let bytes = fs::read(lab.path(run).join("checkpoints/step-00000030.safetensors")).expect("a file");
    let (header, tensors) = checkpoint::read(&bytes).expect("whole");
    assert_eq!((header.step, header.config.seed), (30, 3));
    assert!(tensors.keys().any(|name| name.starts_with("model.encoder.")));
}

#[test]
fn existing_files_are_not_overwritten() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 2 -q"));
    let before = fs::read(lab.path("runs/rotation-fashion-mnist-1/events.jsonl")).expect("a file");
    lab.fails_with(&format!("{TRAINING} --steps 2"), 1, &["holds a run already", "--resume", "--out"]);
    assert_eq!(fs::read(lab.path("runs/rotation-fashion-mnist-1/events.jsonl")).expect("a file"), before);
    lab.fails_with(&format!("{TRAINING} --steps 2 --out images"), 1, &["images is not empty", "--out"]);
    fs::create_dir(lab.path("empty")).expect("a folder");
    lab.succeeds(&format!("{TRAINING} --steps 2 --out empty"));
}

#[test]
fn quiet_runs_print_only_the_result() {
    let lab = Lab::new();
    let said = lab.succeeds(&format!("{TRAINING} --epochs 1 -q"));
    assert_eq!(said.err, "");
    assert!(said.out.starts_with("rotation on fashion-mnist, seed 1: 12 steps in "), "{}", said.out);
}

#[test]
fn a_run_can_be_probed_on_its_way() {
    let lab = Lab::new();
    let said = lab.succeeds(&format!("{TRAINING} --steps 10 --probe-every 5 --out probed"));
    let events = lab.events("probed");
    let probed: Vec<usize> = events
        .iter()
        .filter_map(|event| if let Event::Probe(probe) = event { Some(probe.step) } else { None })
        .collect();
    assert_eq!(probed, [0, 5, 10]);
    assert!(said.err.contains("probe at step 5") && said.err.contains("untrained"), "{}", said.err);
    // probes while training do not change the result
    lab.succeeds(&format!("{TRAINING} --steps 10 --out alone"));
    let loss = |run| {
        lab.events(run)
            .iter()
            .filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(loss("probed"), loss("alone"));
}

#[test]
fn a_run_that_diverges_fails_in_words() {
    let lab = Lab::new();
    let said = lab.run(&format!("{TRAINING} --steps 200 --lr 1e30 -q"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the run has diverged"), "{}", said.err);
}

#[test]
fn micro_batches_and_step_schedules_can_be_set() {
    let lab = Lab::new();
    let stepped = "--set micro_batches=2 --set schedule.kind=steps --set schedule.at_epochs=[1]";
    lab.succeeds(&format!("{TRAINING} --epochs 2 {stepped} --out run -q"));
    let rates: Vec<f64> = lab
        .events("run")
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.learning_rate) } else { None })
        .collect();
    assert_eq!(rates.len(), 24);
    assert!((rates[23] / rates[0] - 0.1).abs() < 1e-9, "{rates:?}");
}

#[test]
fn a_collapsed_run_warns_and_stops_on_request() {
    let lab = Lab::new();
    let run = "runs/rotation-fashion-mnist-1";
    // checkpoints by steps: on a slow machine those by time would be written, too
    let hopeless = format!("{TRAINING} --steps 350 --lr 1e-12 --stop-on-collapse --save-every 1000");
    let said = lab.run(&hopeless);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for words in ["The run has stalled at step 300", "saved and ended after step 300", "--resume"] {
        assert!(said.err.contains(words), "no `{words}` in\n{}", said.err);
    }
    assert!(!said.err.contains("--stop-on-collapse"), "the command goes on all the same: {}", said.err);
    assert_eq!(lab.checkpoints(run), ["step-00000300.safetensors"]);
    let events = lab.events(run);
    let verdicts = events.iter().filter_map(|event| match event {
        Event::Health(health) => Some((health.step, health.verdict == Verdict::Healthy)),
        _ => None,
    });
    let looks: Vec<_> =
        [1, 50, 100, 150, 200, 250].into_iter().map(|step| (step, true)).chain([(300, false)]).collect();
    assert_eq!(verdicts.collect::<Vec<_>>(), looks);
    assert!(matches!(events.last(), Some(Event::Done(done)) if !done.finished && done.step == 300));
}
