//! `nolabel eval`: what an encoder learned, beside what it takes no learning to know.

mod card;
mod repeat;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use self::card::{RunCard, WeightsCard};
use self::repeat::Repeat;
use super::args;
use super::failure::{Failure, Outcome};
use super::foreign::{self, Foreign, ForeignArgs};
use super::images;
use super::opened::Opened;
use super::print;
use super::results;
use super::spinner::Spinner;
use super::words;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice, Selected};
use crate::net::Encoder;
use crate::probe::{self, ProbeSettings};
use crate::session::Session;
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{DataRecord, Record};

const USAGE: &str = "\
nolabel eval RUN [OPTIONS]
       nolabel eval --weights FILE --data NAME[:DIR] [OPTIONS]
       nolabel eval --card FILE [RUN|WEIGHTS] [--data NAME:DIR]";
const EXAMPLES: &str = "\
Examples:
  nolabel eval runs/rotation-fashion-mnist-1
      every layer, with all labelled images
  nolabel eval runs/rotation-fashion-mnist-1 --images 5000 --probe knn
      a first impression in seconds
  nolabel eval runs/rotation-fashion-mnist-1 --layer block3 --json
      one layer, for programs
  nolabel eval runs/rotation-fashion-mnist-1 --json > card.json
      every number with all it takes to get it again
  nolabel eval --card card.json
      measures again what the card says, and ends with code 1 if a number differs by more than 0.1 points
  nolabel eval --weights moco_v2_800ep_pretrain.pth.tar --data cifar-10 --images 5000
      an encoder from elsewhere, for example of torchvision, timm, MoCo, SimSiam, Barlow Twins, SwAV,
      solo-learn or lightly; it is found by its tensors' names, and nothing in the file is executed
  nolabel eval --weights encoder.safetensors --data fashion-mnist
      what `nolabel export` wrote

ResNets with the 3x3 stem out of solo-learn were trained with two pixels of padding there; here the stem
has one, and their features differ a little.";

/// Measure what the encoder of a run learned
///
/// Its features are frozen and two simple readers name the classes from them: a linear probe and the nearest neighbours.
/// The same is done with the features of the encoder as it was before training and with raw pixels: what does not beat
/// those has learned nothing. The newest checkpoint is measured, whether the run has ended or not. The numbers are kept in
/// the run's eval.json, with everything needed to get them again. Encoders from elsewhere are measured in the same way,
/// beside one with random weights.
///
/// What --json prints is an evaluation card: probes and settings, layers, seeds, digests of the images and of the
/// checkpoint, version and device. --card takes it up: it refuses other images and other weights, measures again and sets the
/// numbers side by side.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(super) struct Eval {
    /// The run's folder; with --card, where the run or the file of weights has moved to
    #[arg(value_name = "RUN", required_unless_present_any = ["weights", "card"])]
    run: Option<PathBuf>,

    /// Measure again what an evaluation card says, and compare
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["weights", "probe", "layer", "images", "test_images", "grid"])]
    card: Option<PathBuf>,

    /// The readers, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROBES", default_value = "linear,knn")]
    probe: Vec<Reader>,

    /// The layer whose features are read, from block1 to gap, or all of them
    #[arg(long, value_name = "NAME|all", default_value = "all")]
    layer: String,

    /// Use only the first N labelled training images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    images: Option<u64>,

    /// Use only the first N test images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    test_images: Option<u64>,

    /// Average feature maps over N x N cells
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=64))]
    grid: u64,

    /// Other images than those the run learned from, or the folder they have moved to
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    #[command(flatten)]
    foreign: ForeignArgs,

    /// auto (a GPU, and the CPU where there is none), gpu, gpu:N as `nolabel devices` lists them, or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// Print JSON: the evaluation card
    #[arg(long)]
    json: bool,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    quiet: bool,
}

/// What reads the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Reader {
    /// Logistic regression on standardised features
    Linear,
    /// Nearest neighbours by cosine
    Knn,
}

impl Eval {
    pub(super) fn run(self) -> Outcome {
        if let Some(card) = &self.card {
            let (moved, data) = (self.run.as_deref(), self.data.as_ref());
            let Self { device, json, quiet, .. } = self;
            return Repeat { card, moved, data, device, json, quiet }.run();
        }
        match (&self.run, &self.foreign.weights, &self.data) {
            (Some(run), ..) => self.of_run(run),
            (None, Some(weights), Some(data)) => self.of_weights(weights, data),
            _ => Err(Failure::Usage("name a run, or --weights and --data".into())),
        }
    }

