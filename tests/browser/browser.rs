//! A headless browser with the page in it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::drivers::{Browser, Make};
use crate::host::{self, Host};

/// Flags for a WebGPU adapter that is emulated on the CPU.
pub const SOFTWARE_GPU: [&str; 2] = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/// Limit of every wait. A wait ends as soon as its condition holds, so the limit only ends a failed test; it leaves room for a
/// busy machine, and for an emulated GPU, whose first step takes minutes.
const PATIENCE: Duration = Duration::from_secs(900);
/// Time between two looks at the page.
const POLL: Duration = Duration::from_millis(50);

/// The error of WebKit's driver for a page that, on a busy machine, did not answer in its time.
const LOST: &str = "Could not parse script result";

/// The page in a browser. The fields are dropped in order: first the browser, then its server.
pub struct Page {
    /// The browser, for operations that have no method here.
    pub driver: WebDriver,
    browser: Browser,
    origin: String,
    host: Host,
}

impl Page {
    /// Opens `address` (path and query) in a browser started with `flags`.
    pub async fn open(address: &str, flags: &[&str]) -> Self {
        Self::start(flags, None, "127.0.0.1", address).await
    }

    /// Opens `address` in a browser of this make.
    pub async fn open_in(make: Make, address: &str) -> Self {
        match make {
            Make::Chromium => Self::open(address, &[]).await,
            Make::Firefox => Self::show(Browser::firefox().await, "127.0.0.1", address).await,
            Make::WebKit => Self::show(Browser::webkit().await, "127.0.0.1", address).await,
        }
    }

