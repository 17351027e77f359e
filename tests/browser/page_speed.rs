//! Times the built page on the CPU in headless Chromium, each time in a fresh browser.
//!
//! `cargo run --release --package browser-tests --bin page_speed -- 5` prints, of so many times, the seconds from navigation to
//! `ready`, from a press of Start to the first step on show, and of the large test, whose parts are listed for the last time.

use std::time::Duration;

use browser_tests::drivers::Browser;
use browser_tests::host;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

const ADDRESS: &str = "/?method=rotation&preset=small&data=fashion-mnist&device=cpu&seed=1&steps=20";

/// Notes when each state, the first step and each part of the large test came on show.
const WATCH: &str = r#"
window.times = { parts: [] };
const note = (name) => { window.times[name] ??= performance.now() / 1000; };
new MutationObserver(() => {
  const find = (testid) => document.querySelector(`[data-testid=${testid}]`);
  const state = find("status")?.dataset.state;
  if (state) note(state);
  if (Number(find("step-count")?.textContent) > 0) note("step");
  const part = find("exam-skip")?.parentElement.querySelector("progress")?.previousElementSibling?.textContent;
  if (part && part !== window.times.parts.at(-1)?.part) window.times.parts.push({ part, at: performance.now() / 1000 });
}).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
document.addEventListener("click", (event) => { if (event.target.closest("[data-testid=start]")) note("start"); }, true);
"#;

/// The middle one of some numbers.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[tokio::main]
async fn main() {
    let times = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut found = Vec::new();
    for _ in 0..times {
        found.push(once().await);
    }
    let Some(last) = found.last() else { return };
    let parts = last["parts"].as_array().expect("a list");
    let at = |part: &Value| part["at"].as_f64().expect("a time");
    for (part, next) in parts.iter().zip(&parts[1..]) {
        println!("{:6.2} s  {}", at(next) - at(part), part["part"].as_str().unwrap_or_default());
    }
    let seconds = |from: &str, to: &str| -> Vec<f64> {
        let time = |run: &Value, name: &str| if name.is_empty() { 0.0 } else { run[name].as_f64().expect("a time") };
        found.iter().map(|run| time(run, to) - time(run, from)).collect()
    };
    for (what, from, to) in
        [("navigation to ready", "", "ready"), ("start to the first step", "start", "step"), ("large test", "", "exam")]
    {
        let all = seconds(from, to);
        let list: Vec<String> = all.iter().map(|value| format!("{value:.2}")).collect();
        println!("{what}: {:.2} s in the middle of {}", median(&all), list.join(", "));
    }
}

/// The times of one visit, and the seconds that the large test took.
async fn once() -> Value {
    let server = host::serve().await;
    let browser = Browser::chromium(&[], None).await;
    let driver = &browser.driver;
    let added = driver.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await;
    added.expect("the browser takes the script");
    driver.goto(format!("http://{}{ADDRESS}", server.address)).await.expect("the page answers");
    wait(driver, "times.ready").await;
    run(driver, "document.querySelector('[data-testid=start]').click()").await;
    wait(driver, "times.done").await;
    let mut times = run(driver, "return window.times").await;
    let exam = "return window.nolabel.events().find((event) => event.event === 'exam').seconds";
    times["exam"] = run(driver, exam).await;
    times
}

async fn run(driver: &WebDriver, script: &str) -> Value {
    driver.execute(script, Vec::new()).await.expect("the script runs").json().clone()
}

/// Waits until an expression has a value.
async fn wait(driver: &WebDriver, expression: &str) {
    let failed = "document.querySelector('[data-testid=status]')?.dataset.state === 'error'";
    while run(driver, &format!("return window.{expression} !== undefined")).await != true {
        assert_ne!(run(driver, &format!("return {failed}")).await, true, "the page failed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
