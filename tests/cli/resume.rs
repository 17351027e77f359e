//! Stopping, killing, damaging and resuming runs.

use std::fs;
use std::path::Path;

use crate::{Lab, TRAINING};
use nolabel::session::checkpoint;
use nolabel::session::event::Event;

/// Copies a run as it was when its newest checkpoint was that of step `step`: later checkpoints are missing, events are not.
pub fn copy_as_of(lab: &Lab, from: &str, to: &str, step: usize) {
    copy(&lab.path(from), &lab.path(to));
    for name in lab.checkpoints(to) {
        if name > format!("step-{step:08}.safetensors") {
            fs::remove_file(lab.path(to).join("checkpoints").join(name)).expect("it was there");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let (source, target) =
            (entry.as_ref().expect("an entry").path(), to.join(entry.expect("an entry").file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a copy");
        }
    }
}

/// Changes a bit of the byte `from_end` bytes before a file's end.
pub fn flip(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).expect("a file");
    let place = bytes.len() - from_end;
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("a file");
}

/// The parts that must be equal in two runs: everything but clocks, devices and files.
fn told(lab: &Lab, run: &str) -> Vec<String> {
    let events = lab.events(run).into_iter().filter_map(|event| match event {
        Event::Step(step) => Some(format!("{} {:?} {:?} {:?}", step.step, step.loss, step.metric, step.learning_rate)),
        Event::Epoch(epoch) => Some(format!("{epoch:?}")),
        Event::Pretext(pretext) => Some(format!("{pretext:?}")),
        _ => None,
    });
    events.collect()
}

pub fn assert_same(lab: &Lab, a: &str, b: &str) {
    assert_eq!(told(lab, a), told(lab, b));
    let last = lab.checkpoints(a).pop().expect("a checkpoint");
    let read = |run: &str| {
        let bytes = fs::read(lab.path(run).join("checkpoints").join(&last)).expect("a file");
        checkpoint::read(&bytes).expect("whole")
    };
    let (a, a_tensors) = read(a);
    let (b, b_tensors) = read(b);
    assert_eq!((a.step, a.epoch_loss.to_bits(), a.epoch_metric), (b.step, b.epoch_loss.to_bits(), b.epoch_metric));
    assert!(a_tensors.len() > 20, "model and optimiser are there");
    assert_eq!(a_tensors, b_tensors);
}

#[test]
fn a_resumed_run_equals_one_that_was_never_stopped() {
    let lab = Lab::new();
    // 12 steps an epoch: step 18 lies in the middle of one, step 24 at the end of one
    lab.succeeds(&format!("{TRAINING} --steps 30 --out whole -q"));
    for (every, step) in [(18, 18), (24, 24), (5, 25)] {
        let cut = format!("cut{step}");
        let resumed = format!("resumed{step}");
        lab.succeeds(&format!("{TRAINING} --steps 30 --save-every {every} --out {cut} -q"));
        copy_as_of(&lab, &cut, &resumed, step);
        let said = lab.succeeds(&format!("train --resume --out {resumed} --device cpu"));
        assert!(said.err.contains(&format!("resumed after step {step}")), "{}", said.err);
        assert_same(&lab, "whole", &resumed);
    }
}

#[test]
fn a_run_that_was_never_saved_begins_again() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 6 --out whole -q"));
    copy_as_of(&lab, "whole", "again", 0);
    lab.fails_with("eval again --device cpu", 1, &["has no checkpoint yet"]);
    lab.succeeds("train --resume --out again --device cpu -q");
    assert_same(&lab, "whole", "again");
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_previous() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 20 --save-every 8 --out whole -q"));
    copy_as_of(&lab, "whole", "damaged", 20);
    flip(&lab.path("damaged/checkpoints/step-00000020.safetensors"), 100);
    let said = lab.succeeds("train --resume --out damaged --device cpu -q");
    assert!(said.err.starts_with("warning: ") && said.err.contains("continues from step 16"), "{}", said.err);
    assert_same(&lab, "whole", "damaged");
    for name in lab.checkpoints("damaged") {
        fs::write(lab.path("damaged/checkpoints").join(name), "nothing").expect("a file");
    }
    lab.fails_with("train --resume --out damaged --device cpu", 1, &["nor can an earlier one"]);
}

#[test]
fn arguments_that_contradict_the_run_are_refused() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 4 --out run -q"));
    let refused = [("--batch 16", "batch is 8, not 16"), ("--seed 2", "seed is 1, not 2")];
    for (argument, words) in refused {
        lab.fails_with(&format!("train --resume --out run --device cpu {argument}"), 2, &["is another run", words]);
    }
    lab.fails_with("train --resume --out run --set flip=true", 2, &["options.flip is false, not true"]);
    lab.fails_with("train --resume --out run --preset full", 2, &["preset is \"small\", not \"full\""]);
    lab.fails_with("train --resume --out nowhere", 1, &["no run in nowhere"]);
    lab.fails_with("train --resume", 2, &["--out"]);
    lab.fails_with("train --resume --out run --device cpu --steps 2", 2, &["the run has taken 4 steps already"]);
    // the same arguments are no contradiction; the run is finished and prints its result
    let said = lab.succeeds(&format!("{TRAINING} --steps 4 --resume --out run"));
    assert!(said.err.contains("run is finished") && said.out.contains("4 steps in"), "{said:?}");
    let record = lab.path("run/run.toml");
    let edited = fs::read_to_string(&record).expect("a file").replace("batch = 8", "batch = 16");
    fs::write(&record, edited).expect("a file");
    lab.fails_with("train --resume --out run", 1, &["batch is 8, not 16", "put it back"]);
}

