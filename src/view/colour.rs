//! Linear colour changes: brightness, contrast, saturation and gray, with factors of its own for each image.

use burn::tensor::{Device, Tensor, TensorData};

/// Weights of red, green and blue in gray (torchvision's; they sum to 0.9999).
const LUMA: [f32; 3] = [0.2989, 0.587, 0.114];

/// Linear colour change of an image: `factor x + gray g(x) + mean_gray g(m) + mean_colour m + add` with x a pixel, m the mean pixel
/// of the image and g(x) the gray of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourChange {
    /// Factor of the pixel.
    pub factor: f32,
    /// Factor of the pixel's gray.
    pub gray: f32,
    /// Factor of the mean pixel's gray.
    pub mean_gray: f32,
    /// Factor of the mean pixel, channel by channel.
    pub mean_colour: f32,
    /// Constant added to every channel.
    pub add: f32,
}

impl ColourChange {
    /// Identity.
    pub const NONE: Self = Self { factor: 1.0, gray: 0.0, mean_gray: 0.0, mean_colour: 0.0, add: 0.0 };

    /// Brightness as a factor (torchvision): `f x`.
    pub fn brightness(f: f32) -> Self {
        Self { factor: f, ..Self::NONE }
    }

    /// Brightness as a shift (BYOL, SimCLR's first version): `x + d`.
    pub fn lift(d: f32) -> Self {
        Self { add: d, ..Self::NONE }
    }

    /// Contrast about the mean gray (torchvision): `f x + (1 - f) g(m)`.
    pub fn contrast(f: f32) -> Self {
        Self { factor: f, mean_gray: 1.0 - f, ..Self::NONE }
    }

    /// Contrast about the mean colour (BYOL, TensorFlow): `f x + (1 - f) m`.
    pub fn contrast_about_colour(f: f32) -> Self {
        Self { factor: f, mean_colour: 1.0 - f, ..Self::NONE }
    }

    /// Saturation: `f x + (1 - f) g(x)`.
    pub fn saturation(f: f32) -> Self {
        Self { factor: f, gray: 1.0 - f, ..Self::NONE }
    }
}

/// Applies a [`ColourChange`] to each image. Results are not clipped to 0 to 1; an image of one channel is its own gray.
///
/// `images`: `[n, c, h, w]`, c = 1 or 3; `changes`: n -> the same shape.
pub fn change_colours(images: Tensor<4>, changes: &[ColourChange]) -> Tensor<4> {
    let [n, ..] = images.dims();
    assert_eq!(changes.len(), n, "change_colours: one change per image");
    if changes.iter().all(|change| *change == ColourChange::NONE) {
        return images;
    }
    let device = images.device();
    let column = |number: fn(&ColourChange) -> f32| column(changes, number, &device);
    let added = [
        column(|change| change.gray).map(|share| gray_of(images.clone()) * share),
        column(|change| change.mean_gray).map(|share| gray_of(mean_of(images.clone())) * share),
        column(|change| change.mean_colour).map(|share| mean_of(images.clone()) * share),
        column(|change| change.add),
    ];
    let scaled = match column(|change| change.factor) {
        Some(factor) => images * factor,
        None => images.zeros_like(),
    };
    added.into_iter().flatten().fold(scaled, |x, term| x + term)
}

/// Images clipped to 0 to 1.
pub(super) fn clipped(images: Tensor<4>) -> Tensor<4> {
    images.clamp_min(0.0).clamp_max(1.0)
}

/// One coefficient an image, `[n, 1, 1, 1]`; `None` if all are 0, so that no work is done for them.
fn column(changes: &[ColourChange], number: fn(&ColourChange) -> f32, device: &Device) -> Option<Tensor<4>> {
    let numbers: Vec<f32> = changes.iter().map(number).collect();
    let used = numbers.iter().any(|&x| x != 0.0);
    used.then(|| Tensor::from_data(TensorData::new(numbers, [changes.len(), 1, 1, 1]), device))
}

/// Gray of each pixel: `[n, c, h, w]` -> `[n, 1, h, w]`.
fn gray_of(images: Tensor<4>) -> Tensor<4> {
    if images.dims()[1] == 1 {
        return images;
    }
    let luma = Tensor::<4>::from_data(TensorData::new(LUMA.to_vec(), [1, 3, 1, 1]), &images.device());
    (images * luma).sum_dim(1)
}

/// Mean pixel of each image: `[n, c, h, w]` -> `[n, c, 1, 1]`.
fn mean_of(images: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    images.reshape([n, c, h * w]).mean_dim(2).reshape([n, c, 1, 1])
}

/// Converts the chosen images to gray and keeps their number of channels: `[n, c, h, w]` -> the same shape.
pub fn gray(images: Tensor<4>, chosen: &[bool]) -> Tensor<4> {
    let share = |&on: &bool| {
        if on { ColourChange { factor: 0.0, gray: 1.0, ..ColourChange::NONE } } else { ColourChange::NONE }
    };
    change_colours(images, &chosen.iter().map(share).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    fn noise(channels: usize) -> Tensor<4> {
        Tensor::random([2, channels, 5, 6], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn factors_of_one_are_the_identity() {
        let [one, zero] = [1.0, 0.0];
        let all = [
            ColourChange::brightness(one),
            ColourChange::lift(zero),
            ColourChange::contrast(one),
            ColourChange::saturation(one),
        ];
        for channels in [1, 3] {
            let x = noise(channels);
            for same in all {
                // a second image changes, so that the first one is computed too
                let y = change_colours(x.clone(), &[same, ColourChange::brightness(0.5)]);
                assert_eq!(values(y.narrow(0, 0, 1)), values(x.clone().narrow(0, 0, 1)));
            }
        }
    }

    #[test]
    fn one_channel_is_its_own_gray() {
        let x = noise(1);
        assert_eq!(values(gray(x.clone(), &[true, false])), values(x.clone()));
        let saturated = change_colours(x.clone(), &[ColourChange::saturation(1.7), ColourChange::saturation(0.2)]);
        assert_close(&values(saturated), &values(x.clone()), 1e-6);
        let about =
            |change_of: fn(f32) -> ColourChange| values(change_colours(x.clone(), &[change_of(1.5), change_of(0.3)]));
        assert_close(&about(ColourChange::contrast), &about(ColourChange::contrast_about_colour), 1e-6);
    }

    #[test]
    fn chosen_images_get_three_equal_channels() {
        let x = noise(3);
        let y = values(gray(x.clone(), &[true, false]));
        assert_eq!(y[..30], y[30..60]);
        assert_eq!(y[..30], y[60..90]);
        assert_eq!(y[90..], values(x)[90..]);
    }
}
