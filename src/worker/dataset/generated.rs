//! Clips that are made in the worker.

use super::loader::{Arrived, Feed, Side};
use crate::data::shapes::{self, SIDE, TEST_CLIPS, TRAIN_CLIPS};
use crate::error::Result;
use crate::platform;

/// Clips handed over at a time.
const SOME: usize = 20;

/// Makes all clips, those for tests last.
pub(super) async fn load(feed: &Feed) -> Result<()> {
    feed.give(Arrived::Opened(shapes::hollow(SIDE)?));
    for start in (0..TRAIN_CLIPS + TEST_CLIPS).step_by(SOME) {
        if !feed.is_wanted() {
            break;
        }
        let side = if start < TRAIN_CLIPS { Side::Train } else { Side::Test };
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for number in start..start + SOME {
            let clip = shapes::clip(number, SIDE);
            pixels.extend_from_slice(clip.pixels());
            labels.extend(clip.labels());
            platform::yield_now().await;
        }
        feed.give_images(side, pixels, labels);
    }
    Ok(())
}

const _: () = assert!(TRAIN_CLIPS.is_multiple_of(SOME) && TEST_CLIPS.is_multiple_of(SOME));
