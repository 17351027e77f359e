//! A foreign file as an encoder.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use super::array::Array;
use super::file::Contents;
use super::layout::{self, Place};
use super::network;
use super::unused::Unused;
use crate::error::{Error, Result};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init};
use crate::rng::{Purpose, stream};

/// Width of the encoder by which names and shapes are compared before one of the file's size is built.
const SAMPLE_WIDTH: usize = 4;

/// Channels that images can have.
const CHANNELS: [usize; 2] = [1, 3];

/// Facts about a foreign file that the user states; the others are read from the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// The architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EncoderKind>,
    /// Prefix of the tensors' names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Subtracted from pixels in 0 to 1; ImageNet's mean if neither this nor the file states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    /// Divides them after that; ImageNet's deviation likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f64>>,
}

/// An encoder out of a file.
#[derive(Debug)]
pub struct Imported {
    /// The encoder with the file's weights.
    pub encoder: Encoder,
    /// The same with weights drawn from the seed: its state before training, or one that it could have had.
    pub untrained: Encoder,
    /// Its architecture.
    pub config: EncoderConfig,
    /// Channels of the images it reads.
    pub channels: usize,
    /// A description of what was found in the file.
    pub found: String,
    /// A sentence on the file's other tensors, where it has any.
    pub left_out: Option<String>,
}

/// Reads an encoder for `device`, which does not track gradients.
///
/// # Errors
/// When the file is damaged, or does not hold such an encoder.
pub fn import(bytes: &[u8], options: &ImportOptions, seed: u64, device: &Device) -> Result<Imported> {
    let contents = Contents::open(bytes)?;
    let config = architecture(&contents, options)?;
    let names = Sample::of(&config, contents.about.as_ref().map_or(3, |about| about.channels))?.names;
    let place = layout::find(&contents.tensors, &names, options.prefix.as_deref())?;
    let unused = Unused::of(&contents.tensors, &place);
    if options.mean.is_none() || options.std.is_none() {
        unused.refuse_own_normalisation()?;
    }
    let named = options.kind.is_some() || contents.about.is_some();
    unused.refuse_another_network(config.kind.word(), named)?;
    let arrays: BTreeMap<&str, &Array> =
        names.iter().map(|name| (name.as_str(), &contents.tensors[place.name(name)])).collect();
    let (config, channels) = match &contents.about {
        Some(about) => (config, about.channels),
        None => sized(config, arrays[names[0].as_str()].shape())?,
    };
    let config = normalised(config, options);
    config.check_for(channels)?;
    Sample::of(&config, channels)?.compare(&arrays, config.width)?;
    refuse_shared(&arrays, bytes.len())?;
    let build = || Encoder::init(&config, channels, &mut Init::new(stream(seed, Purpose::Weights, 0), device));
    // built twice: a clone would share its running statistics
    let untrained = build()?;
    let encoder = build()?.with_state(state(&untrained, &arrays, &place, &config)?)?;
    let found = describe(&contents, &place, &config);
    Ok(Imported { encoder, untrained, config, channels, found, left_out: unused.words() })
}

/// The file's numbers for every tensor of an encoder of this architecture.
fn state(
    encoder: &Encoder,
    arrays: &BTreeMap<&str, &Array>,
    place: &Place,
    config: &EncoderConfig,
) -> Result<HashMap<String, TensorData>> {
    let mut state = HashMap::new();
    for tensor in encoder.state() {
        let array = arrays[tensor.name.as_str()];
        let name = place.name(&tensor.name);
        if array.shape() != tensor.shape {
            return Err(unlike(name, array.shape(), &tensor.shape, config));
        }
        let floats = array.floats().map_err(|error| Error::Weights(format!("`{name}`: {error}")))?;
        state.insert(tensor.name, TensorData::new(floats, tensor.shape));
    }
    Ok(state)
}

