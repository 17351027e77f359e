//! Saved runs: a reload, a damaged file, a download, the command line.

use std::fs;
use std::path::Path;
use std::process::Command;

use browser_tests::browser::Page;
use browser_tests::drivers::{Make, downloads};

use crate::QUICK;
use crate::run_table::rows;

in_both_browsers!(
    a_run_survives_a_reload_and_a_closed_tab,
    page_and_command_line_read_each_others_files,
    a_browser_without_storage_trains_all_the_same
);

#[cfg(target_os = "linux")]
tests_in!(webkit, WebKit, a_browser_without_file_storage_says_so);

/// Replaces the newest saved checkpoint by EXPRESSION of its `bytes`. Answers with the counts of runs and checkpoints and its
/// name.
const DAMAGE: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("nolabel");
  const runs = [];
  for await (const entry of root.values()) if (entry.kind === "directory") runs.push(entry);
  runs.sort((a, b) => b.name.localeCompare(a.name, "en", { numeric: true }));
  const files = [];
  for await (const entry of runs[0].values()) if (entry.name.endsWith(".safetensors")) files.push(entry);
  const newest = files.sort((a, b) => (a.name < b.name ? 1 : -1))[0];
  const bytes = new Uint8Array(await (await newest.getFile()).arrayBuffer());
  const writer = await newest.createWritable();
  await writer.write(EXPRESSION);
  await writer.close();
  done(`${runs.length} ${files.length} ${newest.name}`);
})().catch((error) => done(String(error)));
"#;

/// Lists the browser's storage.
const LIST: &str = r#"
const done = arguments[arguments.length - 1];
(async () => {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("nolabel");
  const names = [];
  for await (const name of root.keys()) names.push(name);
  done(names.sort().join(" "));
})().catch((error) => done(String(error)));
"#;

/// The answer of a script about the browser's storage.
pub async fn storage(page: &Page, script: impl Into<String>) -> String {
    let answer = page.driver.execute_async(script.into(), Vec::new()).await.expect("the script runs");
    answer.json().as_str().expect("text").to_string()
}

async fn damage(page: &Page, expression: &str) -> String {
    storage(page, DAMAGE.replace("EXPRESSION", expression)).await
}

/// Takes `count` single steps, each of which is saved; returns the last one.
async fn step(page: &Page, count: usize) -> usize {
    for _ in 0..count {
        let before = page.losses().await.len();
        page.click("step").await;
        assert!(!page.text("safe").await.contains("whole run"), "the message is about this run, not the one before");
        page.wait("a step", async || page.losses().await.len() > before).await;
    }
    let step = last_step(page).await;
    wait_until_saved(page, step).await;
    step
}

async fn wait_until_saved(page: &Page, step: usize) {
    let safe = format!("up to step {step}:");
    page.wait("the run to be saved", async || page.text("safe").await.contains(&safe)).await;
}

async fn last_step(page: &Page) -> usize {
    let steps = page.events("step").await;
    steps.last().and_then(|step| step["step"].as_u64()).expect("a step") as usize
}

async fn resumed_at(page: &Page) -> Option<u64> {
    page.events("started").await.last().and_then(|started| started["resumed_at"].as_u64())
}

