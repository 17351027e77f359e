//! The data sets in the page: fetched or made piece by piece, lent to the run that learns from them.

mod generated;
mod idx;
mod loader;
mod records;
mod sets;

use super::inbox::Inbox;
use super::page;
use super::protocol::Reply;
use crate::data::{Dataset, Size, Split};
use crate::error::{Error, Result};
use crate::session::SHARD;
use crate::session::picture::PictureRow;
use loader::Feed;
pub(super) use loader::{Arrived, Delivery, Side};
use sets::Set;
pub(super) use sets::{NAMES, cards};

/// Images shown before the first step.
const SAMPLE: usize = 16;

/// The data set while no run has it.
pub(super) struct Store {
    feed: Feed,
    set: Option<&'static Set>,
    loading: bool,
    ready: bool,
    data: Option<Dataset>,
    broken: Option<Error>,
}

impl Store {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self { feed: Feed::new(inbox), set: None, loading: false, ready: false, data: None, broken: None }
    }

    /// Begins to load the data set of this name, unless that has been done.
    ///
    /// # Errors
    /// When the page knows of none.
    pub(super) fn load(&mut self, name: &str) -> Result<()> {
        let set = sets::find(name)?;
        let known = self.set.is_some_and(|known| known.name == set.name);
        let whole = self.data.as_ref().is_some_and(|data| data.train.is_complete() && data.test.is_complete());
        if known && (self.loading || whole) {
            return Ok(());
        }
        let feed = self.feed.renew();
        *self = Self { feed: feed.clone(), set: Some(set), loading: true, ready: false, data: None, broken: None };
        page::post(&Reply::Loading { what: set.title().into(), images: 0, total: 0 });
        wasm_bindgen_futures::spawn_local(load(set, feed));
        Ok(())
    }

    /// Whether a run can start.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && self.data.is_some()
    }

    /// A data set of the same shape without images: a run is built on it, so that a refused one costs no data.
    pub(super) fn skeleton(&self) -> Dataset {
        self.data.as_ref().map_or_else(nothing, hollow)
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

    /// Some images as they are, for the page to show before anything is trained.
    pub(super) fn sample(&self) -> Option<PictureRow> {
        let train = &self.data.as_ref()?.train;
        let Size { channels, height, width } = train.size();
        let count = SAMPLE.min(train.len());
        let (plane, apart) = (height * width, train.len() / count.max(1));
        let images = (0..count).map(|index| train.image(index * apart));
        let pixels =
            images.flat_map(|image| (0..plane).flat_map(move |at| (0..channels).map(move |c| image[c * plane + at])));
        let title = "Some of the training images".to_string();
        Some(PictureRow { title, width, height, channels, pixels: pixels.collect(), captions: Vec::new() })
    }

    /// Adds what arrived to the data of the run, or to its own where there is none; what was sent for another data set is
    /// let go. A download that ends before its time does not end a run at once: it may have all it needs.
    pub(super) fn receive(&mut self, delivery: Delivery, run: Option<&mut Dataset>) -> Result<()> {
        if !self.feed.sent(&delivery) {
            return Ok(());
        }
        match delivery.arrived {
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
            Arrived::Images { side, pixels, labels } => {
                let Some(data) = run.or(self.data.as_mut()) else { return Ok(()) };
                let split = match side {
                    Side::Train => &mut data.train,
                    Side::Test => &mut data.test,
                };
                split.push_images(&pixels)?;
                split.push_labels(&labels)?;
                let (images, total) = (data.train.len(), data.train.total());
                self.loading = !(data.train.is_complete() && data.test.is_complete());
                self.tell(images, total);
                Ok(())
            }
        }
    }

    fn tell(&mut self, images: usize, total: usize) {
        let what = self.set.map(Set::title).unwrap_or_default().to_string();
        page::post(&Reply::Loading { what, images, total });
        self.ready = self.ready || images >= SHARD.min(total);
    }
}

/// What a run is refused on before any data is there.
fn nothing() -> Dataset {
    let none = || Split::expecting(Size { channels: 1, height: 1, width: 1 }, 0);
    Dataset { name: String::new(), classes: Vec::new(), train: none(), test: none() }
}

fn hollow(data: &Dataset) -> Dataset {
    let Dataset { name, classes, train, test } = data;
    Dataset { name: name.clone(), classes: classes.clone(), train: train.hollow(), test: test.hollow() }
}

async fn load(set: &Set, feed: Feed) {
    if let Err(error) = set.load(&feed).await {
        feed.give(Arrived::Failed(error));
    }
}
