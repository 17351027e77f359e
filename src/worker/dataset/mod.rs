//! The data sets in the worker: loaded or generated piece by piece, lent to the run that learns from them.

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
use loader::Loader;
pub(super) use loader::{Arrived, Delivery, SplitKind};
use sets::PageDataset;
pub(super) use sets::{NAMES, cards};

/// Number of images shown before the first step.
const SAMPLE: usize = 16;

/// The chosen data set. While a run borrows the images, `data` is its outline.
pub(super) struct DatasetStore {
    loader: Loader,
    chosen: Option<&'static PageDataset>,
    loading: bool,
    ready: bool,
    data: Option<Dataset>,
    error: Option<Error>,
}

impl DatasetStore {
    pub(super) fn new(inbox: Inbox) -> Self {
        let loader = Loader::new(inbox);
        Self { loader, chosen: None, loading: false, ready: false, data: None, error: None }
    }

    /// Starts loading the data set called `name`, unless it is loaded or loading already.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(super) fn load(&mut self, name: &str) -> Result<()> {
        let wanted = sets::find(name)?;
        let is_chosen = self.chosen.is_some_and(|chosen| chosen.name == wanted.name);
        let complete = self.data.as_ref().is_some_and(|data| data.train.is_complete() && data.test.is_complete());
        if is_chosen && (self.loading || complete) {
            return Ok(());
        }
        let loader = self.loader.renew();
        *self =
            Self { loader: loader.clone(), chosen: Some(wanted), loading: true, ready: false, data: None, error: None };
        page::post(&Reply::LoadingData { title: wanted.title().into(), images: 0, total: 0 });
        wasm_bindgen_futures::spawn_local(load(wanted, loader));
        Ok(())
    }

    /// True if a run can start.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && self.data.is_some()
    }

    /// The data set without images. A run is built on it, so that a refused one loses no data.
    pub(super) fn outline(&self) -> Dataset {
        self.data.as_ref().map_or_else(empty, without_images)
    }

    /// Lends the images to a run built on [`Self::outline`].
    pub(super) fn lend(&mut self, run: &mut Dataset) {
        if let Some(data) = &mut self.data {
            std::mem::swap(data, run);
        }
    }

    /// Takes the images back from a run.
    pub(super) fn take_back(&mut self, run: &mut Dataset) {
        self.lend(run);
    }

    /// The error that ended the loading, once.
    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// A sample of the training images, shown before the first step.
    pub(super) fn sample(&self) -> Option<PictureRow> {
        let train = &self.data.as_ref()?.train;
        let Size { channels, height, width } = train.size();
        let count = SAMPLE.min(train.len());
        let plane = height * width;
        let stride = train.len() / count.max(1);
        let images = (0..count).map(|index| train.image(index * stride));
        let pixels =
            images.flat_map(|image| (0..plane).flat_map(move |at| (0..channels).map(move |c| image[c * plane + at])));
        let title = "Some of the training images".to_string();
        Some(PictureRow { title, width, height, channels, pixels: pixels.collect(), captions: Vec::new() })
    }

    /// Adds a delivery to the data of the run, or to the store if there is no run. Deliveries of an obsolete loader are
    /// dropped. A failed download does not end a run at once: the run may have all the images that it needs.
    pub(super) fn receive(&mut self, delivery: Delivery, run: Option<&mut Dataset>) -> Result<()> {
        if !self.loader.sent(&delivery) {
            return Ok(());
        }
        match delivery.arrived {
            Arrived::Failed(error) => {
                self.loading = false;
                if run.is_none() {
                    return Err(error);
                }
                self.error = Some(error);
                Ok(())
            }
            Arrived::Opened(data) => {
                self.data = Some(data);
                Ok(())
            }
            Arrived::Images { split, pixels, labels } => {
                let Some(data) = run.or(self.data.as_mut()) else { return Ok(()) };
                let split = match split {
                    SplitKind::Train => &mut data.train,
                    SplitKind::Test => &mut data.test,
                };
                split.push_images(&pixels)?;
                split.push_labels(&labels)?;
                let images = data.train.len();
                let total = data.train.total();
                self.loading = !(data.train.is_complete() && data.test.is_complete());
                self.report_progress(images, total);
                Ok(())
            }
        }
    }

    fn report_progress(&mut self, images: usize, total: usize) {
        let title = self.chosen.map(PageDataset::title).unwrap_or_default().to_string();
        page::post(&Reply::LoadingData { title, images, total });
        self.ready = self.ready || images >= SHARD.min(total);
    }
}

/// An empty data set.
fn empty() -> Dataset {
    let none = || Split::expecting(Size { channels: 1, height: 1, width: 1 }, 0);
    Dataset { name: String::new(), classes: Vec::new(), train: none(), validation: None, test: none() }
}

fn without_images(data: &Dataset) -> Dataset {
    Dataset {
        name: data.name.clone(),
        classes: data.classes.clone(),
        train: data.train.hollow(),
        validation: data.validation.as_ref().map(Split::hollow),
        test: data.test.hollow(),
    }
}

async fn load(dataset: &PageDataset, loader: Loader) {
    if let Err(error) = dataset.load(&loader).await {
        loader.send(Arrived::Failed(error));
    }
}
