//! The page without its server, and between two builds: one cache holds one whole build.

use browser_tests::browser::Page;
use browser_tests::host;
use serde_json::Value;

use crate::QUICK;

/// Files of each cache: `{"nolabel / b506e0df96245473": ["index.html", ...]}`.
const CACHES: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const requests = await (await caches.open(name)).keys();
    found[name] = requests.map((request) => request.url.slice(document.baseURI.split("?")[0].length));
  }
  done(found);
})().catch((error) => done(String(error)));
"#;

/// True while there is no service worker, though one has begun to fill its cache.
const INSTALLATION_FAILED: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const begun = (await caches.keys()).length > 0;
  done(begun && !(await navigator.serviceWorker.getRegistration()));
})().catch((error) => done(String(error)));
"#;

/// Ends the engine when asked to, as a crash does.
const MORTAL: &str = r#"
new BroadcastChannel("end").onmessage = () => {
  self.postMessage({ Failed: { message: "The engine was ended", kind: "Engine" } });
  self.close();
};
"#;

async fn caches(page: &Page) -> Vec<(String, Vec<String>)> {
    let answer = page.driver.execute_async(CACHES, Vec::new()).await.expect("the script runs");
    let found = answer.json().as_object().expect("an object").clone();
    let names = |files: &Value| -> Vec<String> {
        files.as_array().expect("a list").iter().filter_map(|file| file.as_str().map(String::from)).collect()
    };
    found.iter().map(|(cache, files)| (cache.clone(), names(files))).collect()
}

/// The build of the page on show.
async fn build(page: &Page) -> String {
    let named = page.script("return document.querySelector('meta[name=build]').content").await;
    named.as_str().expect("text").to_string()
}

