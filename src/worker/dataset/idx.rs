//! A data set in four files: images and labels, for training and for tests.

use super::loader::{Arrived, Feed, Side};
use super::sets::address;
use crate::data::catalogue::{Entry, Holds, Part};
use crate::data::{Dataset, Size, Split, idx};
use crate::error::Result;
use crate::platform;
use crate::session::SHARD;
use crate::worker::fetch::{Download, damaged};

/// Bytes of the header of an image file.
const HEADER: usize = 16;
/// Test images handed over at a time.
const TEST_SHARD: usize = 1000;

/// Fetches labels, then images.
pub(super) async fn load(entry: &Entry, feed: &Feed) -> Result<()> {
    let file = |part, holds| format!("{}.gz", address(entry, entry.file(part, holds).name));
    let train_labels = labels("the training labels", &file(Part::Train, Holds::Labels)).await?;
    let test_labels = labels("the test labels", &file(Part::Test, Holds::Labels)).await?;
    let mut test = Images::open("the test images", &file(Part::Test, Holds::Images), TEST_SHARD).await?;
    let mut train = Images::open("the training images", &file(Part::Train, Holds::Images), SHARD).await?;
    let mut data = empty(entry, train.size, [train.total, test.total]);
    data.train.push_labels(&train_labels)?;
    data.test.push_labels(&test_labels)?;
    if test.size != train.size || [train_labels.len(), test_labels.len()] != [train.total, test.total] {
        return Err(damaged("the data set"));
    }
    feed.give(Arrived::Opened(data));
    // in turns, so that the first probe does not wait for the last training image
    while feed.is_wanted() {
        let (some, more) = (test.next().await?, train.next().await?);
        if some.is_none() && more.is_none() {
            break;
        }
        let parts = some.map(|pixels| (Side::Test, pixels)).into_iter().chain(more.map(|pixels| (Side::Train, pixels)));
        parts.for_each(|(side, pixels)| feed.give_images(side, pixels, Vec::new()));
    }
    Ok(())
}

fn empty(entry: &Entry, size: Size, [train, test]: [usize; 2]) -> Dataset {
    Dataset {
        name: entry.name.into(),
        classes: entry.classes.iter().map(ToString::to_string).collect(),
        train: Split::expecting(size, train),
        test: Split::expecting(size, test),
    }
}

/// All labels of a file.
async fn labels(what: &'static str, address: &str) -> Result<Vec<u8>> {
    let mut download = Download::open(what, address).await?;
    let mut bytes = Vec::new();
    while let Some(more) = download.next().await? {
        bytes.extend(more);
    }
    let header = idx::Header::parse(&bytes).map_err(|_| damaged(what))?;
    let labels = bytes.split_off(header.bytes().min(bytes.len()));
    if header.dims() != [labels.len()] {
        return Err(damaged(what));
    }
    Ok(labels)
}

/// The images of a file, handed on in shards.
struct Images {
    download: Download,
    buffer: Vec<u8>,
    size: Size,
    total: usize,
    shard: usize,
    given: usize,
}

impl Images {
    /// Reads until size and number are known.
    async fn open(what: &'static str, address: &str, shard: usize) -> Result<Self> {
        let mut download = Download::open(what, address).await?;
        let mut buffer = Vec::new();
        while buffer.len() < HEADER {
            buffer.extend(download.next().await?.ok_or_else(|| damaged(what))?);
        }
        let header = idx::Header::parse(&buffer).map_err(|_| damaged(what))?;
        let &[total, height, width] = header.dims() else { return Err(damaged(what)) };
        buffer.drain(..header.bytes());
        Ok(Self { download, buffer, size: Size { channels: 1, height, width }, total, shard, given: 0 })
    }

    /// The next shard, the rest at the end, nothing after that.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.given == self.total {
            return Ok(None);
        }
        let wanted = self.shard.min(self.total - self.given);
        let bytes = wanted * self.size.bytes();
        while self.buffer.len() < bytes {
            let more = self.download.next().await?.ok_or_else(|| damaged(self.download.what()))?;
            self.buffer.extend(more);
            platform::yield_now().await;
        }
        self.given += wanted;
        let rest = self.buffer.split_off(bytes);
        let pixels = std::mem::replace(&mut self.buffer, rest);
        if self.given == self.total {
            self.end().await?;
        }
        Ok(Some(pixels))
    }

    /// Hears the checksum at the end of the file.
    async fn end(&mut self) -> Result<()> {
        while let Some(more) = self.download.next().await? {
            self.buffer.extend(more);
        }
        if self.buffer.is_empty() { Ok(()) } else { Err(damaged(self.download.what())) }
    }
}
