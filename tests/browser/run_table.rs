//! Runs side by side: kept, compared, named, shown again, deleted, crowded out.

use browser_tests::browser::Page;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::QUICK;
use crate::saved_runs::storage;

/// Digests of all files of each run in the browser's storage, by the number of the run.
const FILES: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("nolabel");
  const found = {};
  for await (const run of root.values()) {
    if (run.kind !== "directory") continue;
    const files = {};
    for await (const file of run.values()) {
      const bytes = await (await file.getFile()).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      files[file.name] = [bytes.byteLength, ...digest].join(" ");
    }
    const summary = await (await run.getFileHandle("summary.json")).getFile();
    found[JSON.parse(await summary.text()).tag.number] = files;
  }
  done(JSON.stringify(found));
})().catch((error) => done(String(error)));
"#;

/// The names of all runs in the browser's storage.
const NAMES: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("nolabel");
  const names = [];
  for await (const run of root.values()) {
    if (run.kind !== "directory") continue;
    const summary = await (await run.getFileHandle("summary.json")).getFile();
    names.push(await summary.text().then((text) => JSON.parse(text).tag.name, () => ""));
  }
  done(names.join());
})().catch((error) => done(String(error)));
"#;

/// The events of all runs, by the numbers of the runs.
const RUNS: &str = r#"
const done = arguments[arguments.length - 1];
window.nolabel.runs().then((runs) =>
  done(JSON.stringify(Object.fromEntries(runs.map(({ run, events }) => [run, events]))))).catch((error) => done(String(error)));
"#;

/// Number of runs in the table.
pub async fn rows(page: &Page) -> u64 {
    page.script("return document.querySelectorAll('[data-testid=run-row]').length").await.as_u64().expect("a number")
}

