//! `nolabel toy`: the toy example, from images to a result.

use std::path::Path;

use clap::Args;

use super::eval;
use crate::cli::input::args::{self, RunArgs};
use crate::cli::output::exit::Outcome;
use crate::cli::output::print;
use crate::cli::run::setup::{self, TrainRequest};
use crate::cli::run::train_loop;
use crate::config::Preset;
use crate::data::Spec;
use crate::methods::{self, find};
use crate::probe::{self, ProbeSettings};
use crate::session::Session;
use crate::session::event::{Event, Probe};

const EXAMPLES: &str = "\
Examples:
  nolabel toy
      all of Fashion-MNIST, in runs/toy-rotation-fashion-mnist-1
  nolabel toy --images 5000 --epochs 2
      the same in a few minutes, with weaker results
  nolabel toy --resume
      continue where it was stopped";

/// Rotation prediction on Fashion-MNIST, from images to a result
///
/// Trains the small encoder to predict by which angle an image was rotated and measures its accuracy on test images. Then its
/// features are measured: a linear probe and kNN classify the clothes by every layer of the trained encoder, of the same
/// encoder before training, and by raw pixels. It is an ordinary run in a folder of its own, which can be stopped, resumed and
/// evaluated like any other.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Toy {
    /// The images, with their folder where that is not the usual one [default: fashion-mnist]
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs(), hide_possible_values = true)]
    data: Option<Spec>,

    #[command(flatten)]
    run: RunArgs,
}

impl Toy {
    pub(crate) fn run(self) -> Outcome {
        let quiet = self.run.manner.quiet;
        let mut finished = train_loop::train(&self.wanted()?)?;
        print::out(&finished.summary.words())?;
        let logged = finished.summary.probe.take().is_some();
        let (opened, loaded, mut log) = finished.opened()?;
        let settings = ProbeSettings { train_images: loaded.session.config().images, ..ProbeSettings::default() };
        let known = opened.known(&loaded.data, &settings)?;
        let measured = known.map_or_else(|| opened.measure(&loaded, &settings, quiet), Ok)?;
        if !logged {
            log.append(&Event::Probe(probe(&loaded.session, &settings, measured.rows.clone())))?;
        }
        let rows = measured.details.with_supervised(&measured.rows);
        let text = eval::present(&rows, &settings, loaded.session.data(), &loaded.selected);
        print::out(&format!("\n{text}\n\nrun folder: {}", opened.path().display()))
    }

    fn wanted(self) -> Outcome<TrainRequest> {
        let Self { data, run } = self;
        let data = data.or_else(|| (!run.resume).then(|| Spec::named(args::DEFAULT_DATA)));
        let method = methods::FIRST.to_string();
        let preset = Preset::Small;
        let name = data.as_ref().map_or(args::DEFAULT_DATA, |data| &data.name);
        let mut config = find(&method)?.config(preset, name);
        run.apply(&mut config)?;
        let ordinary = setup::default_folder(&config);
        let name = ordinary.file_name().unwrap_or_default().to_string_lossy();
        let out = Some(ordinary.parent().unwrap_or(Path::new("")).join(format!("toy-{name}")));
        Ok(TrainRequest {
            command: "toy",
            method: Some(method),
            data,
            preset: Some(preset),
            init: None,
            from: None,
            out,
            probed: true,
            images: None,
            sweep: None,
            args: run,
        })
    }
}

fn probe(session: &Session, settings: &ProbeSettings, rows: Vec<crate::session::event::ProbeRow>) -> Probe {
    let started = session.started();
    Probe {
        step: session.step(),
        epoch: session.step() as f64 / started.steps_per_epoch as f64,
        train_images: probe::count(&session.data().train, settings.train_images),
        test_images: probe::count(&session.data().test, settings.test_images),
        rows,
        gains: Vec::new(),
    }
}
