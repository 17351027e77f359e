//! `nolabel eval`: measures an encoder beside its controls.

mod card;
mod eval_args;
pub(crate) mod few;
pub(crate) mod labelled;
mod repeat;

use std::path::{Path, PathBuf};

use clap::Args;
use futures_lite::future::block_on;

use crate::cli::expected;
use crate::cli::input::args;
use crate::cli::input::foreign_weights::{self, Foreign, ForeignArgs};
use crate::cli::input::load_images;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::probe_table;
use crate::cli::output::spinner::Spinner;
use crate::cli::run::open_run::Opened;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice, Selected};
use crate::evaluate::{AdaptedImages, ControlBudget, EncoderUnderTest, Measurement, SupervisedControl};
use crate::format;
use crate::probe::{self, ProbeSettings};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{DataRecord, Details, Record};
use crate::weights::Imported;
use card::{RunCard, WeightsCard};
use eval_args::EvalArgs;
use repeat::Repeat;

const USAGE: &str = "\
nolabel eval RUN [OPTIONS]
       nolabel eval --weights FILE --data NAME[:DIR] [OPTIONS]
       nolabel eval --card FILE [RUN|WEIGHTS] [--data NAME:DIR]";
const EXAMPLES: &str = "\
Examples:
  nolabel eval runs/rotation-fashion-mnist-1
      every layer, with all images
  nolabel eval runs/rotation-fashion-mnist-1 --images 5000 --probe knn
      a first impression in seconds
  nolabel eval runs/rotation-fashion-mnist-1 --layer block3 --json
      one layer, for programs
  nolabel eval runs/rotation-fashion-mnist-1 --few-labels 1,5,10,50,100,500
      accuracy with few labels: a few minutes more
  nolabel eval runs/rotation-fashion-mnist-1 --probe retrieval
      share of the nearest training images that have the test image's class
  nolabel eval runs/simsiam-cifar-10-1 --probe sgd --epochs 100
      the linear protocol of the papers at full length: for a GPU
  nolabel eval runs/rotation-fashion-mnist-1 --probe finetune --images 5000
      fine-tuning with labels, beside the same steps from untrained weights
  nolabel eval runs/rotation-fashion-mnist-1 --supervised
      the supervised control: the same encoder trained with labels for as many steps
  nolabel eval runs/simsiam-cifar-10-1 --data fashion-mnist
      transfer to images that the encoder did not learn from
  nolabel eval runs/rotation-fashion-mnist-1 --json > card.json
      every number with everything needed to reproduce it
  nolabel eval --card card.json
      repeats the measurement, and exits with code 1 if a number differs by more than 0.1 points
  nolabel eval --weights moco_v2_800ep_pretrain.pth.tar --data cifar-10 --images 5000
      an encoder from elsewhere, for example of torchvision, timm, MoCo, SimSiam, Barlow Twins,
      SwAV, solo-learn or lightly; it is recognised by its tensors' names, and nothing in the file
      is executed
  nolabel eval --weights encoder.safetensors --data fashion-mnist
      a file written by `nolabel export`

solo-learn trains ResNets whose 3x3 stem has two pixels of padding; here the stem has one, and
their features differ a little.";

