//! Event files for TensorBoard: losses, measures, health, probes and pictures of a run, written while it is trained.
//!
//! A file is a sequence of records: the length of a message, its checksum, the message and its checksum. Messages are those of
//! TensorBoard's event.proto and summary.proto; the fields used here are declared below.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};
use crate::probe::ProbeRow;
use crate::report::image::Image;
use crate::session::event::{Embedding, Event, Exam, Health, Probe, Started, Step};
use crate::session::picture::{Picture, PictureRow};

/// The version that TensorBoard expects in the first record.
const VERSION: &str = "brain.Event:2";
/// The session status `START`: what was written of later steps no longer counts.
const START: i32 = 1;
/// Pixels between the images of a row.
const GAP: usize = 1;

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "Content", tags = "3, 5, 7")]
    content: Option<Content>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Content {
    #[prost(string, tag = "3")]
    Version(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    Session(Status),
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(oneof = "Shown", tags = "2, 4")]
    shown: Option<Shown>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Shown {
    #[prost(float, tag = "2")]
    Number(f32),
    #[prost(message, tag = "4")]
    Image(Encoded),
}

#[derive(Clone, PartialEq, Message)]
struct Encoded {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// Number of channels.
    #[prost(int32, tag = "3")]
    channels: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    png: Vec<u8>,
}

/// The event file of a run.
#[derive(Debug)]
pub(crate) struct Board {
    path: PathBuf,
    file: File,
}

impl Board {
    /// Begins a file in the folder `root`, in one of its own named after the run. A resumed run begins another one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn create(root: &Path, run: &Path) -> Result<Self> {
        let run = std::path::absolute(run).unwrap_or_else(|_| run.to_path_buf());
        let folder = root.join(run.file_name().unwrap_or_default());
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let path = folder.join(format!("events.out.tfevents.{:.6}.{}.nolabel", seconds(), std::process::id()));
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(Error::file(&path))?;
        let mut board = Self { path, file };
        board.write(0, Content::Version(VERSION.into()))?;
        Ok(board)
    }

    /// Writes the numbers of an event.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub(crate) fn hear(&mut self, event: &Event) -> Result<()> {
        let (step, values) = match event {
            Event::Started(Started { resumed_at, .. }) => {
                return self.write(*resumed_at + 1, Content::Session(Status { status: START }));
            }
            Event::Step(step) => (step.step, of_step(step)),
            Event::Epoch(epoch) => {
                let metric = epoch.metric.map(|metric| number("epoch/metric", metric));
                (epoch.step, [number("epoch/loss", epoch.loss)].into_iter().chain(metric).collect())
            }
            Event::Pretext(pretext) => (pretext.step, vec![number("held-out/metric", pretext.value)]),
            Event::Probe(probe) | Event::Exam(Exam { probe, .. }) => (probe.step, of_probe(probe)),
            Event::Health(health) => (health.step, of_health(health)),
            Event::Warning { .. } | Event::Saved { .. } | Event::Done(_) => return Ok(()),
        };
        self.write(step, Content::Summary(Summary { values }))
    }

    /// Writes a picture, each of its rows as one image.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub(crate) fn show(&mut self, picture: &Picture) -> Result<()> {
        let rows = picture.rows.iter().filter(|row| !row.pixels.is_empty());
        let values = rows.map(|row| value(&format!("pictures/{}", row.title), Shown::Image(encoded(&strip(row)))));
        let figures = picture.figures.iter().map(|figure| {
            let image = Image { width: figure.columns, height: figure.rows, channels: 1, pixels: figure.cells.clone() };
            value(&format!("pictures/{}", figure.title), Shown::Image(encoded(&image)))
        });
        self.write(picture.step, Content::Summary(Summary { values: values.chain(figures).collect() }))
    }

    fn write(&mut self, step: usize, content: Content) -> Result<()> {
        let entry = Entry { wall_time: seconds(), step: step as i64, content: Some(content) };
        self.file.write_all(&record(&entry.encode_to_vec())).map_err(Error::file(&self.path))
    }
}

/// Seconds since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A message with its length and checksums, in one piece so that readers never see half of a head.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length), message, &checksum(message)].concat()
}

/// CRC-32C, rotated and offset as TensorFlow's records have it.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn value(tag: &str, shown: Shown) -> Value {
    Value { tag: tag.to_string(), shown: Some(shown) }
}

fn number(tag: &str, number: f64) -> Value {
    value(tag, Shown::Number(number as f32))
}

fn of_step(step: &Step) -> Vec<Value> {
    let metric = step.metric.map(|metric| number("train/metric", metric));
    [
        number("train/loss", step.loss),
        number("train/learning rate", step.learning_rate),
        number("train/images per second", step.images_per_second),
    ]
    .into_iter()
    .chain(metric)
    .collect()
}

fn of_probe(probe: &Probe) -> Vec<Value> {
    let tag = |row: &ProbeRow| format!("{}/{} {}", row.probe, row.source.words(), row.layer);
    probe.rows.iter().map(|row| number(&tag(row), row.accuracy)).collect()
}

