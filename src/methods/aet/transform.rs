//! Random transformations of AET, and their parameters as targets.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;
use crate::view::{Homography, inverses};

/// Family of maps, for square images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Family {
    /// Rotation, shift, scale and shear; the targets are cosine and sine of the angle, and the others scaled to -1 to 1.
    Affine,
    /// Shifted corners after a quarter turn and a scale; the targets are the eight coefficients of the map.
    Projective(Scaling),
}

/// Mean and deviation by which the coefficients are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scaling {
    mean: [f64; 8],
    std: [f64; 8],
}

/// Largest shift of an affine map, in sides of the image.
const SHIFT: f64 = 0.2;
const SCALES: [f64; 2] = [0.7, 1.3];
/// Largest shear, in degrees.
const SHEAR: f64 = 30.0;
/// Scales of a projective map.
const ZOOMS: [f64; 2] = [0.8, 1.2];

impl Scaling {
    /// As for CIFAR-10, where a side has 32 px: mean 16 and deviation 20 of the shifts, 0.015 of the two last; others in
    /// proportion to the side.
    pub(crate) fn small(side: usize) -> Self {
        let side = side as f64;
        let shift = 20.0 / 32.0 * side;
        let tilt = 0.015 * 32.0 / side;
        let mean = [0.0, 0.0, side / 2.0, 0.0, 0.0, side / 2.0, 0.0, 0.0];
        Self { mean, std: [1.0, 1.0, shift, 1.0, 1.0, shift, tilt, tilt] }
    }

    /// As for ImageNet at 224 px, from the authors' measurements; other sides in proportion.
    pub(crate) fn large(side: usize) -> Self {
        let side = side as f64 / 224.0;
        let tilt = 6.4e-5 / side;
        let tilts = 7.75e-4 / side;
        let mean = [0.0, 0.0, 112.0 * side, 0.0, 0.0, 112.0 * side, tilt, tilt];
        Self { mean, std: [0.75, 0.75, 118.0 * side, 0.75, 0.75, 118.0 * side, tilts, tilts] }
    }
}

/// A map from the new image to the old, and its target.
pub(crate) struct Drawn {
    pub map: Homography,
    pub target: Vec<f64>,
}

impl Family {
    /// Number of targets.
    pub(crate) fn width(&self) -> usize {
        match self {
            Family::Affine => 6,
            Family::Projective(_) => 8,
        }
    }

    pub(crate) fn draw(&self, side: usize, rng: &mut Rng) -> Drawn {
        match self {
            Family::Affine => affine(side, rng),
            Family::Projective(scaling) => loop {
                // corners on one line give no map
                if let Some(map) = projective(side, rng) {
                    break Drawn { map, target: scaling.apply(map) };
                }
            },
        }
    }

    /// Maps of predicted parameters, from the new image to the old: `[n, width]` -> `[n, 3, 3]`.
    pub(crate) fn maps(&self, answers: Tensor<2>, side: usize) -> Tensor<3> {
        match self {
            Family::Affine => affine_maps(answers, side),
            Family::Projective(scaling) => scaling.maps(answers),
        }
    }
}

impl Scaling {
    fn apply(&self, map: Homography) -> Vec<f64> {
        let numbers = map.coefficients().into_iter().zip(self.mean).zip(self.std);
        numbers.map(|((x, mean), std)| (x - mean) / std).collect()
    }

    fn maps(&self, answers: Tensor<2>) -> Tensor<3> {
        let [n, _] = answers.dims();
        let device = answers.device();
        let row = |numbers: [f64; 8]| {
            let numbers: Vec<f32> = numbers.map(|x| x as f32).to_vec();
            Tensor::<2>::from_data(TensorData::new(numbers, [1, 8]), &device)
        };
        let coefficients = answers * row(self.std) + row(self.mean);
        Tensor::cat(vec![coefficients, Tensor::ones([n, 1], &device)], 1).reshape([n, 3, 3])
    }
}

/// Centre in the authors' code: half a pixel beyond that of the image.
fn middle(side: usize) -> f64 {
    side as f64 / 2.0 + 0.5
}

