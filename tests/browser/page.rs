//! The built page in a real browser: it loads, trains, obeys and explains its failures.

/// Makes tests in one make of browser, in a module of that name, out of functions that take the make.
macro_rules! tests_in {
    ($module:ident, $make:ident, $($test:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(browser_tests::drivers::Make::$make).await;
            })+
        }
    };
}

/// Makes tests in Chromium and in Firefox.
macro_rules! in_both_browsers {
    ($($test:ident),+ $(,)?) => {
        tests_in!(chromium, Chromium, $($test),+);
        tests_in!(firefox, Firefox, $($test),+);
    };
}

mod accessibility;
mod embedded;
mod exam;
mod faults;
mod gpu;
mod offline;
mod reading;
mod run_table;
mod saved_runs;
mod take_away;

use browser_tests::browser::Page;
use browser_tests::drivers::Make;
use thirtyfour::prelude::*;

/// Settings of a quick run: the subject is the page, not the network.
const QUICK: &str = "method=rotation&device=cpu&seed=1&batch=8&probe_every=0";

in_both_browsers!(
    a_link_runs_by_itself_and_tells_its_events,
    a_run_starts_pauses_steps_and_resets,
    a_narrow_window_shows_everything_without_scrolling_sideways,
);
#[cfg(target_os = "linux")]
tests_in!(
    webkit,
    WebKit,
    a_link_runs_by_itself_and_tells_its_events,
    a_narrow_window_shows_everything_without_scrolling_sideways
);

/// Arithmetic mean.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

