//! The way of a data set from where it comes from to the engine.

use std::cell::Cell;
use std::rc::Rc;

use crate::data::Dataset;
use crate::error::Error;
use crate::worker::inbox::{Inbox, Input};

/// Which part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Side {
    Train,
    Test,
}

/// What came.
pub(in crate::worker) enum Arrived {
    /// Sizes and numbers are known, labels may be; no image is there yet.
    Opened(Dataset),
    /// Some images, and their labels where those did not come before.
    Images { side: Side, pixels: Vec<u8>, labels: Vec<u16> },
    /// It ended before its time.
    Failed(Error),
}

/// Something that came, and what it was sent for.
pub(in crate::worker) struct Delivery {
    load: usize,
    pub(super) arrived: Arrived,
}

/// One load's line to the engine. Whoever begins another load cuts it.
#[derive(Clone)]
pub(super) struct Feed {
    inbox: Inbox,
    load: usize,
    latest: Rc<Cell<usize>>,
}

impl Feed {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self { inbox, load: 0, latest: Rc::default() }
    }

    /// The line of the next load; this one is of no more use.
    pub(super) fn renew(&self) -> Self {
        let load = self.latest.get() + 1;
        self.latest.set(load);
        Self { load, ..self.clone() }
    }

    /// Whether anybody still wants the images.
    pub(super) fn is_wanted(&self) -> bool {
        self.load == self.latest.get()
    }

    pub(super) fn give(&self, arrived: Arrived) {
        self.inbox.push(Input::Data(Delivery { load: self.load, arrived }));
    }

    /// Hands over images and labels that came together.
    pub(super) fn give_images(&self, side: Side, pixels: Vec<u8>, labels: Vec<u16>) {
        self.give(Arrived::Images { side, pixels, labels });
    }

    /// Whether a delivery came over this line.
    pub(super) fn sent(&self, delivery: &Delivery) -> bool {
        delivery.load == self.load
    }
}
