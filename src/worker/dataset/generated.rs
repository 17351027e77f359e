//! Video clips of moving shapes, generated in the worker.

use super::loader::{Arrived, Loader, SplitKind};
use crate::data::shapes::{self, SIDE, TEST_CLIPS, TRAIN_CLIPS};
use crate::error::Result;
use crate::platform;

/// Clips per delivery.
const CHUNK: usize = 20;

/// Generates all clips, the test clips last.
pub(super) async fn load(loader: &Loader) -> Result<()> {
    loader.send(Arrived::Opened(shapes::hollow(SIDE)?));
    for start in (0..TRAIN_CLIPS + TEST_CLIPS).step_by(CHUNK) {
        if !loader.is_current() {
            break;
        }
        let split = if start < TRAIN_CLIPS { SplitKind::Train } else { SplitKind::Test };
        let mut pixels = Vec::new();
        let mut labels = Vec::new();
        for number in start..start + CHUNK {
            let clip = shapes::clip(number, SIDE);
            pixels.extend_from_slice(clip.pixels());
            labels.extend(clip.labels());
            platform::yield_now().await;
        }
        loader.send_images(split, pixels, labels);
    }
    Ok(())
}

const _: () = assert!(TRAIN_CLIPS.is_multiple_of(CHUNK) && TEST_CLIPS.is_multiple_of(CHUNK));
