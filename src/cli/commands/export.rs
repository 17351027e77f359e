//! `nolabel export`: writes a run's encoder for other programs.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;

use crate::cli::output::atomic_file;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::run::open_run::Opened;
use crate::data::Size;
use crate::format;
use crate::method::DataInfo;
use crate::methods::find;
use crate::net::{Encoder, Input, tensors};
use crate::session::checkpoint;
use crate::session::folder::Record;
use crate::weights::{self, About};

const EXAMPLES: &str = "\
Examples:
  nolabel export runs/simsiam-cifar-10-1 --out encoder.safetensors
      for PyTorch; the tensors of a ResNet have torchvision's names
  nolabel export runs/simsiam-cifar-10-1 --out encoder.onnx
      for ONNX runtimes: takes pixels in 0 to 1, returns `features` and every layer's feature map
  nolabel eval --weights encoder.safetensors --data cifar-10
      reads it back

In Python:
  net = torchvision.models.resnet18()          # for images of about 32 px also:
  net.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False); net.maxpool = torch.nn.Identity()
  net.fc = torch.nn.Identity()
  net.load_state_dict(safetensors.torch.load_file(\"encoder.safetensors\"), strict=True)
  net.eval()((images - mean) / std)            # mean and std are printed by this command

  session = onnxruntime.InferenceSession(\"encoder.onnx\")
  features, = session.run([\"features\"], {\"images\": images})";

/// Write a run's encoder as a file for other programs
///
/// The encoder of the newest checkpoint is written in inference mode, without the method's heads. The file also records the
/// encoder's architecture and training, so that nolabel reads it back without further arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// The run's folder, one of the files in its checkpoints/, or a run downloaded from the page
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The file to write; one that exists is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// The kind of file [default: by the file's ending]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Named tensors, for PyTorch and others
    Safetensors,
    /// The whole network with its weights, for ONNX runtimes
    Onnx,
}

impl Export {
    pub(crate) fn run(self) -> Outcome {
        let format = self.format()?;
        if fs::symlink_metadata(&self.out).is_ok() {
            return Err(atomic_file::taken(&self.out));
        }
        atomic_file::check(&self.out)?;
        let opened = Opened::at(&self.run)?;
        let (encoder, about) = encoder(&opened.record, opened.step(), &opened.checkpoint.bytes)?;
        let packed = match format {
            Format::Safetensors => block_on(weights::safetensors(&encoder, &about))?,
            Format::Onnx => block_on(weights::onnx(&encoder, &about))?,
        };
        atomic_file::write_new(&self.out, &packed)?;
        print::out(&said(&self.out, packed.len(), format, &encoder, &about))
    }

    fn format(&self) -> Outcome<Format> {
        let ending = self.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let meant = self.format.or_else(|| Format::from_str(ending, true).ok());
        meant.ok_or_else(|| Failure::Usage("choose the kind of file with --format safetensors or --format onnx".into()))
    }
}

/// The encoder of a checkpoint with its description.
fn encoder(record: &Record, step: usize, bytes: &[u8]) -> Outcome<(Encoder, About)> {
    let config = &record.config;
    let size = record.data.image;
    let images = if config.images == 0 { record.data.train_images } else { config.images };
    let (_, state) = checkpoint::read(bytes)?;
    // a method that needs clips had them when it was trained
    let info = DataInfo { clips: true, ..DataInfo::of(size, images) };
    let mut learner = find(&config.method)?.build(config, &info, &Device::flex())?;
    learner.load(state)?;
    let Size { channels, .. } = size;
    let trained = format::training(&config.method, &config.data, step);
    Ok((learner.encoder(), About { encoder: config.encoder.clone(), channels, trained }))
}

fn said(path: &Path, bytes: usize, format: Format, encoder: &Encoder, about: &About) -> String {
    let size = format::thousands(bytes.div_ceil(1000));
    let kind = about.encoder.kind.word();
    let count = tensors::gather(encoder).len();
    let width = encoder.width();
    let mut lines = vec![format!("{}: {kind}, {}, {count} tensors, {size} kB", path.display(), about.trained)];
    let pixels = encoder.pixels();
    let normalised = format!("mean {:?}, std {:?}", pixels.mean, pixels.std);
    let read = match encoder.input() {
        Input::Pixels => "images [n, c, h, w] in 0 to 1".to_string(),
        other => format!("what the encoder reads of images ({}), [n, {}, h, w]", other.word(), encoder.channels()),
    };
    lines.push(match format {
        Format::Safetensors => format!("the network expects {read}, normalised by {normalised}"),
        Format::Onnx => format!("the model takes {read} and normalises them itself; `features` are [n, {width}]"),
    });
    lines.join("\n")
}
