//! Checkpoint of a run: a safetensors file whose metadata holds the configuration and the position. The command line and
//! the page read and write the same format.

use std::collections::HashMap;

use burn::tensor::TensorData;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::RunConfig;
use crate::data::{Dataset, Size};
use crate::device::Readout;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::net::tensors::{self, NamedTensor};

/// Raised when a change makes older checkpoints unusable.
pub const VERSION: u32 = 2;
/// The metadata's keys: the header as JSON, and a digest of header and tensors.
const KEY: &str = "nolabel";
const DIGEST: &str = "sha256";

/// Everything in a checkpoint but its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// The run's configuration.
    pub config: RunConfig,
    /// The images the run learns from.
    pub images: ImageCounts,
    /// The device it was written on.
    pub device: Readout,
    /// Steps taken.
    pub step: usize,
    /// Steps until the run is done.
    pub total_steps: usize,
    /// Seconds of training.
    #[serde(with = "exact")]
    pub elapsed_seconds: f64,
    /// Step events of the current epoch.
    pub epoch_count: usize,
    /// The sum of their losses.
    #[serde(with = "exact")]
    pub epoch_loss: f64,
    /// The sum of their metrics.
    #[serde(with = "exact::option")]
    pub epoch_metric: Option<f64>,
}

/// Number and size of a run's images, by which a checkpoint tells whether it can be resumed with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCounts {
    /// Training images there are; the configuration may use fewer.
    pub train: usize,
    /// Test images there are.
    pub test: usize,
    /// The size of every image.
    pub size: Size,
}

impl ImageCounts {
    /// Describes images, including those that have not arrived.
    pub fn of(data: &Dataset) -> Self {
        Self { train: data.train.total(), test: data.test.total(), size: data.train.size() }
    }

    /// Refuses images that are not those of the run.
    ///
    /// # Errors
    /// When their number or size differs.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        let here = Self::of(data);
        if *self == here {
            return Ok(());
        }
        Err(Error::Checkpoint(format!("the run learned from {}, and these are {}", self.words(), here.words())))
    }

    fn words(&self) -> String {
        let Self { train, test, size: Size { channels, height, width } } = self;
        format!("{train} + {test} images of {width} x {height} pixels in {channels} channels")
    }
}

impl Header {
    /// True if all steps were taken.
    pub fn is_finished(&self) -> bool {
        self.step >= self.total_steps
    }
}

/// Floats as text. A JSON number of 17 digits may be read back with another last bit, but a resumed run has to equal an
/// uninterrupted one to the last bit.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }

    pub(super) mod option {
        use super::*;

        pub(in super::super) fn serialize<S: Serializer>(
            value: &Option<f64>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => serializer.collect_str(value),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<f64>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }
}

/// Reads tensors back from the device and packs them.
///
/// # Errors
/// When the device is lost.
pub async fn write(header: &Header, named: Vec<NamedTensor>) -> Result<Vec<u8>> {
    let broken = |what: String| Error::Checkpoint(format!("the checkpoint could not be packed: {what}"));
    let text = serde_json::to_string(header).map_err(|error| broken(error.to_string()))?;
    let mut bytes = Vec::new();
    for (name, data) in tensors::read(named).await? {
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let floats: Vec<f32> = data.try_into_vec().map_err(|error| broken(format!("{error:?}")))?;
        let little: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.push((name, shape, little));
    }
    let views = bytes.iter().map(|(name, shape, little)| {
        Ok((
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), little).map_err(|error| broken(error.to_string()))?,
        ))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let sealed = digest(&text, views.iter().map(|(name, view)| (*name, view)));
    let metadata = HashMap::from([(KEY.to_string(), text), (DIGEST.to_string(), sealed)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| broken(error.to_string()))
}

/// Reads the header alone.
///
/// # Errors
/// When the bytes are not a whole checkpoint, or one of another version.
pub fn header(bytes: &[u8]) -> Result<Header> {
    parse(bytes).map(|(header, _)| header)
}

/// Reads header and tensors.
///
/// # Errors
/// As [`header`].
pub fn read(bytes: &[u8]) -> Result<(Header, HashMap<String, TensorData>)> {
    let (header, file) = parse(bytes)?;
    let mut values = HashMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(Error::Checkpoint(format!("`{name}` is not stored as 32-bit floats")));
        }
        let floats: Vec<f32> =
            view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        values.insert(name.to_string(), TensorData::new(floats, view.shape().to_vec()));
    }
    Ok((header, values))
}

