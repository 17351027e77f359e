//! One step of a recipe, as data: what is done, within which ranges, how probably.

use burn::tensor::Tensor;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::blur::{Kernel, blur};
use super::colour::gray;
use super::crop::{between, random_windows};
use super::jitter::Jitter;
use super::resample::{Filter, resample};
use super::shift::flip;
use super::tiles::{arrange, permutations, tiles};
use super::tone::{NEVER, autocontrast, posterise, sharpness, solarise};
use crate::rng::Rng;

/// One step. Every image draws its own numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// A window of random area and aspect, brought to the size of the view.
    Crop {
        /// Share of the area, lowest and highest.
        area: [f64; 2],
        /// Width over height, lowest and highest.
        aspect: [f64; 2],
        /// How pixels are mixed.
        filter: Filter,
    },
    /// Tiles of a grid: from here on each is an image of its own.
    Tiles {
        /// Cells to a side.
        grid: usize,
        /// Pixels to a side of a tile; the rest of its cell is room to move in.
        tile: usize,
        /// Whether the tiles of an image come in an order drawn for it.
        shuffle: bool,
    },
    /// Left and right exchanged.
    Flip {
        /// Probability.
        p: f64,
    },
    /// Brightness, contrast, saturation, hue.
    Jitter(Jitter),
    /// Gray.
    Gray {
        /// Probability.
        p: f64,
    },
    /// Gaussian blur.
    Blur {
        /// Probability.
        p: f64,
        /// Deviation in pixels, lowest and highest.
        sigma: [f64; 2],
        /// What stands for the Gaussian.
        kernel: Kernel,
    },
    /// Bright pixels inverted.
    Solarise {
        /// Probability.
        p: f64,
        /// The darkest pixel that is inverted.
        threshold: f64,
    },
    /// PIRL's group: posterise, sharpness, solarise, autocontrast, all of them or none.
    Photometric {
        /// Probability.
        p: f64,
        /// Bits that are kept, fewest and most.
        bits: [u32; 2],
        /// Factor of sharpness, lowest and highest.
        sharpness: [f64; 2],
        /// Threshold in steps of 1/255, lowest and highest.
        threshold: [u32; 2],
    },
}

/// Runs the steps in their order; a crop makes images of `size` pixels to a side.
///
/// A mirroring after a crop is done by the crop, which gets it for nothing: all that may stand between works pixel by
/// pixel or is symmetric, and comes to the same in either order.
pub(super) fn run(ops: &[Op], images: Tensor<4>, size: usize, rng: &mut Rng) -> Tensor<4> {
    let mirrors = mirrored_by_crop(ops);
    ops.iter().enumerate().fold(images, |images, (place, op)| match (op, mirrors) {
        (Op::Crop { area, aspect, filter }, Some((crop, flip))) if place == crop => {
            let Op::Flip { p } = ops[flip] else { unreachable!("the place of a mirroring") };
            crop_to(images, size, [*area, *aspect], *filter, p, rng)
        }
        (Op::Flip { .. }, Some((_, flip))) if place == flip => images,
        _ => op.apply(images, size, rng),
    })
}

/// The places of a crop and of the mirroring it can do.
fn mirrored_by_crop(ops: &[Op]) -> Option<(usize, usize)> {
    let crop = ops.iter().rposition(|op| matches!(op, Op::Crop { .. }))?;
    let between = ops[crop + 1..].iter().take_while(|op| !matches!(op, Op::Tiles { .. }));
    let flip = between.into_iter().position(|op| matches!(op, Op::Flip { .. }))?;
    Some((crop, crop + 1 + flip))
}

fn crop_to(
    images: Tensor<4>,
    size: usize,
    [area, aspect]: [[f64; 2]; 2],
    filter: Filter,
    mirror: f64,
    rng: &mut Rng,
) -> Tensor<4> {
    let [n, _, h, w] = images.dims();
    let mut windows = random_windows(n, [h, w], area, aspect, rng);
    for (window, mirrored) in windows.iter_mut().zip(chosen(n, mirror, rng)) {
        window.mirrored = mirrored;
    }
    resample(images, &windows, [size, size], filter)
}

/// Which of `n` images something is done to.
fn chosen(n: usize, p: f64, rng: &mut Rng) -> Vec<bool> {
    (0..n).map(|_| rng.random::<f64>() < p).collect()
}

impl Op {
    /// `[n, c, h, w]` -> `[m, c, h', w']`.
    fn apply(&self, images: Tensor<4>, size: usize, rng: &mut Rng) -> Tensor<4> {
        let [n, ..] = images.dims();
        match self {
            Op::Crop { area, aspect, filter } => crop_to(images, size, [*area, *aspect], *filter, 0.0, rng),
            Op::Tiles { grid, tile, shuffle } => {
                let cut = tiles(images, *grid, *tile, rng);
                if *shuffle { arrange(cut, &permutations(n, grid * grid, rng)) } else { cut }
            }
            Op::Flip { p } => flip(images, &chosen(n, *p, rng)),
            Op::Jitter(jitter) => jitter.apply(images, rng),
            Op::Gray { p } => gray(images, &chosen(n, *p, rng)),
            Op::Blur { p, sigma, kernel } => {
                let draw = |on: bool, rng: &mut Rng| {
                    let sigma = between(*sigma, rng) as f32;
                    if on { sigma } else { 0.0 }
                };
                let sigmas: Vec<f32> = chosen(n, *p, rng).into_iter().map(|on| draw(on, rng)).collect();
                blur(images, &sigmas, *kernel)
            }
            Op::Solarise { p, threshold } => {
                let thresholds = chosen(n, *p, rng).into_iter().map(|on| if on { *threshold as f32 } else { NEVER });
                solarise(images, &thresholds.collect::<Vec<_>>())
            }
            Op::Photometric { p, bits, sharpness, threshold } => {
                photometric(images, *p, *bits, *sharpness, *threshold, rng)
            }
        }
    }
}

fn photometric(
    images: Tensor<4>,
    p: f64,
    bits: [u32; 2],
    factor: [f64; 2],
    threshold: [u32; 2],
    rng: &mut Rng,
) -> Tensor<4> {
    let on = chosen(images.dims()[0], p, rng);
    let (mut levels, mut factors, mut thresholds) = (Vec::new(), Vec::new(), Vec::new());
    for &on in &on {
        let drawn = (
            rng.random_range(bits[0]..=bits[1]),
            between(factor, rng) as f32,
            rng.random_range(threshold[0]..=threshold[1]),
        );
        let (level, factor, threshold) = if on { (drawn.0, drawn.1, drawn.2 as f32 / 255.0) } else { (0, 1.0, NEVER) };
        levels.push(level);
        factors.push(factor);
        thresholds.push(threshold);
    }
    autocontrast(solarise(sharpness(posterise(images, &levels), &factors), &thresholds), &on)
}
