//! Limits for files that are not trusted.

use std::sync::{Condvar, Mutex};

/// The fault of a file, to be read after its name.
pub(super) type Wrong = String;

/// The message of a decoder without line breaks.
pub(super) fn in_a_line(said: &dyn std::fmt::Display) -> String {
    said.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes a file may have.
pub(super) const MAX_BYTES: u64 = 1 << 28;
/// Pixels an image may have, 67 million.
pub(super) const MAX_PIXELS: u64 = 1 << 26;
/// Bytes a decoder may take for one image.
pub(super) const MAX_MEMORY: u64 = 1 << 30;
/// Memory that all images in decoding may take together, 2 GiB; further ones wait for their turn.
const MEMORY: u64 = 1 << 31;
/// Memory a pixel takes while it is decoded: 16 bits of four channels, unpacked, decoded and brought to three.
const PIXEL_BYTES: u64 = 24;

/// Refuses images that would take too much memory.
pub(super) fn check_pixels(width: u32, height: u32) -> Result<(), Wrong> {
    if u64::from(width) * u64::from(height) <= MAX_PIXELS && width > 0 && height > 0 {
        return Ok(());
    }
    Err(format!("it announces {width}x{height} pixels, and no more than {MAX_PIXELS} are read"))
}

/// Memory taken by the images in decoding.
static TAKEN: Mutex<u64> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Permit to decode an image; its memory is free again when this is dropped.
pub(super) struct Permit(u64);

impl Permit {
    /// Checks the size of an image and waits until there is memory for it.
    pub(super) fn take(width: u32, height: u32) -> Result<Self, Wrong> {
        check_pixels(width, height)?;
        let bytes = u64::from(width) * u64::from(height) * PIXEL_BYTES;
        let mut taken = TAKEN.lock().unwrap_or_else(|broken| broken.into_inner());
        while *taken + bytes > MEMORY {
            taken = GIVEN_BACK.wait(taken).unwrap_or_else(|broken| broken.into_inner());
        }
        *taken += bytes;
        Ok(Self(bytes))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(|broken| broken.into_inner()) -= self.0;
        GIVEN_BACK.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_wait_for_one_another() {
        let one = Permit::take(1 << 13, 1 << 13).expect("within the limit");
        let other = std::thread::spawn(|| Permit::take(1 << 13, 1 << 13).map(drop));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!other.is_finished(), "both together take more than there is");
        drop(one);
        assert_eq!(other.join().expect("no panic"), Ok(()));
        assert!(Permit::take(1 << 14, 1 << 13).is_err() && Permit::take(0, 9).is_err());
    }
}
