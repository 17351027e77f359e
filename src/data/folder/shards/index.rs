//! The samples of a shard: which of its files belong together, and their labels. Images are not read.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::content;
use super::members::{Member, walk};

/// Bytes that a file with a label may have.
const LABEL_BYTES: u64 = 1 << 20;
/// Fields of a JSON file that hold the class, the first that is there.
const FIELDS: [&str; 3] = ["label", "cls", "class"];

/// The class of a sample, as its file names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    /// Numbers come first, by value.
    Number(u64),
    Name(String),
}

impl Label {
    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let name = || Label::Name(text.to_string());
        (!text.is_empty()).then(|| text.parse().map_or_else(|_| name(), Label::Number))
    }

    fn of_json(value: &Value) -> Option<Self> {
        match FIELDS.iter().find_map(|field| value.get(field))? {
            Value::Number(number) => number.as_u64().map(Label::Number),
            Value::String(text) => Self::of_text(text),
            _ => None,
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Label::Number(number) => number.to_string(),
            Label::Name(name) => name.clone(),
        }
    }
}

/// An image and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) key: String,
    /// The place of the image among the files of the shard.
    pub(super) place: usize,
    /// The ending of the image's name.
    pub(super) end: String,
    pub(super) label: Option<Label>,
}

/// The samples of a shard in the order of their images, and what is wrong with others.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) samples: Vec<Sample>,
    /// Sentences about what is left out.
    pub(super) faults: Vec<String>,
    /// Labels to which there is no image.
    pub(super) labels_alone: usize,
    /// Files that are neither an image nor a label.
    pub(super) others: usize,
}

/// Reads the names and labels of a shard. Of a damaged one, what lies before the damage counts.
pub(super) fn index(path: &Path) -> Shard {
    let mut shard = Shard { path: path.to_path_buf(), ..Shard::default() };
    let mut labels = HashMap::new();
    let mut places = HashMap::new();
    let read = walk(path, &mut |member| shard.hear(member, &mut labels, &mut places));
    for sample in &mut shard.samples {
        sample.label = labels.remove(&sample.key);
    }
    shard.labels_alone = labels.len();
    if let Err(error) = read {
        let count = shard.samples.len();
        shard
            .faults
            .push(format!("{} is damaged or cut short, and is read up to its image {count}: {error}", path.display()));
    }
    shard
}

impl Shard {
    fn hear(
        &mut self,
        member: Member<'_>,
        labels: &mut HashMap<String, Label>,
        places: &mut HashMap<String, usize>,
    ) -> io::Result<()> {
        let Member { place, key, end, size, content } = member;
        if content::is_image_end(&end) {
            if places.insert(key.clone(), place).is_some() {
                self.faults.push(format!("{}: a second image of the key {key} is left out", self.path.display()));
            } else {
                self.samples.push(Sample { key, place, end, label: None });
            }
            return Ok(());
        }
        let is_json = end == "json";
        if !is_json && end != "cls" || size > LABEL_BYTES {
            self.others += 1;
            return Ok(());
        }
        let mut text = Vec::new();
        content.read_to_end(&mut text)?;
        let label = if is_json {
            serde_json::from_slice(&text).ok().as_ref().and_then(Label::of_json)
        } else {
            Label::of_text(&String::from_utf8_lossy(&text))
        };
        match label {
            // a description need not hold a class
            None if is_json => self.others += 1,
            None => self.faults.push(format!("{}: the label of the key {key} is empty", self.path.display())),
            // .cls is the plainer of the two
            Some(label) if is_json => {
                labels.entry(key).or_insert(label);
            }
            Some(label) => {
                labels.insert(key, label);
            }
        }
        Ok(())
    }

    /// The name of a sample's image within the data set.
    pub(super) fn name(&self, sample: &Sample) -> String {
        let shard = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{shard}/{}.{}", sample.key, sample.end)
    }
}
