//! `nolabel eval`: what an encoder learned, beside what it takes no learning to know.

mod card;
pub(super) mod few;
mod repeat;

use std::path::{Path, PathBuf};

use clap::Args;
use futures_lite::future::block_on;

use self::card::{RunCard, WeightsCard};
use self::repeat::Repeat;
use super::args;
use super::failure::{Failure, Outcome};
use super::foreign::{self, Foreign, ForeignArgs};
use super::images;
use super::measure::{Measured, Question, Subject};
use super::opened::Opened;
use super::print;
use super::probing::ProbeArgs;
use super::results;
use super::words;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice, Selected};
use crate::probe::ProbeSettings;
use crate::probe::few::FewSettings;
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{DataRecord, Details, Record};
use crate::weights::Imported;

/// What images are drawn by where labels are few: one seed for all runs, so that all are given the same labels.
const FEW_SEED: u64 = 0;
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
  nolabel eval runs/rotation-fashion-mnist-1 --few-labels 1,5,10,50,100,500
      what the features are worth where labels are dear: a few minutes more
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
/// The same is done with the features of the encoder as it was before training, with raw pixels and with their principal
/// components: what does not beat those has learned nothing. Controls are the same for all runs with the same encoder and
/// seed; they are measured once and kept in the user's cache folder. The newest checkpoint is measured, whether the run has
/// ended or not. The numbers are kept in the run's eval.json, with everything needed to get them again. Encoders from
/// elsewhere are measured in the same way, beside one with random weights.
///
/// What --json prints is an evaluation card: probes and settings, layers, seeds, digests of the images and of the
/// checkpoint, version and device. --card takes it up: it refuses other images and other weights, measures again and sets the
/// numbers side by side.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(super) struct Eval {
    /// The run's folder, one of the files in its checkpoints/, or a run downloaded from the page; with --card, where the run or the file of weights has moved to
    #[arg(value_name = "RUN", required_unless_present_any = ["weights", "card"])]
    run: Option<PathBuf>,

    /// Measure again what an evaluation card says, and compare
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["weights", "probe", "layer", "images", "test_images", "grid"])]
    #[arg(conflicts_with_all = ["few_labels", "untrained_seeds", "fresh"])]
    card: Option<PathBuf>,

    /// The layer whose features are read, from block1 to gap, or all of them
    #[arg(long, value_name = "NAME|all", default_value = "all")]
    layer: String,

    #[command(flatten)]
    probing: ProbeArgs,

    /// Give the linear probe only so many labels of each class, for example 1,5,10,50,100,500
    #[arg(long, value_delimiter = ',', value_name = "COUNTS", value_parser = clap::value_parser!(u64).range(1..))]
    few_labels: Vec<u64>,

    /// How often the images of --few-labels are drawn; the interval is over the draws
    #[arg(long, value_name = "N", default_value_t = 5, requires = "few_labels")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,

    /// Untrained encoders that are probed: the run's own, and as many of the following seeds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    untrained_seeds: u64,

    /// Measure the controls anew, even where they are known from an earlier run
    #[arg(long)]
    fresh: bool,

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
        let question = self.question();
        let evaluation = opened.answer(&loaded, &question, self.quiet)?;
        if self.json {
            let run = opened.path().to_path_buf(); // where a checkpoint was named, the run around it if there is one
            return print::json(&RunCard { run, evaluation });
        }
        let text = present(&evaluation.rows, &question.settings, loaded.session.data(), &loaded.selected);
        let beyond = beyond(&evaluation.rows, &evaluation.details);
        print::out(&format!("{}\n\n{text}{beyond}", title(run, &opened.record, opened.step())))
    }

    fn of_weights(&self, path: &Path, spec: &Spec) -> Outcome {
        let selected = block_on(device::select(self.device))?;
        let asked = self.foreign.wanted();
        let Foreign { imported, sha256 } = foreign::read(path, &asked, foreign::SEED, &selected.device)?;
        let images = images::load(spec, self.quiet)?;
        images::refuse_unlabelled(&images, "name others with --data")?;
        let data = DataRecord::of(&images, spec);
        let images = foreign::suited(images, imported.channels)?;
        let question = self.question();
        let subject = subject(&imported, foreign::SEED, &images, &data.sha256, &selected);
        let Measured { rows, details } = subject.measure(&question, self.quiet)?;
        if !self.json {
            let text = present(&rows, &question.settings, &images, &selected) + &beyond(&rows, &details);
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
            settings: question.settings,
            rows,
            details,
        })
    }

    fn question(&self) -> Question {
        let (draws, seed) = (self.draws as usize, FEW_SEED);
        let labels: Vec<usize> = self.few_labels.iter().map(|&labels| labels as usize).collect();
        let few = (!labels.is_empty()).then_some(FewSettings { labels, draws, seed });
        let untrained = self.untrained_seeds as usize - 1;
        Question { settings: self.settings(), few, untrained, fresh: self.fresh }
    }

    fn settings(&self) -> ProbeSettings {
        let layer = Some(self.layer.clone()).filter(|layer| layer != "all");
        ProbeSettings { layer, ..self.probing.settings() }
    }
}