async fn a_link_runs_by_itself_and_tells_its_events(make: Make) {
    let page = Page::open_in(make, "/?method=rotation&device=cpu&seed=1&steps=40&autostart=1&batch=32").await;
    page.wait_for(&["done"]).await;
    let losses = page.losses().await;
    assert_eq!(losses.len(), 40);
    assert!(mean(&losses[30..]) < mean(&losses[..10]), "the loss falls: {losses:?}");
    assert_eq!(page.text("step-count").await, "40");
    for (name, count) in [("started", 1), ("pretext", 1), ("exam", 1), ("done", 1)] {
        assert_eq!(page.events(name).await.len(), count, "{name}");
    }
    let done = &page.events("done").await[0];
    assert!(done["finished"].as_bool() == Some(true) && done["step"].as_u64() == Some(40), "{done}");

    // the probes before the first and after the last step, drawn with their lines and tabled layer by layer
    let probes = page.events("probe").await;
    assert_eq!(probes.iter().map(|probe| probe["step"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(40)]);
    for kind in ["linear", "knn"] {
        assert!(page.text(kind).await.ends_with('%'), "{}", page.text(kind).await);
        let drawn = format!("[data-testid={kind}]");
        let count =
            format!("return document.querySelector('{drawn}').closest('figure').querySelectorAll('ELEMENT').length");
        assert_eq!(page.script(&count.replace("ELEMENT", ".dot")).await, 2, "two rounds of {kind}");
        assert_eq!(
            page.script(&count.replace("ELEMENT", ".level")).await,
            3,
            "raw pixels, their components and the untrained network"
        );
    }
    let layers = page.text("layers").await;
    assert!(["raw pixels", "block 1", "block 4", "last layer"].iter().all(|name| layers.contains(name)), "{layers}");

    // the images of the last step, each with its answer
    assert_eq!(
        page.script("return document.querySelectorAll('[data-testid=strip] .tile[data-verdict]').length").await,
        16
    );
    let drawn = "const c = document.querySelectorAll('[data-testid=strip] canvas')[3];
                 return Math.max(...c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((_, at) => at % 4 < 3))";
    assert!(page.script(drawn).await.as_f64().expect("a number") > 50.0, "an image is not black");
    assert!(page.text("accuracy").await.ends_with('%'));
    let held_out = page.text("held-out").await;
    assert!(
        held_out.contains("never trained on") && held_out.contains("Guessing: 25.0 %; higher is better"),
        "{held_out}"
    );
    page.close().await;
}

async fn a_run_starts_pauses_steps_and_resets(make: Make) {
    let page = Page::open_in(make, &format!("/?{QUICK}&steps=5000")).await;
    page.wait_for(&["ready"]).await;
    page.click("step").await;
    page.wait("the first step", async || page.text("step-count").await == "1").await;
    page.wait_for(&["paused"]).await;
    page.click("step").await;
    page.wait("the second step", async || page.text("step-count").await == "2").await;
    page.click("start").await;
    page.wait_for(&["running"]).await;
    page.wait("some steps", async || page.losses().await.len() > 5).await;
    page.click("pause").await;
    page.wait_for(&["paused"]).await;
    let taken = page.losses().await.len();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(page.losses().await.len(), taken, "a paused run takes no step");
    assert!(
        page.element("batch").await.is_enabled().await.is_ok_and(|enabled| !enabled),
        "settings are fixed during a run"
    );
    page.click("reset").await;
    page.wait_for(&["ready"]).await;
    assert_eq!((page.losses().await.len(), page.text("step-count").await.as_str()), (0, "0"));

    // the same seed gives the same first losses again, another one does not
    let first = fresh_losses(&page).await;
    assert_eq!(fresh_losses(&page).await, first);
    page.fill("seed", "2").await;
    assert_ne!(fresh_losses(&page).await, first);
    page.close().await;
}

/// First three losses of a new run, which is then reset.
async fn fresh_losses(page: &Page) -> Vec<f64> {
    page.click("start").await;
    page.wait("three steps", async || page.losses().await.len() >= 3).await;
    let losses = page.losses().await[..3].to_vec();
    page.click("reset").await;
    page.wait_for(&["ready"]).await;
    losses
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_holds_all_settings() {
    let page = Page::open("/some/folder/", &[]).await;
    page.wait_for(&["ready"]).await;
    assert_eq!((page.value("seed").await, page.value("batch").await), ("1".into(), "64".into()));
    page.choose("device", "cpu").await;
    page.wait_for(&["ready"]).await;
    for (name, text) in [("seed", "7"), ("batch", "16"), ("lr", "0.02"), ("epochs", "2"), ("steps", "12")] {
        page.fill(name, text).await;
    }
    let link = page.driver.current_url().await.expect("an address").to_string();
    for pair in ["method=rotation", "device=cpu", "seed=7", "batch=16", "lr=0.02", "epochs=2", "steps=12", "width=16"] {
        assert!(link.contains(pair), "{pair} is missing in {link}");
    }
    page.goto_url(&link).await;
    page.wait_for(&["ready"]).await;
    for (name, text) in
        [("seed", "7"), ("batch", "16"), ("lr", "0.02"), ("epochs", "2"), ("steps", "12"), ("device", "cpu")]
    {
        assert_eq!(page.value(name).await, text, "{name}");
    }
    page.fill("batch", "").await;
    let link = page.driver.current_url().await.expect("an address").to_string();
    assert!(link.contains("batch=64"), "an emptied field stands for the preset's value: {link}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_get_a_sentence() {
    let page = Page::open("/?seed=abc&device=tpu&preset=huge", &[]).await;
    page.wait_for(&["ready"]).await;
    let said = page.text("message").await;
    assert!(["abc", "tpu", "huge"].iter().all(|word| said.contains(word)), "{said}");
    page.click("start").await;
    page.wait_for(&["error"]).await;
    page.fill("seed", "5").await;
    page.fill("batch", "1").await;
    page.wait_for_text("message", "2 or more images, not 1").await;
    assert_eq!(page.element("batch").await.attr("aria-invalid").await.expect("an attribute").as_deref(), Some("true"));
    page.fill("batch", "70000").await;
    page.click("start").await;
    page.wait_for(&["error"]).await;
    page.wait_for_text("message", "60000 training images").await;
    page.fill("batch", "8").await;
    page.click("start").await;
    page.wait_for(&["running"]).await;

    for (query, word) in [
        ("method=none&autostart=1", "none"),
        ("steps=-3&autostart=1", "steps"),
        ("device=tpu&autostart=1", "tpu"),
        ("tilt=1&autostart=1", "tilt"),
    ] {
        page.goto(&format!("/?{query}")).await;
        page.wait_for(&["error"]).await;
        page.wait_for_text("message", word).await;
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_of_the_menu_trains() {
    let page = Page::open("/gray/?device=cpu", &[]).await;
    page.wait_for(&["ready"]).await;
    let menu = page
        .script("return [...document.querySelector('[data-testid=method]').options].map((option) => option.value)")
        .await;
    let menu: Vec<String> =
        menu.as_array().expect("a list").iter().filter_map(|id| id.as_str().map(String::from)).collect();
    assert!(menu.contains(&"rotation".to_string()), "{menu:?}");
    for method in menu {
        page.choose("method", &method).await;
        // a method may need another data set
        page.wait_for(&["ready", "done"]).await;
        for (name, text) in [("batch", "16"), ("steps", "3"), ("probe_every", "0")] {
            page.fill(name, text).await;
        }
        page.click("start").await;
        page.wait_for(&["done"]).await;
        assert_eq!(page.losses().await.len(), 3, "{method}");
        let started = page.events("started").await[0]["config"].clone();
        assert_eq!(started["method"], method.as_str());
        assert_eq!(page.value("data-set").await, started["data"].as_str().expect("a name"), "{method}");
        let drawn =
            "return [...document.querySelectorAll('[data-testid=strip] canvas')].filter((c) => c.width > 1).length";
        assert!(page.script(drawn).await.as_u64() >= Some(16), "{method} shows what its network was given");
        assert!(!page.text("task").await.is_empty());
        let guides = "return ['loss', 'accuracy'].map((id) =>
            document.querySelector(`[data-testid=${id}]`).closest('figure').querySelector('.guide').textContent)";
        let guides: Vec<String> = page
            .script(guides)
            .await
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|text| text.as_str().map(String::from))
            .collect();
        assert!(guides[0].starts_with("Lower is better. "), "{method}: {}", guides[0]);
        assert!(guides[1].to_lowercase().contains("er is better"), "{method}: {}", guides[1]);
        assert_eq!(page.text("message").await, "", "{method}");
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_stop_gradient_simsiam_collapses_in_sight() {
    let link = "/?method=simsiam&stop_gradient=false&device=cpu&seed=1&batch=64&steps=200&probe_every=0&autostart=1";
    let page = Page::open(link, &[]).await;
    page.wait_for(&["done"]).await;
    let warnings = page.text("warnings").await;
    assert!(
        warnings.contains("The representation is collapsing") && warnings.contains("fewer directions"),
        "{warnings}"
    );
    let looks = page.events("health").await;
    assert_eq!(looks.len(), 9, "after the first step and every 25");
    let rank = |look: &serde_json::Value| look["embedding"]["centred_rank"].as_f64().expect("a number");
    assert!(rank(&looks[8]) < 0.3 * rank(&looks[0]), "{looks:?}");
    let share: f64 = page.text("variety").await.trim_end_matches(" %").parse().expect("a share");
    assert!(share < 30.0, "the chart shows it: {share} % of the directions are in use");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_photographs_train_while_they_arrive() {
    let run = "method=colorization&device=cpu&batch=16&steps=3&probe_every=0&autostart=1";
    let page = Page::open(&format!("/colour/?{run}"), &[]).await;
    page.wait_for(&["done"]).await;
    assert_eq!(page.value("data-set").await, "cifar-10");
    let there = page.text("data").await;
    assert!(there.starts_with("CIFAR-10: ") && there.contains("of 50,000 images, the rest is on its way"), "{there}");
    assert_eq!(page.events("started").await[0]["config"]["data"], "cifar-10");

    page.goto("/gray/?method=rotation&data=cifar-10&device=cpu").await;
    page.wait_for(&["ready"]).await;
    page.wait_for_text("message", "make page SETS").await;
    page.choose("data-set", "fashion-mnist").await;
    page.wait("the message to go", async || page.text("message").await.is_empty()).await;
    page.choose("method", "colorization").await;
    page.wait_for(&["ready"]).await;
    assert_eq!(page.value("data-set").await, "moving-shapes");
    assert!(page.text("data").await.starts_with("Moving shapes"), "{}", page.text("data").await);
    assert!(page.text("data-advice").await.contains("CIFAR-10 is not part of this site"));
    let closed = page.script(
        "return [...document.querySelector('[data-testid=data-set]').options].filter((option) => option.disabled).map((option) => option.text)",
    );
    let reasons = serde_json::json!(["Fashion-MNIST (no colours)", "CIFAR-10 (not on this site)"]);
    assert_eq!(closed.await, reasons);
    let link = page.driver.current_url().await.expect("an address").to_string();
    assert!(link.contains("data=moving-shapes"), "{link}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_is_enough() {
    let page = Page::open(&format!("/?{QUICK}&steps=3"), &[]).await;
    page.wait_for(&["ready"]).await;
    let focused = "return document.activeElement.dataset.testid ?? document.activeElement.className";
    let mut order = Vec::new();
    while order.last().map(String::as_str) != Some("start") {
        assert!(order.len() < 6, "the start button is not among the first stops: {order:?}");
        press(&page, Key::Tab).await;
        order.push(page.script(focused).await.as_str().unwrap_or_default().to_string());
    }
    assert_eq!(order.first().map(String::as_str), Some("skip"));
    press(&page, Key::Enter).await;
    page.wait_for(&["done"]).await;
    assert_eq!(page.script(focused).await, "start", "the focus stays where it was");

    // walking along the loss curve: the slider speaks the values
    page.script("document.querySelector('.walk').focus()").await;
    press(&page, Key::Home).await;
    let spoken = page.script("return document.activeElement.getAttribute('aria-valuetext')").await;
    assert!(spoken.as_str().is_some_and(|text| text.starts_with("step 1: ")), "{spoken}");

    let unnamed = page.script(
        "return [...document.querySelectorAll('input, select, button, canvas')].filter((control) =>
           !(control.labels?.length || control.getAttribute('aria-label') || control.textContent.trim())).map((control) => control.outerHTML)",
    );
    assert_eq!(unnamed.await, serde_json::json!([]), "every control has a name");
    let unexplained = page.script(
        "return [...document.querySelectorAll('.field input')].filter((field) =>
           !document.getElementById(field.getAttribute('aria-describedby'))?.textContent.trim()).map((field) => field.id)",
    );
    assert_eq!(unexplained.await, serde_json::json!([]), "every field has its help");
    let options = page.script("return document.querySelectorAll('.more .field').length").await;
    assert!(options.as_u64() >= Some(2), "the width and the options of the method: {options}");
    page.close().await;
}

async fn press(page: &Page, key: Key) {
    page.driver.action_chain().send_keys(key + "").perform().await.expect("a key can be pressed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_everything_without_scrolling_sideways() {
    let page = Page::open_on_phone(&format!("/?{QUICK}&steps=3&autostart=1")).await;
    let widths = "return [document.documentElement.scrollWidth, innerWidth]";
    for state in ["loading", "done"] {
        page.wait_for(&[state, "ready", "running", "done"]).await;
        let found = page.script(widths).await;
        assert!(found[0].as_f64() <= found[1].as_f64() && found[1] == 390, "{state}: {found}");
    }
    page.wait_for(&["done"]).await;
    let found = page.script(widths).await;
    assert_eq!(found, serde_json::json!([390, 390]));
    page.close().await;
}

async fn a_narrow_window_shows_everything_without_scrolling_sideways(make: Make) {
    let page = Page::open_in(make, &format!("/?{QUICK}&steps=3&autostart=1")).await;
    page.driver.set_window_rect(0, 0, 390, 844).await.expect("a window can be made narrow");
    page.wait_for(&["done"]).await;
    let widths = page.script("return [document.documentElement.scrollWidth, innerWidth]").await;
    let [content, window] = [0, 1].map(|at| widths[at].as_f64().expect("a number"));
    // browsers with a window have a least width of their own
    assert!(content <= window && window <= 500.0, "{widths}");
    page.close().await;
}
