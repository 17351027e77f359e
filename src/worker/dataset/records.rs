//! A data set in files of records, each an image with its label, such as CIFAR-10.

use super::loader::{Arrived, Loader, SplitKind};
use super::sets::address;
use crate::data::catalogue::{Entry, File, Format, Part};
use crate::data::format::cifar::{self, Layout, Records};
use crate::data::{Dataset, Split};
use crate::error::Result;
use crate::platform;
use crate::worker::fetch::{Download, damaged};

/// Training images per delivery: a fifth of those that a run needs to start.
const TRAIN_SHARD: usize = 1000;
/// Test images per delivery, few enough that both splits end together.
const TEST_SHARD: usize = 200;

/// Loads both splits in turns, so that the first probe does not wait for the last training image.
pub(super) async fn load(entry: &'static Entry, loader: &Loader) -> Result<()> {
    let mut train = Batches::of(entry, Part::Train);
    let mut test = Batches::of(entry, Part::Test);
    loader.send(Arrived::Opened(Dataset {
        name: entry.name.into(),
        classes: entry.classes.iter().map(ToString::to_string).collect(),
        train: Split::expecting(entry.size, train.total()),
        validation: None,
        test: Split::expecting(entry.size, test.total()),
    }));
    while loader.is_current() {
        let test_records = test.next(TEST_SHARD).await?;
        let train_records = train.next(TRAIN_SHARD).await?;
        if test_records.is_none() && train_records.is_none() {
            break;
        }
        for (split, records) in [(SplitKind::Test, test_records), (SplitKind::Train, train_records)] {
            records.into_iter().for_each(|Records { pixels, labels }| loader.send_images(split, pixels, labels));
        }
    }
    Ok(())
}

/// The records of one split, read from its files one after the other.
struct Batches {
    entry: &'static Entry,
    layout: Layout,
    what: &'static str,
    /// Files not opened yet, the next one last.
    files: Vec<&'static File>,
    open: Option<Download>,
    /// Remaining bytes of the open file.
    left: usize,
    buffer: Vec<u8>,
}

impl Batches {
    fn of(entry: &'static Entry, part: Part) -> Self {
        let label_bytes = match entry.format {
            Format::Cifar { label_bytes } => label_bytes,
            Format::Idx => 0,
        };
        let layout = Layout { label_bytes, size: entry.size, classes: entry.classes.len() };
        let what = match part {
            Part::Train => "the training images",
            Part::Test => "the test images",
        };
        let files = entry.files.iter().filter(|file| file.part == part).rev().collect();
        Self { entry, layout, what, files, open: None, left: 0, buffer: Vec::new() }
    }

    /// Bytes per record.
    fn record(&self) -> usize {
        self.layout.label_bytes + self.layout.size.bytes()
    }

    /// Images in all files.
    fn total(&self) -> usize {
        self.files.iter().map(|file| file.bytes as usize / self.record()).sum()
    }

    /// The next records, at most `count`. None at the end.
    async fn next(&mut self, count: usize) -> Result<Option<Records>> {
        let wanted = count * self.record();
        while self.buffer.len() < wanted && self.fetch().await? {
            platform::yield_now().await;
        }
        let whole = self.buffer.len().min(wanted) / self.record() * self.record();
        if whole == 0 {
            return Ok(None);
        }
        let mut records = Records::default();
        cifar::read(&self.buffer[..whole], &self.layout, whole as u64, &mut records).map_err(|_| damaged(self.what))?;
        self.buffer.drain(..whole);
        Ok(Some(records))
    }

    /// Reads more bytes into the buffer; returns false at the end of the last file.
    async fn fetch(&mut self) -> Result<bool> {
        let Some(open) = &mut self.open else {
            let Some(file) = self.files.pop() else { return Ok(false) };
            self.open = Some(Download::open(self.what, &address(self.entry, file.name)).await?);
            self.left = file.bytes as usize;
            return Ok(true);
        };
        match open.next().await? {
            Some(bytes) if bytes.len() <= self.left => {
                self.left -= bytes.len();
                self.buffer.extend(bytes);
            }
            None if self.left == 0 => self.open = None,
            Some(_) | None => return Err(damaged(self.what)),
        }
        Ok(true)
    }
}
