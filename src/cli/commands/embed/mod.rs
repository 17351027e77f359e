//! `nolabel embed`: writes the features of a run's encoder for other programs.

mod csv;
mod npy;
mod parquet;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use crate::cli::input::args;
use crate::cli::output::atomic_file;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::spinner::Spinner;
use crate::cli::run::open_run::{Loaded, Opened};
use crate::data::{Spec, Split, draw};
use crate::device::DeviceChoice;
use crate::error::Error;
use crate::format;
use crate::probe::features::{self, Features};
use crate::probe::{plane, tsne};

const EXAMPLES: &str = "\
Examples:
  nolabel embed runs/rotation-fashion-mnist-1 --out features.csv --layer block3
      one line for each test image: index, file, label, class and features
  nolabel embed runs/rotation-fashion-mnist-1 --out train.npy --split train --images 10000
      for NumPy: train.npy, train-labels.npy and train-rows.csv, which names each row
  nolabel embed runs/rotation-fashion-mnist-1 --out map.csv --layer block3 --map tsne --images 2000
      x and y of each image, so that images with similar features lie together

Files:
  FILE.npy      32-bit floats of shape [images, features], in the order of the data set. Images with
                labels have them in FILE-labels.npy, as unsigned 16-bit integers. FILE-rows.csv has
                the columns of FILE.csv that come before the features
  FILE.csv      a header, then one line for each image: its index in the split from 0, its file
                within the folder (only where images are files; FILM#3 is the fourth frame of a
                film), its label and the label's name (both empty where there are none), and the
                features f0, f1, ...
  FILE.parquet  the same columns, without label and class where there are none

Feature maps are averaged over a grid of cells first (--grid): feature number
(c * cells + y) * cells + x is channel c of the cell in row y and column x. `nolabel eval` probes
the same features.

With --map the columns are x and y instead of features, and the shape of the array is [images, 2].
The features are normalised to unit length first, as for kNN. t-SNE (perplexity 30, Barnes-Hut,
initialised by PCA) gives the same map for the same run; all 10,000 test images take 20 seconds on
two cores.";

/// Rounds of t-SNE between two reports of progress.
const TELL_EVERY: usize = 250;

/// Write the features of a run's encoder to a file
///
/// The features of the newest checkpoint's frozen encoder, as the probes read them, before they are standardised. With --map
/// they are reduced to two numbers for drawing.
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

    /// Write x and y of each image on a map instead of its features
    #[arg(long, value_enum, value_name = "MAP")]
    map: Option<Map>,

    /// The split of the data set
    #[arg(long, value_enum, value_name = "SPLIT", default_value = "test")]
    split: SplitName,

    /// Use N images only, drawn as `nolabel eval` draws them, with the same share of each class [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    images: Option<u64>,

    /// Average feature maps over N x N cells
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=64))]
    grid: u64,

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SplitName {
    /// The images that the run learned from
    Train,
    /// Images that settings are chosen by, where the folder has such a half
    Validation,
    /// Held-out images
    Test,
}

/// A reduction of features to two dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Map {
    /// The first two principal components
    Pca,
    /// t-SNE: neighbours stay neighbours; distances between far groups mean little
    Tsne,
}

/// The kind of file, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Npy,
    Csv,
    Parquet,
}

/// The table to be written: one row for each image, in the order of the data set.
struct Table<'a> {
    features: Features,
    /// Places of the images in their split.
    images: Vec<usize>,
    /// The file of each image; empty where images have no files of their own.
    files: Vec<&'a str>,
    labels: Option<Vec<u16>>,
    classes: &'a [String],
    /// The columns are x and y of a map instead of features.
    map: bool,
}

impl Embed {
    pub(crate) fn run(self) -> Outcome {
        let kind = Kind::of(&self.out)?;
        atomic_file::check(&self.out)?;
        let opened = Opened::at(&self.run)?;
        let loaded = opened.load(self.data.as_ref(), self.device, self.quiet)?;
        let data = loaded.session.data();
        let split = match self.split {
            SplitName::Train => &data.train,
            SplitName::Validation => data.validation.as_ref().ok_or_else(|| {
                Failure::Usage("these images have no validation half; ask for --split train or test".into())
            })?,
            SplitName::Test => &data.test,
        };
        let images = split.draw(self.images.map_or(split.len(), |images| images as usize), draw::SEED);
        let features = self.features(&loaded, split, &images)?;
        let labelled = !data.classes.is_empty() && split.labels().len() >= split.len();
        let labels = labelled.then(|| images.iter().map(|&image| split.labels()[image]).collect());
        let files = images.iter().filter_map(|&image| split.files().get(image)).map(String::as_str).collect();
        let table = Table { features, images, files, labels, classes: &data.classes, map: self.map.is_some() };
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

    fn features(&self, loaded: &Loaded, split: &Split, images: &[usize]) -> Outcome<Features> {
        let encoder = loaded.session.encoder();
        let names = encoder.layer_names();
        let layer = self.layer.clone().or_else(|| names.last().cloned()).unwrap_or_default();
        if !names.contains(&layer) {
            return Err(Failure::Usage(format!("there is no layer `{layer}`; there are: {}", names.join(", "))));
        }
        let spinner = Spinner::new(self.quiet);
        spinner.tell(&format!("{layer} of {}", format::count(images.len(), "image")));
        let grid = self.grid as usize;
        let device = &loaded.selected.device;
        let mut found = block_on(features::of_encoder(&encoder, split, images, grid, &[layer], device))?;
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

    /// Reduces the features to rows of two.
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
    /// Names of the columns of numbers.
    fn heads(&self) -> Vec<String> {
        let head = |number: usize| if self.map { ["x", "y"][number].to_string() } else { format!("f{number}") };
        (0..self.features.width).map(head).collect()
    }

    /// The names of the columns before the features in CSV.
    fn row_heads(&self) -> &'static str {
        if self.files.is_empty() { "index,label,class" } else { "index,file,label,class" }
    }

    /// These columns of a row; label and class are empty where the image has none.
    fn row_fields(&self, row: usize) -> String {
        let file = self.files.get(row).map_or(String::new(), |file| format!(",{}", format::csv_field(file)));
        let label = self.labels.as_ref().map_or(",".to_string(), |labels| {
            format!("{},{}", labels[row], format::csv_field(self.class(labels[row])))
        });
        format!("{}{file},{label}", self.images[row])
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
