//! Augmentation of Exemplar-CNN: the parameters of a variant are drawn together, then applied.

use burn::tensor::Tensor;
use rand::RngExt;

use crate::rng::Rng;
use crate::view::{Fill, Homography, HsvChange, PowerCurve, change_hsv, scale_principal_colours, warp};

/// Parameters of a variant of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variant {
    /// Shift to the right and down, in sides of the patch.
    shift: [f64; 2],
    /// Magnification.
    scale: f64,
    /// Rotation in degrees, counter-clockwise.
    angle: f64,
    /// Factors along the principal components of the patch's colours.
    contrast: [f32; 3],
    tones: HsvChange,
}

impl Variant {
    /// The identity.
    pub(crate) const NONE: Self =
        Self { shift: [0.0; 2], scale: 1.0, angle: 0.0, contrast: [1.0; 3], tones: HsvChange::NONE };

    /// Draws a variant: shift up to 0.2 of the side, scale 0.7 to 1.4, rotation up to 20 degrees, contrast 0.5 to 2, saturation and
    /// value to the power 1/4 to 4, times 0.7 to 1.4, plus -0.1 to 0.1, hue plus -0.1 to 0.1. All are uniform, the powers in their
    /// logarithm, so that as many images darken as brighten. Dosovitskiy et al. 2014, section 2.1.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        let shift = [between(-0.2, 0.2), between(-0.2, 0.2)];
        let scale = between(0.7, 1.4);
        let angle = between(-20.0, 20.0);
        let contrast = [(); 3].map(|()| between(0.5, 2.0) as f32);
        let mut tone = || PowerCurve {
            power: 4f64.powf(between(-1.0, 1.0)) as f32,
            factor: between(0.7, 1.4) as f32,
            offset: between(-0.1, 0.1) as f32,
        };
        let saturation = tone();
        let value = tone();
        let hue = between(-0.1, 0.1) as f32;
        Self { shift, scale, angle, contrast, tones: HsvChange { saturation, value, hue } }
    }

    /// Map from points of the new patch of `side` pixels to points of the old one, both relative to the first corner: shift,
    /// magnification and rotation about the centre.
    fn map(&self, side: f64) -> Homography {
        let (sine, cosine) = self.angle.to_radians().sin_cos();
        let middle = side / 2.0;
        // counter-clockwise, because y points down
        let a = cosine * self.scale;
        let b = sine * self.scale;
        let [right, down] = self.shift.map(|share| share * side + middle);
        let forward =
            Homography([a, b, right - a * middle - b * middle, -b, a, down + b * middle - a * middle, 0.0, 0.0, 1.0]);
        forward.inverse()
    }
}

/// Cuts a patch of `side` pixels at `corners` `[n, 2]` (row, column) out of each image and applies its variant. Pixels from outside
/// the patch come from the surrounding image; outside the image its border is repeated.
///
/// `[n, c, h, w]` in 0 to 1 -> `[n, c, side, side]`.
pub(crate) fn apply(images: Tensor<4>, corners: Option<Tensor<2>>, side: usize, variants: &[Variant]) -> Tensor<4> {
    let moved = if corners.is_none() && variants.iter().all(|variant| variant.map(side as f64) == Homography::IDENTITY)
    {
        images
    } else {
        let maps: Vec<Homography> = variants.iter().map(|variant| variant.map(side as f64)).collect();
        let maps = placed(Homography::tensor(&maps, &images.device()), corners);
        warp(images, maps, [side; 2], Fill::Edge)
    };
    let contrast: Vec<[f32; 3]> = variants.iter().map(|variant| variant.contrast).collect();
    let tones: Vec<HsvChange> = variants.iter().map(|variant| variant.tones).collect();
    let stretched = scale_principal_colours(moved.clone(), &contrast);
    let stretched = if contrast.iter().all(|own| *own == [1.0; 3]) { stretched } else { stretched.clamp(0.0, 1.0) };
    change_hsv(stretched, &tones)
}

