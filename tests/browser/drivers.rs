//! Headless browsers of three makes, each driven by its own WebDriver program.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::Capabilities;
use thirtyfour::common::capabilities::firefox::FirefoxPreferences;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex, MutexGuard};

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

/// WebKit's helper processes: its sandbox needs rights that containers lack, and without a GPU it draws by itself.
const WEBKIT_ENVIRONMENT: [(&str, &str); 2] =
    [("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1"), ("WEBKIT_DISABLE_COMPOSITING_MODE", "1")];

/// Makes of browsers that the tests drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Chromium, by chromedriver.
    Chromium,
    /// Firefox, by geckodriver.
    Firefox,
    /// WebKitGTK's MiniBrowser, by WebKitWebDriver, on a screen of Xvfb.
    WebKit,
}

/// The folder that the browser downloads into, one for each process.
pub fn downloads() -> PathBuf {
    std::env::temp_dir().join(format!("nolabel-downloads-{}", std::process::id()))
}

/// A headless browser. The fields are dropped in order: first the browser, then its programs, then the turn.
pub struct Browser {
    /// The browser, for all operations.
    pub driver: WebDriver,
    programs: Vec<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts Chromium with `flags`, on a `screen` of the form of chromedriver's `mobileEmulation`.
    pub async fn chromium(flags: &[&str], screen: Option<Value>) -> Self {
        let mut wishes = DesiredCapabilities::chrome();
        FLAGS.iter().chain(flags).for_each(|flag| wishes.add_arg(flag).expect("flags are text"));
        if let Some(screen) = screen {
            wishes.add_experimental_option("mobileEmulation", screen).expect("a plain object");
        }
        let folders = json!({ "download.default_directory": downloads() });
        wishes.add_experimental_option("prefs", folders).expect("a plain object");
        let turn = TURN.lock().await;
        let (program, port) = with_port_of_its_own("chromedriver").await;
        Self::connect(port, wishes, vec![program], turn).await
    }

    /// Starts Firefox.
    pub async fn firefox() -> Self {
        let mut preferences = FirefoxPreferences::new();
        // 2: into the folder that is named
        preferences.set("browser.download.folderList", 2).expect("a number");
        preferences.set("browser.download.dir", downloads()).expect("a path is text");
        let mut wishes = DesiredCapabilities::firefox();
        wishes.set_headless().expect("a flag is text");
        wishes.set_preferences(preferences).expect("plain values");
        let turn = TURN.lock().await;
        let (program, port) = with_port_of_its_own("geckodriver").await;
        Self::connect(port, wishes, vec![program], turn).await
    }

    /// Starts WebKitGTK's small browser, which has no headless mode: it is shown on a screen that nobody sees.
    pub async fn webkit() -> Self {
        let mut wishes = Capabilities::new();
        let options = json!({ "binary": mini_browser(), "args": ["--automation"] });
        wishes.set("webkitgtk:browserOptions", options).expect("a plain object");
        let turn = TURN.lock().await;
        let (screen, display) = screen().await;
        // it takes a port only by its number
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new("WebKitWebDriver");
        command.arg(format!("--port={port}")).env("DISPLAY", display).envs(WEBKIT_ENVIRONMENT);
        let program = quiet(command.stdout(Stdio::null()), "WebKitWebDriver");
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self::connect(port, wishes, vec![program, screen], turn).await
    }

    async fn connect(
        port: u16,
        wishes: impl Into<Capabilities>,
        programs: Vec<Child>,
        turn: MutexGuard<'static, ()>,
    ) -> Self {
        let started = WebDriver::new(format!("http://127.0.0.1:{port}"), wishes).await;
        let driver = started.expect("the browser starts: `make test` installs what is missing");
        Self { driver, programs, _turn: turn }
    }

    /// Processes of the driver programs.
    pub fn processes(&self) -> Vec<u32> {
        self.programs.iter().filter_map(Child::id).collect()
    }
}

/// Starts a program without its messages, to be ended when the result is dropped.
fn quiet(command: &mut Command, name: &str) -> Child {
    let started = command.stderr(Stdio::null()).kill_on_drop(true).spawn();
    started.unwrap_or_else(|error| panic!("{name}: {error}; `make test` installs what is missing"))
}

/// Lines that a program prints.
fn lines_of(program: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(program.stdout.take().expect("its output is piped")).lines()
}

/// Starts chromedriver or geckodriver on a port of its own choice.
async fn with_port_of_its_own(name: &str) -> (Child, u16) {
    let mut program = quiet(Command::new(name).arg("--port=0").stdout(Stdio::piped()), name);
    let mut lines = lines_of(&mut program);
    while let Some(line) = lines.next_line().await.expect("the driver speaks") {
        if let Some(port) = listens_on(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (program, port);
        }
    }
    panic!("{name} ended before it listened");
}

/// The port in a driver's message: `ChromeDriver was started successfully on port 40123.`, `Listening on 127.0.0.1:40123`.
fn listens_on(line: &str) -> Option<u16> {
    let said = line.contains("started successfully") || line.contains("Listening on");
    let last = line.trim_end_matches('.').rsplit([' ', ':']).next()?;
    last.parse().ok().filter(|_| said)
}

/// Starts a screen in memory; returns it with its name.
async fn screen() -> (Child, String) {
    let mut command = Command::new("Xvfb");
    let flags = ["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"];
    let mut program = quiet(command.args(flags).stdout(Stdio::piped()), "Xvfb");
    let number = lines_of(&mut program).next_line().await.expect("it says its number");
    let display = format!(":{}", number.expect("Xvfb starts"));
    (program, display)
}

/// The program of WebKitGTK's small browser, which Debian keeps among the libraries.
fn mini_browser() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("a folder").flatten().map(|entry| entry.path());
    let libraries = folders.chain(["/usr/lib".into(), "/usr/libexec".into()]);
    let found = libraries
        .flat_map(|folder| ["webkit2gtk-4.1", "webkit2gtk-4.0"].map(|version| folder.join(version).join("MiniBrowser")))
        .find(|path| path.is_file());
    found.expect("WebKit's MiniBrowser is installed: `make test` installs what is missing")
}
