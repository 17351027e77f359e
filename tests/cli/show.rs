//! `nolabel show`: views and predictions of a run or a method.

use std::fs;

use crate::{Lab, TRAINING};

#[test]
fn a_run_is_asked_and_answers() {
    let lab = Lab::new();
    lab.succeeds(&format!("{TRAINING} --steps 12 --out run -q"));
    let said = lab.succeeds("show run --device cpu -q").out;
    assert_eq!(said, "run/show.html: open it in a browser\n");
    let page = fs::read_to_string(lab.path("run/show.html")).expect("a file");
    for words in ["Rotation prediction (RotNet) on fashion-mnist", "after 12 steps", "of the test images"] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
    // sixteen images, four of each rotation, each with a prediction and, where that is wrong, the target
    let right = page.matches("<li class=\"right\">").count();
    let wrong = page.matches("<li class=\"wrong\">").count();
    assert_eq!((right + wrong, page.matches("<small>it is ").count()), (16, wrong));
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), page.matches("src=").count());

    // another network, the same views
    lab.succeeds("show run/checkpoints/step-00000012.safetensors --device cpu --out again.html -q");
    assert_eq!(fs::read_to_string(lab.path("again.html")).expect("a file"), page);
    lab.fails_with("show run --set batch=3", 2, &["--set", "method"]);
    lab.fails_with("show run --device cpu --out nowhere/x.html -q", 1, &["nowhere/x.html"]);
}

#[test]
fn a_method_is_drawn_before_anything_is_trained() {
    let lab = Lab::new();
    for id in [
        "exemplar",
        "context-encoder",
        "split-brain",
        "rotation",
        "aet",
        "moco",
        "simclr",
        "swav",
        "barlow-twins",
        "vicreg",
    ] {
        let said = lab.succeeds(&format!("show {id} --data fashion-mnist:images --device cpu -q")).out;
        assert_eq!(said, format!("show-{id}.html: open it in a browser\n"));
        let page = fs::read_to_string(lab.path(&format!("show-{id}.html"))).expect("a file");
        assert!(page.contains("untrained") && page.matches("data:image/png").count() > 8, "{id}");
    }
    lab.fails_with("show jigsw --data fashion-mnist:images", 2, &["no run and no method `jigsw`", "nolabel methods"]);
    lab.fails_with("show jigsaw", 2, &["--data"]);
    // images of 16 pixels give tiles that are too small for the encoder
    lab.fails_with("show pirl --data fashion-mnist:images", 2, &["of which it leaves nothing", "encoder.kind"]);
    lab.fails_with("show jigsaw --data fashion-mnist:images --set bacth=8", 2, &["did you mean `batch`"]);
}
