//! Takes the picture of the page in use that the README shows.
//!
//! `cargo run --release --package browser-tests --bin screenshot -- FILE.png` opens the built page in headless Chromium, trains
//! rotation prediction on the CPU until the second probe is drawn, and writes what the window shows.

use std::path::PathBuf;
use std::process::exit;

use browser_tests::browser::Page;

const ADDRESS: &str = "/?method=rotation&preset=small&data=fashion-mnist&device=cpu&seed=1&batch=64&probe_every=100&steps=1000&autostart=1";
/// Width of the picture in pixels: a page of text beside a column of controls.
const WIDTH: u32 = 1280;
/// Height of the picture in pixels: down to the charts of the probes.
const HEIGHT: u32 = 1940;
/// Steps of the run in the picture: the loss has fallen, and there are two probes beside the first.
const STEPS: usize = 220;

#[tokio::main]
async fn main() {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: screenshot FILE.png");
        exit(2);
    };
    let flags = ["--hide-scrollbars", "--force-color-profile=srgb"];
    let page = Page::open_at_size(ADDRESS, &flags, WIDTH, HEIGHT).await;
    page.wait("the steps of the picture", async || page.losses().await.len() >= STEPS).await;
    page.driver.screenshot(&path).await.expect("the picture can be written");
    page.close().await;
    println!("{}: {WIDTH}x{HEIGHT}, after {STEPS} steps", path.display());
}
