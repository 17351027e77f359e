//! Faults from outside: a crashed GPU process, a server that is gone, a hidden tab.

use std::time::Duration;

use browser_tests::browser::{Page, SOFTWARE_GPU};
use serde_json::json;

use crate::QUICK;
use crate::offline::wait_until_kept;

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_gpu_process_is_left_behind_without_the_server() {
    let run = "method=rotation&seed=3&batch=2&width=4&steps=1000&probe_every=0&read_every=1&autostart=1";
    let mut page = Page::open(&format!("/?{run}&device=gpu"), &SOFTWARE_GPU).await;
    page.wait_for_text("safe", "up to step").await;
    wait_until_kept(&page).await;
    page.stop_server().await;
    let losses = page.losses().await;
    // the browser's answer may be lost with the process
    let _ = page.driver.cdp().send_raw("Browser.crashGpuProcess", json!({})).await;
    page.wait_for(&["error"]).await;
    page.wait_for_text("message", "stopped answering").await;
    let kept = page.losses().await;
    assert!(kept.len() >= losses.len() && kept[..losses.len()] == losses, "the curves stay");
    page.wait_for_text("remedy", "Continue on the CPU from step").await;
    page.click("remedy").await;
    page.wait("a further step", async || page.losses().await.len() > kept.len()).await;
    assert!(page.text("device-name").await.starts_with("CPU"));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_tab_goes_on_and_says_so() {
    let page = Page::open(&format!("/?{QUICK}&steps=100000&autostart=1"), &[]).await;
    page.wait("some steps", async || page.losses().await.len() > 5).await;
    page.script("window.hidden = []; document.onvisibilitychange = () => window.hidden.push(document.hidden)").await;
    let first = page.driver.window().await.expect("a tab");
    let second = page.driver.new_tab().await.expect("another");
    page.driver.switch_to_window(second).await.expect("it opens");
    tokio::time::sleep(Duration::from_secs(7)).await;
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(first).await.expect("the first is there still");
    page.wait_for_text("hidden-time", "training went on and took").await;
    assert_eq!(page.script("return window.hidden").await, json!([true, false]));
    page.click("reset").await;
    page.wait("the sentence to go", async || page.text("hidden-time").await.is_empty()).await;
    page.close().await;
}
