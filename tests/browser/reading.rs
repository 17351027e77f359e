//! Reading the page: its colours, its words, its size on a phone, its calm.

use browser_tests::browser::Page;
use serde_json::json;
use thirtyfour::prelude::*;

use super::{QUICK, press};

/// The paper's colour on the screen.
async fn paper(page: &Page) -> String {
    let paper = page.script("return getComputedStyle(document.body).backgroundColor").await;
    paper.as_str().expect("a colour").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_follow_the_system_until_they_are_chosen() {
    const LIGHT: &str = "rgb(250, 248, 244)";
    const DARK: &str = "rgb(21, 23, 27)";
    let page = Page::open("/?device=cpu", &["--blink-settings=preferredColorScheme=1"]).await;
    assert_eq!(paper(&page).await, LIGHT);
    assert_eq!(page.text("theme").await, "Dark page");
    page.click("theme").await;
    assert_eq!(paper(&page).await, DARK);
    page.reload().await;
    assert_eq!(paper(&page).await, DARK, "the choice is remembered");
    let root = "return document.documentElement.dataset.theme ?? 'the system'";
    assert_eq!(page.script(root).await, "dark");
    page.click("theme").await;
    assert_eq!((paper(&page).await.as_str(), page.script(root).await), (LIGHT, json!("the system")));
    page.close().await;

    let page = Page::open("/?device=cpu", &["--blink-settings=preferredColorScheme=0"]).await;
    assert_eq!(paper(&page).await, DARK, "a dark system needs no choice");
    page.click("theme").await;
    page.reload().await;
    assert_eq!(paper(&page).await, LIGHT);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_opens_and_closes_definitions() {
    let page = Page::open(&format!("/?{QUICK}&steps=3"), &[]).await;
    page.wait_for(&["ready"]).await;
    let open = "return document.querySelector(':popover-open')?.querySelector('dfn').textContent ?? ''";
    let focused = "return document.activeElement.textContent";
    for (at, (word, definition)) in
        [("neural network", "Neural network"), ("labelled", "Label")].into_iter().enumerate()
    {
        page.script(&format!("document.querySelectorAll('header .term')[{at}].focus()")).await;
        assert_eq!(page.script(focused).await, word);
        press(&page, Key::Enter).await;
        assert_eq!(page.script(open).await, definition);
        press(&page, Key::Escape).await;
        assert_eq!((page.script(open).await, page.script(focused).await), (json!(""), json!(word)));
    }

    // each term is marked at its first use in running text, and each marked word has its definition
    let unmarked = "
        const words = [...document.querySelectorAll('.words .term')];
        const texts = [...document.querySelectorAll('.lead, .part > p, .guide')].filter((text) => text.checkVisibility());
        return words.map((word) => [word.textContent, word.getAttribute('popovertarget')]).filter(([word, id]) => {
          const text = texts.find((text) => new RegExp(`\\\\b${word}s?\\\\b`, 'i').test(text.textContent));
          const first = text?.querySelector(`[popovertarget=${id}]`);
          const earlier = [...document.querySelectorAll(`[popovertarget=${id}]`)][0];
          return text && !first && !(earlier.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING);
        }).map(([word]) => word)";
    assert_eq!(page.script(unmarked).await, json!([]), "terms are marked where they are first used");
    let marked = page.script("return new Set([...document.querySelectorAll('main .term, header .term')].map((term) => term.textContent)).size");
    assert!(marked.await.as_u64() >= Some(7), "the texts have terms");
    let lost = "return [...document.querySelectorAll('.term')].map((term) => term.getAttribute('popovertarget'))
        .filter((id) => !document.getElementById(id)?.textContent.trim())";
    assert_eq!(page.script(lost).await, json!([]));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_classes_of_the_data_on_show() {
    let page = Page::open("/?method=rotation&device=cpu", &[]).await;
    page.wait_for(&["ready"]).await;
    let text = "return document.querySelector('[aria-labelledby=part-probes]').textContent";
    let of = async |word: &str| page.script(text).await.as_str().is_some_and(|text| text.contains(word));
    assert!(of("T-shirt, trousers, pullover and 7 more").await);
    page.choose("data-set", "moving-shapes").await;
    page.wait_for(&["ready"]).await;
    assert!(of("disc, square, triangle and 5 more").await && !of("T-shirt").await);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_stand_in_families_and_offer_their_experiment() {
    let page = Page::open("/?method=simsiam&device=cpu", &[]).await;
    page.wait_for(&["ready"]).await;
    let menu = "document.querySelector('[data-testid=method]')";
    let families =
        page.script(&format!("return [...{menu}.querySelectorAll('optgroup')].map((group) => group.label)")).await;
    let expected = ["Undo what we did", "Fill in what is missing", "Same picture or not?", "Several tasks at once"];
    assert_eq!(families, json!(expected));
    let marked = page
        .script(&format!("return [...{menu}.options].filter((option) => option.text.startsWith('★')).length"))
        .await;
    assert_eq!(marked, 3);
    assert_eq!(page.value("method").await, "simsiam");

    page.click("experiment").await;
    let link = page.driver.current_url().await.expect("an address").to_string();
    assert!(link.contains("stop_gradient=false"), "{link}");
    page.click("experiment").await;
    let link = page.driver.current_url().await.expect("an address").to_string();
    assert!(!link.contains("stop_gradient"), "pressed again it takes the change back: {link}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_the_pictures_after_start_without_scrolling() {
    let page = Page::open_on_phone(&format!("/?{QUICK}&steps=5000")).await;
    page.wait_for(&["ready"]).await;
    page.click("start").await;
    page.wait("a picture", async || {
        page.script("return document.querySelector('.tile[data-verdict]') !== null").await == true
    })
    .await;
    page.wait_for(&["running"]).await;
    let found = page.script(
        "const tiles = [...document.querySelectorAll('[data-testid=strip] .tile')].map((tile) => tile.getBoundingClientRect());
         return [scrollY, Math.min(...tiles.map((tile) => tile.top)), Math.max(...tiles.map((tile) => tile.bottom)), innerHeight]",
    );
    let found = found.await;
    let [scrolled, top, bottom, height] = [0, 1, 2, 3].map(|at| found[at].as_f64().expect("a number"));
    assert!(scrolled == 0.0 && top > 0.0 && bottom <= height, "the pictures lie from {top} to {bottom} of {height} px");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_has_all_controls_large_enough_to_be_touched() {
    let page = Page::open_on_phone("/?method=simsiam&device=cpu").await;
    page.wait_for(&["ready"]).await;
    page.script("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })").await;
    let small = page.script(
        "return [...document.querySelectorAll('button, select, input, summary')].filter((control) => {
           const { width, height } = control.getBoundingClientRect();
           return control.checkVisibility() && Math.min(width, height) < 24;
         }).map((control) => control.outerHTML)",
    );
    assert_eq!(small.await, json!([]));
    for field in ["method", "data-set", "preset", "device", "seed", "option-width"] {
        assert!(page.element(field).await.is_displayed().await.is_ok_and(|shown| shown), "{field} is out of sight");
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_slow_for_those_who_want_less_motion() {
    let page = Page::open(&format!("/?{QUICK}&steps=100000"), &["--force-prefers-reduced-motion"]).await;
    page.wait_for(&["ready"]).await;
    let record = "window.changes = [];
        new MutationObserver(() => window.changes.push(performance.now()))
          .observe(document.querySelector('[data-testid=strip]'), { attributeFilter: ['data-step'] })";
    page.script(record).await;
    page.click("start").await;
    page.wait("some pictures", async || page.script("return window.changes.length").await.as_u64() >= Some(4)).await;
    let shortest = "return Math.min(...window.changes.slice(1).map((time, at) => time - window.changes[at]))";
    let shortest = page.script(shortest).await.as_f64().expect("a time");
    // less than the two seconds, since the first of two pictures may be drawn late
    assert!(shortest > 1500.0, "two pictures within {shortest} ms");
    page.close().await;
}
