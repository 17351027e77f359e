//! One run of the program under limits, and the verdict on it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Kilobytes of address space that the program may take.
const MEMORY: usize = 4 << 20;
/// The longest that a run may take, on a busy machine.
const TIME: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// The end of a run.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; nothing where a signal ended the program.
    pub code: Option<i32>,
    /// The fault in its end; nothing where there is none.
    pub wrong: Option<String>,
    /// Its duration.
    pub took: Duration,
}

/// Runs `program` in `folder`, with its output in files there and the user's folders in `home`.
pub fn run(program: &Path, arguments: &[&str], folder: &Path, home: &Path) -> Ended {
    let out = folder.join("stdout");
    let err = folder.join("stderr");
    let open = |path: &Path| File::create(path).expect("a file for the output");
    let begun = Instant::now();
    // the shell sets the limits: there is no portable way from here
    let script = format!("ulimit -v {MEMORY}; ulimit -c 0; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(program).args(arguments).current_dir(folder);
    command.env("HOME", home).env_remove("XDG_CACHE_HOME").env_remove("XDG_DATA_HOME").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(open(&out)).stderr(open(&err));
    let mut child = command.spawn().expect("a shell");
    let status = loop {
        match child.try_wait().expect("the child's state") {
            Some(status) => break Some(status),
            None if begun.elapsed() > TIME => {
                child.kill().expect("the child ends");
                child.wait().expect("the child ends");
                break None;
            }
            None => sleep(POLL),
        }
    };
    let text = String::from_utf8_lossy(&fs::read(&err).expect("the output")).to_string();
    let code = status.and_then(|status| status.code());
    Ended { code, wrong: verdict(status, &text), took: begun.elapsed() }
}

/// The fault in an end, which must have code 0, 1 or 2, and a sentence unless it is 0.
fn verdict(status: Option<ExitStatus>, err: &str) -> Option<String> {
    let Some(status) = status else { return Some(format!("it ran for more than {} s", TIME.as_secs())) };
    if err.contains("panicked at") || err.contains("stack overflow") || err.contains("memory allocation of") {
        return Some(err.lines().take(3).collect::<Vec<_>>().join(" / "));
    }
    match status.code() {
        None => Some(format!("{status}")),
        Some(0) => None,
        Some(1 | 2) => {
            let mut lines = err.lines().filter(|line| !line.trim().is_empty());
            let said = lines.find_map(|line| line.strip_prefix("error: "));
            match said {
                Some(sentence) if sentence.len() > 2 => None,
                _ => Some("it failed without a word".to_string()),
            }
        }
        Some(code) => Some(format!("it ended with code {code}")),
    }
}
