//! Arguments that several commands share, and the images and weights that they name.

pub(super) mod args;
pub(super) mod foreign_weights;
pub(super) mod load_images;
pub(super) mod probe_args;
