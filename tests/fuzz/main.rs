//! Damaged copies of every kind of file that the program reads, through the program itself. `make fuzz` runs it.
//!
//! No copy may make it panic, take more than 4 GB, or run for longer than a minute; where it cannot read one it says so and
//! ends with code 1 or 2. Every copy is named by a seed and a number, so that each failure can be had again:
//! `make fuzz SEED=1 FORMATS=png`. The copies that failed are kept.

mod child;
mod damage;
mod files;
mod packing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use child::Ended;
use damage::{DAMAGES, Damage};
use files::{Packing, Subject};
use nolabel::rng::{Purpose, stream};
use rand::RngExt;

/// The first argument with which this program is the unpacker of an archive: the one way to that code which needs no network.
const UNPACK: &str = "unpack-archive";

/// The settings of a run, from the environment.
struct Settings {
    seed: u64,
    copies: usize,
    /// Formats by name; all where there is none.
    formats: Vec<String>,
}

/// The ends of a format's copies.
#[derive(Default)]
struct Tally {
    codes: [usize; 3],
    slowest: Duration,
    failures: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, first, archive, folder] = &arguments[..]
        && first == UNPACK
    {
        return packing::unpack(Path::new(archive), Path::new(folder));
    }
    let settings = Settings::read();
    let lab = tempfile::tempdir().expect("a folder");
    let kept = std::env::temp_dir().join("nolabel-fuzz");
    println!(
        "seed {}, {} copies of each format; failures are kept in {}",
        settings.seed,
        settings.copies,
        kept.display()
    );
    let mut failed = 0;
    for subject in files::subjects(lab.path()) {
        if settings.formats.is_empty() || settings.formats.iter().any(|name| name == subject.name) {
            failed += fuzz(&subject, &settings, lab.path(), &kept);
        }
    }
    println!("{}", if failed == 0 { "no failure".to_string() } else { format!("{failed} failures") });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Settings {
    fn read() -> Self {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
            _ => default,
        };
        let formats = std::env::var("NOLABEL_FUZZ_FORMATS").unwrap_or_default();
        Self {
            seed: number("NOLABEL_FUZZ_SEED", 1),
            copies: number("NOLABEL_FUZZ_COPIES", 200) as usize,
            formats: formats.split_whitespace().map(str::to_string).collect(),
        }
    }
}

/// Tries all copies of a format; returns how many failed.
fn fuzz(subject: &Subject, settings: &Settings, lab: &Path, kept: &Path) -> usize {
    let baseline = whole(subject, lab);
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= settings.copies {
                break;
            }
            let copy = Damaged::write(subject, settings.seed, number, lab);
            let ended = subject.run(&copy.command, &copy.file, &copy.folder, &lab.join("home"));
            tally.lock().expect("no worker panics").take(&copy, &ended, kept);
            fs::remove_dir_all(&copy.folder).expect("the copy's folder");
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(work)));
    let tally = tally.into_inner().expect("no worker panics");
    println!(
        "{:12} exit 0: {:3}  1: {:3}  2: {:3}  failures: {}  slowest {:.1} s (whole: {:.1} s)",
        subject.name,
        tally.codes[0],
        tally.codes[1],
        tally.codes[2],
        tally.failures.len(),
        tally.slowest.as_secs_f64(),
        baseline.as_secs_f64()
    );
    tally.failures.iter().for_each(|failure| println!("    {failure}"));
    tally.failures.len()
}

/// Runs every command on the whole files: each must succeed within the limits. Returns the longest time.
fn whole(subject: &Subject, lab: &Path) -> Duration {
    let mut longest = Duration::default();
    for command in &subject.commands {
        for file in &subject.files {
            let folder = lab.join(format!("{}-whole", subject.name));
            files::copy_folder(&subject.template, &folder);
            let ended = subject.run(command, file, &folder, &lab.join("home"));
            let said = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            assert_eq!(ended.code, Some(0), "{}: whole files fail: {command}\n{said}{:?}", subject.name, ended.wrong);
            fs::remove_dir_all(&folder).expect("the folder");
            longest = longest.max(ended.took);
        }
    }
    longest
}

/// A folder in which one file is damaged.
struct Damaged {
    /// The format, the seed and the number.
    name: String,
    folder: PathBuf,
    file: String,
    command: String,
    damage: Damage,
}

impl Damaged {
    /// Copies the whole files and damages one. Kinds of damage take turns; all else is drawn from seed and number.
    fn write(subject: &Subject, seed: u64, number: usize, lab: &Path) -> Self {
        let mut rng = stream(seed, Purpose::Data, number as u64);
        let name = format!("{}-{seed}-{number}", subject.name);
        let folder = lab.join(&name);
        files::copy_folder(&subject.template, &folder);
        let file = subject.files[rng.random_range(0..subject.files.len())].clone();
        let command = subject.commands[rng.random_range(0..subject.commands.len())].clone();
        let damage = DAMAGES[number % DAMAGES.len()];
        let original = fs::read(folder.join(&file)).expect("the whole file");
        let damaged = match subject.packing.filter(|_| rng.random_bool(0.5)) {
            Some(Packing { open, close }) => close(damage.apply(&open(&original), subject.is_text, &mut rng)),
            None => damage.apply(&original, subject.is_text, &mut rng),
        };
        fs::write(folder.join(&file), damaged).expect("the copy");
        Self { name, folder, file, command, damage }
    }
}

impl Tally {
    fn take(&mut self, copy: &Damaged, ended: &Ended, kept: &Path) {
        self.slowest = self.slowest.max(ended.took);
        if let Some(code @ 0..=2) = ended.code {
            self.codes[code as usize] += 1;
        }
        if let Some(wrong) = &ended.wrong {
            let Damaged { name, folder, file, command, damage } = copy;
            files::copy_folder(folder, &kept.join(name));
            self.failures.push(format!("{name} ({damage:?} {file}), `nolabel {command}`: {wrong}"));
        }
    }
}
