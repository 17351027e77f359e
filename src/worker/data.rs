//! The data set in the page: fetched piece by piece, lent to the run that learns from it.

use super::fetch::{Download, damaged};
use super::inbox::{Inbox, Input};
use super::page;
use super::protocol::{DATA_FOLDER, Reply};
use crate::data::{Dataset, Size, Split, catalogue, idx};
use crate::error::{Error, Result};
use crate::platform;
use crate::session::SHARD;
use crate::session::picture::PictureRow;

/// The data set of the page.
pub(super) const NAME: &str = "fashion-mnist";
/// Bytes of the header of an image file.
const HEADER: usize = 16;
/// Test images handed over at a time.
const TEST_SHARD: usize = 1000;
/// Images shown before the first step.
const SAMPLE: usize = 16;

/// Which part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Train,
    Test,
}

/// News of the download.
pub(super) enum Arrived {
    /// All labels and the sizes are known; no image is there yet.
    Opened(Dataset),
    /// Some images.
    Images(Side, Vec<u8>),
    /// It ended before its time.
    Failed(Error),
}

/// The data set while no run has it.
pub(super) struct Store {
    inbox: Inbox,
    loading: bool,
    ready: bool,
    data: Option<Dataset>,
    broken: Option<Error>,
}

impl Store {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self { inbox, loading: false, ready: false, data: None, broken: None }
    }

    /// Begins to load, unless that has been done.
    pub(super) fn load(&mut self) {
        if self.loading || self.data.as_ref().is_some_and(|data| data.train.is_complete() && data.test.is_complete()) {
            return;
        }
        self.loading = true;
        self.ready = false;
        self.data = None;
        self.broken = None;
        wasm_bindgen_futures::spawn_local(load(self.inbox.clone()));
    }

    /// Whether a run can start.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && self.data.is_some()
    }

    /// A data set of the same shape without images: a run is built on it, so that a refused one costs no data.
    pub(super) fn skeleton(&self) -> Dataset {
        self.data.as_ref().map_or_else(|| empty(Size { channels: 1, height: 1, width: 1 }, [0, 0]), hollow)
    }

    /// Gives the images to a run built on [`Self::skeleton`].
    pub(super) fn lend(&mut self, run: &mut Dataset) {
        if let Some(data) = &mut self.data {
            std::mem::swap(data, run);
        }
    }

    /// Takes the images back from a run that ends.
    pub(super) fn take_back(&mut self, run: &mut Dataset) {
        self.lend(run);
    }

    /// Why no more images will come, once.
    pub(super) fn take_broken(&mut self) -> Option<Error> {
        self.broken.take()
    }

    /// The first images as they are, for the page to show before anything is trained.
    pub(super) fn sample(&self) -> Option<PictureRow> {
        let train = &self.data.as_ref()?.train;
        let Size { channels, height, width } = train.size();
        let count = SAMPLE.min(train.len());
        let plane = height * width;
        let images = (0..count).map(|index| train.image(index));
        let pixels =
            images.flat_map(|image| (0..plane).flat_map(move |at| (0..channels).map(move |c| image[c * plane + at])));
        let title = "Some of the training images".to_string();
        Some(PictureRow { title, width, height, channels, pixels: pixels.collect(), captions: Vec::new() })
    }

    /// Adds what arrived to the data of the run, or to its own where there is none. A download that ends before its time
    /// does not end a run at once: it may have all it needs.
    pub(super) fn receive(&mut self, arrived: Arrived, run: Option<&mut Dataset>) -> Result<()> {
        match arrived {
            Arrived::Failed(error) => {
                self.loading = false;
                if run.is_none() {
                    return Err(error);
                }
                self.broken = Some(error);
                Ok(())
            }
            Arrived::Opened(data) => {
                self.data = Some(data);
                Ok(())
            }
            Arrived::Images(side, pixels) => {
                let Some(data) = run.or(self.data.as_mut()) else { return Ok(()) };
                match side {
                    Side::Train => data.train.push_images(&pixels)?,
                    Side::Test => data.test.push_images(&pixels)?,
                }
                let (images, total) = (data.train.len(), data.train.total());
                self.loading = !(data.train.is_complete() && data.test.is_complete());
                self.tell(images, total);
                Ok(())
            }
        }
    }

    fn tell(&mut self, images: usize, total: usize) {
        page::post(&Reply::Loading { what: catalogue::FASHION_MNIST.title.into(), images, total });
        self.ready = self.ready || images >= SHARD.min(total);
    }
}

fn hollow(data: &Dataset) -> Dataset {
    let Dataset { name, classes, train, test } = data;
    let (name, classes) = (name.clone(), classes.clone());
    let [train, test] = [train, test].map(|split| Split::expecting(split.size(), split.total()));
    Dataset { name, classes, train, test }
}

async fn load(inbox: Inbox) {
    if let Err(error) = try_load(&inbox).await {
        inbox.push(Input::Data(Arrived::Failed(error)));
    }
}

async fn try_load(inbox: &Inbox) -> Result<()> {
    let train_labels = labels("the training labels", "train-labels-idx1-ubyte.gz").await?;
    let test_labels = labels("the test labels", "t10k-labels-idx1-ubyte.gz").await?;
    let mut test = Images::open("the test images", "t10k-images-idx3-ubyte.gz", TEST_SHARD).await?;
    let mut train = Images::open("the training images", "train-images-idx3-ubyte.gz", SHARD).await?;
    let mut data = empty(train.size, [train.total, test.total]);
    data.train.push_labels(&train_labels)?;
    data.test.push_labels(&test_labels)?;
    if test.size != train.size || [train_labels.len(), test_labels.len()] != [train.total, test.total] {
        return Err(damaged("the data set"));
    }
    inbox.push(Input::Data(Arrived::Opened(data)));
    // in turns, so that the first probe does not wait for the last training image
    loop {
        let (some, more) = (test.next().await?, train.next().await?);
        if some.is_none() && more.is_none() {
            return Ok(());
        }
        let parts = some.map(|pixels| (Side::Test, pixels)).into_iter().chain(more.map(|pixels| (Side::Train, pixels)));
        parts.for_each(|(side, pixels)| inbox.push(Input::Data(Arrived::Images(side, pixels))));
    }
}

fn empty(size: Size, [train, test]: [usize; 2]) -> Dataset {
    Dataset {
        name: NAME.into(),
        classes: catalogue::FASHION_MNIST.classes.iter().map(ToString::to_string).collect(),
        train: Split::expecting(size, train),
        test: Split::expecting(size, test),
    }
}

/// All labels of a file.
async fn labels(what: &'static str, file: &str) -> Result<Vec<u8>> {
    let mut download = Download::open(what, &format!("{DATA_FOLDER}{file}")).await?;
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
    async fn open(what: &'static str, file: &str, shard: usize) -> Result<Self> {
        let mut download = Download::open(what, &format!("{DATA_FOLDER}{file}")).await?;
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