/// The forward map is `T C R C^-1` with T the shift, C the move of the middle to the origin, R turn, shear and scale:
/// `s (cos a, -sin(a + b); sin a, cos(a + b))`.
fn affine(side: usize, rng: &mut Rng) -> Drawn {
    let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let angle = between(-180.0, 180.0).to_radians();
    let most = SHIFT * side as f64;
    let shift = [between(-most, most).round(), between(-most, most).round()];
    let scale = between(SCALES[0], SCALES[1]);
    let shear = between(-SHEAR, SHEAR);
    let tilted = angle + shear.to_radians();
    let turn = Homography([
        angle.cos() * scale,
        -tilted.sin() * scale,
        0.0,
        angle.sin() * scale,
        tilted.cos() * scale,
        0.0,
        0.0,
        0.0,
        1.0,
    ]);
    let moved = |[x, y]: [f64; 2]| Homography([1.0, 0.0, x, 0.0, 1.0, y, 0.0, 0.0, 1.0]);
    let centre = middle(side);
    let forward = moved([shift[0] + centre, shift[1] + centre]).after(turn).after(moved([-centre, -centre]));
    let even = |x: f64, [low, high]: [f64; 2]| (2.0 * x - low - high) / (high - low);
    let target = vec![angle.cos(), angle.sin(), shift[0] / most, shift[1] / most, even(scale, SCALES), shear / SHEAR];
    Drawn { map: forward.inverse(), target }
}

fn affine_maps(answers: Tensor<2>, side: usize) -> Tensor<3> {
    let number = |index: usize| answers.clone().narrow(1, index, 1); // [n, 1]
    let cosine = number(0);
    let sine = number(1);
    let centre = middle(side);
    let most = SHIFT * side as f64;
    let scale = number(4) * ((SCALES[1] - SCALES[0]) / 2.0) + (SCALES[0] + SCALES[1]) / 2.0;
    let shear = number(5) * SHEAR.to_radians();
    let tilted_sine = sine.clone() * shear.clone().cos() + cosine.clone() * shear.clone().sin();
    let tilted_cosine = cosine.clone() * shear.clone().cos() - sine.clone() * shear.sin();
    let a = cosine * scale.clone();
    let b = tilted_sine.neg() * scale.clone();
    let d = sine * scale.clone();
    let e = tilted_cosine * scale;
    let c = number(2) * most + centre - (a.clone() + b.clone()) * centre;
    let f = number(3) * most + centre - (d.clone() + e.clone()) * centre;
    let zero = a.zeros_like();
    let [n, _] = zero.dims();
    let forward = Tensor::cat(vec![a, b, c, d, e, f, zero.clone(), zero.clone(), zero + 1.0], 1).reshape([n, 3, 3]);
    inverses(forward)
}

fn projective(side: usize, rng: &mut Rng) -> Option<Homography> {
    let most = (side / 8) as i32;
    let shifts = [(); 4].map(|()| [(); 2].map(|()| f64::from(rng.random_range(-most..=most))));
    let zoom = ZOOMS[0] + (ZOOMS[1] - ZOOMS[0]) * rng.random::<f64>();
    of_corners(side, rng.random_range(0..4), zoom, shifts)
}

