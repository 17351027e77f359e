//! Random resized crop: the window of each image.

use rand::RngExt;

use super::resample::Window;
use crate::rng::Rng;

/// Number of draws before the central window is used.
const TRIES: usize = 10;

/// Windows of a random resized crop for `n` images of `height` x `width` pixels, as torchvision's `RandomResizedCrop` draws them: a
/// share of the area from U(area), an aspect ratio (width over height) from exp U(ln aspect), a uniform position. After ten
/// windows that do not fit, the central window of the nearest allowed aspect ratio.
pub fn random_windows(
    n: usize,
    [height, width]: [usize; 2],
    area: [f64; 2],
    aspect: [f64; 2],
    rng: &mut Rng,
) -> Vec<Window> {
    (0..n).map(|_| random_window([height, width], area, aspect, rng)).collect()
}

fn random_window([height, width]: [usize; 2], area: [f64; 2], aspect: [f64; 2], rng: &mut Rng) -> Window {
    for _ in 0..TRIES {
        let pixels = between(area, rng) * (height * width) as f64;
        let ratio = between(aspect.map(f64::ln), rng).exp();
        let w = (pixels * ratio).sqrt().round() as usize;
        let h = (pixels / ratio).sqrt().round() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = rng.random_range(0..=height - h);
            let left = rng.random_range(0..=width - w);
            return Window { top, left, height: h, width: w, mirrored: false };
        }
    }
    central([height, width], aspect)
}

fn central([height, width]: [usize; 2], aspect: [f64; 2]) -> Window {
    let own = width as f64 / height as f64;
    let [h, w] = if own < aspect[0] {
        [(width as f64 / aspect[0]).round() as usize, width]
    } else if own > aspect[1] {
        [height, (height as f64 * aspect[1]).round() as usize]
    } else {
        [height, width]
    };
    let h = h.clamp(1, height);
    let w = w.clamp(1, width);
    Window { top: (height - h) / 2, left: (width - w) / 2, height: h, width: w, mirrored: false }
}

/// Draw from the uniform distribution on `[low, high)`.
pub(super) fn between([low, high]: [f64; 2], rng: &mut Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    const ASPECT: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

    proptest! {
        #[test]
        fn windows_fit_and_respect_area_and_aspect(seed: u64, [height, width] in [8usize..80, 8usize..80], low in 0.05f64..1.0) {
            for w in random_windows(8, [height, width], [low, 1.0], ASPECT, &mut stream(seed, Purpose::Views, 0)) {
                prop_assert!(w.top + w.height <= height && w.left + w.width <= width);
                // rounding changes a side by at most half a pixel
                let h = w.height as f64 + 0.5;
                let v = w.width as f64 + 0.5;
                let whole = (height * width) as f64;
                let is_central = w == central([height, width], ASPECT);
                prop_assert!(is_central || h * v >= low * whole, "{w:?} is under {low} of {whole}");
                prop_assert!(is_central || v / (h - 1.0) >= ASPECT[0] && (v - 1.0) / h <= ASPECT[1]);
            }
        }
    }

    #[test]
    fn each_image_draws_its_own_window_by_the_seed() {
        let draw = |seed| random_windows(50, [28, 28], [0.3, 1.0], ASPECT, &mut stream(seed, Purpose::Views, 0));
        let windows = draw(1);
        let mut distinct = windows.clone();
        distinct.sort_by_key(|w| (w.top, w.left, w.height, w.width));
        distinct.dedup();
        assert!(distinct.len() > 40, "only {} different windows of 50", distinct.len());
        assert_eq!(windows, draw(1));
        assert_ne!(windows, draw(2));
    }

    #[test]
    fn areas_are_uniform_over_their_range() {
        let windows = random_windows(4000, [200, 200], [0.2, 0.6], [1.0, 1.0], &mut stream(3, Purpose::Views, 0));
        let mean = windows.iter().map(|w| (w.height * w.width) as f64 / 40_000.0).sum::<f64>() / 4000.0;
        assert!((mean - 0.4).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_window_that_never_fits_is_central() {
        let wide = random_windows(1, [10, 100], [1.0, 1.0], ASPECT, &mut stream(1, Purpose::Views, 0))[0];
        assert_eq!(wide, Window { top: 0, left: 43, height: 10, width: 13, mirrored: false });
        let tall = random_windows(1, [100, 12], [1.0, 1.0], ASPECT, &mut stream(1, Purpose::Views, 0))[0];
        assert_eq!(tall, Window { top: 42, left: 0, height: 16, width: 12, mirrored: false });
    }
}