    fn of_run(&self, run: &Path) -> Outcome {
        let opened = Opened::at(run)?;
        let loaded = opened.load(self.data.as_ref(), self.device, self.quiet)?;
        let settings = self.settings();
        let evaluation = opened.measure(&loaded, &settings, self.quiet)?;
        if self.json {
            return print::json(&RunCard { run: run.to_path_buf(), evaluation });
        }
        let text = present(&evaluation.rows, &settings, loaded.session.data(), &loaded.selected);
        print::out(&format!("{}\n\n{text}", title(run, &opened.record, opened.step())))
    }

    fn of_weights(&self, path: &Path, spec: &Spec) -> Outcome {
        let selected = block_on(device::select(self.device))?;
        let asked = self.foreign.wanted();
        let Foreign { imported, sha256 } = foreign::read(path, &asked, foreign::SEED, &selected.device)?;
        let images = images::load(spec, self.quiet)?;
        images::refuse_unlabelled(&images, "name others with --data")?;
        let data = DataRecord::of(&images, spec);
        let images = foreign::suited(images, imported.channels)?;
        let settings = self.settings();
        let subjects = [(Source::Trained, &imported.encoder), (Source::Untrained, &imported.untrained)];
        let rows = measure_all(subjects, &images, &selected, &settings, self.quiet)?;
        if !self.json {
            let text = present(&rows, &settings, &images, &selected);
            return print::out(&format!("{}: {}, on {}\n\n{text}", path.display(), imported.found, data.name));
        }
        print::json(&WeightsCard {
            weights: path.to_path_buf(),
            sha256,
            found: imported.found,
            asked,
            seed: foreign::SEED,
            nolabel: env!("CARGO_PKG_VERSION").to_string(),
            encoder: imported.config,
            data,
            device: selected.readout,
            settings,
            rows,
        })
    }

    fn settings(&self) -> ProbeSettings {
        ProbeSettings {
            linear: self.probe.contains(&Reader::Linear),
            knn: self.probe.contains(&Reader::Knn),
            layer: Some(self.layer.clone()).filter(|layer| layer != "all"),
            train_images: self.images.unwrap_or(0) as usize,
            test_images: self.test_images.unwrap_or(0) as usize,
            grid: self.grid as usize,
            ..ProbeSettings::default()
        }
    }
}

fn title(run: &Path, record: &Record, step: usize) -> String {
    let config = &record.config;
    let steps = words::count(step, "step");
    format!("{}: {} on {}, seed {}, after {steps}", run.display(), config.method, config.data, config.seed)
}

/// Probes the trained encoder, the same encoder before its first step, and raw pixels, all alike.
pub(super) fn measure(
    session: &Session,
    selected: &Selected,
    settings: &ProbeSettings,
    quiet: bool,
) -> Outcome<Vec<ProbeRow>> {
    let encoder = session.encoder();
    let subjects = [(Source::Trained, &encoder), (Source::Untrained, session.untrained())];
    measure_all(subjects, session.data(), selected, settings, quiet)
}

/// Probes encoders and raw pixels, all alike.
fn measure_all(
    subjects: [(Source, &Encoder); 2],
    data: &Dataset,
    selected: &Selected,
    settings: &ProbeSettings,
    quiet: bool,
) -> Outcome<Vec<ProbeRow>> {
    let spinner = Spinner::new(quiet);
    let mut tell = |text: &str| spinner.tell(text);
    let (mut rows, device) = (Vec::new(), &selected.device);
    for (source, encoder) in subjects {
        rows.extend(block_on(probe::encoder(encoder, source, data, settings, device, &mut tell))?);
    }
    rows.extend(block_on(probe::pixels(data, settings, device, &mut tell))?);
    Ok(rows)
}

/// The table, what it comes to, and how it was measured.
pub(super) fn present(rows: &[ProbeRow], settings: &ProbeSettings, data: &Dataset, selected: &Selected) -> String {
    let how = format!(
        "Measured with {} One run, one seed. The best layer is picked by {}, for all alike. On {}.",
        settings.describe(data),
        if settings.chooses() { "the last sixth of the training images" } else { "these very test images" },
        selected.readout.name
    );
    let mut lines = vec![format!("{}\n", results::table(rows))];
    lines.extend(results::verdict(rows).iter().map(|sentence| words::wrap(sentence, TEXT_WIDTH)));
    lines.push(format!("\n{}", words::wrap(&how, TEXT_WIDTH)));
    lines.join("\n")
}

/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
