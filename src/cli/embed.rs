//! `nolabel embed`: the features of a run's encoder as a file that other programs read.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use super::args;
use super::failure::{Failure, Outcome};
use super::opened::{Loaded, Opened};
use super::print;
use super::spinner::Spinner;
use super::words;
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
  FILE.npy   32-bit floats of shape [images, features], in the order of the data set; where the images have labels,
             FILE-labels.npy beside it holds them as 16-bit whole numbers without sign
  FILE.csv   a head, then a line an image: its place in the split from 0, its label and the label's name (both
             empty where there are none), and the features f0, f1, ...

A map of several channels is averaged over cells first (--grid): feature number (c * cells + y) * cells + x is
channel c of the cell in row y and column x. The same features are what `nolabel eval` probes.

With --map the columns are x and y instead of features, and the shape of the array is [images, 2]. The features
are brought to unit length first, as for the nearest neighbours. t-SNE (perplexity 30, from the plane of pca on)
compares every pair of images and takes at most 5,000 of them; the same run gives the same map.";

/// Write the features of a run's encoder to a file
///
/// The newest checkpoint's encoder, frozen; the features are as the probes read them, before they are standardised. With
/// --map two numbers stand for them, for drawing.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Embed {
    /// The run's folder, or one of the files in its checkpoints/
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The file to write, which ends in .npy or .csv
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
}

impl Embed {
    pub(super) fn run(self) -> Outcome {
        let kind = Kind::of(&self.out)?;
        let opened = Opened::at(&self.run)?;
        let loaded = opened.load(self.data.as_ref(), self.device, self.quiet)?;
        let data = loaded.session.data();
        let split = if self.split == Part::Train { &data.train } else { &data.test };
        let features = self.features(&loaded, split)?;
        let labels = split.labels().get(..features.len()).filter(|_| !data.classes.is_empty());
        let named = match kind {
            Kind::Npy => write_npy(&self.out, &features, labels),
            Kind::Csv => write_csv(&self.out, &features, labels, &data.classes, self.map.is_some()),
        };
        let named = named.map_err(|error| Failure::from(Error::file(&self.out)(error)))?;
        let what = match self.map {
            None => format!("{} of {}", words::count(features.width, "feature"), features.layer),
            Some(map) => format!("places by {} of {}", map.title(), features.layer),
        };
        print::out(&format!("{} of {}, {what}, in {named}", words::count(features.len(), "image"), data.name))
    }

    fn features(&self, loaded: &Loaded, split: &Split) -> Outcome<Features> {
        let encoder = loaded.session.encoder();
        let names = encoder.layer_names();
        let layer = self.layer.clone().or_else(|| names.last().cloned()).unwrap_or_default();
        if !names.contains(&layer) {
            return Err(Failure::Usage(format!("there is no layer `{layer}`; there are: {}", names.join(", "))));
        }
        let total = self.images.map_or(split.len(), |images| split.len().min(images as usize));
        if self.map == Some(Map::Tsne) && total > tsne::MOST {
            return Err(Failure::Usage(format!(
                "t-SNE compares every pair of images, and {} are too many for that; add --images {} or less",
                words::thousands(total),
                tsne::MOST
            )));
        }
        let spinner = Spinner::new(self.quiet);
        spinner.tell(&format!("{layer} of {}", words::count(total, "image")));
        let (grid, device) = (self.grid as usize, &loaded.selected.device);
        let mut found = block_on(features::of_images(&encoder, split, total, grid, &[layer], device))?;
        let found = found
            .pop()
            .filter(|features| !features.is_empty())
            .ok_or_else(|| Failure::Failed("there are no such images; ask for the other --split".into()))?;
        self.map.iter().for_each(|map| spinner.tell(&format!("{}: map by {}", found.layer, map.title())));
        Ok(self.map.map_or_else(|| found.clone(), |map| map.of(&found)))
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
    fn of(self, features: &Features) -> Features {
        let places = match self {
            Map::Pca => plane::plane(features).points,
            Map::Tsne => tsne::tsne(features),
        };
        let values = places.iter().flatten().map(|&x| x as f32).collect();
        Features { layer: features.layer.clone(), width: 2, values }
    }
}

impl Kind {
    fn of(path: &Path) -> Outcome<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Kind::Npy),
            Some("csv") => Ok(Kind::Csv),
            _ => Err(Failure::Usage(format!(
                "{} ends in neither .npy nor .csv; the ending of --out says which of the two is written",
                path.display()
            ))),
        }
    }
}

/// Writes both files; returns what they are called.
fn write_npy(path: &Path, features: &Features, labels: Option<&[u16]>) -> std::io::Result<String> {
    let little = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let shape = format!("({}, {})", features.len(), features.width);
    write_array(path, "<f4", &shape, &little(&features.values))?;
    let Some(labels) = labels else { return Ok(path.display().to_string()) };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("{stem}-labels.npy"));
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    write_array(&beside, "<u2", &format!("({},)", labels.len()), &bytes)?;
    Ok(format!("{}, labels in {}", path.display(), beside.display()))
}

/// The format of NumPy, version 1.0: a magic word, the header padded to a multiple of 64 bytes, the values.
fn write_array(path: &Path, kind: &str, shape: &str, values: &[u8]) -> std::io::Result<()> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // magic word, version, length and the line's end take eleven bytes
    let padding = (64 - (header.len() + 11) % 64) % 64;
    let header = format!("{header}{}\n", " ".repeat(padding));
    let mut file = File::create(path)?;
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    file.write_all(values)
}

fn write_csv(
    path: &Path,
    features: &Features,
    labels: Option<&[u16]>,
    classes: &[String],
    map: bool,
) -> std::io::Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    let head = |number: usize| if map { ["x", "y"][number].to_string() } else { format!("f{number}") };
    let heads: Vec<String> = (0..features.width).map(head).collect();
    writeln!(file, "index,label,class,{}", heads.join(","))?;
    for (index, row) in features.rows().enumerate() {
        let label = labels.map(|labels| labels[index]);
        let class = label.and_then(|label| classes.get(usize::from(label)));
        let class = class.map_or(String::new(), |class| words::csv_field(class));
        write!(file, "{index},{},{class}", label.map_or(String::new(), |label| label.to_string()))?;
        row.iter().try_for_each(|value| write!(file, ",{value}"))?;
        writeln!(file)?;
    }
    file.flush()?;
    Ok(path.display().to_string())
}