async fn read(page: &Page, script: &str) -> Value {
    let text = storage(page, script).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

/// Names in the legend of a chart, and the number of curves drawn in it.
async fn drawn(page: &Page, chart: &str) -> Value {
    page.script(&format!(
        "const figure = document.querySelector('figure:has([data-testid={chart}])');
         return [[...figure.querySelectorAll('[data-testid=legend] li')].map((line) => line.textContent),
           [...figure.querySelectorAll('.plot .curve')].filter((path) => path.getAttribute('d')).length]"
    ))
    .await
}

/// Starts a run with one setting changed, and waits for its end and its place in the storage.
async fn run(page: &Page, setting: &str, value: &str) {
    page.fill(setting, value).await;
    page.click("start").await;
    page.wait_for(&["done"]).await;
    page.wait_for_text("safe", "whole run").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_stand_side_by_side_and_stay() {
    let page = Page::open(&format!("/?{QUICK}&steps=12"), &[]).await;
    page.wait_for(&["ready"]).await;
    page.script("navigator.storage.persist = async () => { window.asked = (window.asked ?? 0) + 1; return false; }")
        .await;
    run(&page, "lr", "0.05").await;
    assert_eq!(drawn(&page, "loss").await, json!([[], 2]), "nothing to compare with");
    run(&page, "lr", "0.2").await;
    assert_eq!(page.script("return window.asked").await, 2, "lasting storage is asked for");
    assert_eq!(rows(&page).await, 2);
    let legend = json!(["Run 2 (Learning rate: 0.2)", "Run 1 (Learning rate: 0.05)"]);
    assert_eq!(drawn(&page, "loss").await, json!([legend, 3]), "each step, its mean, and the mean of the other run");
    assert_eq!(drawn(&page, "accuracy").await, json!([legend, 3]));
    let settings = page
        .script("return [...document.querySelectorAll('[data-testid=run-settings]')].map((cell) => cell.textContent)");
    assert_eq!(settings.await, json!(["Learning rate: 0.2", "Learning rate: 0.05"]));

    // the cursor of one chart is the cursor of all
    page.script("document.querySelector('figure:has([data-testid=loss]) .walk').focus()").await;
    let cursors = "return [...document.querySelectorAll('figure:has(.place)')].map((figure) => figure.querySelector('.said').textContent)";
    page.wait("the cursors", async || page.script(cursors).await.as_array().is_some_and(|said| said.len() == 2)).await;
    let said = page.script(cursors).await;
    let of_both = |text: &Value| {
        text.as_str().is_some_and(|text| text.starts_with("step 12: ") && text.contains("Run 1 (Learning rate: 0.05) "))
    };
    assert!(said.as_array().expect("a list").iter().all(of_both), "{said}");

    // both are there after a reload, and in another tab, which may only read
    let events = read(&page, RUNS).await;
    page.reload().await;
    both_are_drawn(&page, &legend).await;
    assert_eq!(page.losses().await.len(), 0, "none of them is on show");
    let first = page.driver.window().await.expect("a tab");
    let second = page.driver.new_tab().await.expect("another");
    page.driver.switch_to_window(second).await.expect("it opens");
    page.goto(&format!("/?{QUICK}")).await;
    both_are_drawn(&page, &legend).await;
    assert_same_events(&read(&page, RUNS).await, &events);
    let closed = "return [...document.querySelectorAll('[data-testid=run-delete]')].every((button) => button.ariaDisabled === 'true')";
    assert_eq!(page.script(closed).await, true, "the first tab holds them");
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(first).await.expect("the first is there still");

    // one is deleted: the other stays as it is, to the last bit
    let before = read(&page, FILES).await;
    let told = read(&page, RUNS).await;
    page.press("[data-testid=run-row]:nth-child(1) [data-testid=run-delete]").await;
    page.wait("the row to go", async || rows(&page).await == 1).await;
    assert_eq!(
        page.script("return document.activeElement.classList.contains('runs')").await,
        true,
        "the focus has a place"
    );
    let after = read(&page, FILES).await;
    assert_eq!((after.get("2"), &after["1"]), (None, &before["1"]));
    assert!(before["1"].as_object().is_some_and(|files| files.len() >= 3), "{before}");
    assert_eq!(read(&page, RUNS).await["1"], told["1"]);
    assert_eq!(drawn(&page, "loss").await, json!([["Run 1"], 1]));
    page.reload().await;
    page.wait("the run", async || rows(&page).await == 1).await;
    assert_eq!(read(&page, FILES).await, after);
    page.close().await;
}

async fn both_are_drawn(page: &Page, legend: &Value) {
    page.wait_for(&["ready"]).await;
    page.wait("both curves", async || drawn(page, "loss").await == json!([legend, 2])).await;
    assert_eq!(rows(page).await, 2);
}

/// Compares the events of runs. Numbers have been through decimal digits.
fn assert_same_events(read: &Value, told: &Value) {
    for run in ["1", "2"] {
        let list = |runs: &Value| runs[run].as_array().expect("a list").clone();
        let (read, told) = (list(read), list(told));
        assert_eq!(read.len(), told.len());
        for (read, told) in read.iter().zip(&told) {
            assert_eq!((&read["event"], &read["step"]), (&told["event"], &told["step"]));
            let loss = |event: &Value| event["loss"].as_f64().unwrap_or_default();
            assert!((loss(read) - loss(told)).abs() <= 1e-12, "{read} {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_again_with_its_settings() {
    let page = Page::open(&format!("/?{QUICK}&steps=12"), &[]).await;
    page.wait_for(&["ready"]).await;
    run(&page, "seed", "1").await;
    let losses = page.losses().await;
    run(&page, "seed", "7").await;
    assert_ne!(page.losses().await, losses);

    let row = |number: u64, part: &str| format!("[data-testid=run-row]:nth-child({number}) [data-testid={part}]");
    page.press(&row(2, "run-open")).await;
    page.wait_for(&["ready"]).await;
    page.wait_for_text("status", "Run 1 is on show").await;
    let shown = page.losses().await;
    assert!(shown.len() == 12 && shown.iter().zip(&losses).all(|(a, b)| (a - b).abs() <= 1e-12), "{shown:?}");
    assert_eq!((page.value("seed").await, page.text("step-count").await), ("1".into(), "12".into()));
    assert_eq!(drawn(&page, "loss").await[0], json!(["Run 1 (Seed: 1)", "Run 2 (Seed: 7)"]));

    // a name is part of the legend and of the next visit
    let field = page.driver.find(By::Css(row(2, "run-name"))).await.expect("a field");
    field.clear().await.expect("it can be emptied");
    field.send_keys("the <first> & best" + Key::Tab).await.expect("it can be typed into");
    page.wait_for_text("legend", "the <first> & best (Seed: 1)").await;
    page.script("document.querySelector('[data-testid=run-row]:nth-child(1) [data-testid=run-compare]').click()").await;
    page.wait("the other curve to go", async || drawn(&page, "loss").await == json!([[], 2])).await;
    let spoken = page.script(
        "return [...document.querySelectorAll('[data-testid=run-row]:nth-child(2) :is(button, input)')].map((control) => control.getAttribute('aria-label'))",
    );
    let names = ["the <first> & best in the charts", "Name of the <first> & best", "Open", "Continue", "Delete"];
    let names: Vec<String> = names
        .iter()
        .take(2)
        .map(ToString::to_string)
        .chain(names[2..].iter().map(|verb| format!("{verb} the <first> & best")))
        .collect();
    assert_eq!(spoken.await, json!(names));
    page.wait("the name to be stored", async || storage(&page, NAMES).await.contains("the <first> & best")).await;
    page.reload().await;
    page.wait("the name", async || {
        page.script("return document.querySelectorAll('[data-testid=run-name]')[1]?.value ?? ''").await
            == "the <first> & best"
    })
    .await;

    // the link repeats the run: its settings, whatever the form says now
    page.press(&row(2, "run-open")).await;
    page.wait_for_text("status", "is on show").await;
    page.fill("seed", "99").await;
    page.script("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text; } } })").await;
    page.click("copy-link").await;
    page.wait_for_text("copied", "on the clipboard").await;
    let link = page.script("return window.copied").await.as_str().expect("a link").to_string();
    assert!(link.contains("&seed=1&") && link.contains("steps=12") && link.starts_with("http"), "{link}");
    page.goto_url(&link).await;
    page.wait_for(&["ready"]).await;
    page.click("start").await;
    page.wait_for(&["done"]).await;
    assert_eq!(page.losses().await, losses, "bit for bit");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_the_oldest_run_and_never_the_one_under_way() {
    let page = Page::open(&format!("/?{QUICK}&steps=12"), &[]).await;
    page.wait_for(&["ready"]).await;
    run(&page, "seed", "1").await;
    run(&page, "seed", "2").await;
    // the room of one run is left once the first is gone
    page.goto(&format!("/crowded/?{QUICK}&steps=12")).await;
    page.wait_for(&["ready"]).await;
    page.wait("both runs", async || rows(&page).await == 2).await;
    run(&page, "seed", "3").await;
    let losses = page.losses().await;
    assert_eq!(losses.len(), 12);
    page.wait_for_text("runs-notice", "no more room for this site: Run 1 was deleted").await;
    assert_eq!((page.text("save-error").await, page.text("message").await), (String::new(), String::new()));
    assert_eq!(rows(&page).await, 2);

    page.goto(&format!("/?{QUICK}")).await;
    page.wait("the offer", async || page.text("saved-run").await.contains("finished after 12 steps")).await;
    let kept = read(&page, RUNS).await;
    let steps =
        |run: &str| kept[run].as_array().map_or(0, |events| events.iter().filter(|it| it["event"] == "step").count());
    assert_eq!((kept.get("1"), steps("2"), steps("3")), (None, 12, 12));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_runs_keep_their_curves_and_three_their_networks() {
    let page = Page::open(&format!("/?{QUICK}&steps=1"), &[]).await;
    page.wait_for(&["ready"]).await;
    for seed in 1..=21 {
        run(&page, "seed", &seed.to_string()).await;
    }
    page.wait("the oldest to go", async || rows(&page).await == 20).await;
    let files = read(&page, FILES).await;
    let files = files.as_object().expect("runs");
    assert!(files.len() == 20 && !files.contains_key("1"), "{:?}", files.keys());
    let with = |ending: &str| {
        let has = |run: &Value| run.as_object().is_some_and(|files| files.keys().any(|name| name.ends_with(ending)));
        let mut numbers: Vec<u64> =
            files.iter().filter(|(_, run)| has(run)).filter_map(|(number, _)| number.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(with(".safetensors"), [19, 20, 21]);
    assert_eq!(with(".jsonl"), (2..=21).collect::<Vec<_>>());
    let compared = page.script(
        "return [...document.querySelectorAll('[data-testid=run-compare]')].filter((box) => box.checked).length",
    );
    assert_eq!(compared.await, 5);
    assert_eq!(drawn(&page, "loss").await[0].as_array().map(Vec::len), Some(5));
    page.close().await;
}
