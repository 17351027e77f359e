//! Augmentation ops with their parameters, as data, and their execution on batches.

use burn::tensor::Tensor;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::blur::{Kernel, blur};
use super::colour::{ColourChange, gray};
use super::crop::{between, random_windows};
use super::fused::{ColourStep, FusedView};
use super::jitter::Jitter;
use super::resample::{Filter, resample};
use super::shift::flip;
use super::tiles::{arrange, permutations, tiles};
use super::tone::{NEVER, autocontrast, posterise, sharpness, solarise};
use crate::kernel;
use crate::rng::Rng;

/// One augmentation of a recipe. Every image draws its own random numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// Random resized crop to the size of the view.
    Crop {
        /// Range of the share of the image's area.
        area: [f64; 2],
        /// Range of the aspect ratio, width over height.
        aspect: [f64; 2],
        /// Interpolation filter.
        filter: Filter,
    },
    /// Tiles of a grid; later ops treat each tile as an image of its own.
    Tiles {
        /// Cells a side.
        grid: usize,
        /// Pixels a side of a tile, at a random position in its cell.
        tile: usize,
        /// Shuffle the tiles of each image.
        shuffle: bool,
    },
    /// Horizontal flip.
    Flip {
        /// Probability.
        p: f64,
    },
    /// Colour jitter: brightness, contrast, saturation, hue.
    Jitter(Jitter),
    /// Conversion to gray.
    Gray {
        /// Probability.
        p: f64,
    },
    /// Gaussian blur.
    Blur {
        /// Probability.
        p: f64,
        /// Range of the standard deviation in pixels.
        sigma: [f64; 2],
        /// Approximation of the Gaussian.
        kernel: Kernel,
    },
    /// Solarisation: inversion of bright pixels.
    Solarise {
        /// Probability.
        p: f64,
        /// Least brightness that is inverted, 0 to 1.
        threshold: f64,
    },
    /// PIRL's photometric group: posterise, sharpness, solarise and autocontrast, all of them or none.
    Photometric {
        /// Probability.
        p: f64,
        /// Range of the number of bits kept by posterise.
        bits: [u32; 2],
        /// Range of the sharpness factor.
        sharpness: [f64; 2],
        /// Range of the solarise threshold, in steps of 1/255.
        threshold: [u32; 2],
    },
}

/// Applies the ops in order; a crop resizes to `size` pixels a side.
///
/// A flip after a crop is merged into the crop, which then costs nothing: the ops between them are pointwise or symmetric, so the
/// order does not matter. On a GPU a crop and the colour ops after it are one kernel.
pub(super) fn run(ops: &[Op], images: Tensor<4>, size: usize, rng: &mut Rng) -> Tensor<4> {
    let merged = mirrored_by_crop(ops);
    let mut pipeline = Pipeline::of(images);
    for (index, op) in ops.iter().enumerate() {
        match (op, merged) {
            (Op::Crop { area, aspect, filter }, _) => {
                let mirror = merged.filter(|(crop, _)| *crop == index).map_or(0.0, |(_, flip)| ops[flip].probability());
                pipeline.crop(size, [*area, *aspect], *filter, mirror, rng);
            }
            (Op::Flip { .. }, Some((_, flip))) if index == flip => {}
            _ => pipeline.apply(op, rng),
        }
    }
    pipeline.finish()
}

/// A batch between the ops of a recipe. On a GPU crops and colour steps are collected and run together, as late as possible.
struct Pipeline {
    images: Tensor<4>,
    collects: bool,
    collected: Option<FusedView>,
}

impl Pipeline {
    fn of(images: Tensor<4>) -> Self {
        let collects = kernel::is_gpu(&images.device());
        Self { images, collects, collected: None }
    }