/// Compares losses: recomputed ones, from index `from` on, bit for bit; restored ones have been through decimal digits.
fn assert_same(losses: &[f64], whole: &[f64], from: usize) {
    assert_eq!(losses.len(), whole.len());
    assert_eq!(losses[from..], whole[from..]);
    assert!(losses.iter().zip(whole).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{losses:?}\n{whole:?}");
}

async fn a_run_survives_a_reload_and_a_closed_tab(make: Make) {
    let link = format!("/?{QUICK}&steps=400");
    let page = Page::open_in(make, &format!("{link}&autostart=1")).await;
    page.wait_for(&["done"]).await;
    let whole = page.losses().await;

    page.goto(&link).await;
    page.wait_for(&["ready"]).await;
    page.wait("the offer", async || page.text("saved-run").await.contains("finished after 400 steps")).await;
    let first = step(&page, 3).await;
    page.reload().await;
    page.wait_for(&["ready"]).await;
    let offer = format!("(RotNet) on Fashion-MNIST, at step {first}, saved ");
    page.wait("the offer", async || page.text("saved-run").await.contains(&offer)).await;
    assert_eq!(page.losses().await.len(), 0, "nothing starts by itself");

    // the tab is closed during the run, and a new one opened without a query
    page.click("resume-saved").await;
    page.wait("further steps", async || page.losses().await.len() > first).await;
    assert_eq!(page.value("batch").await, "8");
    page.click("pause").await;
    page.wait_for(&["paused"]).await;
    let second = last_step(&page).await;
    wait_until_saved(&page, second).await;
    let tab = page.driver.new_tab().await.expect("a tab");
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(tab).await.expect("the new tab");
    page.goto("/").await;
    page.wait_for(&["ready"]).await;
    page.wait("the offer", async || !page.text("saved-run").await.is_empty()).await;
    page.click("resume-saved").await;
    page.wait_for(&["done"]).await;
    assert_same(&page.losses().await, &whole, second);
    assert_eq!(resumed_at(&page).await, Some(second as u64));
    assert_eq!((page.value("batch").await.as_str(), page.text("step-count").await.as_str()), ("8", "400"));
    let probed = page.events("probe").await;
    assert_eq!(probed.len(), 0, "the restored run keeps its pace");

    // an autostart link makes no offer
    page.goto(&format!("/?{QUICK}&steps=3&autostart=1")).await;
    page.wait_for(&["done"]).await;
    assert_eq!((resumed_at(&page).await, page.losses().await.as_slice()), (Some(0), &whole[..3]));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_falls_back_to_the_one_before() {
    let link = format!("/?{QUICK}&steps=30");
    let page = Page::open(&format!("{link}&autostart=1"), &[]).await;
    page.wait_for(&["done"]).await;
    let whole = page.losses().await;
    let wrongs = ["bytes.map((byte, at) => (at === bytes.length - 100 ? byte ^ 1 : byte))", "bytes.slice(0, 5000)"];
    for (runs, wrong) in (2..).zip(wrongs) {
        page.goto(&link).await;
        page.wait_for(&["ready"]).await;
        let (first, second) = (step(&page, 3).await, step(&page, 1).await);
        let newest = format!("{runs} 2 step-{second:08}.safetensors");
        assert_eq!(damage(&page, wrong).await, newest, "two states of the newest run");
        page.reload().await;
        page.wait_for(&["ready"]).await;
        page.wait("the offer", async || !page.text("saved-run").await.is_empty()).await;
        let offer = page.text("saved-run").await;
        assert!(offer.contains(&format!("at step {first}")) && offer.contains("is damaged"), "{offer}");
        page.click("resume-saved").await;
        page.wait_for(&["done"]).await;
        assert_eq!(resumed_at(&page).await, Some(first as u64));
        assert_same(&page.losses().await, &whole, first);
    }
    page.click("reset").await;
    page.wait_for(&["ready"]).await;
    for left in (0..3).rev() {
        page.click("delete-saved").await;
        page.wait("a run to go", async || rows(&page).await == left).await;
    }
    page.wait("the offer to go", async || page.text("saved-run").await.is_empty()).await;
    assert_eq!(storage(&page, LIST).await, "lock", "only the lock file is left");
    page.reload().await;
    page.wait_for(&["ready"]).await;
    assert_eq!(page.text("saved-run").await, "");
    page.close().await;
}

/// Output of the command line, which `make build` has built.
pub(crate) fn nolabel(arguments: &str) -> String {
    let built = std::env::current_exe().expect("a path").ancestors().nth(2).map(|folder| folder.join("nolabel"));
    let program =
        built.filter(|path| path.is_file()).expect("`make build` builds the command line that is tested with");
    let said = Command::new(program).args(arguments.split_whitespace()).output().expect("it runs");
    let [out, err] = [said.stdout, said.stderr].map(|text| String::from_utf8(text).expect("text"));
    assert!(said.status.success(), "nolabel {arguments}\n{out}{err}");
    out
}

/// Makes an empty folder.
fn empty(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("it can be emptied");
    }
    fs::create_dir_all(folder).expect("a folder");
}

/// Opens a file in the page, as the file dialogue does.
async fn open(page: &Page, file: &Path) {
    page.element("open").await.send_keys(file.display().to_string()).await.expect("a file can be chosen");
}

async fn page_and_command_line_read_each_others_files(make: Make) {
    let here = downloads();
    let here_shown = here.display();
    let data = concat!("fashion-mnist:", env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist");
    let page = Page::open_in(make, &format!("/?{QUICK}&steps=20&autostart=1")).await;
    // only now: another test may have been using the folder
    empty(&here);
    page.wait_for(&["done"]).await;
    let losses = page.losses().await;
    page.click("download").await;
    let file = here.join("rotation-fashion-mnist-1-step-00000020.safetensors");
    page.wait("the file", async || file.is_file()).await;

    let said = nolabel(&format!(
        "eval {} --data {data} --images 600 --test-images 300 --probe knn --device cpu -q",
        file.display()
    ));
    assert!(said.contains("rotation on fashion-mnist, seed 1, after 20 steps"), "{said}");
    nolabel(&format!("export {} --out {here_shown}/encoder.onnx", file.display()));

    // a finished run is shown again, and probed if it never was
    page.goto("/?device=cpu&seed=5").await;
    page.wait_for(&["ready"]).await;
    open(&page, &file).await;
    page.wait_for(&["done"]).await;
    assert_eq!((page.value("seed").await, page.value("steps").await), ("1".into(), "20".into()));
    let probes = page.events("probe").await;
    assert_eq!(probes.iter().map(|probe| probe["step"].as_u64()).collect::<Vec<_>>(), [Some(20)]);

    // a run of the command line continues in the page; its losses repeat those above within rounding
    nolabel(&format!(
        "train rotation --data {data} --batch 8 --steps 20 --save-every 15 --set encoder.width=16 --device cpu -q --out {here_shown}/run"
    ));
    page.goto(&format!("/?{QUICK}")).await;
    page.wait_for(&["ready"]).await;
    open(&page, &here.join("run/checkpoints/step-00000015.safetensors")).await;
    page.wait_for(&["done"]).await;
    assert_eq!(resumed_at(&page).await, Some(15));
    let again = page.losses().await;
    assert_eq!(again.len(), 5);
    assert!(again.iter().zip(&losses[15..]).all(|(a, b)| (a - b).abs() < 1e-3 * b.abs()), "{again:?}\n{losses:?}");

    for (name, content, wrong) in [("notes", "these are notes", "too large"), ("empty", "", "too small")] {
        let file = here.join(format!("{name}.safetensors"));
        fs::write(&file, content).expect("a file");
        open(&page, &file).await;
        page.wait("the refusal", async || page.text("message").await.contains(wrong)).await;
        let message = page.text("message").await;
        assert!(
            message.contains("not a whole checkpoint") && message.contains("downloaded from this page"),
            "{message}"
        );
    }
    page.click("start").await;
    page.wait_for(&["running"]).await;
    page.close().await;
}

async fn a_browser_without_storage_trains_all_the_same(make: Make) {
    let run = format!("?{QUICK}&steps=20&autostart=1");
    let page = Page::open_in(make, &format!("/no-storage/{run}")).await;
    let refusals = [("no-storage", "private window"), ("full", "no more room")];
    for (variant, words) in refusals {
        page.goto(&format!("/{variant}/{run}")).await;
        page.wait_for(&["done"]).await;
        assert_eq!(page.losses().await.len(), 20);
        page.wait("the refusal", async || page.text("save-error").await.contains(words)).await;
        assert_eq!((page.text("message").await, page.text("safe").await), (String::new(), String::new()));
    }

    // only one tab saves: two would overwrite each other's run
    page.goto(&format!("/{run}")).await;
    page.wait("the run to be saved", async || page.text("safe").await.contains("whole run")).await;
    let first = page.driver.window().await.expect("a tab");
    let second = page.driver.new_tab().await.expect("another");
    page.driver.switch_to_window(second).await.expect("it opens");
    page.goto(&format!("/{run}")).await;
    page.wait("the refusal", async || page.text("save-error").await.contains("another tab")).await;
    page.driver.close_window().await.expect("it closes");
    page.driver.switch_to_window(first).await.expect("the first is there still");
    assert!(page.text("safe").await.contains("whole run"));
    page.close().await;
}

/// WebKitGTK has no file system for pages.
#[cfg(target_os = "linux")]
async fn a_browser_without_file_storage_says_so(make: Make) {
    let page = Page::open_in(make, &format!("/?{QUICK}&steps=3&autostart=1")).await;
    page.wait_for(&["done"]).await;
    page.wait_for_text("save-error", "this browser has no place for the files of a page").await;
    assert_eq!((page.text("message").await, page.losses().await.len()), (String::new(), 3));
    page.close().await;
}
