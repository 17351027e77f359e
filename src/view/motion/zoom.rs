//! Square crops around moving objects.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use super::super::crop::between;
use super::super::energy::drawn;
use super::super::resample::resample_squares;
use crate::rng::Rng;

/// Added to every weight, which makes all pixels equally likely if nothing moves.
const FLOOR: f64 = 1e-6;
/// Range of the share of a crop that moves; the trimap uses crops in this range.
const SHARES: [f64; 2] = [0.15, 0.7];
/// Range of the position of the chosen pixel in its crop, as a share of the side. If it were always in the middle, its position alone
/// would predict the mask.
const POSITIONS: [f64; 2] = [0.25, 0.75];

/// Random numbers of one crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    /// Chosen pixel among those that move, as a quantile in 0 to 1.
    pub pixel: f32,
    /// Share of the crop's area that moves, if all motion lies inside it.
    pub share: f64,
    /// Position of the chosen pixel from the top and from the left, as shares of the crop's side.
    pub position: [f64; 2],
}

impl Zoom {
    /// Draws numbers for `count` frames, shares and positions uniform over their ranges.
    pub fn draw(count: usize, rng: &mut Rng) -> Vec<Self> {
        let one = |rng: &mut Rng| {
            let [share, top, left] = [SHARES, POSITIONS, POSITIONS].map(|range| between(range, rng));
            Self { pixel: rng.random(), share, position: [top, left] }
        };
        (0..count).map(|_| one(rng)).collect()
    }
}

/// Crops a square around a moving pixel of each frame and resizes it. Moving objects may cover a hundredth of a frame; Pathak et al.
/// 2017, section 4, crop frames to them, with random position and scale.
///
/// `frames`: `[n, c, h, w]`; `moves`: `[n, 1, h, w]`, 1 where something moves and 0 elsewhere; `zooms`: n; `least`: the smallest side
/// of a crop, as a share of the frame's shorter side -> `[n, c, size[0], size[1]]`. Crops lie inside the frame. Nothing is read
/// back from the device.
pub fn zoom_to_motion(frames: Tensor<4>, moves: Tensor<4>, zooms: &[Zoom], least: f64, size: [usize; 2]) -> Tensor<4> {
    let [n, _, h, w] = frames.dims();
    let device = frames.device();
    let numbers = |of: &dyn Fn(&Zoom) -> f64| {
        let values: Vec<f32> = zooms.iter().map(|zoom| of(zoom) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [n, 1]), &device)
    };
    let area = moves.clone().sum_dim(2).sum_dim(3).reshape([n, 1]);
    let longest = h.min(w) as f64;
    let sides = (area / numbers(&|zoom| zoom.share)).sqrt().clamp(least * longest, longest);
    let draws: Vec<f32> = zooms.iter().map(|zoom| zoom.pixel).collect();
    let pixel = drawn(moves.reshape([n, h * w]) + FLOOR, &draws); // [n, 1]
    let row = ((pixel.clone() + 0.5) / w as f64).floor();
    let column = pixel - row.clone() * w as f64;
    let start = |at: Tensor<2>, axis: usize, length: usize| {
        let first = at + 0.5 - numbers(&|zoom| zoom.position[axis]) * sides.clone();
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

    /// Motion masks of frames in which one pixel moves.
    fn one([h, w]: [usize; 2], pixels: &[[usize; 2]]) -> Tensor<4> {
        let mut moves = vec![0f32; pixels.len() * h * w];
        pixels.iter().enumerate().for_each(|(frame, [row, column])| moves[(frame * h + row) * w + column] = 1.0);
        Tensor::from_data(TensorData::new(moves, [pixels.len(), 1, h, w]), &Device::flex())
    }

    #[test]
    fn crops_contain_the_motion_and_lie_inside_the_frame() {
        let x = noise([3, 2, 12, 20]);
        let moves = one([12, 20], &[[6, 9], [0, 1], [11, 19]]);
        // crops of six pixels a side, with the moving pixel at row and column 2
        let zoom = Zoom { pixel: 0.5, share: 1.0 / 36.0, position: [2.5 / 6.0; 2] };
        let found = zoom_to_motion(x.clone(), moves, &[zoom; 3], 0.1, [6, 6]);
        for (frame, [top, left]) in [[4, 7], [0, 0], [6, 14]].into_iter().enumerate() {
            let expected = x.clone().narrow(0, frame, 1).narrow(2, top, 6).narrow(3, left, 6);
            assert_close(&values(found.clone().narrow(0, frame, 1)), &values(expected), 1e-4);
        }
    }

    #[test]
    fn the_largest_crop_is_the_whole_frame() {
        let x = noise([2, 1, 9, 9]);
        // by a small share that moves, and by the least side
        for (share, least) in [(1.0 / 100.0, 0.1), (0.5, 1.0)] {
            let zoom = Zoom { pixel: 0.1, share, position: [0.5; 2] };
            let found = zoom_to_motion(x.clone(), one([9, 9], &[[8, 8], [0, 4]]), &[zoom; 2], least, [9, 9]);
            assert_close(&values(found), &values(x.clone()), 1e-4);
        }
    }

    #[test]
    fn every_moving_pixel_is_equally_likely() {
        // of two moving pixels, each is chosen by half of the draws
        let moves = one([8, 8], &[[2, 2]; 4]) + one([8, 8], &[[5, 6]; 4]);
        let x = (0..64).map(|value| value as f32).collect::<Vec<_>>();
        let x = Tensor::<4>::from_data(TensorData::new(x, [1, 1, 8, 8]), &Device::flex()).expand([4, 1, 8, 8]);
        let zooms = [0.1, 0.4, 0.6, 0.9].map(|pixel| Zoom { pixel, share: 2.0, position: [0.5; 2] });
        assert_close(&values(zoom_to_motion(x, moves, &zooms, 0.1, [1, 1])), &[18.0, 18.0, 46.0, 46.0], 1e-3);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_repeat_with_the_seed() {
        let draw = || Zoom::draw(200, &mut stream(3, Purpose::Views, 0));
        let zooms = draw();
        assert_eq!(zooms, draw());
        let inside = |value: f64, [low, high]: [f64; 2]| (low..=high).contains(&value);
        let kept = |zoom: &Zoom| inside(zoom.share, SHARES) && zoom.position.iter().all(|&at| inside(at, POSITIONS));
        assert!(zooms.iter().all(kept));
        let small = zooms.iter().filter(|zoom| zoom.share < 0.425).count();
        assert!((70..130).contains(&small), "half of them below the middle: {small} of 200");
    }
}