    /// Opens the page on a phone.
    pub async fn open_on_phone(address: &str) -> Self {
        let phone = json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2.0, "touch": true } });
        Self::start(&[], Some(phone), "127.0.0.1", address).await
    }

    /// Opens the page on a screen of `width` times `height` pixels, all of them the page's.
    pub async fn open_at_size(address: &str, flags: &[&str], width: u32, height: u32) -> Self {
        let screen = json!({ "width": width, "height": height, "pixelRatio": 1.0, "touch": false, "mobile": false });
        Self::start(flags, Some(json!({ "deviceMetrics": screen })), "127.0.0.1", address).await
    }

    /// Opens the page from a host that the browser does not trust.
    pub async fn open_insecurely(address: &str, flags: &[&str]) -> Self {
        Self::start(flags, None, "nolabel.test", address).await
    }

    async fn start(flags: &[&str], screen: Option<Value>, host: &str, address: &str) -> Self {
        Self::show(Browser::chromium(flags, screen).await, host, address).await
    }

    async fn show(browser: Browser, host: &str, address: &str) -> Self {
        let driver = browser.driver.clone();
        let server = host::serve().await;
        let origin = format!("http://{host}:{}", server.address.port());
        let page = Self { driver, browser, origin, host: server };
        page.goto(address).await;
        page
    }

    /// Opens another address of the same server: path and query.
    pub async fn goto(&self, address: &str) {
        self.goto_url(&format!("{}{address}", self.origin)).await;
    }

    /// Opens a full address.
    pub async fn goto_url(&self, url: &str) {
        self.driver.goto(url).await.expect("the page answers");
        self.wait_until_mounted().await;
    }

    /// Reloads the page.
    pub async fn reload(&self) {
        self.driver.refresh().await.expect("the page reloads");
        self.wait_until_mounted().await;
    }

    /// Ends the server.
    pub async fn stop_server(&mut self) {
        self.host.stop().await;
    }

    /// Waits until the page's program runs. A browser reports a page as loaded before that: the program is compiled and
    /// started later.
    async fn wait_until_mounted(&self) {
        let mounted = "return typeof window.nolabel === 'object'";
        self.wait("the page's program to start", async || self.script(mounted).await == true).await;
    }

    /// Processes of the programs that drive the browser.
    pub fn processes(&self) -> Vec<u32> {
        self.browser.processes()
    }

    /// Ends the browser.
    pub async fn close(self) {
        self.driver.quit().await.expect("the browser ends");
    }

    /// Waits for the element with this test id.
    pub async fn element(&self, testid: &str) -> WebElement {
        self.find(&format!("[data-testid={testid}]")).await
    }

    /// Waits for an element that a CSS selector matches.
    async fn find(&self, selector: &str) -> WebElement {
        let start = Instant::now();
        loop {
            match self.driver.find(By::Css(selector)).await {
                Ok(element) => return element,
                Err(error) => self.give_up_after(start, &format!("`{selector}` to appear ({error})")).await,
            }
        }
    }

    /// Clicks on the first match of a CSS selector once it takes clicks, again where the page moved or replaced it meanwhile. A
    /// closed control takes none: a click on it would be lost without a word.
    pub async fn press(&self, selector: &str) {
        let open = format!("{selector}:not([aria-disabled=true])");
        let start = Instant::now();
        while let Err(error) = self.find(&open).await.click().await {
            self.give_up_after(start, &format!("`{open}` to take a click ({error})")).await;
        }
    }

    /// A property of an element, empty if there is none. The element is found and read in one script, since a redraw may
    /// replace it at any time.
    async fn read(&self, testid: &str, property: &str) -> String {
        let script = format!("return document.querySelector('[data-testid={testid}]')?.{property} ?? ''");
        self.script(&script).await.as_str().expect("text").to_string()
    }

    /// The text of an element, empty if there is none.
    pub async fn text(&self, testid: &str) -> String {
        self.read(testid, "textContent").await
    }

    /// The value of a field, empty if there is none.
    pub async fn value(&self, testid: &str) -> String {
        self.read(testid, "value").await
    }

    /// Clicks on an element.
    pub async fn click(&self, testid: &str) {
        self.press(&format!("[data-testid={testid}]")).await;
    }

    /// Chooses an option of a list.
    pub async fn choose(&self, testid: &str, value: &str) {
        self.press(&format!("[data-testid={testid}] option[value='{value}']")).await;
    }

    /// Replaces the text of a field by keyboard.
    pub async fn fill(&self, testid: &str, text: &str) {
        let field = self.element(testid).await;
        field.clear().await.expect("it can be emptied");
        field.send_keys(text).await.expect("it can be typed into");
        field.send_keys(Key::Tab + "").await.expect("it can be left");
    }

    /// The value that a script returns. Where the driver lost the answer the script runs again, so in WebKit it must change nothing.
    pub async fn script(&self, script: &str) -> Value {
        let start = Instant::now();
        loop {
            match self.driver.execute(script, Vec::new()).await {
                Ok(answer) => return answer.json().clone(),
                Err(error) if start.elapsed() < PATIENCE && error.to_string().contains(LOST) => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => panic!("the script does not run: {error}"),
            }
        }
    }

    /// The state of the page: loading, ready, running, paused, done or error.
    pub async fn state(&self) -> String {
        self.read("status", "dataset.state").await
    }

    /// Waits until the state is one of `wanted`. Panics if the page fails meanwhile.
    pub async fn wait_for(&self, wanted: &[&str]) {
        let what = format!("the state {wanted:?}");
        let reached = async || {
            let state = self.state().await;
            let failed = state == "error" && !wanted.contains(&"error");
            assert!(!failed, "the page failed while waiting for {what}: {}", self.text("message").await);
            wanted.contains(&state.as_str())
        };
        self.wait(&what, reached).await;
    }

    /// Waits until `reached` holds.
    pub async fn wait(&self, what: &str, reached: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !reached().await {
            self.give_up_after(start, what).await;
        }
    }

    /// Waits until the text of an element contains `part`.
    pub async fn wait_for_text(&self, testid: &str, part: &str) {
        let what = format!("`{part}` in `{testid}`");
        self.wait(&what, async || self.text(testid).await.contains(part)).await;
    }

    /// Sleeps until the next look, or panics when [`PATIENCE`] has passed since `start`.
    async fn give_up_after(&self, start: Instant, what: &str) {
        assert!(
            start.elapsed() < PATIENCE,
            "waited {} s for {what}; the page is in state `{}` and says: {} {}",
            PATIENCE.as_secs(),
            self.state().await,
            self.text("status").await,
            self.text("message").await
        );
        tokio::time::sleep(POLL).await;
    }

    /// The events of the run of one kind.
    pub async fn events(&self, kind: &str) -> Vec<Value> {
        let all = self.script("return window.nolabel.events()").await;
        let all = all.as_array().expect("an array").clone();
        all.into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// The losses of the run so far.
    pub async fn losses(&self) -> Vec<f64> {
        self.events("step").await.iter().map(|event| event["loss"].as_f64().expect("a number")).collect()
    }
}
