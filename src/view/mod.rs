//! What a network gets to see: pure functions on batches of images, on the plain device, with all chance drawn on the
//! host.
//!
//! Each image draws its own numbers; pixels are computed a batch at a time where the images are; nothing is read back.
//! Every op takes images of one channel too, for which saturation, hue and gray do nothing but draw their numbers.

mod blur;
mod channels;
mod colour;
mod contrast;
mod crop;
mod cut;
mod energy;
#[cfg(test)]
mod fixture;
mod gamut;
mod homography;
mod hue;
mod jitter;
pub mod lab;
mod level;
pub mod mask;
pub mod motion;
mod op;
mod outline;
mod patches;
mod principal;
mod published;
mod puzzle;
pub mod recipe;
mod resample;
mod rotate;
mod shift;
mod tiles;
mod tone;
mod warp;
mod words;

pub use blur::{Kernel, blur};
pub use channels::{drop_colours, project_colours};
pub use colour::{Change, change, gray};
pub use contrast::{Tone, Tones, retone};
pub use crop::random_windows;
pub use cut::{cut, resized, thinned};
pub use energy::places_by_energy;
pub use gamut::ab_bins;
pub use homography::{Homography, inverses};
pub use hue::turn_hue;
pub use jitter::{About, Jitter, Light};
pub use level::{Level, level};
pub use op::Op;
pub use outline::{Frames, outlined};
pub use patches::{Patch, coarsen, cut_patches};
pub use principal::stretch;
pub use puzzle::{Farthest, PermutationSet};
pub use recipe::{Recipe, ViewKind};
pub use resample::{Filter, Window, resample};
pub use rotate::{all_rotations, rotate, rotate_each};
pub use shift::{crop_shifted, flip, flip_some};
pub use tiles::{arrange, permutations, tiles};
pub use tone::{NEVER, autocontrast, posterise, sharpness, solarise};
pub use warp::{Fill, warp};
