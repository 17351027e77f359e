//! Random changes of hue, saturation and value (HSV) by power curves, one set for all pixels of an image (Exemplar-CNN).

use burn::tensor::{Device, Tensor, TensorData};

use super::hue::Hsv;

/// Power curve `t -> clip(factor t^power + offset, 0, 1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerCurve {
    /// Exponent.
    pub power: f32,
    /// Factor after the power.
    pub factor: f32,
    /// Constant added last.
    pub offset: f32,
}

/// Change of one image in HSV.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HsvChange {
    /// Curve of the saturation (range over value).
    pub saturation: PowerCurve,
    /// Curve of the value (largest channel).
    pub value: PowerCurve,
    /// Shift of the hue, in turns of the colour circle.
    pub hue: f32,
}

impl PowerCurve {
    /// Identity on 0 to 1.
    pub const NONE: Self = Self { power: 1.0, factor: 1.0, offset: 0.0 };

    /// Applies a curve to each of n planes: `[1, n, h, w]` -> `[1, n, h, w]`.
    fn apply(x: Tensor<4>, curves: &[PowerCurve], device: &Device) -> Tensor<4> {
        let each = |number: fn(&PowerCurve) -> f32| {
            let numbers: Vec<f32> = curves.iter().map(number).collect();
            Tensor::<4>::from_data(TensorData::new(numbers, [1, curves.len(), 1, 1]), device)
        };
        let power = each(|curve| curve.power).expand(x.dims());
        (x.powf(power) * each(|curve| curve.factor) + each(|curve| curve.offset)).clamp_min(0.0).clamp_max(1.0)
    }
}

impl HsvChange {
    /// Identity.
    pub const NONE: Self = Self { saturation: PowerCurve::NONE, value: PowerCurve::NONE, hue: 0.0 };
}

/// Added to the value that the range is divided by, for black pixels.
const BLACK: f64 = 1e-12;

/// Changes hue, saturation and value of each image. An image of one channel has a value only.
///
/// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3; `changes`: n -> the same shape. Dosovitskiy et al. 2014, section 2.1 (their
/// "contrast 2" and "color").
pub fn change_hsv(images: Tensor<4>, changes: &[HsvChange]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(changes.len(), n, "change_hsv: one change per image");
    if changes.iter().all(|change| *change == HsvChange::NONE) {
        return images;
    }
    let device = images.device();
    let values: Vec<PowerCurve> = changes.iter().map(|change| change.value).collect();
    if c == 1 {
        return PowerCurve::apply(images.reshape([1, n, h, w]), &values, &device).reshape([n, 1, h, w]);
    }
    let saturations: Vec<PowerCurve> = changes.iter().map(|change| change.saturation).collect();
    let turns: Vec<f32> = changes.iter().map(|change| change.hue).collect();
    let Hsv { hue, range, value } = Hsv::of(images);
    let saturation = (range / (value.clone() + BLACK)).clamp_min(0.0).clamp_max(1.0);
    let value = PowerCurve::apply(value, &values, &device);
    let range = PowerCurve::apply(saturation, &saturations, &device) * value.clone();
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

    fn with_hue(hue: f32) -> HsvChange {
        HsvChange { hue, ..HsvChange::NONE }
    }

    #[test]
    fn the_identity_keeps_an_image() {
        for channels in [1, 3] {
            let x = noise(2, channels);
            assert_eq!(values(change_hsv(x.clone(), &[HsvChange::NONE; 2])), values(x.clone()));
            let beside = change_hsv(
                x.clone(),
                &[HsvChange::NONE, HsvChange { value: PowerCurve { power: 2.0, ..PowerCurve::NONE }, ..with_hue(0.1) }],
            );
            assert_close(&values(beside.narrow(0, 0, 1)), &values(x.narrow(0, 0, 1)), 1e-6);
        }
    }

    #[test]
    fn a_hue_shift_is_undone_by_its_opposite() {
        let x = noise(3, 3);
        let there = change_hsv(x.clone(), &[with_hue(0.1), with_hue(-0.07), with_hue(0.03)]);
        let back = change_hsv(there, &[with_hue(-0.1), with_hue(0.07), with_hue(-0.03)]);
        assert_close(&values(back), &values(x), 1e-6);
    }

    #[test]
    fn curves_change_value_and_saturation_and_keep_the_hue() {
        let x = noise(1, 3);
        let curve = |power, factor, offset| PowerCurve { power, factor, offset };
        let change = HsvChange { saturation: curve(0.5, 0.9, 0.05), value: curve(2.0, 0.8, 0.1), hue: 0.0 };
        let y = change_hsv(x.clone(), &[change]);
        let [before, after] = [x, y].map(Hsv::of);
        assert_close(&values(after.hue.clone()), &values(before.hue.clone()), 1e-5);
        let bent = |x: f32, curve: PowerCurve| (curve.factor * x.powf(curve.power) + curve.offset).clamp(0.0, 1.0);
        let expected: Vec<f32> = values(before.value.clone()).iter().map(|&v| bent(v, change.value)).collect();
        assert_close(&values(after.value.clone()), &expected, 1e-6);
        let saturation = |hsv: Hsv| values(hsv.range / hsv.value);
        let expected: Vec<f32> = saturation(before).iter().map(|&s| bent(s, change.saturation)).collect();
        assert_close(&saturation(after), &expected, 1e-5);
    }

    #[test]
    fn black_and_white_stay_finite() {
        let x = Tensor::<4>::from_data([[[[0.0f32, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]]]], &Device::flex());
        let change = HsvChange { value: PowerCurve { power: 0.25, factor: 1.4, offset: -0.1 }, ..with_hue(0.1) };
        assert_close(&values(change_hsv(x, &[change])), &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 1e-6);
    }
}
