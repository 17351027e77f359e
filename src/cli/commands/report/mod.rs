//! `nolabel report`: writes a run as a self-contained page.

mod classes;
mod few;
mod looks;
mod page;

use std::path::PathBuf;

use clap::Args;
use futures_lite::future::block_on;

use crate::cli::input::args;
use crate::cli::output::atomic_file;
use crate::cli::output::exit::Outcome;
use crate::cli::output::page_path;
use crate::cli::output::print;
use crate::cli::output::spinner::Spinner;
use crate::cli::run::open_run::{Loaded, Opened};
use crate::cli::run::reproduce;
use crate::data::Spec;
use crate::device::DeviceChoice;
use crate::format;
use crate::methods::find;
use crate::probe::ProbeSettings;
use crate::report;
use crate::report::history::History;
use crate::session::event::{ProbeRow, Source, Started};
use crate::session::folder::Evaluation;
use looks::DrawnLayers;
use page::Page;

const EXAMPLES: &str = "\
Examples:
  nolabel report runs/rotation-fashion-mnist-1
      writes runs/rotation-fashion-mnist-1/report.html
  nolabel report runs/rotation-fashion-mnist-1 --out rotation.html --images 5000 --test-images 2000
      probes on fewer images, where `nolabel eval` has not measured yet: done in a minute";

/// Write a run as a page: curves, probes, pictures
///
/// One self-contained HTML file: accuracies beside their controls, loss and health over time, views and predictions, nearest
/// neighbours, a map of the features, every setting, and the command that reproduces the run. The evaluation of the newest
/// checkpoint is taken from the run's eval.json where `nolabel eval` has measured it; otherwise it is measured first.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Report {
    /// The run's folder, or one of the files in its checkpoints/
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The file to write [default: report.html in the run's folder]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,

    /// Probe with N labelled training images, drawn with the same share of each class [default: as measured before, or all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    images: Option<u64>,

    /// Probe with N test images, drawn with the same share of each class [default: as measured before, or all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    test_images: Option<u64>,

    /// Other images than those the run learned from, or the folder they have moved to
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    /// auto (a GPU if there is one, else the CPU), gpu, gpu:N as `nolabel devices` lists them, or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    quiet: bool,
}

impl Report {
    pub(crate) fn run(self) -> Outcome {
        let opened = Opened::at(&self.run)?;
        let out = self.out.clone().unwrap_or_else(|| page_path::beside(&self.run, "report.html"));
        atomic_file::check(&out)?;
        let loaded = opened.load(self.data.as_ref(), self.device, self.quiet)?;
        let evaluation = self.evaluation(&opened, &loaded)?;
        let chosen = chosen(&loaded, evaluation.as_ref());
        let spinner = Spinner::new(self.quiet);
        spinner.tell("a sample of the task");
        let samples = report::samples(&block_on(loaded.session.sample())?);
        let neighbours = looks::neighbours(&loaded, &chosen.trained, &spinner)?;
        let page = Page {
            info: find(&opened.record.config.method)?.info(),
            record: &opened.record,
            header: &opened.checkpoint.header,
            started: Started { device: opened.record.device.name.clone(), ..loaded.session.started() },
            history: History::of(opened.events()?),
            evaluation,
            samples,
            maps: looks::maps(&loaded, &chosen, &spinner)?,
            neighbours,
            data: loaded.session.data(),
            chosen,
            command: reproduce::command(&opened.record)?,
        };
        drop(spinner);
        atomic_file::write(&out, page.html().as_bytes())?;
        print::out(&format!("{}: open it in a browser", format::quoted(&out.display().to_string())))
    }

    /// The evaluation: as asked for, else the known one with most images, else measured now. `None` without classes.
    fn evaluation(&self, opened: &Opened, loaded: &Loaded) -> Outcome<Option<Evaluation>> {
        if loaded.session.data().classes.is_empty() {
            return Ok(None);
        }
        let [train_images, test_images] = [self.images, self.test_images].map(|count| count.unwrap_or(0) as usize);
        let settings = ProbeSettings { train_images, test_images, ..ProbeSettings::default() };
        let mut known = opened.known(&loaded.data, &settings)?;
        if known.is_none() && self.images.is_none() && self.test_images.is_none() {
            let usable = |known: &Evaluation| {
                let whole = known.settings.layer.is_none() && known.settings.linear && known.settings.knn;
                whole && known.step == opened.step() && known.data.sha256 == loaded.data.sha256
            };
            known = opened.evaluations()?.into_iter().filter(usable).max_by_key(Evaluation::images);
        }
        known.map_or_else(|| opened.measure(loaded, &settings, self.quiet), Ok).map(Some)
    }
}

/// The layers to draw: the best under kNN, or the last where nothing was measured.
fn chosen(loaded: &Loaded, evaluation: Option<&Evaluation>) -> DrawnLayers {
    let last = loaded.session.untrained().layer_names().pop().unwrap_or_default();
    let best = |source| {
        let row = evaluation.and_then(|known| ProbeRow::best(&known.rows, source, "knn"));
        row.map_or_else(|| last.clone(), |row| row.layer.clone())
    };
    DrawnLayers { trained: best(Source::Trained), untrained: best(Source::Untrained) }
}