/// Waits until the build on show is kept as a whole, with the four files of its first data set.
pub(crate) async fn wait_until_kept(page: &Page) {
    let build = build(page).await;
    page.wait("the build to be kept", async || {
        let whole = |files: &[String]| {
            files.iter().any(|file| file == "index.html")
                && files.iter().filter(|file| file.starts_with("data/fashion-mnist/")).count() == 4
        };
        caches(page).await.iter().any(|(name, files)| name.ends_with(&build) && whole(files))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_page_needs_no_server_to_reload_and_resume() {
    let mut page = Page::open(&format!("/?{QUICK}&steps=30&autostart=1"), &[]).await;
    page.wait_for(&["done"]).await;
    let losses = page.losses().await;
    wait_until_kept(&page).await;
    page.stop_server().await;
    page.goto(&format!("/?{QUICK}&steps=3")).await;
    page.wait_for(&["ready"]).await;
    page.wait("the offer", async || page.text("saved-run").await.contains("finished after 30 steps")).await;
    page.click("resume-saved").await;
    page.wait_for(&["done"]).await;
    let again = page.losses().await;
    assert_eq!(again.len(), losses.len());
    assert!(again.iter().zip(&losses).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{again:?}\n{losses:?}");

    // a new run too
    page.goto(&format!("/?{QUICK}&steps=3&autostart=1")).await;
    page.wait_for(&["done"]).await;
    assert_eq!(page.losses().await, losses[..3]);
    assert_eq!(page.text("message").await, "");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_engine_is_replaced_without_the_server() {
    let _mortal = host::deploy("mortal", MORTAL);
    let mut page = Page::open(&format!("/deployed/mortal/?{QUICK}&steps=5000&autostart=1"), &[]).await;
    page.wait("some steps", async || page.losses().await.len() > 5).await;
    page.click("pause").await;
    page.wait_for(&["paused"]).await;
    let losses = page.losses().await;
    let saved = format!("up to step {}:", losses.len());
    page.wait_for_text("safe", &saved).await;
    wait_until_kept(&page).await;
    page.stop_server().await;
    page.script("new BroadcastChannel('end').postMessage('now')").await;
    page.wait_for(&["error"]).await;
    page.wait_for_text("message", "The engine was ended").await;
    assert_eq!(page.losses().await, losses, "the curves stay while there is no engine");
    page.click("remedy").await;
    page.wait("further steps", async || page.losses().await.len() > losses.len()).await;
    let again = page.losses().await;
    assert!(again.iter().zip(&losses).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{again:?}\n{losses:?}");
    let resumed = page.events("started").await.last().cloned().expect("a second start");
    assert_eq!(resumed["resumed_at"].as_u64(), Some(losses.len() as u64));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_kept_though_the_server_had_no_answer_at_first() {
    let deployed = host::deploy("patchy", "");
    let icon = deployed.file("icon", "png");
    let hidden = icon.with_extension("hidden");
    std::fs::rename(&icon, &hidden).expect("a file can be moved");
    let page = Page::open(&format!("/deployed/patchy/?{QUICK}"), &[]).await;
    page.wait_for(&["ready"]).await;
    page.wait("an installation to fail", async || {
        let answer = page.driver.execute_async(INSTALLATION_FAILED, Vec::new()).await.expect("the script runs");
        answer.json() == &Value::from(true)
    })
    .await;
    assert!(caches(&page).await.iter().all(|(_, files)| files.iter().all(|file| file != "index.html")));
    std::fs::rename(&hidden, &icon).expect("it can be moved back");
    wait_until_kept(&page).await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_are_never_mixed() {
    let link = format!("/deployed/builds/?{QUICK}&steps=3");
    let _first = host::deploy("builds", "// the first build");
    let mut page = Page::open(&link, &[]).await;
    page.wait_for(&["ready"]).await;
    wait_until_kept(&page).await;
    let first = build(&page).await;
    let old = page.driver.window().await.expect("a tab");

    // a second build takes the place of the first, of which a tab is open
    let _second = host::deploy("builds", "// the second build");
    let new = page.driver.new_tab().await.expect("another");
    page.driver.switch_to_window(new.clone()).await.expect("it opens");
    page.goto(&link).await;
    page.wait_for(&["ready"]).await;
    let second = build(&page).await;
    assert_ne!(first, second);
    wait_until_kept(&page).await;
    let kept = caches(&page).await;
    assert_eq!(kept.len(), 2, "the first build is in use: {kept:?}");
    let loaded =
        page.script("return performance.getEntriesByType('resource').map((entry) => entry.name.split('/').pop())");
    let own = &kept.iter().find(|(name, _)| name.ends_with(&second)).expect("it is kept").1;
    for file in loaded.await.as_array().expect("a list").iter().filter_map(Value::as_str) {
        assert!(file == "sw.js" || own.iter().any(|name| name == file), "{file} is not of the second build: {own:?}");
    }

    // the tab of the first build has all its files still, though the server has not
    page.driver.switch_to_window(old).await.expect("the first is there still");
    assert_eq!(build(&page).await, first);
    let engine = "const done = arguments[arguments.length - 1];
         fetch(document.querySelector('meta[name=engine]').content).then((answer) => done(answer.status), () => done(0));";
    let answer = page.driver.execute_async(engine, Vec::new()).await.expect("the script runs");
    assert_eq!(answer.json(), &Value::from(200));
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(new).await.expect("the second is there");

    // once it is closed, only the second build is left
    page.wait("the first build to go", async || {
        page.reload().await;
        caches(&page).await.len() == 1
    })
    .await;
    page.stop_server().await;
    page.reload().await;
    page.wait_for(&["ready"]).await;
    assert_eq!(build(&page).await, second);
    page.close().await;
}

/// Violations of the content security policy since the page was loaded. The last is one that this script commits itself, so that
/// it is seen to see them.
const VIOLATIONS: &str = r#"
const done = arguments[arguments.length - 1];
const seen = [];
new ReportingObserver((reports) => {
  for (const { body } of reports) seen.push(`${body.effectiveDirective} ${body.blockedURL}`);
  if (seen.some((text) => text.startsWith("style-src-attr"))) done(seen);
}, { types: ["csp-violation"], buffered: true }).observe();
document.createElement("p").setAttribute("style", "color: red");
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_keeps_to_the_content_policy() {
    let page = Page::open("/?method=rotation&device=cpu&seed=1&batch=8&steps=30&autostart=1", &[]).await;
    page.wait_for(&["done"]).await;
    assert_eq!(page.events("probe").await.len(), 2, "the table of the layers is drawn");
    for link in ["reload", "resume"] {
        let answer = page.driver.execute_async(VIOLATIONS, Vec::new()).await.expect("the script runs");
        assert_eq!(answer.json(), &serde_json::json!(["style-src-attr inline"]), "before the {link}");
        page.goto("/").await;
        page.wait_for(&["ready"]).await;
        page.wait("the offer", async || !page.text("saved-run").await.is_empty()).await;
        page.click("resume-saved").await;
        page.wait_for(&["done"]).await;
    }
    page.close().await;
}
