//! Delivery of a data set from its source to the engine.

use std::cell::Cell;
use std::rc::Rc;

use crate::data::Dataset;
use crate::error::Error;
use crate::worker::inbox::{Inbox, Input};

/// Split of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum SplitKind {
    Train,
    Test,
}

/// Contents of a delivery.
pub(in crate::worker) enum Arrived {
    /// The data set without images: sizes and counts, and the labels if they come first.
    Opened(Dataset),
    /// Images, with their labels unless those came first.
    Images { split: SplitKind, pixels: Vec<u8>, labels: Vec<u16> },
    /// Loading failed.
    Failed(Error),
}

/// A message of a loader to the engine.
pub(in crate::worker) struct Delivery {
    load: usize,
    pub(super) arrived: Arrived,
}

/// Loading of one data set. [`Loader::renew`] makes the one before obsolete.
#[derive(Clone)]
pub(super) struct Loader {
    inbox: Inbox,
    load: usize,
    latest: Rc<Cell<usize>>,
}

impl Loader {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self { inbox, load: 0, latest: Rc::default() }
    }

    /// A loader for the next data set. This one becomes obsolete.
    pub(super) fn renew(&self) -> Self {
        let load = self.latest.get() + 1;
        self.latest.set(load);
        Self { load, ..self.clone() }
    }

    /// True unless another data set is loaded meanwhile.
    pub(super) fn is_current(&self) -> bool {
        self.load == self.latest.get()
    }

    pub(super) fn send(&self, arrived: Arrived) {
        self.inbox.push(Input::Data(Delivery { load: self.load, arrived }));
    }

    /// Sends images, with their labels unless those came first.
    pub(super) fn send_images(&self, split: SplitKind, pixels: Vec<u8>, labels: Vec<u16>) {
        self.send(Arrived::Images { split, pixels, labels });
    }

    /// True if the delivery is from this loader.
    pub(super) fn sent(&self, delivery: &Delivery) -> bool {
        delivery.load == self.load
    }
}