/// Converts maps into a patch to maps into its image: `[n, 3, 3]`, `[n, 2]` (row, column) -> `[n, 3, 3]`.
fn placed(maps: Tensor<3>, corners: Option<Tensor<2>>) -> Tensor<3> {
    let Some(corners) = corners else { return maps };
    let [n, _] = corners.dims();
    let column = |index: usize| corners.clone().narrow(1, index, 1).reshape([n, 1, 1]);
    let zero = column(0).zeros_like();
    let shift = Tensor::cat(vec![column(1), column(0), zero], 1); // [n, 3, 1]
    // the last row of these maps is (0, 0, s): s times the corner is added to the last column
    let s = maps.clone().slice([0..n, 2..3, 2..3]);
    maps + Tensor::cat(vec![shift.zeros_like().repeat(&[1, 1, 2]), shift * s], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn numbers(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn the_identity_returns_the_patch_exactly() {
        for channels in [1, 3] {
            let x = noise([3, channels, 9, 9]);
            assert_eq!(numbers(apply(x.clone(), None, 9, &[Variant::NONE; 3])), numbers(x));
        }
    }

    #[test]
    fn a_patch_is_cut_at_its_corner() {
        let x = noise([2, 3, 12, 15]);
        let corners = Tensor::<2>::from_floats([[1.0, 6.0], [4.0, 0.0]], &Device::flex());
        let found = numbers(apply(x.clone(), Some(corners), 8, &[Variant::NONE; 2]));
        let expected =
            Tensor::cat(vec![x.clone().slice([0..1, 0..3, 1..9, 6..14]), x.slice([1..2, 0..3, 4..12, 0..8])], 0);
        for (found, expected) in found.iter().zip(numbers(expected)) {
            assert!((found - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn variants_shift_scale_and_rotate() {
        let see = |variant: Variant, point: [f64; 2]| variant.map(20.0).inverse().apply(point);
        let close = |found: [f64; 2], expected: [f64; 2]| {
            assert!((found[0] - expected[0]).abs() + (found[1] - expected[1]).abs() < 1e-9, "{found:?} {expected:?}");
        };
        let none = Variant::NONE;
        close(see(Variant { shift: [0.1, -0.2], ..none }, [3.0, 8.0]), [5.0, 4.0]);
        close(see(Variant { scale: 1.4, ..none }, [15.0, 10.0]), [17.0, 10.0]);
        // a point to the right of the centre moves up, to smaller rows
        close(see(Variant { angle: 90.0, ..none }, [15.0, 10.0]), [10.0, 5.0]);
    }

    #[test]
    fn a_rotation_shows_the_surroundings_of_the_patch() {
        // a dark patch in bright surroundings
        let x = Tensor::<4>::ones([1, 1, 24, 24], &Device::flex());
        let x = x.slice_assign([0..1, 0..1, 8..16, 8..16], Tensor::zeros([1, 1, 8, 8], &Device::flex()));
        let corners = Tensor::<2>::from_floats([[8.0, 8.0]], &Device::flex());
        let turned = numbers(apply(x.clone(), Some(corners), 8, &[Variant { angle: 20.0, ..Variant::NONE }]));
        assert!(turned[0] > 0.9 && turned[4 * 8 + 4] == 0.0, "{turned:?}");
        let alone = x.slice([0..1, 0..1, 8..16, 8..16]);
        let turned = numbers(apply(alone, None, 8, &[Variant { angle: 20.0, ..Variant::NONE }]));
        assert_eq!(turned, [0.0; 64], "alone its own border is repeated");
    }

    #[test]
    fn variants_keep_their_ranges() {
        let mut rng = stream(1, Purpose::Views, 0);
        let drawn: Vec<Variant> = (0..2000).map(|_| Variant::draw(&mut rng)).collect();
        for v in &drawn {
            assert!(v.shift.iter().all(|s| s.abs() <= 0.2) && (0.7..=1.4).contains(&v.scale) && v.angle.abs() <= 20.0);
            assert!(v.contrast.iter().all(|f| (0.5..=2.0).contains(f)) && v.tones.hue.abs() <= 0.1);
            for tone in [v.tones.saturation, v.tones.value] {
                assert!(
                    (0.25..=4.0).contains(&tone.power)
                        && (0.7..=1.4).contains(&tone.factor)
                        && tone.offset.abs() <= 0.1
                );
            }
        }
        let darker = drawn.iter().filter(|v| v.tones.value.power > 1.0).count();
        assert!((900..=1100).contains(&darker), "{darker} of 2000");
    }
}
