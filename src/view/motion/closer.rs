//! Square windows around what moves.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use super::super::crop::between;
use super::super::energy::drawn;
use super::super::resample::resample_squares;
use crate::rng::Rng;

/// Makes all pixels as likely where nothing moves.
const FLOOR: f64 = 1e-6;
/// The share of a window that is to move, of which the trimap makes use.
const SHARES: [f64; 2] = [0.15, 0.7];
/// Where in a window the pixel lies that it was put around, as a share of its side: not always in the middle, or where things
/// are would say what they are.
const PLACES: [f64; 2] = [0.25, 0.75];

/// What is drawn for one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Which of the moving pixels it is put around, as a share of all of them.
    pub pixel: f32,
    /// The share of it that is to move: its area is as much larger than that of all that moves.
    pub share: f64,
    /// Where in it that pixel lies: from the top and from the left, as shares of its side.
    pub place: [f64; 2],
}

impl Look {
    /// A look of its own for each of `count` frames, shares and places even over their ranges.
    pub fn some(count: usize, rng: &mut Rng) -> Vec<Self> {
        let one = |rng: &mut Rng| {
            let [share, top, left] = [SHARES, PLACES, PLACES].map(|range| between(range, rng));
            Self { pixel: rng.random(), share, place: [top, left] }
        };
        (0..count).map(|_| one(rng)).collect()
    }
}

/// Cuts a window out of each frame around a pixel that moves, and brings it to one size. Pathak et al. 2017, section 4, cut
/// frames to what moves in them, moved and scaled at random: of a whole frame it may be a hundredth.
///
/// `frames`: `[n, c, h, w]`; `moves`: `[n, 1, h, w]`, 1 where something moves and 0 elsewhere; a look a frame; `least`: the
/// smallest side of a window, as a share of the frame's shorter one -> `[n, c, size[0], size[1]]`. Windows lie inside the
/// frame. Nothing is read back from the device.
pub fn closer(frames: Tensor<4>, moves: Tensor<4>, looks: &[Look], least: f64, size: [usize; 2]) -> Tensor<4> {
    let ([n, _, h, w], device) = (frames.dims(), frames.device());
    let numbers = |of: &dyn Fn(&Look) -> f64| {
        let values: Vec<f32> = looks.iter().map(|look| of(look) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [n, 1]), &device)
    };
    let area = moves.clone().sum_dim(2).sum_dim(3).reshape([n, 1]);
    let longest = h.min(w) as f64;
    let sides = (area / numbers(&|look| look.share)).sqrt().clamp(least * longest, longest);
    let draws: Vec<f32> = looks.iter().map(|look| look.pixel).collect();
    let pixel = drawn(moves.reshape([n, h * w]) + FLOOR, &draws); // [n, 1]
    let row = ((pixel.clone() + 0.5) / w as f64).floor();
    let column = pixel - row.clone() * w as f64;
    let start = |at: Tensor<2>, axis: usize, length: usize| {
        let first = at + 0.5 - numbers(&|look| look.place[axis]) * sides.clone();
        let beyond = (first.clone() + sides.clone() - length as f64).clamp_min(0.0);
        (first - beyond).clamp_min(0.0)
    };
    resample_squares(frames, [start(row, 0, h), start(column, 1, w)], sides.clone(), size)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{assert_close, values};
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    /// One pixel of each frame moves.
    fn one([h, w]: [usize; 2], pixels: &[[usize; 2]]) -> Tensor<4> {
        let mut moves = vec![0f32; pixels.len() * h * w];
        pixels.iter().enumerate().for_each(|(frame, [row, column])| moves[(frame * h + row) * w + column] = 1.0);
        Tensor::from_data(TensorData::new(moves, [pixels.len(), 1, h, w]), &Device::flex())
    }

    #[test]
    fn windows_lie_around_what_moves_and_inside_the_frame() {
        let x = noise([3, 2, 12, 20]);
        let moves = one([12, 20], &[[6, 9], [0, 1], [11, 19]]);
        // six pixels a side; the pixel is the third of them, from the top and from the left
        let look = Look { pixel: 0.5, share: 1.0 / 36.0, place: [2.5 / 6.0; 2] };
        let found = closer(x.clone(), moves, &[look; 3], 0.1, [6, 6]);
        for (frame, [top, left]) in [[4, 7], [0, 0], [6, 14]].into_iter().enumerate() {
            let expected = x.clone().narrow(0, frame, 1).narrow(2, top, 6).narrow(3, left, 6);
            assert_close(&values(found.clone().narrow(0, frame, 1)), &values(expected), 1e-4);
        }
    }

    #[test]
    fn a_look_at_everything_is_the_frame() {
        let x = noise([2, 1, 9, 9]);
        // whether it is asked for, or comes of nothing smaller being allowed
        for (share, least) in [(1.0 / 100.0, 0.1), (0.5, 1.0)] {
            let look = Look { pixel: 0.1, share, place: [0.5; 2] };
            let found = closer(x.clone(), one([9, 9], &[[8, 8], [0, 4]]), &[look; 2], least, [9, 9]);
            assert_close(&values(found), &values(x.clone()), 1e-4);
        }
    }

    #[test]
    fn what_moves_is_chosen_pixel_by_pixel() {
        // four frames of two pixels that move: each is chosen by its half of the draws
        let moves = one([8, 8], &[[2, 2]; 4]) + one([8, 8], &[[5, 6]; 4]);
        let x = (0..64).map(|value| value as f32).collect::<Vec<_>>();
        let x = Tensor::<4>::from_data(TensorData::new(x, [1, 1, 8, 8]), &Device::flex()).expand([4, 1, 8, 8]);
        let looks = [0.1, 0.4, 0.6, 0.9].map(|pixel| Look { pixel, share: 2.0, place: [0.5; 2] });
        assert_close(&values(closer(x, moves, &looks, 0.1, [1, 1])), &[18.0, 18.0, 46.0, 46.0], 1e-3);
    }

    #[test]
    fn looks_keep_their_ranges_and_repeat_with_the_seed() {
        let draw = || Look::some(200, &mut stream(3, Purpose::Views, 0));
        let looks = draw();
        assert_eq!(looks, draw());
        let inside = |value: f64, [low, high]: [f64; 2]| (low..=high).contains(&value);
        let kept = |look: &Look| inside(look.share, SHARES) && look.place.iter().all(|&at| inside(at, PLACES));
        assert!(looks.iter().all(kept));
        let small = looks.iter().filter(|look| look.share < 0.425).count();
        assert!((70..130).contains(&small), "half of them below the middle: {small} of 200");
    }
}
