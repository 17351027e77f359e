//! Numbers and charts as files: the same as on the page.

use std::fs;
use std::path::PathBuf;

use browser_tests::browser::Page;
use browser_tests::drivers::downloads;
use serde_json::json;

/// Name of the run on show in the names of its files.
const RUN: &str = "rotation-fashion-mnist-1";

/// Counts the pixels of a PNG file whose colour is the text `arguments[1]`, as `r,g,b`.
const COUNT: &str = r#"
const [bytes, colour, done] = arguments;
createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" })).then((image) => {
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) count += `${data[at]},${data[at + 1]},${data[at + 2]}` === colour;
  done([image.width, image.height, count]);
}).catch((error) => done(String(error)));
"#;

/// Compares a file of events with those of the page's runs, cell by cell.
const CSV: &str = r#"
const [text, done] = arguments;
const rows = [[]];
for (const [, cell, end] of text.matchAll(/("(?:[^"]|"")*"|[^",\n]*)([,\n])/g)) {
  rows.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
  if (end === "\n") rows.push([]);
}
const [names, ...lines] = rows.slice(0, -1);
const nested = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const flat = (event, path) => Object.entries(event).flatMap(([name, value]) =>
  nested(value) ? flat(value, `${path}${name}.`) : [[path + name, value]]);
// lists of objects, whatever the order of their fields
const ordered = (value) => JSON.stringify(value, (_, inner) => nested(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner);
window.nolabel.runs().then((runs) => {
const events = runs.flatMap(({ run, run_name, events }) => events.map((event) => ({ run, run_name, ...event })));
const differences = [];
lines.forEach((line, at) => {
  const told = new Map(flat(events[at], ""));
  names.forEach((name, column) => {
    const value = told.get(name) ?? null;
    const same = value === null || typeof value === "string" ? line[column] === (value ?? "")
      : ordered(JSON.parse(line[column])) === ordered(value);
    if (!same) differences.push([name, line[column], value]);
    told.delete(name);
  });
  differences.push(...told);
});
done({ runs: new Set(lines.map((line) => line[names.indexOf("run")])).size, missing: events.length - lines.length, differences });
}).catch((error) => done(String(error)));
"#;

/// Compares a file of runs with those of the page.
const JSON: &str = r#"
const [text, done] = arguments;
const runs = JSON.parse(text);
window.nolabel.runs().then((shown) => {
  const same = JSON.stringify(runs) === JSON.stringify(shown);
  done({ runs: runs.length, missing: 0, differences: same ? [] : ["some"] });
}).catch((error) => done(String(error)));
"#;

/// What an SVG file draws: its texts and the colours of its curves.
const DRAWN: &str = r#"
const drawing = new DOMParser().parseFromString(arguments[0], "image/svg+xml");
const all = (selector, read) => [...drawing.querySelectorAll(selector)].map(read);
return { errors: all("parsererror", (error) => error.textContent), texts: all("text", (text) => text.textContent),
  strokes: all("path", (path) => path.getAttribute("stroke")) };
"#;

/// Clicks on a button and reads the file that it saves.
async fn saved(page: &Page, button: &str, name: &str) -> Vec<u8> {
    let file: PathBuf = downloads().join(name);
    if file.exists() {
        fs::remove_file(&file).expect("the file of another test can be deleted");
    }
    page.press(button).await;
    page.wait(name, async || file.is_file()).await;
    fs::read(file).expect("it can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_charts_leave_as_they_are_on_the_page() {
    let page = Page::open("/?method=rotation&device=cpu&seed=2&batch=8&steps=12", &[]).await;
    page.wait_for(&["ready"]).await;
    let closed = "return [...document.querySelectorAll('[data-testid^=export]')].every((button) => button.ariaDisabled === 'true')";
    assert_eq!(page.script(closed).await, true, "there is nothing to take away yet");
    page.click("start").await;
    page.wait_for(&["done"]).await;
    // a second run, beside which the first is drawn
    page.fill("seed", "1").await;
    page.click("start").await;
    page.wait_for(&["done"]).await;

    for (kind, script) in [("csv", CSV), ("json", JSON)] {
        let file = saved(&page, &format!("[data-testid=export-{kind}]"), &format!("nolabel-runs.{kind}")).await;
        let text = String::from_utf8(file).expect("text");
        let answer = page.driver.execute_async(script, vec![text.into()]).await.expect("the script runs");
        assert_eq!(answer.json(), &json!({ "runs": 2, "missing": 0, "differences": [] }), "{kind}");
    }

    let file = saved(&page, "[data-testid=export-report]", &format!("{RUN}-report.html")).await;
    let report = String::from_utf8(file).expect("text");
    for part in
        ["<h1>Rotation prediction", "<dt>Steps</dt><dd>12</dd>", "How training went", "data:image/png", "steps=12"]
    {
        assert!(report.contains(part), "`{part}` is missing in the report: {report}");
    }
    assert!(!report.contains("<script") && report.matches("<svg").count() >= 5, "{report}");

    for chart in ["loss", "accuracy", "linear", "knn"] {
        let button = |kind| format!("figure:has([data-testid={chart}]) [data-testid=export-{kind}]");
        let svg = String::from_utf8(saved(&page, &button("svg"), &format!("{RUN}-{chart}.svg")).await).expect("text");
        let answer = page.driver.execute(DRAWN, vec![svg.clone().into()]).await.expect("the script runs");
        let drawn = answer.json();
        let shown = format!(
            "const figure = document.querySelector('figure:has([data-testid={chart}])');
             const all = (selector, read) => [...figure.querySelectorAll(selector)].map(read);
             const texts = ['h3', 'svg text', '.runs-legend li'].flatMap((selector) => all(selector, (text) => text.textContent));
             return {{ errors: [], texts: texts.toSpliced(1, 0, '{RUN}'),
               strokes: all('svg path', (path) => getComputedStyle(path).stroke) }};"
        );
        assert_eq!(*drawn, page.script(&shown).await, "{svg}");
        assert!(svg.contains("Run 2 (Seed: 1)") && svg.contains("Run 1 (Seed: 2)"), "the legend is part of it: {svg}");
        assert!(!svg.contains("NaN") && drawn["strokes"].as_array().is_some_and(|lines| !lines.is_empty()), "{svg}");

        let png = saved(&page, &button("png"), &format!("{RUN}-{chart}.png")).await;
        let lines = drawn["strokes"].as_array().map_or(0, Vec::len);
        let colour =
            drawn["strokes"][lines - 2].as_str().expect("a colour").replace(['r', 'g', 'b', '(', ')', ' '], "");
        let answer = page.driver.execute_async(COUNT, vec![png.into(), colour.into()]).await.expect("the script runs");
        let [width, height, count] = [0, 1, 2].map(|at| answer.json()[at].as_u64().expect("a number"));
        assert!(width > 900 && height > 600, "{width}x{height}");
        assert!(count > 500, "{count} pixels of the curve");
    }
    page.close().await;
}
