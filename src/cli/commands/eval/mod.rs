//! `nolabel eval`: what an encoder learned, beside what it takes no learning to know.

mod asked;
mod card;
pub(crate) mod few;
pub(crate) mod labelled;
mod repeat;

use std::path::{Path, PathBuf};

use clap::Args;
use futures_lite::future::block_on;

use asked::Asked;
use card::{RunCard, WeightsCard};
use repeat::Repeat;
use crate::cli::input::args;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::input::foreign_weights::{self, Foreign, ForeignArgs};
use crate::cli::input::load_images;
use crate::cli::output::spinner::Spinner;
use crate::evaluate::{AdaptedImages, ControlBudget, EncoderUnderTest, Measurement, SupervisedControl};
use crate::cli::run::open_run::Opened;
use crate::cli::output::print;
use crate::cli::output::probe_table;
use crate::format;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice, Selected};
use crate::probe::{self, ProbeSettings};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{DataRecord, Details, Record};
use crate::weights::Imported;

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
  nolabel eval runs/rotation-fashion-mnist-1 --probe retrieval
      how many of the nearest training images are of a test image's class
  nolabel eval runs/simsiam-cifar-10-1 --probe sgd --epochs 100
      the linear protocol of the papers, as long as theirs: a job for a GPU
  nolabel eval runs/rotation-fashion-mnist-1 --probe finetune --images 5000
      the encoder as a start for learning with labels, beside the same steps from untrained weights
  nolabel eval runs/rotation-fashion-mnist-1 --supervised
      what labels would have made of the same encoder in as many steps, however long the run took
  nolabel eval runs/simsiam-cifar-10-1 --data fashion-mnist
      transfer: what the encoder knows of images that it did not learn from
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
/// components: what does not beat those has learned nothing. --probe asks for other measures: retrieval, the papers' linear
/// protocol with SGD on augmented images, and fine-tuning beside the supervised control. Beside a run that took at most half an
/// hour, untrained encoders of three seeds are read, and the same encoder trained with labels for as long; beside a longer one
/// where it is asked for. Controls are the same for all runs with the same encoder and seed; they are measured once and kept in
/// the user's cache folder. The newest checkpoint is measured, whether the run has ended or not. The numbers are kept in the
/// run's eval.json, with everything needed to get them again. Encoders from elsewhere are measured in the same way, beside one
/// with random weights.
///
/// What --json prints is an evaluation card: probes and settings, layers, seeds, digests of the images and of the
/// checkpoint, version and device. --card takes it up: it refuses other images and other weights, measures again and sets the
/// numbers side by side.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(crate) struct Eval {
    /// The run's folder, one of the files in its checkpoints/, or a run downloaded from the page; with --card, where the run or the file of weights has moved to
    #[arg(value_name = "RUN", required_unless_present_any = ["weights", "card"])]
    run: Option<PathBuf>,

    /// Measure again what an evaluation card says, and compare
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["weights", "probe", "layer", "images", "test_images", "grid"])]
    #[arg(conflicts_with_all = ["few_labels", "untrained_seeds", "supervised", "steps", "epochs", "lr", "fresh"])]
    card: Option<PathBuf>,

    #[command(flatten)]
    asked: Asked,

    /// Other labelled images than those the run learned from, or the folder that its own have moved to. Others are brought to
    /// the size and the colours that the encoder knows, and have controls of their own
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
    pub(crate) fn run(self) -> Outcome {
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
        let loaded = opened.load_labelled(self.data.as_ref(), self.device, self.quiet)?;
        let side = loaded.side();
        let request = self.asked.request(side, Some(opened.as_long(side)), opened.budget(&loaded))?;
        let evaluation = opened.answer(&loaded, &request, self.quiet)?;
        if self.json {
            let run = opened.path().to_path_buf(); // where a checkpoint was named, the run around it if there is one
            return print::json(&RunCard { run, evaluation });
        }
        let heading = title(run, &opened.record, opened.step());
        let shown = Shown {
            rows: &evaluation.rows,
            details: &evaluation.details,
            settings: &request.settings,
            data: loaded.images(),
            transfer: loaded.transfer_words(),
            selected: &loaded.selected,
        };
        let text = shown.text();
        let open = request.settings.reads() && matches!(request.supervised, SupervisedControl::Known(_));
        let told = evaluation.details.supervised.is_some() || !open;
        print::out(&format!("{heading}\n\n{text}{}", if told { "" } else { NO_SUPERVISED }))
    }

    fn of_weights(&self, path: &Path, spec: &Spec) -> Outcome {
        let selected = block_on(device::select(self.device))?;
        let asked = self.foreign.options();
        let Foreign { imported, sha256 } = foreign_weights::read(path, &asked, foreign_weights::SEED, &selected.device)?;
        let images = load_images::load(spec, self.quiet)?;
        load_images::refuse_unlabelled(&images, "name others with --data")?;
        let data = DataRecord::of(&images, spec);
        let AdaptedImages { images, how } = load_images::adapted(images, imported.channels, None)?;
        let request = self.asked.request(images.train.size().height, None, ControlBudget::Cheap)?;
        let subject = subject(&imported, foreign_weights::SEED, &images, &data.sha256, &selected);
        let spinner = Spinner::new(self.quiet);
        let measured = block_on(subject.measure(&request, &mut |task| spinner.tell(task)))?;
        drop(spinner);
        let Measurement { rows, details } = measured;
        if !self.json {
            let transfer = how.map(|how| format!("Images: {how}."));
            let (settings, data, selected) = (&request.settings, &images, &selected);
            let text = Shown { rows: &rows, details: &details, settings, data, transfer, selected }.text();
            return print::out(&format!("{}: {}, on {}\n\n{text}", path.display(), imported.found, images.name));
        }
        print::json(&WeightsCard {
            weights: path.to_path_buf(),
            sha256,
            found: imported.found,
            left_out: imported.left_out,
            asked,
            seed: foreign_weights::SEED,
            nolabel: env!("CARGO_PKG_VERSION").to_string(),
            encoder: imported.config,
            data,
            device: selected.readout,
            settings: request.settings,
            rows,
            details,
        })
    }
}