fn of_health(health: &Health) -> Vec<Value> {
    let mut all = vec![("gradient", Some(health.gradient)), ("lag", health.lag), ("waiting", Some(health.waiting))];
    if let Some(Embedding { spread, rank, centred_rank, lidar, alignment, uniformity, decay, .. }) = health.embedding {
        all.extend([
            ("spread", Some(spread)),
            ("rank", Some(rank)),
            ("centred rank", Some(centred_rank)),
            ("lidar", lidar),
            ("alignment", alignment),
            ("uniformity", Some(uniformity)),
            ("decay", decay),
        ]);
    }
    let there = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    there.map(|(name, value)| number(&format!("health/{name}"), value)).collect()
}

fn encoded(image: &Image) -> Encoded {
    let Image { width, height, channels, .. } = *image;
    Encoded { height: height as i32, width: width as i32, channels: channels as i32, png: image.png() }
}

/// The images of a row side by side.
fn strip(row: &PictureRow) -> Image {
    let PictureRow { width, height, channels, pixels, .. } = row;
    let (line, bytes) = (width * channels, width * height * channels);
    let images: Vec<&[u8]> = pixels.chunks_exact(bytes.max(1)).collect();
    let gap = vec![255; GAP * channels];
    let mut strip = Vec::new();
    for y in 0..*height {
        for (place, image) in images.iter().enumerate() {
            if place > 0 {
                strip.extend_from_slice(&gap);
            }
            strip.extend_from_slice(&image[y * line..(y + 1) * line]);
        }
    }
    let width = images.len() * width + images.len().saturating_sub(1) * GAP;
    Image { width, height: *height, channels: *channels, pixels: strip }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a file, their checksums computed bit by bit.
    fn messages(bytes: &[u8]) -> Vec<Entry> {
        let slow = |bytes: &[u8]| {
            let mut sum = u32::MAX;
            for byte in bytes {
                sum ^= u32::from(*byte);
                (0..8).for_each(|_| sum = sum >> 1 ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 });
            }
            (!sum).rotate_right(15).wrapping_add(0xa282_ead8)
        };
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let (mut rest, mut found) = (bytes, Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes")) as usize;
            assert_eq!(word(&rest[8..12]), slow(&rest[..8]));
            let message = &rest[12..12 + length];
            assert_eq!(word(&rest[12 + length..16 + length]), slow(message));
            found.push(Entry::decode(message).expect("a message"));
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn records_are_those_of_tensorflow() {
        // a version record as TensorFlow's writer makes it, at 1.5 seconds
        let entry = Entry { wall_time: 1.5, step: 0, content: Some(Content::Version(VERSION.into())) };
        let bytes = record(&entry.encode_to_vec());
        let message = b"\x09\0\0\0\0\0\0\xf8\x3f\x1a\x0dbrain.Event:2";
        assert_eq!((&bytes[..8], &bytes[12..bytes.len() - 4]), (&24u64.to_le_bytes()[..], &message[..]));
        assert_eq!(messages(&bytes), [entry]);
    }

    #[test]
    fn a_run_is_read_back_with_its_steps() {
        let here = tempfile::tempdir().expect("a folder");
        let mut board = Board::create(here.path(), Path::new("runs/mine")).expect("a file");
        let step = Step { step: 3, loss: 0.5, metric: Some(0.25), learning_rate: 0.1, ..Step::default() };
        let health = Health { step: 4, gradient: 2.0, ..Health::default() };
        for event in [Event::Step(step), Event::Warning { message: "mind".into() }, Event::Health(health)] {
            board.hear(&event).expect("written");
        }
        let pixels = vec![0, 1, 2, 3, 4, 5, 6, 7];
        let row = PictureRow { title: "views".into(), width: 2, height: 2, channels: 1, pixels, captions: Vec::new() };
        board.show(&Picture { step: 4, rows: vec![row], figures: Vec::new() }).expect("written");
        let file = fs::read_dir(here.path().join("mine")).expect("a folder").next().expect("a file").expect("an entry");
        assert!(file.file_name().to_string_lossy().starts_with("events.out.tfevents."));
        let all = messages(&fs::read(file.path()).expect("a file"));
        assert_eq!(all.iter().map(|entry| entry.step).collect::<Vec<_>>(), [0, 3, 4, 4]);
        let values = |place: usize| match &all[place].content {
            Some(Content::Summary(summary)) => summary.values.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(values(1)[0], number("train/loss", 0.5));
        assert!(
            values(1).contains(&number("train/metric", 0.25)) && values(2).contains(&number("health/gradient", 2.0))
        );
        let [Value { tag, shown: Some(Shown::Image(image)) }] = &values(3)[..] else { panic!("one image") };
        assert_eq!((tag.as_str(), image.width, image.height, image.channels), ("pictures/views", 5, 2, 1));
    }

    #[test]
    fn images_stand_side_by_side() {
        let pixels = vec![0, 1, 2, 3, 4, 5, 6, 7];
        let row = PictureRow { title: String::new(), width: 2, height: 2, channels: 1, pixels, captions: Vec::new() };
        assert_eq!(strip(&row).pixels, [0, 1, 255, 4, 5, 2, 3, 255, 6, 7]);
    }
}
