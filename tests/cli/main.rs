//! The real binary on small generated images, as a user meets it.

mod card;
mod clips;
mod compare;
mod controls;
mod crash_recovery;
mod damage;
mod data;
mod devices;
mod documents;
mod eval;
mod folder;
mod labelled;
mod resume;
mod serve;
mod settings;
mod show;
mod single_checkpoint;
mod sweep;
mod train;
mod transfer;
mod usage;
mod watch;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nolabel::session::event::Event;

/// Training images of the generated data: 12 steps of 8 an epoch.
const TRAIN: usize = 100;
const TEST: usize = 40;
const SIDE: usize = 16;

/// A folder to work in, with generated images in `images/`.
struct Lab {
    folder: tempfile::TempDir,
}

/// Exit code and output of a command.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().expect("a folder") };
        lab.generate("images", 1);
        lab
    }

    /// Writes a data set of stripes, a direction and a width for each class, with noise.
    fn generate(&self, folder: &str, seed: u64) {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).expect("a folder");
        for (part, count) in [("train", TRAIN), ("t10k", TEST)] {
            let mut noise = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(count as u64) | 1;
            let mut pixels = Vec::new();
            for image in 0..count {
                for place in 0..SIDE * SIDE {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let row = place / SIDE;
                    let column = place % SIDE;
                    let class = image % 10;
                    let along = if class < 5 { row } else { column + row / 4 };
                    let stripe = if along / (1 + class % 5) % 2 == 0 { 150 } else { 20 };
                    pixels.push((stripe + (noise >> 58)) as u8);
                }
            }
            let labels: Vec<u8> = (0..count).map(|image| (image % 10) as u8).collect();
            let side = SIDE as u32;
            idx(&folder.join(format!("{part}-images-idx3-ubyte")), &[count as u32, side, side], &pixels);
            idx(&folder.join(format!("{part}-labels-idx1-ubyte")), &[count as u32], &labels);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nolabel"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME");
        command
    }

    /// Runs `nolabel` with arguments that contain no spaces.
    fn run(&self, arguments: &str) -> Said {
        Said::from(self.command(arguments).output().expect("the binary runs"))
    }

    /// Runs and expects success.
    fn succeeds(&self, arguments: &str) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "nolabel {arguments}\n{}{}", said.out, said.err);
        said
    }

    /// Runs and expects this code and, after warnings and the line about a folder, a sentence on stderr with all of `words`.
    fn fails_with(&self, arguments: &str, code: i32, words: &[&str]) {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "nolabel {arguments}\n{}{}", said.out, said.err);
        let last = said.err.lines().find(|line| !line.starts_with("warning: ") && !line.contains(" to test on"));
        assert!(last.is_some_and(|line| line.starts_with("error: ")), "{}", said.err);
        assert!(said.out.is_empty(), "results belong to success: {}", said.out);
        for word in words {
            assert!(said.err.contains(word), "nolabel {arguments}: no `{word}` in\n{}", said.err);
        }
    }

    fn events(&self, run: &str) -> Vec<Event> {
        let text = fs::read_to_string(self.path(run).join("events.jsonl")).expect("events");
        text.lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect()
    }

    /// The names of the run's checkpoints, in order.
    fn checkpoints(&self, run: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(run).join("checkpoints")).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Waits until something is so.
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Writes an IDX file.
fn idx(path: &Path, dims: &[u32], values: &[u8]) {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(values);
    fs::write(path, bytes).expect("a file");
}

/// The arguments of a run of seconds: a narrow encoder on the generated images.
const TRAINING: &str = "train rotation --data fashion-mnist:images --batch 8 --set encoder.width=4 --device cpu";
