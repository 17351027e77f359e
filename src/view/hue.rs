//! Hue shift, the one colour change of the jitter that is not linear.

use burn::tensor::{Device, Tensor, TensorData};

/// Added to the range that the hue is divided by; the hue of a gray pixel has no effect.
const NO_RANGE: f64 = 1e-12;

/// Hue shift by a number of turns of the colour circle for each image, as torchvision's `adjust_hue`.
///
/// In HSV with `V = max`, `range = max - min`: every channel becomes `V - range clip(2 - 6 d, 0, 1)`, where d is the distance on the
/// circle, in turns, of the shifted hue from the channel's complement. Neither V nor the range changes. Images of one channel have
/// no hue and stay.
///
/// `images`: `[n, c, h, w]`, c = 1 or 3; `turns`: n numbers -> the same shape.
pub fn adjust_hue(images: Tensor<4>, turns: &[f32]) -> Tensor<4> {
    let [n, c, ..] = images.dims();
    assert_eq!(turns.len(), n, "adjust_hue: one shift per image");
    if c == 1 || turns.iter().all(|&turn| turn == 0.0) {
        return images;
    }
    let device = images.device();
    Hsv::of(images).colours(turns, &device)
}

/// Offsets, in -1 to 0, that move each channel's complement to plus or minus half a turn when added to a hue in 0 to 1:
/// `[3, n, 1, 1]`.
fn offsets(turns: &[f32], device: &Device) -> Tensor<4> {
    // red is darkest around cyan (1/2), green around magenta (5/6), blue around yellow (1/6)
    let complements = [1.0 / 2.0, 5.0 / 6.0, 1.0 / 6.0];
    let offset = |complement: f64, turn: f32| ((f64::from(turn) - complement + 0.5).rem_euclid(1.0) - 1.0) as f32;
    let offsets = complements.into_iter().flat_map(|hue| turns.iter().map(move |&turn| offset(hue, turn)));
    Tensor::from_data(TensorData::new(offsets.collect::<Vec<_>>(), [3, turns.len(), 1, 1]), device)
}

/// Images in HSV, with the range in place of the saturation; each plane is `[1, n, h, w]`.
pub(super) struct Hsv {
    /// Hue in turns, 0 to 1.
    pub hue: Tensor<4>,
    /// Range, the largest minus the smallest channel: saturation times value.
    pub range: Tensor<4>,
    /// Value, the largest channel.
    pub value: Tensor<4>,
}

impl Hsv {
    /// Converts RGB images `[n, 3, h, w]` to HSV.
    pub(super) fn of(images: Tensor<4>) -> Self {
        let [n, _, h, w] = images.dims();
        // channels first, so that each is contiguous
        let planes = images.swap_dims(0, 1).reshape([3, n, h, w]);
        let plane = |index: usize| planes.clone().slice([index..index + 1, 0..n, 0..h, 0..w]);
        hue_of(plane(0), plane(1), plane(2))
    }

    /// Converts to RGB with each image's hue shifted by its `turns`: `[n, 3, h, w]`.
    pub(super) fn colours(self, turns: &[f32], device: &Device) -> Tensor<4> {
        let [_, n, h, w] = self.hue.dims();
        // x = hue + offset lies between -1 and 1, where the distance from the nearest of -1/2 and 1/2 is ||x| - 1/2|
        let distance = ((self.hue + offsets(turns, device)).abs() - 0.5).abs(); // [3, n, h, w]
        let share = (distance * -6.0 + 2.0).clamp_min(0.0).clamp_max(1.0);
        let rgb = self.value - share * self.range;
        rgb.swap_dims(0, 1).reshape([n, 3, h, w])
    }
}

/// HSV without a branch for each order of the channels: green and blue are sorted, then red is sorted in. The hue is `|K + (middle -
/// lower) / (6 range)|` with K = -1 if blue exceeds green, -1/3 if the larger of them exceeds red, 2/3 if both, else 0.
fn hue_of(red: Tensor<4>, green: Tensor<4>, blue: Tensor<4>) -> Hsv {
    let swapped = green.clone().lower(blue.clone()).float();
    let upper = green.clone().max_pair(blue.clone());
    let lower = green.min_pair(blue);
    let beaten = red.clone().lower(upper.clone()).float();
    let value = red.clone().max_pair(upper.clone());
    let middle = red.min_pair(upper);
    let range = value.clone() - middle.clone().min_pair(lower.clone());
    let k = beaten.clone() * (swapped.clone() * 2.0 - 1.0 / 3.0) - swapped;
    let slope = (middle - lower) / (range.clone() * 6.0 + NO_RANGE);
    Hsv { hue: (k + slope).abs(), range, value }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    fn pixel(rgb: [f32; 3]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(rgb.to_vec(), [1, 3, 1, 1]), &Device::flex())
    }

    #[test]
    fn a_third_of_a_turn_permutes_the_channels() {
        let colours =
            [[0.9, 0.2, 0.4], [0.1, 0.8, 0.3], [0.3, 0.5, 0.7], [0.6, 0.6, 0.2], [0.2, 0.7, 0.7], [0.0, 0.0, 1.0]];
        for [r, g, b] in colours {
            assert_close(&values(adjust_hue(pixel([r, g, b]), &[1.0 / 3.0])), &[b, r, g], 1e-6);
            assert_close(&values(adjust_hue(pixel([r, g, b]), &[-1.0 / 3.0])), &[g, b, r], 1e-6);
            assert_close(&values(adjust_hue(pixel([r, g, b]), &[1.0])), &[r, g, b], 1e-6);
        }
    }

    #[test]
    fn an_opposite_shift_restores_the_image() {
        let x = Tensor::<4>::random([3, 3, 6, 7], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let turns = [0.37, -0.08, 0.5];
        let y = adjust_hue(x.clone(), &turns);
        assert_close(&values(adjust_hue(y.clone(), &turns.map(|turn: f32| -turn))), &values(x.clone()), 1e-5);
        assert_close(&values(y.clone().max_dim(1)), &values(x.clone().max_dim(1)), 1e-6);
        assert_close(&values(y.min_dim(1)), &values(x.min_dim(1)), 1e-6);
    }

    #[test]
    fn gray_pixels_keep_their_colour() {
        for level in [0.0, 0.4, 1.0] {
            assert_eq!(values(adjust_hue(pixel([level; 3]), &[0.3])), [level; 3]);
        }
        let x = Tensor::<4>::random([1, 1, 3, 3], Distribution::Uniform(0.0, 1.0), &Device::flex());
        assert_eq!(values(adjust_hue(x.clone(), &[0.3])), values(x));
    }
}
