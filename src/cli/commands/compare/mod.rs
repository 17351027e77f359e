//! `nolabel compare`: runs beside one another and beside their controls.

mod dots;
mod page;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use crate::cli::expected;
use crate::cli::input::probe_args::ProbeArgs;
use crate::cli::output::atomic_file;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::run::known_runs::runs_in;
use crate::cli::run::open_run::Opened;
use crate::device::{self, DeviceChoice};
use crate::evaluate::aggregate::{MeasuredRun, Section, aggregate};
use crate::evaluate::expected_cost;
use crate::format;
use crate::probe::ProbeSettings;
use crate::probe::cost::Cost;
use crate::session::event::Event;
use crate::session::folder::{Evaluation, Place, place};

const EXAMPLES: &str = "\
Examples:
  nolabel compare runs
      all runs in the folder
  nolabel compare runs/rotation-fashion-mnist-1 runs/simsiam-fashion-mnist-{1,2,3}
      one run of one method, three seeds of the other
  nolabel compare runs --format markdown > table.md
      for a README; csv and json hold more digits
  nolabel compare runs --out comparison.html
      one page with charts, to open in a browser, to print or to send
  nolabel compare runs --images 5000 --probe knn
      a first impression, measured unless `nolabel eval` has done it with the same settings";

/// Probes with their names for people.
const PROBES: [(&str, &str); 4] = [("linear", "linear"), ("knn", "kNN"), ("precision@1", "P@1"), ("map", "mAP")];

/// Compare what runs learned
///
/// One row for each method at its best layer, beside the same encoder before training at its own best layer, and raw pixels.
/// Runs that differ in nothing but the seed share a row with mean and standard deviation, and one best layer. Evaluations are
/// taken from the runs' eval.json; those that are missing are measured and kept there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Folders of runs, or folders that hold such folders
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,

    /// Format of the table [default: by the ending of --out, or text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Write the table to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    measure: ProbeArgs,

    /// Device that measures: auto (a GPU if there is one, else the CPU), gpu, gpu:N or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for reading
    Text,
    /// One line for each row, with all digits
    Csv,
    /// All numbers, for programs
    Json,
    /// A table for a README
    Markdown,
    /// A self-contained page with charts
    Html,
}

impl Compare {
    pub(crate) fn run(self) -> Outcome {
        let format = self.format()?;
        let found = self.find()?;
        let settings = self.measure.settings();
        self.tell(&found, &settings)?;
        let mut measured = Vec::new();
        for (number, Found { path, opened, named }) in found.iter().enumerate() {
            if !self.quiet && opened.known(&opened.record.data, &settings)?.is_none() {
                print::err(&format!("measuring {} (run {} of {})", path.display(), number + 1, found.len()));
            }
            match self.evaluation(path, opened, &settings) {
                Ok(evaluation) => {
                    measured.push(measured_run(path.clone(), opened, evaluation)?);
                }
                Err(Failure::Failed(sentence)) if !named => print::err(&format!("warning: left out: {sentence}")),
                Err(failure) => return Err(failure),
            }
        }
        if measured.is_empty() {
            return Err(Failure::Failed("none of these runs can be compared; name one that can be measured".into()));
        }
        let table = Table::of(measured, settings);
        let text = match format {
            Format::Text => show::text(&table),
            Format::Markdown => show::markdown(&table),
            Format::Csv => show::csv(&table),
            Format::Json => table.json(),
            Format::Html => page::html(&table, &format::again()),
        };
        let Some(out) = &self.out else { return print::out(&text) };
        atomic_file::write(out, (text + "\n").as_bytes())?;
        let hint = if format == Format::Html { "open it in a browser" } else { "written" };
        print::out(&format!("{}: {hint}", format::quoted(&out.display().to_string())))
    }

    /// Prints the expected time of the measurements that are missing.
    fn tell(&self, found: &[Found], settings: &ProbeSettings) -> Outcome {
        let mut open = Vec::new();
        for Found { opened, .. } in found {
            if opened.known(&opened.record.data, settings)?.is_none() {
                open.push(opened);
            }
        }
        if open.len() < 2 {
            return Ok(());
        }
        let selected = block_on(device::select(self.device))?;
        let mut cost = Cost::default();
        for opened in open {
            let record = &opened.record;
            let (encoder, data) = (&record.config.encoder, &record.data);
            let request = opened.request(settings, &selected, data.image.height);
            let images = [data.train_images, data.test_images];
            cost = cost.then(block_on(expected_cost(encoder, data.image, images, &request, &selected.device))?);
        }
        expected::tell(cost, self.quiet, "--images N and --probe knn")
    }

    /// The format: as asked for, or by the file's ending.
    fn format(&self) -> Outcome<Format> {
        let Some(out) = &self.out else { return Ok(self.format.unwrap_or(Format::Text)) };
        atomic_file::check(out)?;
        let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let of_ending = match ending.as_str() {
            "txt" => Some(Format::Text),
            "csv" => Some(Format::Csv),
            "json" => Some(Format::Json),
            "md" => Some(Format::Markdown),
            "html" | "htm" => Some(Format::Html),
            _ => None,
        };
        self.format.or(of_ending).ok_or_else(|| {
            Failure::Usage(format!(
                "{} ends in none of .html, .md, .csv, .json and .txt; say with --format what is to be written",
                out.display()
            ))
        })
    }