fn title(run: &Path, record: &Record, step: usize) -> String {
    let config = &record.config;
    let steps = words::count(step, "step");
    format!("{}: {} on {}, seed {}, after {steps}", run.display(), config.method, config.data, config.seed)
}

/// An encoder from elsewhere, to be probed.
fn subject<'a>(
    imported: &'a Imported,
    seed: u64,
    data: &'a Dataset,
    images: &'a str,
    selected: &'a Selected,
) -> Subject<'a> {
    let Imported { encoder: trained, untrained, config, .. } = imported;
    Subject { trained, untrained, config, seed, data, images, selected }
}

/// What was asked for beside the probes of every layer, and what came from the cache.
fn beyond(rows: &[ProbeRow], details: &Details) -> String {
    let mut parts = results::seeds(rows, &details.untrained);
    if !details.from_cache.is_empty() {
        parts.push(format!(
            "Measured before, with the same images, settings and device: {}. --fresh measures anew.",
            details.from_cache.join(", ")
        ));
    }
    let mut parts: Vec<String> = parts.iter().map(|part| words::wrap(part, TEXT_WIDTH)).collect();
    parts.extend(details.few_labels.as_ref().map(|curves| few::text(curves, TEXT_WIDTH)));
    parts.iter().map(|part| format!("\n\n{part}")).collect()
}

/// The table, what it comes to, and how it was measured.
pub(super) fn present(rows: &[ProbeRow], settings: &ProbeSettings, data: &Dataset, selected: &Selected) -> String {
    let how = format!(
        "Measured with {} {}One run, one seed. The best layer is picked by {}, for all alike. On {}.",
        settings.describe(data),
        components(rows),
        if settings.chooses() { "the last sixth of the training images" } else { "these very test images" },
        selected.readout.name
    );
    let mut lines = vec![format!("{}\n", results::table(rows))];
    lines.extend(results::verdict(rows).iter().map(|sentence| words::wrap(sentence, TEXT_WIDTH)));
    lines.extend(results::intervals(rows).map(|sentence| words::wrap(&sentence, TEXT_WIDTH)));
    lines.push(format!("\n{}", words::wrap(&how, TEXT_WIDTH)));
    lines.join("\n")
}

/// How the principal components come about, where there are any.
pub(super) fn components(rows: &[ProbeRow]) -> &'static str {
    if rows.iter().any(|row| row.source == Source::Pca) { COMPONENTS } else { "" }
}

/// The words for it.
const COMPONENTS: &str = "PCA: the widest directions of the training images' pixels, as many as the last layer has \
                          features (at most 256). ";
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