    fn crop(&mut self, size: usize, [area, aspect]: [[f64; 2]; 2], filter: Filter, mirror: f64, rng: &mut Rng) {
        self.run_collected();
        let [n, _, h, w] = self.images.dims();
        let mut windows = random_windows(n, [h, w], area, aspect, rng);
        for (window, mirrored) in windows.iter_mut().zip(chosen(n, mirror, rng)) {
            window.mirrored = mirrored;
        }
        if self.collects {
            self.collected = Some(FusedView::crop(windows, filter, [size, size]));
        } else {
            self.images = resample(self.images.clone(), &windows, [size, size], filter);
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Rng) {
        let [n, ..] = self.images.dims();
        match if self.collects { op.colour_steps(n, rng) } else { None } {
            Some(steps) => {
                let collected = self.collected.get_or_insert_with(|| FusedView::whole(&self.images));
                steps.into_iter().for_each(|step| collected.push(step));
            }
            None => {
                self.run_collected();
                self.images = op.apply(self.images.clone(), rng);
            }
        }
    }

    fn run_collected(&mut self) {
        if let Some(collected) = self.collected.take() {
            self.images = collected.run(self.images.clone());
        }
    }

    fn finish(mut self) -> Tensor<4> {
        self.run_collected();
        self.images
    }
}

/// Indices of a crop and of the flip that is merged into it.
fn mirrored_by_crop(ops: &[Op]) -> Option<(usize, usize)> {
    let crop = ops.iter().rposition(|op| matches!(op, Op::Crop { .. }))?;
    let between = ops[crop + 1..].iter().take_while(|op| !matches!(op, Op::Tiles { .. }));
    let flip = between.into_iter().position(|op| matches!(op, Op::Flip { .. }))?;
    Some((crop, crop + 1 + flip))
}

/// Random choice of images, each with probability `p`.
fn chosen(n: usize, p: f64, rng: &mut Rng) -> Vec<bool> {
    (0..n).map(|_| rng.random::<f64>() < p).collect()
}

impl Op {
    /// Probability of a flip.
    fn probability(&self) -> f64 {
        if let Op::Flip { p } = self { *p } else { 0.0 }
    }

    /// The op as colour steps for a batch of `n` images, one entry an image in each; `None`, and nothing is drawn, if it is not
    /// pointwise.
    fn colour_steps(&self, n: usize, rng: &mut Rng) -> Option<Vec<Vec<ColourStep>>> {
        const GRAY: ColourChange = ColourChange { factor: 0.0, gray: 1.0, ..ColourChange::NONE };
        let each = |on: Vec<bool>, step: ColourStep| {
            vec![on.into_iter().map(|on| if on { step } else { ColourStep::NONE }).collect()]
        };
        match self {
            Op::Jitter(jitter) => {
                let drawn = jitter.colour_steps(n, rng);
                Some((0..Jitter::STEPS).map(|step| drawn.iter().map(|steps| steps[step]).collect()).collect())
            }
            Op::Gray { p } => Some(each(chosen(n, *p, rng), ColourStep { change: GRAY, ..ColourStep::NONE })),
            Op::Solarise { p, threshold } => {
                Some(each(chosen(n, *p, rng), ColourStep { threshold: *threshold as f32, ..ColourStep::NONE }))
            }
            _ => None,
        }
    }

    /// Applies the op: `[n, c, h, w]` -> `[m, c, h', w']`, m = n except for tiles.
    fn apply(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, ..] = images.dims();
        match self {
            Op::Crop { .. } => unreachable!("the pipeline crops"),
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
    let mut levels = Vec::new();
    let mut factors = Vec::new();
    let mut thresholds = Vec::new();
    for &on in &on {
        // drawn in any case, so that the random generator advances by the same amount
        let level = rng.random_range(bits[0]..=bits[1]);
        let factor = between(factor, rng) as f32;
        let threshold = rng.random_range(threshold[0]..=threshold[1]) as f32 / 255.0;
        levels.push(if on { level } else { 0 });
        factors.push(if on { factor } else { 1.0 });
        thresholds.push(if on { threshold } else { NEVER });
    }
    autocontrast(solarise(sharpness(posterise(images, &levels), &factors), &thresholds), &on)
}
