//! Single checkpoints without a run, as downloaded from the page.

use std::fs;

use crate::resume::flip;
use crate::{Lab, TRAINING};
use nolabel::session::checkpoint;
use nolabel::session::event::Event;

/// A run of 20 steps, and its checkpoint of step 16 as a single file.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 20 --save-every 16 --out whole -q"));
    fs::copy(lab.path("whole/checkpoints/step-00000016.safetensors"), lab.path("alone.safetensors")).expect("a copy");
    lab
}

#[test]
fn a_single_checkpoint_is_measured_and_exported_like_a_run() {
    let lab = lab();
    let how = "--device cpu --probe knn -q --json";
    let alone = lab.succeeds(&format!("eval alone.safetensors --data fashion-mnist:images {how}")).out;
    let inside = lab.succeeds(&format!("eval whole/checkpoints/step-00000016.safetensors {how}")).out;
    let [alone, inside] = [alone, inside].map(|text| serde_json::from_str::<serde_json::Value>(&text).expect("a card"));
    for key in ["rows", "step", "checkpoint", "method"] {
        assert_eq!(alone[key], inside[key], "{key}");
    }
    assert_eq!((alone["run"].as_str(), alone["total_steps"].as_u64()), (Some("alone.safetensors"), Some(20)));
    fs::write(lab.path("card.json"), alone.to_string()).expect("a file");
    lab.succeeds("eval --card card.json --device cpu -q");
    let said = lab.succeeds("export alone.safetensors --out encoder.onnx").out;
    assert!(said.contains("trained by rotation on fashion-mnist for 16 steps"), "{said}");
    lab.succeeds("report alone.safetensors --data fashion-mnist:images --device cpu -q");
    assert!(lab.path("alone.report.html").is_file());
}

#[test]
fn a_single_checkpoint_continues_as_a_run_of_its_own() {
    let lab = lab();
    lab.succeeds("train --from alone.safetensors --data fashion-mnist:images --out own --device cpu -q");
    let last = |run: &str| {
        let bytes = fs::read(lab.path(run).join("checkpoints/step-00000020.safetensors")).expect("a file");
        checkpoint::read(&bytes).expect("whole").1
    };
    assert_eq!(last("own"), last("whole"));
    let losses = |run: &str| {
        let steps = lab.events(run).into_iter().filter_map(|event| match event {
            Event::Step(step) if step.step > 16 => Some((step.step, step.loss)),
            _ => None,
        });
        steps.collect::<Vec<_>>()
    };
    assert_eq!(losses("own"), losses("whole"));
    assert_eq!(lab.checkpoints("own"), ["step-00000016.safetensors", "step-00000020.safetensors"]);
    lab.succeeds("eval own --device cpu --probe knn -q");
}

#[test]
fn other_files_and_other_runs_checkpoints_are_refused() {
    let lab = lab();
    let own = "--from alone.safetensors --data fashion-mnist:images --device cpu";
    lab.fails_with(&format!("train {own} --out whole"), 1, &["whole holds a run already"]);
    lab.fails_with(&format!("train {own} --out own --seed 2"), 2, &["is another run", "seed is 1, not 2"]);
    lab.fails_with("train --from alone.safetensors --resume", 2, &["--from", "--resume"]);
    lab.fails_with("train --from nothing --out own", 1, &["no run in nothing"]);
    flip(&lab.path("alone.safetensors"), 100);
    for command in ["train --out own --from", "eval", "export --out encoder.onnx"] {
        lab.fails_with(
            &format!("{command} alone.safetensors"),
            1,
            &["alone.safetensors is no checkpoint of a run", "digest"],
        );
    }
    lab.fails_with("eval images/t10k-labels-idx1-ubyte", 1, &["is no checkpoint of a run"]);
}

#[test]
fn a_header_that_claims_too_much_memory_is_refused() {
    let lab = lab();
    let (mut header, _) = checkpoint::read(&fs::read(lab.path("alone.safetensors")).expect("a file")).expect("whole");
    header.config.encoder.width = 4096; // the largest width: its last layer alone has 2.4 billion weights
    let bytes = futures_lite::future::block_on(checkpoint::write(&header, Vec::new())).expect("bytes");
    fs::write(lab.path("hostile.safetensors"), bytes).expect("a file");
    for command in ["eval", "train --out own --from"] {
        let asked = format!("{command} hostile.safetensors --data fashion-mnist:images --device cpu -q");
        lab.fails_with(&asked, 2, &["more than 1024 million values"]);
    }
    assert!(!lab.path("own").exists());
}
