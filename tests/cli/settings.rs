//! Settings that belong together, runs made longer, and images that cannot teach anything.

use nolabel::session::event::{Event, Verdict};

use super::{Lab, TRAINING, idx};

/// A published setting, shrunk to seconds.
const PUBLISHED: &str =
    "--data fashion-mnist:images --preset full --device cpu --set encoder.width=2 --set projector=8 -q";

fn warnings(lab: &Lab, run: &str) -> Vec<String> {
    let events = lab.events(run).into_iter();
    events.filter_map(|event| if let Event::Warning { message } = event { Some(message) } else { None }).collect()
}

fn rates(lab: &Lab, run: &str) -> Vec<f64> {
    let events = lab.events(run).into_iter();
    events.filter_map(|event| if let Event::Step(step) = event { Some(step.learning_rate) } else { None }).collect()
}

#[test]
fn published_rates_follow_the_batch() {
    let lab = Lab::new();
    let said = lab.succeeds(&format!("train barlow-twins {PUBLISHED} --batch 8 --steps 1 --out follows"));
    assert!(said.err.contains("the learning rate follows the batch by the authors' linear rule"), "{}", said.err);
    let rate = |run: &str| {
        let text = std::fs::read_to_string(lab.path(run).join("run.toml")).expect("a record");
        let line = text.lines().find(|line| line.starts_with("lr = ")).expect("a rate").to_string();
        line["lr = ".len()..].parse::<f64>().expect("a number")
    };
    let published = nolabel::methods::find("barlow-twins").expect("a method");
    let published = published.config(nolabel::Preset::Full, "fashion-mnist");
    let expected = published.optimizer.lr * 8.0 / published.batch as f64;
    assert!((rate("follows") / expected - 1.0).abs() < 1e-12, "{} is not {expected}", rate("follows"));
    let said = lab.succeeds(&format!("train barlow-twins {PUBLISHED} --batch 8 --steps 1 --lr 0.5 --out given"));
    assert!(!said.err.contains("linear rule") && rate("given") == 0.5, "a rate that is given stays: {}", said.err);
}

#[test]
fn a_warmup_longer_than_the_run_is_said_before_it() {
    let lab = Lab::new();
    let run = format!("{TRAINING} --epochs 2 -q --set schedule.kind=cosine --set schedule.warmup_epochs=10");
    let said = lab.succeeds(&format!("{run} --out long"));
    assert!(said.err.contains("the warm-up of 10 epochs outlasts the run of 2"), "{}", said.err);
    assert!(matches!(lab.events("long")[1], Event::Warning { .. }), "it is said before the first step");
    let said = lab.succeeds(&format!("{TRAINING} --epochs 2 -q --out short"));
    assert!(!said.err.contains("warm-up"), "{}", said.err);
}

#[test]
fn a_finished_run_is_trained_further() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 4 --out run -q"));
    let said = lab.succeeds("train --resume --steps 10 --out run --device cpu -q");
    assert!(said.err.contains("started for 4 steps and continues from step 4 to 10"), "{}", said.err);
    assert_eq!(rates(&lab, "run").len(), 10);
    assert!(rates(&lab, "run")[4] > rates(&lab, "run")[3], "the cosine of ten steps is higher at the fifth");
    let said = lab.succeeds("train --resume --out run --device cpu");
    assert!(said.err.contains("run is finished"), "{}", said.err);
    lab.fails_with(
        "train --resume --steps 7 --out run",
        2,
        &["the run has taken 10 steps already, and 7 steps end at step 7"],
    );
    let file = "run/checkpoints/step-00000010.safetensors";
    let said = lab.succeeds(&format!("train --from {file} --epochs 2 --out branch --device cpu -q"));
    assert!(said.err.contains("continues from step 10 to 24"), "{}", said.err);
    let record = std::fs::read_to_string(lab.path("branch/run.toml")).expect("a record");
    assert!(record.contains("earlier_budgets"), "{record}");
    lab.succeeds("show branch");
}

#[test]
fn equal_images_are_never_healthy() {
    let lab = Lab::new();
    for (part, count) in [("train", 100), ("t10k", 40)] {
        let path = lab.path("images").join(format!("{part}-images-idx3-ubyte"));
        idx(&path, &[count, 16, 16], &vec![0; 256 * count as usize]);
    }
    let run = "--data fashion-mnist:images --batch 8 --set encoder.width=4 --steps 60 --device cpu -q";
    for method in ["simsiam", "moco", "simclr", "rotation"] {
        let said = lab.succeeds(&format!("train {method} {run} --out {method}"));
        assert!(said.err.contains("all 100 training images are equal"), "{}", said.err);
        let looks: Vec<Verdict> = lab
            .events(method)
            .iter()
            .filter_map(|event| if let Event::Health(health) = event { Some(health.verdict) } else { None })
            .collect();
        assert_eq!(looks, [Verdict::NoVariety; 2], "{method}");
        assert!(warnings(&lab, method).iter().any(|said| said.starts_with("No variety at step 1")), "{method}");
    }
}

#[test]
fn a_report_of_a_short_run_holds_no_nan() {
    let lab = Lab::new();
    lab.succeeds(
        "train simsiam --data fashion-mnist:images --batch 8 --set encoder.width=4 --steps 3 --device cpu -q --out run",
    );
    lab.succeeds("report run --device cpu -q");
    let page = std::fs::read_to_string(lab.path("run/report.html")).expect("a report");
    assert!(!page.contains("NaN") && !page.contains(">inf"), "a number that is none reached the page");
}