/// Map from the four points `p_i = m + zoom (c_(i + quarters) - m) + shift_i` to the corners c_i of the image.
fn of_corners(side: usize, quarters: usize, zoom: f64, shifts: [[f64; 2]; 4]) -> Option<Homography> {
    let w = side as f64;
    let m = middle(side);
    let corners = [[0.0, 0.0], [w, 0.0], [w, w], [0.0, w]];
    let point = |i: usize| {
        let corner = corners[(i + quarters) % 4];
        [0, 1].map(|axis| m + zoom * (corner[axis] - m) + shifts[i][axis])
    };
    Homography::between([0, 1, 2, 3].map(point), corners)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    const STILL: [[f64; 2]; 4] = [[0.0; 2]; 4];

    fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (one, other) in found.iter().zip(expected) {
            assert!((one - other).abs() < tolerance, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn coefficients_agree_with_worked_examples() {
        let cases = [
            (0, 1.0, STILL, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
            (1, 1.0, STILL, [0.0, 1.0, 0.0, -1.0, 0.0, 32.0, 0.0, 0.0]),
            (2, 1.0, STILL, [-1.0, 0.0, 32.0, 0.0, -1.0, 32.0, 0.0, 0.0]),
            (3, 1.0, STILL, [0.0, -1.0, 32.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
            (0, 0.8, STILL, [1.25, 0.0, -4.125, 0.0, 1.25, -4.125, 0.0, 0.0]),
            (
                1,
                1.1,
                [[4.0, -4.0], [2.0, 0.0], [-3.0, 1.0], [0.0, 2.0]],
                [0.148944, 0.973102, -0.094828, -0.817786, -0.041724, 30.47212, 0.003930, 0.001283],
            ),
        ];
        for (quarters, zoom, shifts, expected) in cases {
            let map = of_corners(32, quarters, zoom, shifts).expect("a map");
            assert_near(&map.coefficients(), &expected, 1e-5);
        }
        let still = Scaling::small(32).apply(of_corners(32, 0, 1.0, STILL).expect("a map"));
        assert_near(&still, &[1.0, 0.0, -0.8, 0.0, 1.0, -0.8, 0.0, 0.0], 1e-12);
    }

    #[test]
    fn a_map_takes_its_quadrangle_to_the_corners() {
        let shifts = [[3.0, -2.0], [1.0, 4.0], [-4.0, -4.0], [2.0, 0.0]];
        let map = of_corners(32, 3, 1.15, shifts).expect("a map");
        for (i, corner) in [[0.0, 0.0], [32.0, 0.0], [32.0, 32.0], [0.0, 32.0]].into_iter().enumerate() {
            let turned = [[0.0, 32.0], [0.0, 0.0], [32.0, 0.0], [32.0, 32.0]][i];
            let point = [0, 1].map(|axis| 16.5 + 1.15 * (turned[axis] - 16.5) + shifts[i][axis]);
            assert_near(&map.apply(point), &corner, 1e-6);
            assert_near(&map.inverse().apply(corner), &point, 1e-6);
        }
    }

    /// Mean squared error of predicting 0.
    fn zero_scores(family: Family, side: usize) -> f64 {
        let mut rng = stream(1, Purpose::Views, 0);
        let count = 40_000;
        let squares = (0..count).flat_map(|_| family.draw(side, &mut rng).target).map(|x| x * x).sum::<f64>();
        squares / (count * family.width()) as f64
    }

    #[test]
    fn predicting_zero_has_a_known_error() {
        let found = [
            zero_scores(Family::Affine, 32),
            zero_scores(Family::Projective(Scaling::small(32)), 32),
            zero_scores(Family::Projective(Scaling::large(224)), 224),
        ];
        println!("always 0 scores {found:?}");
        assert_near(&found, &[0.3889, 0.515, 1.0], 0.02);
    }

    #[test]
    fn affine_targets_lie_within_the_range_of_tanh() {
        let mut rng = stream(2, Purpose::Views, 0);
        for _ in 0..2000 {
            let target = Family::Affine.draw(32, &mut rng).target;
            assert!(target.iter().all(|x| x.abs() <= 1.0), "{target:?}");
            assert!((target[0].hypot(target[1]) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn targets_give_their_maps_back() {
        for family in [Family::Affine, Family::Projective(Scaling::small(28)), Family::Projective(Scaling::large(28))] {
            let mut rng = stream(3, Purpose::Views, 0);
            let drawn: Vec<Drawn> = (0..20).map(|_| family.draw(28, &mut rng)).collect();
            let answers: Vec<f32> = drawn.iter().flat_map(|one| one.target.iter().map(|&x| x as f32)).collect();
            let answers = Tensor::<2>::from_data(TensorData::new(answers, [20, family.width()]), &Device::flex());
            let maps: Vec<f32> = family.maps(answers, 28).into_data().try_to_vec().expect("floats");
            for (found, one) in maps.chunks(9).zip(&drawn) {
                let found = Homography(std::array::from_fn(|place| f64::from(found[place])));
                for point in [[3.0, 5.0], [20.0, 11.0]] {
                    assert_near(&found.apply(point), &one.map.apply(point), 1e-3);
                }
            }
        }
    }
}
