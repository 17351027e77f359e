//! The large test in the page: its answer, the way out of it, and the encoder as a file.

use std::fs;
use std::path::PathBuf;

use browser_tests::browser::Page;
use browser_tests::drivers::downloads;
use serde_json::{Value, json};

use crate::QUICK;
use crate::saved_runs::nolabel;

/// The state of a button: true if it takes no click.
async fn is_closed(page: &Page, testid: &str) -> bool {
    page.script(&format!("return document.querySelector('[data-testid={testid}]').ariaDisabled")).await == "true"
}

/// True if there is an element with this test id.
async fn is_there(page: &Page, testid: &str) -> bool {
    page.script(&format!("return document.querySelector('[data-testid={testid}]') !== null")).await == true
}

async fn verdict(page: &Page) -> Value {
    page.script("return document.querySelector('[data-testid=exam-verdict]')?.dataset.verdict ?? null").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_run_answers_if_anything_was_learned() {
    let page = Page::open("/?method=rotation&device=cpu&seed=1&steps=1", &[]).await;
    page.wait_for(&["ready"]).await;
    assert!(is_closed(&page, "exam-start").await, "there is nothing to examine yet");
    assert!(page.text("exam").await.contains("up to 5,000 labelled pictures"));
    page.click("start").await;
    page.wait("the large test", async || is_there(&page, "exam-skip").await).await;
    page.wait_for_text("status", "large test").await;
    page.wait_for(&["done"]).await;
    let order = page.script("return window.nolabel.events().map((event) => event.event)").await;
    let order: Vec<&str> = order.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let of = |kind: &str| order.iter().position(|event| *event == kind).expect("an event of each kind");
    assert!(of("step") < of("probe") && of("probe") < of("exam") && of("exam") < of("done"), "{order:?}");

    let exams = page.events("exam").await;
    let probe = &exams[0]["probe"];
    assert_eq!([&probe["train_images"], &probe["test_images"]], [&json!(5000); 2], "{probe}");
    let rows = probe["rows"].as_array().expect("rows");
    for (source, layers) in [("trained", 5), ("untrained", 5), ("raw-pixels", 1), ("pca", 1)] {
        assert_eq!(rows.iter().filter(|row| row["source"] == source).count(), layers, "{source}");
    }
    let gain = &probe["gains"][0];
    let [low, high] = [0, 1].map(|end| gain["interval"][end].as_f64().expect("a number"));
    assert!(high - low > 0.002 && high - low < 0.05, "{gain}");

    // one step teaches nothing
    let said = verdict(&page).await;
    assert_eq!(said, if gain["standing"] == "below" { "none" } else { "unclear" }, "{gain}");
    let sentence = page.text("exam-verdict").await;
    assert!(sentence.contains("95 % interval") && sentence.contains("best control"), "{sentence}");
    let settings = page.text("exam-settings").await;
    assert!(settings.contains("5000 training and 5000 test images") && settings.contains("seed"), "{settings}");
    let table = page.text("exam-table").await;
    assert!(["Trained", "Untrained", "PCA", "Raw pixels"].iter().all(|name| table.contains(name)), "{table}");
    assert!(page.text("layers").await.contains("5,000 test pictures"), "{}", page.text("layers").await);
    assert!(!is_closed(&page, "exam-start").await && !is_there(&page, "exam-skip").await);

    // a reload brings the answer back
    page.goto("/?device=cpu").await;
    page.wait_for(&["ready"]).await;
    page.click("resume-saved").await;
    page.wait_for(&["done"]).await;
    assert_eq!(verdict(&page).await, said);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_large_test_can_be_skipped_and_asked_for() {
    let page = Page::open("/?method=rotation&device=cpu&seed=1&steps=2&batch=8&autostart=1", &[]).await;
    page.click("exam-skip").await;
    page.wait_for(&["done"]).await;
    assert_eq!((page.losses().await.len(), page.events("exam").await.len()), (2, 0), "the run's result is kept");
    assert_eq!(page.events("pretext").await.len(), 1);
    assert_eq!(verdict(&page).await, Value::Null);
    let probes = page.events("probe").await;
    assert_eq!(probes.iter().map(|probe| probe["step"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(2)]);

    page.click("exam-start").await;
    page.wait("the large test", async || is_there(&page, "exam-skip").await).await;
    assert!(is_closed(&page, "exam-start").await, "one at a time");
    assert_eq!(page.state().await, "done");
    // the engine answers while it examines
    page.click("exam-skip").await;
    page.wait("its end", async || !is_there(&page, "exam-skip").await).await;
    page.click("exam-start").await;
    page.wait("the large test", async || is_there(&page, "exam-skip").await).await;
    page.click("reset").await;
    page.wait_for(&["ready"]).await;
    assert!(!is_there(&page, "exam-skip").await && is_closed(&page, "exam-start").await);

    // in the middle of a run it interrupts the training, which then continues
    page.goto(&format!("/?{QUICK}&steps=100000&autostart=1")).await;
    page.wait("some steps", async || page.losses().await.len() > 5).await;
    page.click("exam-start").await;
    page.wait("the large test", async || is_there(&page, "exam-skip").await).await;
    let taken = page.losses().await.len();
    page.click("exam-skip").await;
    page.wait("further steps", async || page.losses().await.len() > taken + 5).await;
    assert_eq!(page.text("message").await, "");
    page.close().await;
}

/// Clicks on a button and waits for the file of this name.
async fn saved(page: &Page, button: &str, name: &str) -> PathBuf {
    let file = downloads().join(name);
    if file.exists() {
        fs::remove_file(&file).expect("the file of another test can be deleted");
    }
    page.click(button).await;
    page.wait(name, async || file.is_file()).await;
    file
}

/// Head and body of a file. The head of a safetensors file is JSON, whose fields come in any order.
fn parts(bytes: &[u8], ending: &str) -> (Value, Vec<u8>) {
    if ending != "safetensors" {
        return (Value::Null, bytes.to_vec());
    }
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
    let (head, body) = rest.split_at(length);
    (serde_json::from_slice(head).expect("JSON"), body.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_encoder_leaves_as_the_command_line_exports_it() {
    let page = Page::open(&format!("/?{QUICK}&steps=3&seed=7"), &[]).await;
    page.wait_for(&["ready"]).await;
    assert!(is_closed(&page, "export-encoder").await && is_closed(&page, "export-onnx").await);
    page.click("start").await;
    page.wait_for(&["done"]).await;
    let run = saved(&page, "download", "rotation-fashion-mnist-7-step-00000003.safetensors").await;
    for (button, ending) in [("export-encoder", "safetensors"), ("export-onnx", "onnx")] {
        let name = format!("rotation-fashion-mnist-7-encoder-00000003.{ending}");
        let own = saved(&page, button, &name).await;
        let theirs = downloads().join(format!("by-the-command-line.{ending}"));
        let _ = fs::remove_file(&theirs);
        nolabel(&format!("export {} --out {}", run.display(), theirs.display()));
        let [own, theirs] = [&own, &theirs].map(|file| parts(&fs::read(file).expect("it can be read"), ending));
        assert!(own == theirs, "{ending}: {} and {} bytes", own.1.len(), theirs.1.len());
    }
    let data = concat!("fashion-mnist:", env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist");
    let encoder = downloads().join("rotation-fashion-mnist-7-encoder-00000003.safetensors");
    let arguments = "--images 600 --test-images 300 --probe knn --device cpu -q";
    let said = nolabel(&format!("eval --weights {} --data {data} {arguments}", encoder.display()));
    assert!(said.contains("trained by rotation on fashion-mnist for 3 steps"), "{said}");
    page.close().await;
}