fn architecture(contents: &Contents, options: &ImportOptions) -> Result<EncoderConfig> {
    match (&contents.about, options.kind) {
        (Some(about), Some(kind)) if about.encoder.kind != kind => Err(Error::Weights(format!(
            "it says of itself that it holds {}, not {}",
            about.encoder.kind.word(),
            kind.word()
        ))),
        (Some(about), _) if !CHANNELS.contains(&about.channels) => {
            Err(Error::Weights(format!("it says of itself that it is for images of {} channels", about.channels)))
        }
        (Some(about), _) => Ok(about.encoder.clone()),
        (None, Some(EncoderKind::Small)) => Ok(EncoderConfig::small(SAMPLE_WIDTH)),
        (None, Some(kind)) => Ok(EncoderConfig::published(kind, "imagenet")),
        (None, None) => {
            let kind = network::guess(&contents.tensors, contents.called.as_deref(), options.prefix.as_deref())?;
            Ok(EncoderConfig::published(kind, "imagenet"))
        }
    }
}

/// The configuration with the width of the file's first convolution, and the channels that it reads. ImageNet's mean does not
/// fit gray images.
fn sized(config: EncoderConfig, first: &[usize]) -> Result<(EncoderConfig, usize)> {
    match *first {
        [width, channels, ..] if CHANNELS.contains(&channels) => {
            let config = if config.input_mean.len() > channels { config.normalised_for("") } else { config };
            Ok((EncoderConfig { width, ..config }, channels))
        }
        _ => Err(Error::Weights(format!(
            "its first convolution is {first:?}, but only encoders of images with 1 or 3 channels are known"
        ))),
    }
}

/// The configuration with the mean and deviation of pixels that the user states.
fn normalised(config: EncoderConfig, options: &ImportOptions) -> EncoderConfig {
    let input_mean = options.mean.clone().unwrap_or(config.input_mean);
    let input_std = options.std.clone().unwrap_or(config.input_std);
    EncoderConfig { input_mean, input_std, ..config }
}

/// Narrow encoders of an architecture, from which the shapes of one of any width follow.
struct Sample {
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    /// Shapes at twice the width.
    doubled: Vec<Vec<usize>>,
}

impl Sample {
    fn of(config: &EncoderConfig, channels: usize) -> Result<Self> {
        let of_width = |width| {
            let config = EncoderConfig { width, ..config.clone() };
            let mut init = Init::new(stream(0, Purpose::Weights, 0), &Device::flex());
            Ok::<_, Error>(Encoder::init(&config, channels, &mut init)?.state())
        };
        let narrow = of_width(SAMPLE_WIDTH)?;
        let wide = of_width(2 * SAMPLE_WIDTH)?;
        let (names, shapes) = narrow.into_iter().map(|tensor| (tensor.name, tensor.shape)).unzip();
        Ok(Self { names, shapes, doubled: wide.into_iter().map(|tensor| tensor.shape).collect() })
    }

    /// Refuses shapes that are not nearly those of an encoder of this width, before one is built: a file with nothing but a
    /// wide first layer must not make the program allocate the others.
    fn compare(&self, arrays: &BTreeMap<&str, &Array>, width: usize) -> Result<()> {
        let times = width as f64 / SAMPLE_WIDTH as f64;
        let scaled =
            |sample: usize, doubled: usize| if sample == doubled { sample as f64 } else { sample as f64 * times };
        for ((name, sample), doubled) in self.names.iter().zip(&self.shapes).zip(&self.doubled) {
            let found = arrays[name.as_str()].shape();
            let expected: Vec<f64> = sample.iter().zip(doubled).map(|(a, b)| scaled(*a, *b)).collect();
            // proportions are rounded, in pairs where a network has two groups
            let slack = sample.iter().zip(doubled).map(|(a, b)| if a == b { 0.0 } else { 2.0 * times });
            let mut fits = expected.iter().zip(found).zip(slack).map(|((a, &b), slack)| (a - b as f64).abs() <= slack);
            if sample.len() != found.len() || !fits.all(|fits| fits) {
                let expected: Vec<usize> = expected.iter().map(|dim| dim.round() as usize).collect();
                return Err(Error::Weights(format!(
                    "its `{name}` is {found:?}, which does not fit a first layer of {width} channels: {}",
                    variant(found, &expected)
                )));
            }
        }
        Ok(())
    }
}

