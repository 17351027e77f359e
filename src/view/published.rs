//! Augmentation recipes of the papers, and small ones for images of about 30 pixels.
//!
//! Pixels stay in 0 to 1; normalisation belongs to the encoder. Two deviations from the code of SimCLR and BYOL apply to all
//! recipes: saturation blends with gray, as in torchvision, where theirs scales S of HSV; and explicit blurs use reflection padding,
//! where theirs is black.

use super::blur::Kernel;
use super::jitter::{BrightnessMode, ContrastCentre, Jitter};
use super::op::Op;
use super::recipe::ViewKind;
use super::resample::Filter;

/// Name, source and views of a recipe.
pub(super) type Row = (&'static str, &'static str, fn() -> Vec<ViewKind>);

pub(super) const RECIPES: &[Row] = &[
    ("small-gray", "our own, for gray images of about 30 px", small_gray),
    ("small-colour", "our own, for colour images of about 30 px", small_colour),
    ("small-gray-single", "our own, for gray images of about 30 px: one view", || one(small_gray())),
    ("small-colour-single", "our own, for colour images of about 30 px: one view", || one(small_colour())),
    ("small-gray-tiles", "our own, for gray images of about 30 px: four tiles", || small_tiles(small_gray(), 28, 12)),
    ("small-colour-tiles", "our own, for colour images of about 30 px: four tiles", || {
        small_tiles(small_colour(), 32, 14)
    }),
    ("moco-v1", "He et al. 2020, after their code", moco_v1),
    ("moco-v2", "Chen, Fan et al. 2020, after their code", moco_v2),
    ("simsiam", "Chen and He 2021, after their code: MoCo v2's recipe", moco_v2),
    ("swav", "Caron et al. 2020, after their code: two large crops and six small ones", swav),
    ("simclr", "Chen, Kornblith et al. 2020, after their code at strength 1", simclr),
    ("simclr-cifar", "Chen, Kornblith et al. 2020, after their code for CIFAR-10: strength 1/2, no blur", simclr_cifar),
    (
        "swav-cifar",
        "da Costa et al. 2022 (solo-learn), after their code for CIFAR-10: two views, no small crops",
        swav_cifar,
    ),
    ("moco-cifar", "He et al. 2020, after their demonstration for CIFAR-10: MoCo v2's recipe without blur", moco_cifar),
    ("simsiam-cifar", "Chen and He 2021, appendix D: their recipe without blur", simsiam_cifar),
    (
        "byol-cifar",
        "da Costa et al. 2022 (solo-learn), after their code for CIFAR-10: the two views differ",
        asymmetric_cifar,
    ),
    ("barlow-twins-cifar", "da Costa et al. 2022 (solo-learn), after their code for CIFAR-10", asymmetric_cifar),
    ("byol", "Grill et al. 2020, after their code: the two views differ", byol),
    ("barlow-twins", "Zbontar et al. 2021, after their code: the two views differ", barlow_twins),
    (
        "vicreg-cifar",
        "da Costa et al. 2022 (solo-learn), after their code for CIFAR-10: both views alike",
        vicreg_cifar,
    ),
    ("vicreg", "Bardes et al. 2022, after their code: the recipe of Barlow Twins", barlow_twins),
    ("pirl-image", "Misra and van der Maaten 2020, after their code: the image branch", pirl_image),
    (
        "pirl-patch",
        "Misra and van der Maaten 2020, after their code: the patch branch, nine tiles an image",
        pirl_patch,
    ),
];

const ASPECT: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
const SIGMA: [f64; 2] = [0.1, 2.0];

fn crop(least: f64, most: f64, filter: Filter) -> Op {
    Op::Crop { area: [least, most], aspect: ASPECT, filter }
}

fn flip() -> Op {
    Op::Flip { p: 0.5 }
}

fn gray() -> Op {
    Op::Gray { p: 0.2 }
}

fn pillow_blur(p: f64) -> Op {
    Op::Blur { p, sigma: SIGMA, kernel: Kernel::Pillow }
}

/// Blur with a kernel of a tenth of the side.
fn tenth_blur(p: f64) -> Op {
    Op::Blur { p, sigma: SIGMA, kernel: Kernel::Explicit { inverse_share: 10 } }
}

fn jitter(strengths: [f64; 4], p: f64) -> Op {
    Op::Jitter(Jitter::torchvision(strengths, p))
}

fn two(size: usize, ops: Vec<Op>) -> Vec<ViewKind> {
    vec![ViewKind { count: 2, size, ops }]
}

/// Recipe for gray images, without saturation and hue, and with crops large enough to show most of a garment or a digit.
fn small_gray() -> Vec<ViewKind> {
    two(28, vec![crop(0.3, 1.0, Filter::Bilinear), flip(), jitter([0.4, 0.4, 0.0, 0.0], 0.8)])
}

/// Recipe for small colour images, without blur, as in the papers' CIFAR settings.
fn small_colour() -> Vec<ViewKind> {
    two(32, vec![crop(0.3, 1.0, Filter::Bilinear), flip(), jitter([0.4, 0.4, 0.4, 0.1], 0.8), gray()])
}

fn moco_v1() -> Vec<ViewKind> {
    two(224, vec![crop(0.2, 1.0, Filter::Bilinear), gray(), jitter([0.4; 4], 1.0), flip()])
}

fn moco_v2() -> Vec<ViewKind> {
    two(
        224,
        vec![crop(0.2, 1.0, Filter::Bilinear), jitter([0.4, 0.4, 0.4, 0.1], 0.8), gray(), pillow_blur(0.5), flip()],
    )
}

/// Only the first view of a recipe.
fn one(mut kinds: Vec<ViewKind>) -> Vec<ViewKind> {
    kinds.truncate(1);
    kinds.iter_mut().for_each(|kind| kind.count = 1);
    kinds
}

