//! Measures how calm the page stays while it trains: `make calm`.
//!
//! Prints how soon the engine is asked for, the longest task on the page's thread over 500 steps, the memory of the tab's process
//! after 1,000 and 10,000 steps, and the speed of a tab hidden for a minute beside that of the minute before. Rotation prediction
//! on the CPU in headless Chromium.

use std::fs;
use std::time::Duration;

use browser_tests::browser::Page;

const RUN: &str = "/?method=rotation&device=cpu&seed=1&batch=8&width=4&steps=100000&probe_every=0&autostart=1";
const OBSERVE: &str = r#"
window.longest = 0;
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
}).observe({ type: "longtask" });
"#;
const MINUTE: Duration = Duration::from_secs(60);

/// The step on show. Reading it takes the page next to no time, unlike reading its events.
async fn steps(page: &Page) -> u64 {
    let shown = page.text("step-count").await;
    shown.replace(',', "").parse().expect("a number")
}

async fn wait_for_step(page: &Page, step: u64) {
    page.wait(&format!("step {step}"), async || steps(page).await >= step).await;
}

/// Resident memory in MB of the largest renderer among the processes that this program has started (Linux only).
fn renderer_memory() -> Option<f64> {
    let parent = |process: &str| -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // the name in parentheses may hold spaces
        stat.rsplit_once(')')?.1.split_whitespace().nth(1).map(String::from)
    };
    let own = std::process::id().to_string();
    let ours = |process: &str| {
        std::iter::successors(Some(process.to_string()), |process| parent(process)).any(|process| process == own)
    };
    let pages = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let resident = pages.filter_map(|process| {
        let command = fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
        if !command.contains("--type=renderer") || !ours(&process) {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    });
    resident.map(|kilobytes| kilobytes / 1024.0).fold(None, |most, own| Some(own.max(most.unwrap_or(0.0))))
}

/// Milliseconds from the request for the page's program to that for the engine.
async fn engine_lag(page: &Page) -> f64 {
    let lag = "const start = (part) => performance.getEntriesByType('resource').find((entry) => entry.name.includes(part))?.startTime;
               return start('/engine') - start('/page_bg')";
    page.script(lag).await.as_f64().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let page = Page::open(RUN, &[]).await;
    wait_for_step(&page, 20).await;
    page.script(OBSERVE).await;
    let first = steps(&page).await;
    wait_for_step(&page, first + 500).await;
    let longest = page.script("return window.longest").await.as_f64().unwrap_or_default();
    if longest > 0.0 {
        println!("longest task on the page's thread in 500 steps: {longest:.0} ms");
    } else {
        println!("longest task on the page's thread in 500 steps: under 50 ms");
    }

    println!("the engine's script is asked for {:.0} ms after the page's program", engine_lag(&page).await);

    let mut before = None;
    for step in [1000, 10_000] {
        wait_for_step(&page, step).await;
        let Some(memory) = renderer_memory() else { continue };
        let change =
            before.map(|before: f64| format!(" ({:+.1} %)", 100.0 * (memory / before - 1.0))).unwrap_or_default();
        println!("memory of the tab after {step} steps: {memory:.0} MB{change}");
        before = Some(memory);
    }

    let start = steps(&page).await;
    tokio::time::sleep(MINUTE).await;
    let seen = steps(&page).await - start;
    let tab = page.driver.window().await.expect("a tab");
    let other = page.driver.new_tab().await.expect("another");
    let start = steps(&page).await;
    page.driver.switch_to_window(other).await.expect("it opens");
    tokio::time::sleep(MINUTE).await;
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(tab).await.expect("the first is there still");
    page.wait("the return to be told", async || !page.text("hidden-time").await.is_empty()).await;
    let hidden = steps(&page).await - start;
    let share = 100.0 * hidden as f64 / seen as f64;
    println!("steps in a minute: {seen} on show, {hidden} hidden ({share:.0} %)");
    println!("the page says: {}", page.text("hidden-time").await);
    page.close().await;
}