/// The kind of network in which a tensor has the shape that was found in place of the one expected.
fn variant(found: &[usize], expected: &[usize]) -> &'static str {
    match (found, expected) {
        (&[found, fewer, ..], &[output, input, ..])
            if found >= output && fewer < input && found.is_multiple_of(fewer) =>
        {
            "are its convolutions grouped, as in a ResNeXt?"
        }
        (&[found, ..], &[output, ..]) if found > output => "is it a wide variant?",
        _ => "is it of another architecture?",
    }
}

fn unlike(name: &str, found: &[usize], expected: &[usize], config: &EncoderConfig) -> Error {
    let kind = config.kind.word();
    let width = config.width;
    let variant = variant(found, expected);
    Error::Weights(format!(
        "its `{name}` is {found:?}, which no {kind} with {width} channels in its first layer has: {variant}"
    ))
}

/// Refuses tensors that together are larger than the file: they would share their numbers, which no encoder's do.
fn refuse_shared(arrays: &BTreeMap<&str, &Array>, length: usize) -> Result<()> {
    let bytes = arrays.values().try_fold(0usize, |sum, array| sum.checked_add(array.size()));
    match bytes {
        Some(bytes) if bytes <= length => Ok(()),
        _ => Err(Error::Weights("its tensors claim more numbers than the file holds".into())),
    }
}