fn parse(bytes: &[u8]) -> Result<(Header, SafeTensors<'_>)> {
    let damaged = |what: String| Error::Checkpoint(format!("this is not a whole checkpoint: {what}"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let entry = |key| metadata.metadata().as_ref().and_then(|map| map.get(key));
    let foreign = || damaged("nolabel did not write it".into());
    let text = entry(KEY).ok_or_else(foreign)?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let views: Vec<_> = file.iter().collect();
    if *entry(DIGEST).ok_or_else(foreign)? != digest(text, views.iter().map(|(name, view)| (*name, view))) {
        return Err(damaged("its content does not have the digest it was written with".into()));
    }
    // after the digest: a changed byte must not pass for another version
    let Version { version } = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if version != VERSION {
        let other =
            if version > VERSION { "a newer nolabel: update this one" } else { "an older nolabel: use that one" };
        return Err(Error::Version(format!(
            "the checkpoint has version {version}, this program reads version {VERSION}; it was written by {other}"
        )));
    }
    let header = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    Ok((header, file))
}

/// SHA-256 over the header and every tensor's name, shape and values, in the order of names.
fn digest<'a>(header: &str, tensors: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>) -> String {
    let mut sorted: Vec<_> = tensors.collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(header.as_bytes());
    for (name, view) in sorted {
        part(name.as_bytes());
        part(&view.shape().iter().flat_map(|&dim| (dim as u64).to_le_bytes()).collect::<Vec<u8>>());
        part(view.data());
    }
    hex(&hash.finalize())
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::data::Split;
    use crate::device::Kind;
    use crate::methods::METHODS;
    use burn::tensor::{Device, Tensor};
    use futures_lite::future::block_on;

    /// The header of some run.
    pub fn header() -> Header {
        let device =
            Readout { kind: Kind::Cpu, name: "CPU".into(), why: "no GPU was found".into(), gpu_available: false };
        Header {
            version: VERSION,
            config: METHODS[0].config(Preset::Small, "fashion-mnist"),
            images: ImageCounts { train: 30, test: 20, size: Size { channels: 1, height: 28, width: 28 } },
            device,
            step: 7,
            total_steps: 9,
            elapsed_seconds: 1.0 / 3.0,
            epoch_count: 3,
            epoch_loss: 0.1 + 0.2,
            epoch_metric: Some(2.0 / 3.0),
        }
    }

    fn packed(header: &Header) -> Vec<u8> {
        let values = Tensor::<1>::from_floats([0.1, -2.5, 3e-9], &Device::flex());
        let named = NamedTensor { name: "weight".into(), shape: vec![3, 1], values };
        block_on(write(header, vec![named])).expect("a checkpoint")
    }

    #[test]
    fn a_checkpoint_reads_back_to_the_last_bit() {
        // sums of many losses, as they stand in the middle of an epoch
        let mut written = header();
        for _ in 0..1000 {
            written.epoch_loss += f64::from(written.epoch_loss as f32) / 7.0;
            written.epoch_loss %= 3.0;
            let text = serde_json::to_string(&written).expect("a text");
            assert_eq!(serde_json::from_str::<Header>(&text).expect("a header"), written);
        }
        let (found, tensors) = read(&packed(&written)).expect("whole");
        assert_eq!(found, written);
        assert_eq!(tensors["weight"], TensorData::new(vec![0.1f32, -2.5, 3e-9], [3, 1]));
    }

    #[test]
    fn a_run_resumes_only_with_images_of_its_number_and_size() {
        let of = |train, test, side| {
            let split = |count| Split::expecting(Size { channels: 1, height: side, width: side }, count);
            Dataset {
                name: String::new(),
                classes: Vec::new(),
                train: split(train),
                validation: None,
                test: split(test),
            }
        };
        let known = header().images;
        known.check(&of(30, 20, 28)).expect("the same");
        for other in [of(31, 20, 28), of(30, 19, 28), of(30, 20, 32)] {
            let refused = known.check(&other).expect_err("others").to_string();
            assert!(refused.contains("30 + 20 images of 28 x 28 pixels"), "{refused}");
        }
    }

    #[test]
    fn any_byte_that_changes_is_noticed() {
        let bytes = packed(&header());
        super::header(&bytes).expect("whole");
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1;
            // blanks between header and tensors hold nothing that could be damaged
            let harmless = bytes[place] == b' ';
            assert!(super::header(&flipped).is_err() || harmless, "byte {place} of {}", bytes.len());
            assert!(super::header(&bytes[..place]).is_err(), "cut at {place}");
        }
    }
}
