//! Saturation and brightness bent and shifted, the hue turned: one change for all pixels of an image.

use burn::tensor::{Device, Tensor, TensorData};

use super::hue::Hsv;

/// `t -> clip(factor t^power + offset, 0, 1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// What it is raised to.
    pub power: f32,
    /// What it is multiplied by after that.
    pub factor: f32,
    /// What is added last.
    pub offset: f32,
}

/// What one image gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tones {
    /// For the saturation: range over value.
    pub saturation: Tone,
    /// For the value: the largest channel.
    pub value: Tone,
    /// By how much of the colour circle hues turn.
    pub hue: f32,
}

impl Tone {
    /// None.
    pub const NONE: Self = Self { power: 1.0, factor: 1.0, offset: 0.0 };

    /// `[1, n, h, w]` -> `[1, n, h, w]`.
    fn apply(x: Tensor<4>, tones: &[Tone], device: &Device) -> Tensor<4> {
        let each = |number: fn(&Tone) -> f32| {
            let numbers: Vec<f32> = tones.iter().map(number).collect();
            Tensor::<4>::from_data(TensorData::new(numbers, [1, tones.len(), 1, 1]), device)
        };
        let power = each(|tone| tone.power).expand(x.dims());
        (x.powf(power) * each(|tone| tone.factor) + each(|tone| tone.offset)).clamp_min(0.0).clamp_max(1.0)
    }
}

impl Tones {
    /// None.
    pub const NONE: Self = Self { saturation: Tone::NONE, value: Tone::NONE, hue: 0.0 };
}

/// Keeps the divisor of black pixels away from 0.
const BLACK: f64 = 1e-12;

/// Changes saturation, value and hue of each image. An image of one channel has a value alone.
///
/// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3; one change an image -> the same shape. Dosovitskiy et al. 2014, section
/// 2.1 (their second contrast, and colour).
pub fn retone(images: Tensor<4>, changes: &[Tones]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(changes.len(), n, "retone: one change an image");
    if changes.iter().all(|change| *change == Tones::NONE) {
        return images;
    }
    let device = images.device();
    let values: Vec<Tone> = changes.iter().map(|change| change.value).collect();
    if c == 1 {
        return Tone::apply(images.reshape([1, n, h, w]), &values, &device).reshape([n, 1, h, w]);
    }
    let saturations: Vec<Tone> = changes.iter().map(|change| change.saturation).collect();
    let turns: Vec<f32> = changes.iter().map(|change| change.hue).collect();
    let Hsv { hue, range, value } = Hsv::of(images);
    let saturation = (range / (value.clone() + BLACK)).clamp_min(0.0).clamp_max(1.0);
    let value = Tone::apply(value, &values, &device);
    let range = Tone::apply(saturation, &saturations, &device) * value.clone();
    Hsv { hue, range, value }.colours(&turns, &device)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    fn noise(n: usize, channels: usize) -> Tensor<4> {
        Tensor::random([n, channels, 4, 5], Distribution::Uniform(0.05, 0.95), &Device::flex())
    }

    fn turned(hue: f32) -> Tones {
        Tones { hue, ..Tones::NONE }
    }

    #[test]
    fn no_change_returns_the_image_exactly_and_beside_others_to_rounding() {
        for channels in [1, 3] {
            let x = noise(2, channels);
            assert_eq!(values(retone(x.clone(), &[Tones::NONE; 2])), values(x.clone()));
            let beside =
                retone(x.clone(), &[Tones::NONE, Tones { value: Tone { power: 2.0, ..Tone::NONE }, ..turned(0.1) }]);
            assert_close(&values(beside.narrow(0, 0, 1)), &values(x.narrow(0, 0, 1)), 1e-6);
        }
    }

    #[test]
    fn a_turn_of_hue_is_undone_by_its_opposite() {
        let x = noise(3, 3);
        let there = retone(x.clone(), &[turned(0.1), turned(-0.07), turned(0.03)]);
        let back = retone(there, &[turned(-0.1), turned(0.07), turned(-0.03)]);
        assert_close(&values(back), &values(x), 1e-6);
    }

    #[test]
    fn powers_bend_value_and_saturation_and_leave_the_hue() {
        let x = noise(1, 3);
        let tone = |power, factor, offset| Tone { power, factor, offset };
        let change = Tones { saturation: tone(0.5, 0.9, 0.05), value: tone(2.0, 0.8, 0.1), hue: 0.0 };
        let y = retone(x.clone(), &[change]);
        let (before, after) = (Hsv::of(x), Hsv::of(y));
        assert_close(&values(after.hue.clone()), &values(before.hue.clone()), 1e-5);
        let bent = |x: f32, tone: Tone| (tone.factor * x.powf(tone.power) + tone.offset).clamp(0.0, 1.0);
        let expected: Vec<f32> = values(before.value.clone()).iter().map(|&v| bent(v, change.value)).collect();
        assert_close(&values(after.value.clone()), &expected, 1e-6);
        let saturation = |hsv: Hsv| values(hsv.range / hsv.value);
        let expected: Vec<f32> = saturation(before).iter().map(|&s| bent(s, change.saturation)).collect();
        assert_close(&saturation(after), &expected, 1e-5);
    }

    #[test]
    fn black_and_white_stay_finite() {
        let x = Tensor::<4>::from_data([[[[0.0f32, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]]]], &Device::flex());
        let change = Tones { value: Tone { power: 0.25, factor: 1.4, offset: -0.1 }, ..turned(0.1) };
        assert_close(&values(retone(x, &[change])), &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 1e-6);
    }
}
