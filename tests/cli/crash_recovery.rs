//! SIGKILL at random moments: no run is lost, none falls back by more than a checkpoint, and its result is that of an undisturbed
//! run. `NOLABEL_KILLS=50 cargo test --release --test cli killed_at_random -- --nocapture` sets the number of kills.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Lab;
use crate::resume::{assert_same, flip};
use nolabel::session::event::Event;

/// Steps between two checkpoints: few, so that many kills fall into the writing of one.
const EVERY: usize = 3;
const STEPS: usize = 240;
/// Number of kills by default.
const KILLS: usize = 6;

/// Pseudo-random numbers in 0 to 1 (Knuth's generator).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// State of a run by its events: last step, last checkpoint, and the step it was last resumed at.
#[derive(Debug, Default)]
struct Told {
    step: usize,
    saved: usize,
    resumed_at: usize,
    starts: usize,
    finished: bool,
}

fn told(lab: &Lab, run: &str) -> Told {
    let mut told = Told::default();
    let text = fs::read_to_string(lab.path(run).join("events.jsonl")).unwrap_or_default();
    // the last line may be cut short
    for event in text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
        match event {
            Event::Step(step) => told.step = step.step,
            Event::Saved { step, .. } => told.saved = step,
            Event::Started(started) => (told.resumed_at, told.starts) = (started.resumed_at, told.starts + 1),
            Event::Done(done) => told.finished = done.finished,
            _ => {}
        }
    }
    told
}

