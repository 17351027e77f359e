//! `nolabel train`: trains an encoder without labels.

use std::path::PathBuf;

use clap::Args;

use crate::cli::input::args::{self, RunArgs};
use crate::cli::output::exit::Outcome;
use crate::cli::output::print;
use crate::cli::run::setup::TrainRequest;
use crate::cli::run::train_loop;
use crate::config::Preset;
use crate::data::Spec;
use crate::format;

const USAGE: &str = "\
nolabel train METHOD --data NAME[:DIR] [OPTIONS]
       nolabel train --resume --out DIR [OPTIONS]
       nolabel train --from FILE [--out DIR] [OPTIONS]";
const EXAMPLES: &str = "\
Examples:
  nolabel train rotation --data fashion-mnist
      the small preset on all images, in runs/rotation-fashion-mnist-1
  nolabel train rotation --data fashion-mnist --images 5000 --epochs 2 --seed 7
      a first impression in a minute or two
  nolabel train rotation --data fashion-mnist:my/folder --set encoder.width=16 --out runs/narrow
      the data set's files in another folder, a narrower encoder, a folder of your choice
  nolabel train rotation --data folder:my/photos,size=96
      images of your own, resized to squares of 96 pixels (64 without a size)
  nolabel train simsiam --data 'shards:my/train-{000..127}.tar,size=96'
      images in tar files as WebDataset has them; shards:DIR takes all of a folder
  nolabel train motion --data moving-shapes
      generated clips of moving shapes; --data clips:my/videos takes your own
  nolabel train simsiam --data cifar-10 --init resnet18.pth --set encoder.kind=resnet18 \\
      --set encoder.width=64
      start from an encoder trained elsewhere; the untrained control in `nolabel eval` keeps random
      weights
  nolabel train simclr --data cifar-10 --preset full --set micro_batches=8
      batches of 512 images as eight micro-batches (gradient accumulation), where memory is short;
      the loss compares the images within a micro-batch
  nolabel train --resume --out runs/narrow
      continue a run that was stopped; Ctrl-C saves it and prints this line
  nolabel train --from rotation-fashion-mnist-1-step-00001200.safetensors
      continue a run that was downloaded from the page, in runs/rotation-fashion-mnist-1

checkpoints/ holds the last two checkpoints, or --keep-last N. Each carries its own digest; if the newest is damaged,
the one before it is used, with a warning. With --keep-best the folder also holds the best one:
`nolabel eval RUN/checkpoints/best.safetensors` measures it.

Folders of your own hold PNG, JPEG, WebP, GIF, BMP, TIFF or PNM files, laid out as
  train/CLASS/* and test/CLASS/*
      under any usual name of the halves: Training, train2017, valid, val_images, ..; beside both,
      valid/CLASS/* chooses L2 and layer; without test/, it is the test half
  CLASS/*
      one image in ten of each class, chosen by a hash of its path, is kept for testing
  *
      without classes: enough to train, but `nolabel eval` needs them
One line says how the folder was understood. Files that are not images are ignored.
Folders of clips hold one folder of frames for each clip, in the order of their names, or films,
which ffmpeg reads:
  CLIP/* or CLASS/CLIP/*, in halves or not
      one clip in ten is kept for testing, or the last tenth of a single clip";

/// Train an encoder without labels
///
/// A run is a folder: run.toml records its settings, events.jsonl its events, checkpoints/ its latest checkpoints. On the CPU a
/// run that was stopped and resumed equals an uninterrupted one bit for bit. `nolabel eval` measures afterwards what the
/// encoder learned.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(crate) struct Train {
    /// The method
    #[arg(value_name = "METHOD", value_parser = args::methods(), required_unless_present_any = ["resume", "from"])]
    method: Option<String>,

    /// The images: a data set by name, with its folder where that is not the usual one
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    /// Preset that the settings start from [default: small]
    #[arg(long, value_name = "PRESET", value_parser = args::presets(), help_heading = args::TRAINING)]
    preset: Option<Preset>,

    /// Start from an encoder trained elsewhere: a file written by `nolabel export`, or by a project that `nolabel help eval`
    /// names
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = args::TRAINING)]
    init: Option<PathBuf>,

    /// Continue a single checkpoint as a run of its own: one that was downloaded from the page, or one of another run
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "init"])]
    from: Option<PathBuf>,

    #[command(flatten)]
    run: RunArgs,
}

impl Train {
    pub(crate) fn run(self) -> Outcome {
        let Self { method, data, preset, init, from, run } = self;
        let finished = train_loop::train(&TrainRequest {
            command: "train",
            method,
            data,
            preset,
            init,
            from,
            out: None,
            probed: false,
            images: None,
            sweep: None,
            args: run,
        })?;
        let folder = finished.run.folder.path().display().to_string();
        print::out(&finished.summary.words())?;
        let best =
            finished.run.folder.best().map_or(String::new(), |best| format!("\nbest checkpoint: {}", best.display()));
        print::out(&format!("run folder: {folder}{best}\nwhat it learned: nolabel eval {}", format::quoted(&folder)))
    }
}
