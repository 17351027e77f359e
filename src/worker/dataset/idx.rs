//! A data set of four IDX files: images and labels, for training and for tests.

use super::loader::{Arrived, Loader, SplitKind};
use super::sets::address;
use crate::data::catalogue::{Entry, Holds, Part};
use crate::data::{Dataset, Size, Split, idx};
use crate::error::Result;
use crate::platform;
use crate::session::SHARD;
use crate::worker::fetch::{Download, damaged};

/// Bytes in the header of an image file.
const HEADER: usize = 16;
/// Test images per delivery.
const TEST_SHARD: usize = 1000;

/// Loads labels, then images.
pub(super) async fn load(entry: &Entry, loader: &Loader) -> Result<()> {
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
    loader.send(Arrived::Opened(data));
    // alternating, so that the first probe does not wait for the last training image
    while loader.is_current() {
        let test_pixels = test.next().await?;
        let train_pixels = train.next().await?;
        if test_pixels.is_none() && train_pixels.is_none() {
            break;
        }
        for (split, pixels) in [(SplitKind::Test, test_pixels), (SplitKind::Train, train_pixels)] {
            pixels.into_iter().for_each(|pixels| loader.send_images(split, pixels, Vec::new()));
        }
    }
    Ok(())
}

fn empty(entry: &Entry, size: Size, [train, test]: [usize; 2]) -> Dataset {
    Dataset {
        name: entry.name.into(),
        classes: entry.classes.iter().map(ToString::to_string).collect(),
        train: Split::expecting(size, train),
        validation: None,
        test: Split::expecting(size, test),
    }
}

/// Downloads all labels of a file.
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

/// The images of a file in shards.
struct Images {
    download: Download,
    buffer: Vec<u8>,
    size: Size,
    total: usize,
    shard: usize,
    given: usize,
}

impl Images {
    /// Opens a file and reads its header.
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

    /// The pixels of the next shard; the last one may be smaller. None at the end.
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

    /// Reads to the end of the file, where gzip has its checksum.
    async fn end(&mut self) -> Result<()> {
        while let Some(more) = self.download.next().await? {
            self.buffer.extend(more);
        }
        if self.buffer.is_empty() { Ok(()) } else { Err(damaged(self.download.what())) }
    }
}
