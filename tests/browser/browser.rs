//! A headless Chromium with the page in it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

use crate::host::{self, Host};

/// One browser at a time: two would take the processor from each other.
static TURN: Mutex<()> = Mutex::const_new(());

const FLAGS: [&str; 9] = [
    "--window-size=1280,900",
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP nolabel.test 127.0.0.1",
];
/// Flags for a WebGPU adapter that is emulated on the CPU.
pub const SOFTWARE_GPU: [&str; 2] = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/// Limit of every wait. A wait ends as soon as its condition holds, so the limit only ends a failed test; it leaves room for a
/// busy machine, and for an emulated GPU, whose first step takes minutes.
const PATIENCE: Duration = Duration::from_secs(900);
/// Time between two looks at the page.
const POLL: Duration = Duration::from_millis(50);

/// The folder that the browser downloads into, one for each process.
pub fn downloads() -> PathBuf {
    std::env::temp_dir().join(format!("nolabel-downloads-{}", std::process::id()))
}

/// A headless browser. The fields are dropped in order: first the browser, then its driver, then the turn.
pub struct Browser {
    /// The browser, for all operations.
    pub driver: WebDriver,
    chromedriver: Child,
    turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts Chromium with `flags`, on a `screen` of the form of chromedriver's `mobileEmulation`.
    pub async fn start(flags: &[&str], screen: Option<Value>) -> Self {
        let turn = TURN.lock().await;
        let (chromedriver, driver_port) = chromedriver().await;
        let mut wishes = DesiredCapabilities::chrome();
        FLAGS.iter().chain(flags).for_each(|flag| wishes.add_arg(flag).expect("flags are text"));
        if let Some(screen) = screen {
            wishes.add_experimental_option("mobileEmulation", screen).expect("a plain object");
        }
        let folders = json!({ "download.default_directory": downloads() });
        wishes.add_experimental_option("prefs", folders).expect("a plain object");
        let started = WebDriver::new(format!("http://127.0.0.1:{driver_port}"), wishes).await;
        let driver = started.expect("chromium starts: `make test` installs what is missing");
        Self { driver, chromedriver, turn }
    }
}

/// The page in a browser. The fields are dropped in order: first the browser, then its driver, then the turn.
pub struct Page {
    /// The browser, for operations that have no method here.
    pub driver: WebDriver,
    _chromedriver: Child,
    origin: String,
    host: Host,
    _turn: MutexGuard<'static, ()>,
}

impl Page {
    /// Opens `address` (path and query) in a browser started with `flags`.
    pub async fn open(address: &str, flags: &[&str]) -> Self {
        Self::start(flags, None, "127.0.0.1", address).await
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
        let server = host::serve().await;
        let Browser { driver, chromedriver, turn } = Browser::start(flags, screen).await;
        let origin = format!("http://{host}:{}", server.address.port());
        let page = Self { driver, _chromedriver: chromedriver, origin, host: server, _turn: turn };
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

    /// Clicks on the first match of a CSS selector, again where the page moved or replaced it meanwhile.
    pub async fn press(&self, selector: &str) {
        let start = Instant::now();
        while let Err(error) = self.find(selector).await.click().await {
            self.give_up_after(start, &format!("`{selector}` to take a click ({error})")).await;
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

    /// The value that a script returns.
    pub async fn script(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, Vec::new()).await.expect("the script runs");
        answer.json().clone()
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

/// Starts chromedriver on a port of its own choice.
async fn chromedriver() -> (Child, u16) {
    let started = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.expect("chromedriver is on the PATH: `make test` installs what is missing");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    while let Some(line) = lines.next_line().await.expect("chromedriver speaks") {
        let port = line.split("on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse().ok());
        if let Some(port) = port.filter(|_| line.contains("successfully")) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, port);
        }
    }
    panic!("chromedriver ended before it listened");
}
