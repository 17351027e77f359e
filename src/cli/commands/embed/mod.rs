//! `nolabel embed`: the features of a run's encoder as a file that other programs read.

mod csv;
mod npy;
mod parquet;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use crate::cli::input::args;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::run::open_run::{Loaded, Opened};
use crate::cli::output::atomic_file;
use crate::cli::output::print;
use crate::cli::output::spinner::Spinner;
use crate::format;
use crate::data::{Spec, Split};
use crate::device::DeviceChoice;
use crate::error::Error;
use crate::probe::features::{self, Features};
use crate::probe::{plane, tsne};

const EXAMPLES: &str = "\
Examples:
  nolabel embed runs/rotation-fashion-mnist-1 --out features.csv --layer block3
      the test images, a line each: index, label, class and the features
  nolabel embed runs/rotation-fashion-mnist-1 --out train.npy --split train --images 10000
      for NumPy: train.npy and train-labels.npy
  nolabel embed runs/rotation-fashion-mnist-1 --out map.csv --layer block3 --map tsne --images 2000
      a place for each image, so that images with like features lie together

Files:
  FILE.npy      32-bit floats of shape [images, features], in the order of the data set; where the images have
                labels, FILE-labels.npy beside it holds them as 16-bit whole numbers without sign
  FILE.csv      a head, then a line an image: its place in the split from 0, its label and the label's name (both
                empty where there are none), and the features f0, f1, ...
  FILE.parquet  the same columns, without label and class where there are none

A map of several channels is averaged over cells first (--grid): feature number (c * cells + y) * cells + x is
channel c of the cell in row y and column x. The same features are what `nolabel eval` probes.

With --map the columns are x and y instead of features, and the shape of the array is [images, 2]. The features
are brought to unit length first, as for the nearest neighbours. t-SNE (perplexity 30, Barnes-Hut, from the plane of
pca on) gives the same map for the same run; all 10,000 test images take 20 seconds on two cores.";

/// Rounds of t-SNE between two words about them.
const TELL_EVERY: usize = 250;

/// Write the features of a run's encoder to a file
///
/// The newest checkpoint's encoder, frozen; the features are as the probes read them, before they are standardised. With
/// --map two numbers stand for them, for drawing.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Embed {
    /// The run's folder, or one of the files in its checkpoints/
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The file to write, which ends in .npy, .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// The layer whose features are written, from block1 to gap [default: the last]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,

    /// Write where each image falls on a map, x and y, instead of its features
    #[arg(long, value_enum, value_name = "MAP")]
    map: Option<Map>,

    /// Which images
    #[arg(long, value_enum, value_name = "SPLIT", default_value = "test")]
    split: Part,

    /// Use only the first N images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    images: Option<u64>,

    /// Average feature maps over N x N cells
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=64))]
    grid: u64,

    /// Other images than those the run learned from, or the folder they have moved to
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    /// auto (a GPU, and the CPU where there is none), gpu, gpu:N as `nolabel devices` lists them, or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The images that were learned from
    Train,
    /// Images that nothing was chosen by
    Test,
}

/// Two numbers for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Map {
    /// The two directions along which the features vary most
    Pca,
    /// Neighbours stay neighbours; distances between far groups mean little
    Tsne,
}

/// What the file's name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Npy,
    Csv,
    Parquet,
}

/// What is written: a row an image, in the order of the data set.
struct Table<'a> {
    features: Features,
    labels: Option<&'a [u16]>,
    classes: &'a [String],
    /// Places of a map in place of features.
    map: bool,
}

impl Embed {
    pub(crate) fn run(self) -> Outcome {
        let kind = Kind::of(&self.out)?;
        atomic_file::check(&self.out)?;
        let opened = Opened::at(&self.run)?;
        let loaded = opened.load(self.data.as_ref(), self.device, self.quiet)?;
        let data = loaded.session.data();
        let split = if self.split == Part::Train { &data.train } else { &data.test };
        let features = self.features(&loaded, split)?;
        let labels = split.labels().get(..features.len()).filter(|_| !data.classes.is_empty());
        let table = Table { features, labels, classes: &data.classes, map: self.map.is_some() };
        let named = match kind {
            Kind::Npy => npy::write(&self.out, &table),
            Kind::Csv => csv::write(&self.out, &table),
            Kind::Parquet => parquet::write(&self.out, &table),
        };
        let named = named.map_err(|error| Failure::from(Error::file(&self.out)(error)))?;
        let features = &table.features;
        let what = match self.map {
            None => format!("{} of {}", format::count(features.width, "feature"), features.layer),
            Some(map) => format!("places by {} of {}", map.title(), features.layer),
        };
        print::out(&format!("{} of {}, {what}, in {named}", format::count(features.len(), "image"), data.name))
    }

    fn features(&self, loaded: &Loaded, split: &Split) -> Outcome<Features> {
        let encoder = loaded.session.encoder();
        let names = encoder.layer_names();
        let layer = self.layer.clone().or_else(|| names.last().cloned()).unwrap_or_default();
        if !names.contains(&layer) {
            return Err(Failure::Usage(format!("there is no layer `{layer}`; there are: {}", names.join(", "))));
        }
        let total = self.images.map_or(split.len(), |images| split.len().min(images as usize));
        let spinner = Spinner::new(self.quiet);
        spinner.tell(&format!("{layer} of {}", format::count(total, "image")));
        let (grid, device) = (self.grid as usize, &loaded.selected.device);
        let mut found = block_on(features::of_images(&encoder, split, total, grid, &[layer], device))?;
        let found = found
            .pop()
            .filter(|features| !features.is_empty())
            .ok_or_else(|| Failure::Failed("there are no such images; ask for the other --split".into()))?;
        self.map.map_or_else(|| Ok(found.clone()), |map| map.of(&found, device, &spinner))
    }
}

impl Map {
    fn title(self) -> &'static str {
        match self {
            Map::Pca => "PCA",
            Map::Tsne => "t-SNE",
        }
    }

    /// A row of two for each row.
    fn of(self, features: &Features, device: &Device, spinner: &Spinner) -> Outcome<Features> {
        let what = format!("{}: map by {}", features.layer, self.title());
        spinner.tell(&what);
        let tell = |round: usize| {
            if round > 0 && round.is_multiple_of(TELL_EVERY) {
                spinner.tell(&format!("{what}, round {round} of {}", tsne::ROUNDS));
            }
        };
        let places = match self {
            Map::Pca => plane::plane(features).points,
            Map::Tsne => block_on(tsne::tsne(features, device, tell))?,
        };
        let values = places.iter().flatten().map(|&x| x as f32).collect();
        Ok(Features { layer: features.layer.clone(), width: 2, values })
    }
}

impl Table<'_> {
    /// What the columns of numbers are called.
    fn heads(&self) -> Vec<String> {
        let head = |number: usize| if self.map { ["x", "y"][number].to_string() } else { format!("f{number}") };
        (0..self.features.width).map(head).collect()
    }

    /// The name of a label; empty where it has none.
    fn class(&self, label: u16) -> &str {
        self.classes.get(usize::from(label)).map_or("", String::as_str)
    }
}

impl Kind {
    fn of(path: &Path) -> Outcome<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Kind::Npy),
            Some("csv") => Ok(Kind::Csv),
            Some("parquet") => Ok(Kind::Parquet),
            _ => Err(Failure::Usage(format!(
                "{} ends in none of .npy, .csv and .parquet; the ending of --out says what is written",
                path.display()
            ))),
        }
    }
}
