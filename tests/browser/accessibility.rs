//! Rules of accessibility, by axe-core, in every state of the page: dark and light, on a desktop and on a phone.

use browser_tests::browser::Page;
use serde_json::{Value, json};

use crate::QUICK;

/// Runs axe-core on the page: violations as `rule: elements`, and the number of rules that were checked.
const RUN: &str = r#"
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations"] }).then(({ violations, passes }) => done({
  violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`),
  checked: passes.length,
})).catch((error) => done(String(error)));
"#;

/// Ends the transitions between colours.
const SETTLE: &str = r#"
for (const change of document.getAnimations()) if (change instanceof CSSTransition) change.finish();
"#;

/// The program of axe-core.
fn axe() -> String {
    let file =
        std::env::var("NOLABEL_AXE").expect("`make browser` installs axe-core and names its file in NOLABEL_AXE");
    std::fs::read_to_string(file).expect("text")
}

/// Asserts that axe-core finds nothing, in both themes.
async fn assert_accessible(page: &Page, axe: &str, state: &str) {
    for _ in 0..2 {
        // transitions between the themes' colours would be measured half-way
        page.script(SETTLE).await;
        if page.script("return typeof axe").await == "undefined" {
            page.script(axe).await;
        }
        let theme = page.script("return getComputedStyle(document.documentElement).colorScheme").await;
        let answer = page.driver.execute_async(RUN, Vec::new()).await.expect("the script runs");
        let found = answer.json();
        assert_eq!(found["violations"], json!([]), "{state}, {theme}");
        assert!(found["checked"].as_u64() > Some(20), "{state}, {theme}: {found}");
        page.click("theme").await;
    }
}

async fn assert_all_states_accessible(page: &Page) {
    let axe = axe();
    page.goto(&format!("/?{QUICK}&steps=5000")).await;
    page.wait_for(&["ready"]).await;
    assert_accessible(page, &axe, "ready").await;
    page.click("start").await;
    page.wait("some steps", async || page.losses().await.len() > 20).await;
    assert_accessible(page, &axe, "running").await;
    page.click("pause").await;
    page.wait_for(&["paused"]).await;
    assert_accessible(page, &axe, "paused").await;

    // settings open, a definition on show, a warning
    page.goto("/?method=simsiam&preset=full&device=cpu&seed=1").await;
    page.wait_for(&["ready"]).await;
    page.script("document.querySelectorAll('details').forEach((details) => { details.open = true; })").await;
    assert_accessible(page, &axe, "unfolded").await;

    page.goto("/?method=rotation&device=cpu&seed=1&batch=8&steps=12&autostart=1").await;
    page.wait_for(&["done"]).await;
    assert_accessible(page, &axe, "done").await;

    page.goto("/?steps=-3&autostart=1").await;
    page.wait_for(&["error"]).await;
    assert_accessible(page, &axe, "error").await;

    // colour photographs never arrive as a whole in this variant
    page.goto("/colour/?data=cifar-10&device=cpu").await;
    page.wait_for(&["loading", "ready"]).await;
    assert_accessible(page, &axe, "data on their way").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_a_desktop() {
    let page = Page::open("/", &[]).await;
    assert_all_states_accessible(&page).await;

    // and it does find what is wrong
    let broken = "document.body.append(document.createElement('img'))";
    page.script(broken).await;
    let answer = page.driver.execute_async(RUN, Vec::new()).await.expect("the script runs");
    let found = answer.json()["violations"].as_array().cloned().unwrap_or_default();
    assert!(found.iter().filter_map(Value::as_str).any(|text| text.starts_with("image-alt: ")), "{found:?}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_a_phone() {
    let page = Page::open_on_phone("/").await;
    assert_all_states_accessible(&page).await;
    page.close().await;
}
