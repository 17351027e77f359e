//! Encoders out of files that no run of nolabel wrote: the arguments for them, and their reading.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::digest;
use crate::error::Error;
use crate::net::EncoderKind;
use crate::weights::{self, ImportOptions, Imported};

/// The largest file that is read: many times a wide ResNet-50 with its optimiser state.
const MAX_BYTES: u64 = 8 << 30;
/// Seed of the untrained control of an encoder from elsewhere.
pub(crate) const SEED: u64 = 1;

/// The architectures that can be named. Files that nolabel exported name their own.
const KINDS: [(EncoderKind, &str, &str); 5] = [
    (EncoderKind::Resnet18, "resnet18", "ResNet-18 for large images"),
    (EncoderKind::Resnet18Cifar, "resnet18-cifar", "ResNet-18 with the 3x3 stem for images of about 32 px"),
    (EncoderKind::Resnet50, "resnet50", "ResNet-50 for large images"),
    (EncoderKind::Resnet50Cifar, "resnet50-cifar", "ResNet-50 with the 3x3 stem"),
    (EncoderKind::Small, "small", "The four blocks of the small presets"),
];

/// A file of weights, and facts about it that it does not hold itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct ForeignArgs {
    /// Weights in place of a run: a .safetensors file, or a .pth or .ckpt file of torch.save
    #[arg(long, value_name = "FILE", requires = "data", conflicts_with = "run")]
    #[arg(help_heading = "Weights from elsewhere")]
    pub(crate) weights: Option<PathBuf>,

    /// The architecture [default: recognised by the names and shapes of the tensors in the file]
    #[arg(long, value_name = "NAME", value_parser = kinds(), requires = "weights")]
    #[arg(help_heading = "Weights from elsewhere")]
    arch: Option<EncoderKind>,

    /// Prefix of the names of the encoder's tensors, where the file holds several encoders
    #[arg(long, value_name = "TEXT", requires = "weights", help_heading = "Weights from elsewhere")]
    prefix: Option<String>,

    /// Mean of pixels in 0 to 1, one value or one for each channel [default: ImageNet's]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "weights")]
    #[arg(help_heading = "Weights from elsewhere", allow_negative_numbers = true)]
    input_mean: Option<Vec<f64>>,

    /// Standard deviation of pixels, one value or one for each channel [default: ImageNet's]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "weights")]
    #[arg(help_heading = "Weights from elsewhere")]
    input_std: Option<Vec<f64>>,
}

fn kinds() -> impl TypedValueParser<Value = EncoderKind> {
    let values = KINDS.map(|(_, name, words)| PossibleValue::new(name).help(words));
    let find = |text: String| KINDS.into_iter().find(|(_, name, _)| *name == text).map(|(kind, ..)| kind);
    PossibleValuesParser::new(values).map(move |text| find(text).expect("the values are the kinds' names"))
}

/// An encoder read from a file.
pub(crate) struct Foreign {
    pub(crate) imported: Imported,
    pub(crate) sha256: String,
}

impl ForeignArgs {
    /// The facts that the arguments state.
    pub(crate) fn options(&self) -> ImportOptions {
        let Self { arch, prefix, input_mean, input_std, .. } = self.clone();
        ImportOptions { kind: arch, prefix, mean: input_mean, std: input_std }
    }
}

/// Reads the encoder in `path` and builds its untrained control from the seed.
pub(crate) fn read(path: &Path, options: &ImportOptions, seed: u64, device: &Device) -> Outcome<Foreign> {
    let bytes = bytes(path)?;
    let imported = encoder(path, &bytes, options, seed, device)?;
    let sha256 = digest::sha256(&bytes);
    Ok(Foreign { imported, sha256 })
}

/// The encoder in the bytes of the file at `path`. Tensors of the file that it does not use are named.
pub(crate) fn encoder(
    path: &Path,
    bytes: &[u8],
    options: &ImportOptions,
    seed: u64,
    device: &Device,
) -> Outcome<Imported> {
    let imported = weights::import(bytes, options, seed, device).map_err(|error| match error {
        Error::Config(sentence) => Failure::Usage(sentence),
        other => Failure::Failed(format!("{}: {other}", path.display())),
    })?;
    if let Some(sentence) = &imported.left_out {
        print::err(&format!("note: {}: {sentence}", path.display()));
    }
    Ok(imported)
}

/// The bytes of a file, refused where it is larger than any file of weights.
pub(crate) fn bytes(path: &Path) -> Outcome<Vec<u8>> {
    let facts = fs::metadata(path).map_err(Error::file(path))?;
    if !facts.is_file() || facts.len() > MAX_BYTES {
        let shown = path.display();
        return Err(Failure::Failed(format!("{shown} is no file of weights: those are files of at most 8 GB")));
    }
    let mut bytes = Vec::with_capacity(facts.len() as usize);
    // a file that grows while it is read is read to its first length
    let read = File::open(path).and_then(|file| file.take(facts.len()).read_to_end(&mut bytes));
    read.map_err(Error::file(path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_the_names_of_the_settings() {
        assert!(KINDS.iter().all(|(kind, name, _)| kind.word() == *name));
    }

    #[test]
    fn files_larger_than_weights_are_not_read() {
        let here = tempfile::tempdir().expect("a folder");
        assert!(
            bytes(here.path())
                .is_err_and(|failure| matches!(failure, Failure::Failed(said) if said.contains("no file")))
        );
        assert!(bytes(&here.path().join("nothing")).is_err());
        // a sparse file has a size but takes no room on the disk
        let large = here.path().join("large");
        File::create(&large).and_then(|file| file.set_len(MAX_BYTES + 1)).expect("a sparse file");
        assert!(bytes(&large).is_err());
    }
}
