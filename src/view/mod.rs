//! Views: augmentations and other image operations, as pure functions on batches, without gradients and with all random numbers
//! drawn on the host.
//!
//! Each image draws its own random numbers. Pixels are computed on the device of the images, a batch at a time, and nothing is
//! read back. Every op works on images of one channel too; there saturation, hue and gray draw their random numbers and change
//! nothing.

mod blur;
mod channels;
mod colour;
mod crop;
mod display;
mod energy;
#[cfg(test)]
mod fixture;
mod frames;
mod fused;
mod gamut;
mod homography;
mod hsv_change;
mod hue;
mod jitter;
pub mod lab;
pub mod mask;
pub mod motion;
mod op;
mod patch_normalisation;
mod patches;
mod permutation_set;
mod principal_colours;
mod published;
pub mod recipe;
mod resample;
mod resize;
mod rotate;
mod shift;
mod tiles;
mod tone;
mod warp;

pub use crate::kernel::alternate;

pub use blur::{Kernel, blur};
pub use channels::{drop_colours, project_colours};
pub use colour::{ColourChange, change_colours, gray};
pub use crop::random_windows;
pub use energy::positions_by_energy;
pub use frames::{Frames, draw_frames};
pub use gamut::ab_bins;
pub use homography::{Homography, inverses};
pub use hsv_change::{HsvChange, PowerCurve, change_hsv};
pub use hue::adjust_hue;
pub use jitter::{BrightnessMode, ContrastCentre, Jitter};
pub use op::Op;
pub use patch_normalisation::{PatchNormalisation, normalise_patches};
pub use patches::{Patch, coarsen, cut_patches};
pub use permutation_set::{Farthest, PermutationSet};
pub use principal_colours::scale_principal_colours;
pub use recipe::{Recipe, ViewKind};
pub use resample::{Filter, Window, resample};
pub use resize::{random_crop, resize, subsample};
pub use rotate::{all_rotations, rotate, rotate_each};
pub use shift::{flip, random_flip, random_shift};
pub use tiles::{arrange, permutations, tiles};
pub use tone::{NEVER, autocontrast, posterise, sharpness, solarise};
pub use warp::{Fill, warp};