fn title(run: &Path, record: &Record, step: usize) -> String {
    let config = &record.config;
    let steps = format::count(step, "step");
    format!("{}: {} on {}, seed {}, after {steps}", run.display(), config.method, config.data, config.seed)
}

/// An encoder from elsewhere, to be probed.
fn subject<'a>(
    imported: &'a Imported,
    seed: u64,
    data: &'a Dataset,
    images_sha256: &'a str,
    selected: &'a Selected,
) -> EncoderUnderTest<'a> {
    let Imported { encoder: trained, untrained, config, .. } = imported;
    EncoderUnderTest { trained, untrained, config, seed, data, images_sha256, selected }
}

/// What came of an evaluation, to be told.
struct Shown<'a> {
    rows: &'a [ProbeRow],
    details: &'a Details,
    settings: &'a ProbeSettings,
    data: &'a Dataset,
    /// What the images are to the encoder, where that is to be said.
    transfer: Option<String>,
    selected: &'a Selected,
}

impl Shown<'_> {
    /// The probes of every layer, and whatever was asked for beside them.
    fn text(&self) -> String {
        let Self { rows, details, settings, data, selected, .. } = self;
        let mut parts = Vec::new();
        if settings.reads() {
            parts.push(present(&details.with_supervised(rows), settings, data, selected));
        }
        let prose = probe_table::seeds(rows, &details.untrained);
        parts.extend(prose.iter().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
        parts.extend(details.few_labels.as_ref().map(|curves| few::text(curves, TEXT_WIDTH)));
        parts.extend(labelled::text(details, probe::count(&data.train, settings.train_images), TEXT_WIDTH));
        parts.extend(self.transfer.as_ref().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
        if !details.from_cache.is_empty() {
            let known = details.from_cache.join(", ");
            let known =
                format!("Measured before, with the same images, settings and device: {known}. --fresh measures anew.");
            parts.push(format::wrap(&known, TEXT_WIDTH));
        }
        parts.join("\n\n")
    }
}

/// The table of all layers, what it comes to, and how it was measured.
pub(crate) fn present(rows: &[ProbeRow], settings: &ProbeSettings, data: &Dataset, selected: &Selected) -> String {
    let how = format!(
        "Measured with {} {}One run, one seed. The best layer is picked by {}, for all alike. On {}.",
        settings.describe(data),
        components(rows),
        if settings.chooses() { "the last sixth of the training images" } else { "these very test images" },
        selected.readout.name
    );
    let mut lines = vec![format!("{}\n", probe_table::table(rows))];
    lines.extend(probe_table::verdict(rows).iter().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
    lines.extend(probe_table::intervals(rows).map(|sentence| format::wrap(&sentence, TEXT_WIDTH)));
    lines.push(format!("\n{}", format::wrap(&how, TEXT_WIDTH)));
    lines.join("\n")
}

/// How the principal components come about, where there are any.
pub(crate) fn components(rows: &[ProbeRow]) -> &'static str {
    if rows.iter().any(|row| row.source == Source::Pca) { COMPONENTS } else { "" }
}

/// Where the control with labels was never measured.
const NO_SUPERVISED: &str =
    "\n\nNot known yet is what labels would make of the same encoder in as many steps: add --supervised.";
/// The words for it.
const COMPONENTS: &str = "PCA: the widest directions of the training images' pixels, as many as the last layer has \
                          features (at most 256, and fewer than images). ";
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