/// Measure what the encoder of a run learned
///
/// The encoder's features are frozen, and two simple probes classify them: a linear probe and kNN. The same is measured for the
/// encoder before training, for raw pixels and for their principal components: an encoder that does not beat these controls has
/// learned nothing. --probe asks for other measures: retrieval, the papers' linear protocol with SGD on augmented images, and
/// fine-tuning beside the supervised control. A run that took at most half an hour is also compared with untrained encoders of
/// three seeds and with the same encoder trained with labels for as long; a longer one only on request. Runs with the same
/// encoder and seed share their controls, which are measured once and kept in the user's cache folder. The newest checkpoint is
/// measured; the run need not have ended. The numbers are kept in the run's eval.json, with everything needed to reproduce
/// them. Encoders trained elsewhere are measured in the same way, beside one with random weights.
///
/// --json prints an evaluation card: probes and settings, layers, seeds, digests of the images and of the checkpoint, version
/// and device. --card reads it back: other images and other weights are refused, and the numbers are measured again and compared
/// with those of the card.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(crate) struct Eval {
    /// The run's folder, one of the files in its checkpoints/, or a run downloaded from the page; with --card, where the run or the file of weights has moved to
    #[arg(value_name = "RUN", required_unless_present_any = ["weights", "card"])]
    run: Option<PathBuf>,

    /// Repeat the measurement of an evaluation card and compare
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["weights", "probe", "layer", "images", "test_images", "grid"])]
    #[arg(conflicts_with_all = ["few_labels", "untrained_seeds", "supervised", "steps", "epochs", "lr", "fresh"])]
    card: Option<PathBuf>,

    #[command(flatten)]
    args: EvalArgs,

    /// Other labelled images than the run's own, or the folder that its own have moved to. Others are converted to the size and
    /// channels of the encoder, and have controls of their own
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    #[command(flatten)]
    foreign: ForeignArgs,

    /// auto (a GPU if there is one, else the CPU), gpu, gpu:N as `nolabel devices` lists them, or cpu
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
            let moved = self.run.as_deref();
            let data = self.data.as_ref();
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
        let request = self.args.request(side, Some(opened.as_long(side)), opened.budget(&loaded.selected))?;
        let evaluation = opened.answer(&loaded, &request, self.quiet)?;
        if self.json {
            let run = opened.path().to_path_buf(); // of a checkpoint that was named, the run around it if there is one
            return print::json(&RunCard { run, evaluation });
        }
        let heading = title(run, &opened.record, opened.step());
        let shown = EvalText {
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
        let Foreign { imported, sha256 } =
            foreign_weights::read(path, &asked, foreign_weights::SEED, &selected.device)?;
        let images = load_images::load(spec, self.quiet)?;
        load_images::refuse_unlabelled(&images, "name others with --data")?;
        let data = DataRecord::of(&images, spec);
        let AdaptedImages { images, how } = load_images::adapted(images, imported.channels, None)?;
        let request = self.args.request(images.train.size().height, None, ControlBudget::Cheap)?;
        let subject = subject(&imported, foreign_weights::SEED, &images, &data.sha256, &selected);
        expected::tell(block_on(subject.cost(&request))?, self.quiet, expected::OF_EVAL)?;
        let spinner = Spinner::new(self.quiet);
        let measured = block_on(subject.measure(&request, &mut |task| spinner.tell(task)))?;
        drop(spinner);
        let Measurement { rows, details } = measured;
        if !self.json {
            let transfer = how.map(|how| format!("Images: {how}."));
            let shown = EvalText {
                rows: &rows,
                details: &details,
                settings: &request.settings,
                data: &images,
                transfer,
                selected: &selected,
            };
            let text = shown.text();
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

/// An encoder from elsewhere as the encoder under test.
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

/// An evaluation to be printed.
struct EvalText<'a> {
    rows: &'a [ProbeRow],
    details: &'a Details,
    settings: &'a ProbeSettings,
    data: &'a Dataset,
    /// A sentence on images that the encoder did not learn from.
    transfer: Option<String>,
    selected: &'a Selected,
}

impl EvalText<'_> {
    /// The probes of every layer, and the details that were asked for.
    fn text(&self) -> String {
        let Self { rows, details, settings, data, selected, .. } = self;
        let mut parts = Vec::new();
        if settings.reads() {
            parts.push(present(&details.with_supervised(rows), settings, data, selected));
        }
        let prose = probe_table::seeds(rows, &details.untrained);
        parts.extend(prose.iter().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
        parts.extend(details.few_labels.as_ref().map(|curves| few::text(curves, TEXT_WIDTH)));
        let images = [(&data.train, settings.train_images), (&data.test, settings.test_images)];
        parts.extend(labelled::text(details, images.map(|(split, wanted)| probe::count(split, wanted)), TEXT_WIDTH));
        parts.extend(self.transfer.as_ref().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
        if !details.from_cache.is_empty() {
            let known = details.from_cache.join(", ");
            let known = format!(
                "From the cache, measured before with the same images, settings and device: {known}. --fresh measures again."
            );
            parts.push(format::wrap(&known, TEXT_WIDTH));
        }
        parts.join("\n\n")
    }
}

/// The table of all layers, its conclusion, and the protocol.
pub(crate) fn present(rows: &[ProbeRow], settings: &ProbeSettings, data: &Dataset, selected: &Selected) -> String {
    let how = format!(
        "Measured with {} {}One run, one seed. The best layer is picked by {}, for all alike. On {}.",
        settings.describe(data),
        components(rows),
        if rows.iter().any(|row| row.validation.is_some()) {
            "the validation images"
        } else {
            "these very test images"
        },
        selected.readout.name
    );
    let mut lines = vec![format!("{}\n", probe_table::table(rows))];
    let images = probe::count(&data.test, settings.test_images);
    lines.extend(probe_table::verdict(rows, images).iter().map(|sentence| format::wrap(sentence, TEXT_WIDTH)));
    lines.extend(probe_table::intervals(rows).map(|sentence| format::wrap(&sentence, TEXT_WIDTH)));
    lines.push(format!("\n{}", format::wrap(&how, TEXT_WIDTH)));
    lines.join("\n")
}

/// A sentence on the principal components, where there are any.
pub(crate) fn components(rows: &[ProbeRow]) -> &'static str {
    if rows.iter().any(|row| row.source == Source::Pca) { COMPONENTS } else { "" }
}

/// A hint where the supervised control was never measured.
const NO_SUPERVISED: &str = "\n\nThe supervised control was not measured yet: add --supervised to train the same encoder with labels for as many steps.";
/// The sentence on the principal components.
const COMPONENTS: &str = "PCA: the first principal components of the training images' pixels, as many as the last layer \
                          has features (at most 256, and fewer than images). ";
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;
