//! What a network gets to see: pure functions on batches of images, on the plain device, with all chance drawn on the host.

mod crop;
mod rotate;

pub use crop::{crop_shifted, flip_some};
pub use rotate::{all_rotations, rotate};
