//! Colour dropping and colour projection, against the shortcut of chromatic aberration: a lens bends green and magenta unequally,
//! so that fringes of these colours show how far from the image centre a patch was.

use burn::tensor::{Device, Tensor, TensorData};

/// Direction between green and magenta in RGB.
const GREEN_MAGENTA: [f32; 3] = [-1.0, 2.0, -1.0];
/// One of 256 levels of brightness.
const STEP: f32 = 1.0 / 255.0;

/// Colour dropping: subtracts each channel's mean, keeps one channel of each patch and replaces the others by noise. A patch of one
/// channel only loses its mean.
///
/// `patches`: `[m, c, h, w]`; `kept`: m indices of channels; `noise`: the patches' shape, in -1/2 to 1/2 levels of 256, `None` for
/// one channel -> the same shape. Doersch et al. 2015, section 3, from the authors' code for brightness 0 to 255.
pub fn drop_colours(patches: Tensor<4>, kept: &[usize], noise: Option<Tensor<4>>) -> Tensor<4> {
    let [m, c, h, w] = patches.dims();
    assert_eq!(kept.len(), m, "drop_colours: one channel per patch");
    let mean = patches.clone().reshape([m, c, h * w]).mean_dim(2).reshape([m, c, 1, 1]);
    let centred = patches - mean;
    let Some(noise) = noise else { return centred };
    let mask = kept.iter().flat_map(|&kept| (0..c).map(move |channel| f32::from(u8::from(channel == kept))));
    let mask = Tensor::<4>::from_data(TensorData::new(mask.collect::<Vec<_>>(), [m, c, 1, 1]), &centred.device());
    centred * mask.clone() + noise * STEP * (mask.neg() + 1.0)
}

/// Colour projection: removes the component between green and magenta from the chosen images, `x - a (a . x) / (a . a)` with
/// `a = (-1, 2, -1)`. Gray pixels and images of one channel stay.
///
/// `images`: `[n, c, h, w]`; `chosen`: n -> the same shape. Doersch et al. 2015, section 3; Noroozi and Favaro's code.
pub fn project_colours(images: Tensor<4>, chosen: &[bool]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(chosen.len(), n, "project_colours: one choice per image");
    if c == 1 || !chosen.contains(&true) {
        return images;
    }
    let matrices = matrices(chosen, &images.device());
    matrices.matmul(images.reshape([n, c, h * w])).reshape([n, c, h, w])
}

/// Projection matrix of each image, `I - a^T a / (a a^T)` if chosen, else I: `[n, 3, 3]`.
fn matrices(chosen: &[bool], device: &Device) -> Tensor<3> {
    let square: f32 = GREEN_MAGENTA.iter().map(|a| a * a).sum();
    let entry = |on: bool, i: usize, j: usize| {
        let taken = if on { GREEN_MAGENTA[i] * GREEN_MAGENTA[j] / square } else { 0.0 };
        f32::from(u8::from(i == j)) - taken
    };
    let entries = chosen.iter().flat_map(|&on| (0..9).map(move |index| entry(on, index / 3, index % 3)));
    Tensor::from_data(TensorData::new(entries.collect::<Vec<_>>(), [chosen.len(), 3, 3]), device)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    fn random(low: f64, high: f64) -> Tensor<4> {
        Tensor::random([4, 3, 5, 6], Distribution::Uniform(low, high), &Device::flex())
    }

    #[test]
    fn colour_dropping_keeps_one_channel_without_its_mean() {
        let x = random(0.0, 1.0);
        let noise = random(-0.5, 0.5);
        let kept = [0, 2, 1, 1];
        let y = values(drop_colours(x.clone(), &kept, Some(noise)));
        for (index, (found, source)) in y.chunks(30).zip(values(x).chunks(30)).enumerate() {
            if index % 3 == kept[index / 3] {
                let shift = source[0] - found[0];
                assert!(found.iter().zip(source).all(|(y, x)| (x - y - shift).abs() < 1e-6));
                assert!(found.iter().sum::<f32>().abs() < 1e-4, "the mean is 0");
            } else {
                assert!(found.iter().all(|y| y.abs() <= 0.5 / 255.0));
            }
        }
    }

    #[test]
    fn the_projection_has_its_known_matrix_and_is_idempotent() {
        let found: Vec<f32> = matrices(&[true], &Device::flex()).into_data().try_to_vec().expect("floats");
        let expected = [0.8333, 0.3333, -0.1667, 0.3333, 0.3333, 0.3333, -0.1667, 0.3333, 0.8333];
        assert_close(&found, &expected, 1e-4);
        assert!((found[0] + found[4] + found[8] - 2.0).abs() < 1e-6, "the trace of a projection is its rank");
        let x = random(0.0, 1.0);
        let chosen = [true, true, false, true];
        let once = project_colours(x.clone(), &chosen);
        assert_close(&values(project_colours(once.clone(), &chosen)), &values(once.clone()), 1e-6);
        assert_eq!(values(once.clone().narrow(0, 2, 1)), values(x.narrow(0, 2, 1)));
        let along = Tensor::<1>::from_floats(GREEN_MAGENTA, &Device::flex()).reshape([1, 3, 1, 1]);
        let left = (once * along).sum_dim(1);
        assert_close(&values(left.narrow(0, 0, 2)), &[0.0; 60], 1e-6);
    }

    #[test]
    fn gray_stays_gray() {
        let gray = Tensor::<4>::random([2, 1, 5, 6], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let three = gray.clone().expand([2, 3, 5, 6]);
        assert_close(&values(project_colours(three.clone(), &[true, true])), &values(three), 1e-6);
        assert_eq!(values(project_colours(gray.clone(), &[true, true])), values(gray));
    }
}