    /// The runs that were named, and those in folders that were named.
    fn find(&self) -> Outcome<Vec<Found>> {
        let mut found: Vec<Found> = Vec::new();
        for path in &self.runs {
            let inside = if place(path) == Place::Run { Vec::new() } else { runs_in(path) };
            if inside.is_empty() {
                found.push(Found { path: path.clone(), opened: Opened::at(path)?, named: true });
            }
            for path in inside {
                match Opened::at(&path) {
                    Ok(opened) => found.push(Found { path, opened, named: false }),
                    Err(Failure::Failed(sentence)) => print::err(&format!("warning: left out: {sentence}")),
                    Err(other) => return Err(other),
                }
            }
        }
        let mut seen = Vec::new();
        found.retain(|Found { path, .. }| {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let new = !seen.contains(&real);
            seen.push(real);
            new
        });
        Ok(found)
    }

    /// The known evaluation of a run, or a new one.
    fn evaluation(&self, path: &Path, opened: &Opened, settings: &ProbeSettings) -> Outcome<Evaluation> {
        if let Some(known) = opened.known(&opened.record.data, settings)? {
            return Ok(known);
        }
        let loaded = opened.load(None, self.device, self.quiet);
        loaded.and_then(|loaded| opened.measure(&loaded, settings, self.quiet)).map_err(|failure| match failure {
            Failure::Failed(sentence) | Failure::Usage(sentence) => {
                let path = path.display();
                let run = format::quoted(&path.to_string());
                Failure::Failed(format!(
                    "{path} cannot be measured: {sentence}; measure it by itself with `nolabel eval {run}`, or leave it out"
                ))
            }
            Failure::Stopped => Failure::Stopped,
        })
    }
}

/// A comparison with everything that is shown of it.
struct Table {
    sections: Vec<Section>,
    probes: Vec<&'static str>,
    settings: ProbeSettings,
    how: String,
}

impl Table {
    fn of(measured: Vec<MeasuredRun>, settings: ProbeSettings) -> Self {
        let wanted = settings.probes();
        let probes: Vec<&'static str> =
            PROBES.iter().map(|(probe, _)| *probe).filter(|probe| wanted.contains(probe)).collect();
        Self { sections: aggregate(measured, &probes), probes, how: how(&settings), settings }
    }

    fn json(&self) -> String {
        let Table { sections, settings, how, .. } = self;
        let whole = serde_json::json!({ "settings": settings, "how": how, "data": sections });
        serde_json::to_string_pretty(&whole).expect("results have only string keys")
    }
}

/// The table of the runs that were measured with these settings, as text.
pub(crate) fn table(runs: &[PathBuf], settings: &ProbeSettings) -> Outcome<String> {
    let mut measured = Vec::new();
    for path in runs {
        let opened = Opened::at(path)?;
        let known = opened.known(&opened.record.data, settings)?;
        if let Some(evaluation) = known {
            measured.push(measured_run(path.clone(), &opened, evaluation)?);
        }
    }
    Ok(show::text(&Table::of(measured, settings.clone())))
}

/// A run with the pretext metric of the step that was evaluated.
fn measured_run(path: PathBuf, opened: &Opened, evaluation: Evaluation) -> Outcome<MeasuredRun> {
    let pretext = opened.events()?.into_iter().rev().find_map(|event| match event {
        Event::Pretext(pretext) if pretext.step == evaluation.step => Some(pretext),
        _ => None,
    });
    Ok(MeasuredRun { path, record: opened.record.clone(), evaluation, pretext })
}

/// A run to be compared.
struct Found {
    path: PathBuf,
    opened: Opened,
    /// True if the run was named itself, false if a folder around it was.
    named: bool,
}

/// The protocol in words.
fn how(settings: &ProbeSettings) -> String {
    let ProbeSettings { grid, k, temperature, .. } = *settings;
    let mut readers = Vec::new();
    if settings.linear {
        readers
            .push("linear: logistic regression on standardised features, L2 chosen on validation images".to_string());
    }
    if settings.knn {
        readers.push(format!("kNN: cosine, k = {k}, T = {temperature}"));
    }
    if settings.retrieval {
        readers.push("P@1 and mAP: training images ranked by cosine for each test image".to_string());
    }
    format!(
        "Accuracy in percent on the test images, maps averaged over a {grid}x{grid} grid; {}. Each layer named is the best on \
         the validation images, for trained and untrained encoders alike. Of several seeds: mean ± sample \
         standard deviation, one layer for all. Verdict: against the best control (the encoder before training, raw \
         pixels, or their principal components); level is a difference whose 95 % \
         interval holds 0 (Newcombe 1998), or of fewer than six test images.",
        readers.join("; ")
    )
}
