//! A data set in files of records: each an image with its label.

use super::loader::{Arrived, Feed, Side};
use super::sets::address;
use crate::data::catalogue::{Entry, File, Part};
use crate::data::format::Format;
use crate::data::format::cifar::{self, Layout, Records};
use crate::data::{Dataset, Split};
use crate::error::Result;
use crate::platform;
use crate::worker::fetch::{Download, damaged};

/// Training images handed over at a time: a fifth of what a run needs to begin.
const TRAIN_SHARD: usize = 1000;
/// Test images handed over at a time, so that both parts end together.
const TEST_SHARD: usize = 200;

/// Fetches both parts in turns, so that the first probe does not wait for the last training image.
pub(super) async fn load(entry: &'static Entry, feed: &Feed) -> Result<()> {
    let mut train = Batches::of(entry, Part::Train);
    let mut test = Batches::of(entry, Part::Test);
    let (name, classes) = (entry.name.into(), entry.classes.iter().map(ToString::to_string).collect());
    let [train_split, test_split] = [&train, &test].map(|batches| Split::expecting(entry.size, batches.total()));
    feed.give(Arrived::Opened(Dataset { name, classes, train: train_split, test: test_split }));
    while feed.is_wanted() {
        let (some, more) = (test.next(TEST_SHARD).await?, train.next(TRAIN_SHARD).await?);
        if some.is_none() && more.is_none() {
            break;
        }
        let parts = some.map(|records| (Side::Test, records)).into_iter().chain(more.map(|more| (Side::Train, more)));
        parts.for_each(|(side, Records { pixels, labels })| feed.give_images(side, pixels, labels));
    }
    Ok(())
}

/// The files of one part, one after the other, in pieces.
struct Batches {
    entry: &'static Entry,
    layout: Layout,
    what: &'static str,
    /// Those not begun, the next one last.
    files: Vec<&'static File>,
    open: Option<Download>,
    /// Bytes still to come of the open file.
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

    /// Bytes of a record.
    fn record(&self) -> usize {
        self.layout.label_bytes + self.layout.size.bytes()
    }

    /// Images in all files.
    fn total(&self) -> usize {
        self.files.iter().map(|file| file.bytes as usize / self.record()).sum()
    }

    /// The next records, up to so many; nothing at the end.
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

    /// Takes in some bytes; says whether more may come.
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