fn start(lab: &Lab, run: &str) -> Child {
    let begun = lab.path(run).join("run.toml").is_file();
    let arguments = if begun {
        format!("train --resume --out {run} --device cpu --save-every {EVERY} -q")
    } else {
        // a run that was killed before its record was written starts again in the same folder
        format!("{} --steps {STEPS} --save-every {EVERY} --out {run} -q", crate::TRAINING)
    };
    lab.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

/// Moment at which a run is killed.
enum Moment {
    /// A number of seconds after its start: while it reads images, checkpoint or events.
    Seconds(f64),
    /// A number of seconds after a number of steps: while it trains or saves.
    Steps(usize, f64),
}

impl Moment {
    fn next(dice: &mut Dice, steps: usize) -> Self {
        if dice.next() < 0.25 {
            return Moment::Seconds(0.2 * dice.next());
        }
        Moment::Steps(steps + (dice.next() * STEPS as f64 / 4.0) as usize, 0.01 * dice.next())
    }
}

/// Kills a run; false if it ended before.
fn kill(lab: &Lab, run: &str, child: &mut Child, moment: Moment) -> bool {
    let log = lab.path(run).join("events.jsonl");
    let steps = || fs::read_to_string(&log).map_or(0, |text| text.matches("\"event\":\"step\"").count());
    let begun = Instant::now();
    let (seconds, wanted) = match moment {
        Moment::Seconds(seconds) => (seconds, None),
        Moment::Steps(wanted, seconds) => (seconds, Some(wanted)),
    };
    while wanted.map_or(begun.elapsed().as_secs_f64() < seconds, |wanted| steps() < wanted) {
        assert!(begun.elapsed() < Duration::from_secs(120), "the run does not get on");
        if let Some(status) = child.try_wait().expect("it can be asked") {
            assert!(status.success(), "a resumed run fails: {status}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_secs_f64(wanted.map_or(0.0, |_| seconds)));
    child.kill().expect("it may have ended");
    !child.wait().expect("ends").success()
}

#[test]
fn runs_killed_at_random_moments_end_as_uninterrupted_ones() {
    let kills =
        std::env::var("NOLABEL_KILLS").ok().map_or(KILLS, |text| text.parse().expect("NOLABEL_KILLS is a number"));
    let lab = Lab::new();
    assert!(start(&lab, "whole").wait().expect("ends").success());
    let mut dice = Dice(kills as u64);
    let mut killed = 0;
    let mut lost = 0;
    let mut runs = 1;
    let mut before_record = 0;
    while killed < kills {
        let run = format!("run{runs}");
        let before = told(&lab, &run);
        let mut child = start(&lab, &run);
        let was_killed = kill(&lab, &run, &mut child, Moment::next(&mut dice, before.step));
        let after = told(&lab, &run);
        if after.starts > before.starts {
            let back = before.step.saturating_sub(after.resumed_at);
            assert!(back <= EVERY && after.resumed_at >= before.saved, "{before:?}, then {after:?}");
            lost = lost.max(back);
        }
        if was_killed {
            killed += 1;
            before_record += usize::from(!lab.path(&run).join("run.toml").is_file());
        }
        if after.finished {
            assert_same(&lab, "whole", &run);
            runs += 1;
        }
    }
    let last = format!("run{runs}");
    assert!(start(&lab, &last).wait().expect("ends").success());
    assert_same(&lab, "whole", &last);
    println!(
        "{killed} kills in {runs} runs of {STEPS} steps ({before_record} before the run was recorded): all were resumed, none lost \
         more than {lost} steps of {EVERY}, all ended as the undisturbed run did, bit for bit"
    );
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_offered() {
    let lab = Lab::new();
    lab.succeeds(&format!("{} --steps 20 --save-every 8 --keep-best loss --out run -q", crate::TRAINING));
    assert_eq!(lab.checkpoints("run"), ["best.safetensors", "step-00000016.safetensors", "step-00000020.safetensors"]);
    let best = lab.succeeds("eval run/checkpoints/best.safetensors --device cpu --probe knn -q").out;
    assert!(best.contains("rotation on fashion-mnist, seed 1, after "), "{best}");

    let newest = lab.path("run/checkpoints/step-00000020.safetensors");
    let bytes = fs::read(&newest).expect("a file");
    fs::write(&newest, &bytes[..bytes.len() / 2]).expect("a file");
    let said = lab.succeeds("eval run --device cpu --probe knn -q");
    for words in ["warning: run/checkpoints/step-00000020", "is damaged", "the one before, of step 16, is used"] {
        assert!(said.err.contains(words), "no `{words}` in {}", said.err);
    }
    assert!(said.out.contains("after 16 steps"), "{}", said.out);
    lab.fails_with(
        "eval run/checkpoints/step-00000020.safetensors --device cpu",
        1,
        &["is damaged", "name the run's folder"],
    );
    lab.fails_with("eval run/run.toml --device cpu", 1, &["is no checkpoint of a run"]);

    // a run does not resume from the best checkpoint, and a damaged one is never loaded silently
    flip(&lab.path("run/checkpoints/step-00000016.safetensors"), 200);
    lab.fails_with("train --resume --out run --device cpu", 1, &["nor can an earlier one", "another folder"]);
    flip(&lab.path("run/checkpoints/best.safetensors"), 3);
    lab.fails_with("export run/checkpoints/best.safetensors --out x.safetensors", 1, &["best.safetensors is damaged"]);
}

#[test]
fn a_resumed_run_keeps_the_best_of_both_parts() {
    let lab = Lab::new();
    let training = format!("{} --steps 40 --save-every 5 --keep-best loss", crate::TRAINING);
    lab.succeeds(&format!("{training} --out whole -q"));
    let best = |run: &str| {
        let bytes = fs::read(lab.path(run).join("checkpoints/best.safetensors")).expect("a file");
        nolabel::session::checkpoint::header(&bytes).expect("whole").step
    };
    let losses: Vec<f64> = lab
        .events("whole")
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None })
        .collect();
    let means: Vec<f64> = losses.chunks(5).map(|five| five.iter().sum()).collect();
    let lowest = (0..means.len()).min_by(|a, b| means[*a].total_cmp(&means[*b])).expect("eight");
    assert_eq!(best("whole"), 5 * (lowest + 1), "{means:?}");
    crate::resume::copy_as_of(&lab, "whole", "again", 35);
    let said = lab.succeeds("train --resume --out again --device cpu --save-every 5 --keep-best loss");
    assert!(said.out.contains("best checkpoint: again/checkpoints/best.safetensors"), "{}", said.out);
    assert_eq!(best("again"), best("whole"));
    lab.fails_with(&format!("{} --out x --keep-best accuracy", crate::TRAINING), 2, &["accuracy", "loss or rank"]);
}
