//! `run.toml`: the record of a run's configuration, images and device.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::config::{Budget, RunConfig};
use crate::data::{Dataset, Size, Spec, Split, store};
use crate::device::Readout;
use crate::error::{Error, Result};

pub(super) const FILE: &str = "run.toml";
const PREFACE: &str = "# What this run of nolabel was started with. Resuming and evaluating it read this file.\n\n";

/// The whole of `run.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of nolabel that started the run.
    pub nolabel: String,
    /// The images.
    pub data: DataRecord,
    /// The device it was started on; it may be continued on another.
    pub device: Readout,
    /// The file of weights its encoder started from, where they were not random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The lengths that the run had before it was made longer, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_budgets: Vec<Budget>,
    /// The configuration, which decides what the run computes.
    pub config: RunConfig,
}

/// A file that an encoder started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Its path.
    pub file: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// The encoder that was found in it, in words.
    pub found: String,
}

/// The images a run learns from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The name in the catalogue, or `folder`.
    pub name: String,
    /// The folder, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Pixels to a side that the images of a folder were resized to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Training images in the data set; the configuration may use fewer.
    pub train_images: usize,
    /// Validation images in the data set.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub validation_images: usize,
    /// Test images in the data set.
    pub test_images: usize,
    /// SHA-256 of all images and labels, independent of the files they came from.
    pub sha256: String,
    /// The size of every image.
    pub image: Size,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Record {
    /// The record of a run that starts with this version of nolabel.
    pub fn new(config: RunConfig, data: DataRecord, device: Readout) -> Self {
        Self {
            nolabel: env!("CARGO_PKG_VERSION").to_string(),
            data,
            device,
            start: None,
            earlier_budgets: Vec::new(),
            config,
        }
    }

    /// The same run made longer, or nothing where that is its length already.
    pub fn lengthened(&self, budget: Budget) -> Option<Self> {
        let before = self.config.budget();
        (before != budget).then(|| {
            let mut longer = self.clone();
            longer.earlier_budgets.push(before);
            longer.config = longer.config.with_budget(budget);
            longer
        })
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::Run(format!("there is no run in {}: it has no {FILE}", folder.display()))
            }
            _ => Error::File { path: path.clone(), source: error },
        })?;
        toml::from_str(&text)
            .map_err(|error| Error::Run(format!("{} cannot be read: {}", path.display(), error.message())))
    }

    pub(super) fn to_text(&self) -> Result<String> {
        let text = toml::to_string(self)
            .map_err(|error| Error::Config(format!("{FILE} cannot hold this configuration: {error}")))?;
        Ok(format!("{PREFACE}{text}"))
    }
}

impl DataRecord {
    /// Describes loaded images and the request for them.
    pub fn of(data: &Dataset, spec: &Spec) -> Self {
        Self {
            name: data.name.clone(),
            folder: spec.folder.clone(),
            size: spec.is_folder().then_some(data.train.size().width),
            train_images: data.train.len(),
            validation_images: data.validation.as_ref().map_or(0, Split::len),
            test_images: data.test.len(),
            sha256: store::digest(data),
            image: data.train.size(),
        }
    }

    /// The request that loads the same images.
    pub fn spec(&self) -> Spec {
        Spec { name: self.name.clone(), folder: self.folder.clone(), size: self.size }
    }

    /// The request for the same images in another place: resized alike, unless another size is asked for.
    pub fn moved(&self, to: Spec) -> Spec {
        let size = to.size.or(self.size.filter(|_| to.is_folder()));
        Spec { size, ..to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::device::Kind;
    use crate::methods::METHODS;

    fn record(config: RunConfig) -> Record {
        let folder = Some(PathBuf::from("some where/\"quoted\""));
        let data = DataRecord {
            name: "fashion-mnist".into(),
            folder,
            size: Some(64),
            train_images: 3,
            validation_images: 0,
            test_images: 2,
            sha256: "00".into(),
            image: Size { channels: 3, height: 64, width: 64 },
        };
        let device =
            Readout { kind: Kind::Cpu, name: "CPU".into(), why: "no GPU was found".into(), gpu_available: false };
        let start = Start { file: "a/file".into(), sha256: "00".into(), found: "small of width 4".into() };
        Record { start: Some(start), ..Record::new(config, data, device) }
    }

    #[test]
    fn every_preset_reads_back_as_written() {
        let here = tempfile::tempdir().expect("a folder");
        for entry in METHODS {
            for preset in [Preset::Small, Preset::Full] {
                let mut written = record(entry.config(preset, "fashion-mnist"));
                // a number that needs all 17 digits
                written.config.optimizer.lr = 0.1 + 0.2;
                written.config.seed = u64::MAX;
                fs::write(here.path().join(FILE), written.to_text().expect("a text")).expect("a file");
                assert_eq!(Record::read(here.path()).expect("a record"), written);
            }
        }
    }

    #[test]
    fn values_that_toml_cannot_hold_are_refused() {
        let mut config = METHODS[0].config(Preset::Small, "fashion-mnist");
        config.options.insert("nothing".into(), serde_json::Value::Null);
        let refused = record(config).to_text().expect_err("TOML has no word for nothing").to_string();
        assert!(refused.starts_with("run.toml cannot hold this configuration"), "{refused}");
    }

    #[test]
    fn a_missing_or_broken_record_is_named() {
        let here = tempfile::tempdir().expect("a folder");
        let read = || Record::read(here.path()).expect_err("no record").to_string();
        assert!(read().contains("no run in"), "{}", read());
        fs::write(here.path().join(FILE), "nolabel = 3").expect("a file");
        assert!(read().contains("run.toml cannot be read"), "{}", read());
    }
}