/// Architecture, origin, and the stem, whose strides and pooling leave no tensors and are assumed.
fn describe(contents: &Contents, place: &Place, config: &EncoderConfig) -> String {
    let network = format!("{} of width {}", config.kind.word(), config.width);
    let origin = match (&contents.about, place.project()) {
        (Some(about), _) => return format!("{network}, {}", about.trained),
        (None, Some(project)) => format!("named as by {project}"),
        (None, None) => format!("under `{}`", place.prefix),
    };
    let stem = match config.kind {
        EncoderKind::Resnet18 | EncoderKind::Resnet50 => "; its stem is taken to have stride 2 and max pooling",
        EncoderKind::Resnet18Cifar | EncoderKind::Resnet50Cifar => {
            "; its stem is taken to have stride 1, padding 1 and no pooling"
        }
        _ => "",
    };
    format!("{network}, {origin}{stem}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{ENCODER_KINDS, Input, encoder_for_tests, encoder_with_random_vectors};
    use crate::weights::{About, safetensors};
    use burn::tensor::Tensor;
    use futures_lite::future::block_on;
    use std::path::Path;

    fn cpu() -> Device {
        Device::flex()
    }

    /// The largest difference between our features and those that PyTorch gave.
    fn difference(imported: &Imported, expected: &[u8]) -> f32 {
        let contents = Contents::open(expected).expect("a file of the script");
        let tensor = |name: &str| {
            let array = &contents.tensors[name];
            TensorData::new(array.floats().expect("floats"), array.shape().to_vec())
        };
        let features = imported.encoder.forward(Tensor::from_data(tensor("input"), &cpu()));
        let expected = Tensor::<2>::from_data(tensor("features"), &cpu());
        (features - expected).abs().max().into_scalar()
    }

    #[test]
    fn files_of_pytorch_give_its_features() {
        let read = |name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
            std::fs::read(folder.join(name)).expect("a fixture")
        };
        for (name, project) in [("moco.pth", "MoCo"), ("swav_old.pth", "SwAV")] {
            let imported = import(&read(name), &ImportOptions::default(), 1, &cpu()).expect(name);
            let found = format!("resnet18 of width 1, named as by {project}; its stem is taken to have stride 2");
            assert!(imported.found.starts_with(&found), "{}", imported.found);
            let apart = difference(&imported, &read("expected.safetensors"));
            assert!(apart < 1e-5, "{name}: {apart}");
        }
        let slow = ImportOptions { prefix: Some("state_dict.module.encoder_k".into()), ..ImportOptions::default() };
        let slow = import(&read("moco.pth"), &slow, 1, &cpu()).expect("the slow encoder");
        assert!(difference(&slow, &read("expected.safetensors")) > 0.1, "another encoder has other features");
    }

    #[test]
    fn what_was_exported_comes_back_as_it_was() {
        let configs = [
            EncoderConfig { norm_groups: 2, ..EncoderConfig::small(4).normalised_for("fashion-mnist") },
            EncoderConfig::small(4).reading(Input::Bands, &[0.5, 0.0], &[0.25, 0.1]),
        ];
        let kinds = ENCODER_KINDS.map(|kind| EncoderConfig { width: 10, ..EncoderConfig::published(kind, "mnist") });
        for config in configs.into_iter().chain(kinds) {
            let encoder = encoder_with_random_vectors(&config, 1);
            let about = About { encoder: config.clone(), channels: 1, trained: "by a test".into() };
            let bytes = block_on(safetensors(&encoder, &about)).expect("a file");
            let imported = import(&bytes, &ImportOptions::default(), 9, &cpu()).expect("ours");
            assert_eq!((&imported.config, imported.channels), (&config, 1));
            assert!(imported.found.contains("by a test"), "{}", imported.found);
            let x = Tensor::<4>::random([2, 1, 64, 64], burn::tensor::Distribution::Uniform(0.0, 1.0), &cpu());
            assert_eq!(imported.encoder.forward(x.clone()).into_data(), encoder.forward(x.clone()).into_data());
            assert_ne!(imported.untrained.forward(x.clone()).into_data(), encoder.forward(x).into_data());
        }
    }

    #[test]
    fn what_contradicts_the_file_is_refused() {
        let config = EncoderConfig::small(4);
        let about = About { encoder: config.clone(), channels: 1, trained: "by a test".into() };
        let bytes = block_on(safetensors(&encoder_for_tests(&config, 1, &cpu()), &about)).expect("a file");
        let said = |wanted| import(&bytes, &wanted, 1, &cpu()).expect_err("must be refused").to_string();
        let other = said(ImportOptions { kind: Some(EncoderKind::Resnet18), ..ImportOptions::default() });
        assert!(other.contains("holds small, not resnet18"), "{other}");
        let mean = said(ImportOptions { mean: Some(vec![0.1; 3]), ..ImportOptions::default() });
        assert!(mean.contains("encoder.input_mean has 3 values"), "{mean}");
        let lies = [
            (
                About { encoder: EncoderConfig::small(4000), ..about.clone() },
                "does not fit a first layer of 4000 channels",
            ),
            (About { channels: usize::MAX, ..about }, "images of 18446744073709551615 channels"),
        ];
        for (lie, word) in lies {
            let bytes = block_on(safetensors(&encoder_for_tests(&config, 1, &cpu()), &lie)).expect("a file");
            let said = import(&bytes, &ImportOptions::default(), 1, &cpu()).expect_err("a lie").to_string();
            assert!(said.contains(word), "{said}");
        }
    }

    /// Compares with the files that tests/reference/foreign_files.py wrote, where the variable names their folder.
    #[test]
    fn foreign_files_give_their_networks_features() {
        let Ok(folder) = std::env::var("NOLABEL_FOREIGN") else {
            return println!("NOLABEL_FOREIGN is not set: nothing compared with whole files of other projects");
        };
        let mut paths: Vec<_> = std::fs::read_dir(&folder)
            .expect("the script's folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().to_string();
        for path in paths.iter().filter(|path| !name(path).contains("expected")) {
            let bytes = std::fs::read(path).expect("a file");
            let imported = import(&bytes, &ImportOptions::default(), 1, &cpu()).expect("a known layout");
            let network = name(path).split('.').next().unwrap_or_default().to_string();
            let expected = std::fs::read(Path::new(&folder).join(format!("{network}.expected.safetensors")));
            let apart = difference(&imported, &expected.expect("a file"));
            println!("{}: {}; largest difference {apart:e}", name(path), imported.found);
            let half = name(path).contains("half");
            assert!(apart < if half { 2e-2 } else { 1e-4 }, "{}: {apart}", path.display());
        }
    }
}