/// One view cut into 2x2 tiles in random order.
fn small_tiles(kinds: Vec<ViewKind>, size: usize, tile: usize) -> Vec<ViewKind> {
    let mut kinds = one(kinds);
    for kind in &mut kinds {
        kind.size = size;
        kind.ops.push(Op::Tiles { grid: 2, tile, shuffle: true });
    }
    kinds
}

fn moco_cifar() -> Vec<ViewKind> {
    two(32, vec![crop(0.08, 1.0, Filter::Bilinear), flip(), jitter([0.4, 0.4, 0.4, 0.1], 0.8), gray()])
}

fn simsiam_cifar() -> Vec<ViewKind> {
    two(32, vec![crop(0.2, 1.0, Filter::Bilinear), jitter([0.4, 0.4, 0.4, 0.1], 0.8), gray(), flip()])
}

/// Two different views without blur, the second one with solarisation.
fn asymmetric_cifar() -> Vec<ViewKind> {
    let view = |solarise: f64| {
        let mut ops = vec![crop(0.08, 1.0, Filter::Bicubic), flip(), jitter([0.4, 0.4, 0.2, 0.1], 0.8), gray()];
        if solarise > 0.0 {
            ops.push(Op::Solarise { p: solarise, threshold: 128.0 / 255.0 });
        }
        ViewKind { count: 1, size: 32, ops }
    };
    vec![view(0.0), view(0.2)]
}

fn swav() -> Vec<ViewKind> {
    let ops = |least: f64, most: f64| {
        vec![crop(least, most, Filter::Bilinear), flip(), jitter([0.8, 0.8, 0.8, 0.2], 0.8), gray(), pillow_blur(0.5)]
    };
    vec![ViewKind { count: 2, size: 224, ops: ops(0.14, 1.0) }, ViewKind { count: 6, size: 96, ops: ops(0.05, 0.14) }]
}

/// solo-learn's recipe for 32 pixels, which keeps the blur.
fn swav_cifar() -> Vec<ViewKind> {
    two(32, vec![crop(0.08, 1.0, Filter::Bicubic), jitter([0.8, 0.8, 0.8, 0.2], 0.8), gray(), pillow_blur(0.5), flip()])
}

/// SimCLR's jitter at strength s: contrast about each channel's mean, as in TensorFlow; brightness as a factor, as in its second
/// version.
fn simclr_jitter(s: f64) -> Op {
    Op::Jitter(Jitter {
        about: ContrastCentre::Colour,
        ..Jitter::torchvision([0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s], 0.8)
    })
}

fn simclr() -> Vec<ViewKind> {
    two(224, vec![crop(0.08, 1.0, Filter::Bicubic), flip(), simclr_jitter(1.0), gray(), tenth_blur(0.5)])
}

fn simclr_cifar() -> Vec<ViewKind> {
    two(32, vec![crop(0.08, 1.0, Filter::Bicubic), flip(), simclr_jitter(0.5), gray()])
}

/// One of two asymmetric views: crop, flip, jitter and gray, then `blur`, then solarisation with probability `solarise`.
fn unlike(jitter: Op, blur: Op, solarise: f64, threshold: f64) -> Vec<Op> {
    let mut ops = vec![crop(0.08, 1.0, Filter::Bicubic), flip(), jitter, gray(), blur];
    if solarise > 0.0 {
        ops.push(Op::Solarise { p: solarise, threshold });
    }
    ops
}

fn byol() -> Vec<ViewKind> {
    let view = |blur: f64, solarise: f64| {
        let plain = Jitter::torchvision([0.4, 0.4, 0.2, 0.1], 0.8);
        let jitter = Jitter { light: BrightnessMode::Added, about: ContrastCentre::Colour, ..plain };
        ViewKind { count: 1, size: 224, ops: unlike(Op::Jitter(jitter), tenth_blur(blur), solarise, 0.5) }
    };
    vec![view(1.0, 0.0), view(0.1, 0.2)]
}

fn barlow_twins() -> Vec<ViewKind> {
    let view = |blur: f64, solarise: f64| {
        let ops = unlike(jitter([0.4, 0.4, 0.2, 0.1], 0.8), pillow_blur(blur), solarise, 128.0 / 255.0);
        ViewKind { count: 1, size: 224, ops }
    };
    vec![view(1.0, 0.0), view(0.1, 0.2)]
}

/// Solarised in both views, and never blurred.
fn vicreg_cifar() -> Vec<ViewKind> {
    let jitter = jitter([0.4, 0.4, 0.2, 0.1], 0.8);
    let solarise = Op::Solarise { p: 0.1, threshold: 128.0 / 255.0 };
    two(32, vec![crop(0.2, 1.0, Filter::Bicubic), jitter, gray(), solarise, flip()])
}

/// PIRL's ops after the crop (image branch) or the tiles (patch branch).
fn pirl_colours() -> [Op; 4] {
    let group = Op::Photometric { p: 0.66, bits: [4, 8], sharpness: [0.1, 1.9], threshold: [0, 256] };
    [jitter([0.4, 0.4, 0.4, 0.2], 1.0), group, gray(), flip()]
}

fn pirl_image() -> Vec<ViewKind> {
    let ops = [crop(0.08, 1.0, Filter::Bilinear)].into_iter().chain(pirl_colours());
    vec![ViewKind { count: 1, size: 224, ops: ops.collect() }]
}

fn pirl_patch() -> Vec<ViewKind> {
    let cut = Op::Tiles { grid: 3, tile: 64, shuffle: true };
    let ops = [crop(0.6, 1.0, Filter::Bilinear), cut].into_iter().chain(pirl_colours());
    vec![ViewKind { count: 1, size: 255, ops: ops.collect() }]
}