#[test]
fn a_run_resumes_with_the_images_it_began_with() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 4 --out run -q"));
    lab.generate("others", 2);
    lab.fails_with(
        "train --resume --out run --data fashion-mnist:others --device cpu",
        1,
        &["not those the run learned from"],
    );
    fs::rename(lab.path("images"), lab.path("moved")).expect("a folder");
    lab.fails_with("train --resume --out run --device cpu", 1, &["there is no folder"]);
    lab.succeeds("train --resume --out run --device cpu --data fashion-mnist:moved");
    lab.succeeds("eval run --device cpu --data fashion-mnist:moved --probe knn -q");
}

#[cfg(unix)]
mod signals {
    use super::*;
    use crate::Said;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const LONG: &str = "--steps 600 --save-every 40";

    fn start(lab: &Lab, arguments: &str) -> Child {
        lab.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
    }

    /// Sends a signal once the run has reported `steps` steps.
    fn signal(lab: &Lab, child: &Child, run: &str, steps: usize, name: &str) {
        let begun = Instant::now();
        let log = lab.path(run).join("events.jsonl");
        while fs::read_to_string(&log).map_or(0, |text| text.matches("\"event\":\"step\"").count()) < steps {
            assert!(begun.elapsed() < Duration::from_secs(120), "the run does not get on");
            std::thread::sleep(Duration::from_millis(2));
        }
        let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    #[test]
    fn an_interrupted_run_is_saved_and_says_how_to_resume() {
        let lab = Lab::new();
        lab.succeeds(&format!("{TRAINING} {LONG} --out whole -q"));
        let mut begin = format!("{TRAINING} {LONG} --out stopped");
        for (round, name) in ["-INT", "-TERM"].into_iter().enumerate() {
            let child = start(&lab, &begin);
            signal(&lab, &child, "stopped", 50 + 100 * round, name);
            let said = Said::from(child.wait_with_output().expect("ends"));
            assert_eq!(said.code, Some(130), "{said:?}");
            assert!(
                said.err.contains("nolabel train --resume --out stopped --device cpu --save-every 40"),
                "{}",
                said.err
            );
            let events = lab.events("stopped");
            let Some(Event::Done(done)) = events.last() else { panic!("the run says that it was stopped") };
            assert!(!done.finished && done.step < 600);
            assert_eq!(lab.checkpoints("stopped").pop(), Some(format!("step-{:08}.safetensors", done.step)));
            begin = "train --resume --out stopped --device cpu --save-every 40".to_string();
        }
        lab.succeeds(&begin);
        assert_same(&lab, "whole", "stopped");
    }

    #[test]
    fn a_killed_run_resumes_from_its_last_checkpoint() {
        let lab = Lab::new();
        lab.succeeds(&format!("{TRAINING} {LONG} --out whole -q"));
        let mut begin = format!("{TRAINING} {LONG} --out killed -q");
        for steps in [45, 130, 290] {
            let mut child = start(&lab, &begin);
            signal(&lab, &child, "killed", steps, "-KILL");
            child.wait().expect("ends");
            begin = "train --resume --out killed --device cpu --save-every 40 -q".to_string();
        }
        lab.succeeds(&begin);
        assert_same(&lab, "whole", "killed");
    }

    #[test]
    fn a_run_stopped_after_its_last_step_resumes_to_measure() {
        let lab = Lab::new();
        lab.succeeds(&format!("{TRAINING} --steps 20 --out whole -q"));
        copy_as_of(&lab, "whole", "ended", 20);
        let log = lab.path("ended/events.jsonl");
        let text = fs::read_to_string(&log).expect("a file");
        let cut = text.find("{\"event\":\"pretext\"").expect("the task on test images");
        fs::write(&log, &text[..cut]).expect("a file");
        let said = lab.succeeds("train --resume --out ended --device cpu");
        assert!(said.out.contains("rotation accuracy on 40 test images"), "{}", said.out);
        assert_same(&lab, "whole", "ended");
    }

    #[test]
    fn a_running_run_is_locked_for_other_writers() {
        let lab = Lab::new();
        let child = start(&lab, &format!("{TRAINING} --steps 100000 --save-every 40 --out busy"));
        signal(&lab, &child, "busy", 50, "-CONT");
        lab.fails_with("train --resume --out busy --device cpu", 1, &["another nolabel process is writing"]);
        signal(&lab, &child, "busy", 50, "-INT");
        assert_eq!(Said::from(child.wait_with_output().expect("ends")).code, Some(130));
    }
}
