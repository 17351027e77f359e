//! Motion segmentation: pixels that move differently from the background.

use burn::tensor::{Device, Tensor, TensorData};

use super::filter::SeparableFilter;

/// Iterations of reweighted least squares for the dominant motion.
const ROUNDS: usize = 8;
/// Factor of the outlier scale from iteration to iteration.
const NARROWER: f64 = 0.6;
/// Standard deviation of the Gaussian that smooths the saliency, in pixels.
const VOTE: f64 = 1.0;
/// Width of the border, as a share of each side.
const BORDER: f64 = 0.05;

/// Thresholds between foreground and background.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForegroundSettings {
    /// Least difference from the dominant motion, in pixels.
    pub least: f64,
    /// Least difference from the dominant motion, in standard deviations of the background's motion.
    pub deviations: f64,
    /// Saliency below which a pixel is background.
    pub low: f64,
    /// Saliency from which a pixel is foreground; between `low` and `high` it is unknown.
    pub high: f64,
    /// Range of the share of foreground in usable frames.
    pub shares: [f64; 2],
    /// Largest share of foreground along the border of usable frames.
    pub border: f64,
}

impl ForegroundSettings {
    /// Trimap of a saliency in 0 to 1, `[n, 1, h, w]`: the mask, 1 for foreground and 0 for background, and a mask that is 1 where the
    /// first is known, both of the same shape. Nothing is known of frames with too little or too much foreground, or with much of it
    /// at the border, because there the dominant motion is not that of the background.
    pub fn trimap(&self, soft: Tensor<4>) -> [Tensor<4>; 2] {
        let on = soft.clone().greater_equal_elem(self.high).float();
        let known = on.clone() + soft.lower_elem(self.low).float();
        let [_, _, h, w] = on.dims();
        let share = on.clone().mean_dim(2).mean_dim(3); // [n, 1, 1, 1]
        let rim = rim([h, w], &on.device());
        let along = (on.clone() * rim.clone()).sum_dim(2).sum_dim(3) / rim.sum().reshape([1, 1, 1, 1]);
        let [least, most] = self.shares;
        let usable = share.clone().greater_equal_elem(least).float()
            * share.lower_equal_elem(most).float()
            * along.lower_equal_elem(self.border).float();
        [on, known * usable]
    }
}

/// Motion saliency, the difference of each pixel's motion from the dominant one: `s = r^2 / (r^2 + t^2)` with r the distance to
/// [`dominant_motion`] and t the larger of `least` and `deviations` times the standard deviation of the background, smoothed by a
/// Gaussian. Faktor and Irani 2014; Pathak et al. 2017, section 4, for affine camera motion.
///
/// `flow`: `[n, 2, h, w]` -> `[n, 1, h, w]` in 0 to 1.
pub fn motion_saliency(flow: Tensor<4>, settings: &ForegroundSettings) -> Tensor<4> {
    let [n, _, h, w] = flow.dims();
    let device = flow.device();
    let Fit { field, weights } = fitted(flow.clone(), settings.least);
    let distance = (flow - field).square().sum_dim(1); // [n, 1, h, w]
    let sum = |x: Tensor<4>| x.sum_dim(2).sum_dim(3); // [n, 1, 1, 1]
    let variance = sum(weights.clone() * distance.clone()) / sum(weights).clamp_min(1e-6);
    let threshold = (variance * settings.deviations.powi(2)).clamp_min(settings.least.powi(2));
    let soft = distance.clone() / (distance + threshold.expand([n, 1, h, w]));
    SeparableFilter::smooth([h, w], VOTE, &device).apply(soft)
}

/// Dominant motion: the affine motion that most pixels follow, by iteratively reweighted least squares with weights `(1 + r^2 /
/// s^2)^-2` (Geman and McClure 1987), where s falls from the deviation of all pixels to `least`.
///
/// `flow`: `[n, 2, h, w]` -> the same shape.
pub fn dominant_motion(flow: Tensor<4>, least: f64) -> Tensor<4> {
    fitted(flow, least).field
}

/// Fitted motion, and the weight of each pixel in the fit.
struct Fit {
    /// `[n, 2, h, w]`.
    field: Tensor<4>,
    /// `[n, 1, h, w]`.
    weights: Tensor<4>,
}

fn fitted(flow: Tensor<4>, least: f64) -> Fit {
    let [n, _, h, w] = flow.dims();
    let device = flow.device();
    let basis = basis([h, w], &device); // [1, 3, hw]
    let motions = flow.reshape([n, 2, h * w]);
    let mut weights = Tensor::<3>::ones([n, 1, h * w], &device);
    let mut field = affine(&motions, &weights, &basis);
    let distance = |field: &Tensor<3>| (motions.clone() - field.clone()).square().sum_dim(1); // [n, 1, hw]
    let mut scale = distance(&field).mean_dim(2); // [n, 1, 1]
    for _ in 0..ROUNDS {
        scale = (scale * NARROWER.powi(2)).clamp_min(least.powi(2));
        weights = (distance(&field) / scale.clone() + 1.0).square().recip();
        field = affine(&motions, &weights, &basis);
    }
    Fit { field: field.reshape([n, 2, h, w]), weights: weights.reshape([n, 1, h, w]) }
}

/// Weighted least-squares fit of `motions` `[n, 2, p]` by linear combinations of `basis` `[1, 3, p]`: `[n, 2, p]`.
fn affine(motions: &Tensor<3>, weights: &Tensor<3>, basis: &Tensor<3>) -> Tensor<3> {
    let [n, _, p] = motions.dims();
    let weighted = basis.clone() * weights.clone(); // [n, 3, p]
    let normal = weighted.clone().matmul(basis.clone().swap_dims(1, 2).expand([n, p, 3])); // [n, 3, 3]
    let right = motions.clone().matmul(weighted.swap_dims(1, 2)); // [n, 2, 3]
    right.matmul(inverted(normal)).matmul(basis.clone().expand([n, 3, p]))
}

/// Inverses of symmetric matrices by cofactors: `[n, 3, 3]` -> the same shape.
fn inverted(matrices: Tensor<3>) -> Tensor<3> {
    let row = |index: usize| matrices.clone().narrow(1, index, 1); // [n, 1, 3]
    let cofactors = [1, 2, 0].map(|index| crossed(row(index), row((index + 1) % 3)));
    let determinant = (row(0) * cofactors[0].clone()).sum_dim(2); // [n, 1, 1]
    Tensor::cat(cofactors.to_vec(), 1) / determinant.clamp_min(1e-12)
}

/// Cross product `a x b`: `[n, 1, 3]` twice -> the same shape.
fn crossed(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let rolled =
        |x: &Tensor<3>, by: usize| Tensor::cat(vec![x.clone().narrow(2, by, 3 - by), x.clone().narrow(2, 0, by)], 2);
    rolled(&a, 1) * rolled(&b, 2) - rolled(&a, 2) * rolled(&b, 1)
}

/// Basis of affine motions, 1, x and y of every pixel with x and y in -1 to 1: `[1, 3, h w]`.
fn basis([h, w]: [usize; 2], device: &Device) -> Tensor<3> {
    let at = |position: usize, side: usize| (2 * position + 1) as f32 / side as f32 - 1.0;
    let ones = std::iter::repeat_n(1.0, h * w);
    let across = (0..h * w).map(|index| at(index % w, w));
    let down = (0..h * w).map(|index| at(index / w, h));
    Tensor::from_data(TensorData::new(ones.chain(across).chain(down).collect::<Vec<_>>(), [1, 3, h * w]), device)
}

/// Mask of the border, 1 along it: `[1, 1, h, w]`.
fn rim([h, w]: [usize; 2], device: &Device) -> Tensor<4> {
    let near = |position: usize, side: usize| {
        let width = ((BORDER * side as f64).round() as usize).max(1);
        position < width || position + width >= side
    };
    let on: Vec<f32> = (0..h * w).map(|at| f32::from(u8::from(near(at % w, w) || near(at / w, h)))).collect();
    Tensor::from_data(TensorData::new(on, [1, 1, h, w]), device)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{assert_close, values};
    use super::super::flow::tests::scene;
    use super::super::{FlowSettings, flow};
    use super::*;

    const SETTINGS: ForegroundSettings =
        ForegroundSettings { least: 0.4, deviations: 3.0, low: 0.4, high: 0.7, shares: [0.1, 0.8], border: 0.1 };

    /// Flow field given pixel by pixel.
    fn field([h, w]: [usize; 2], at: impl Fn(f32, f32) -> [f32; 2]) -> Tensor<4> {
        let motions: Vec<[f32; 2]> = (0..h * w).map(|index| at((index % w) as f32, (index / w) as f32)).collect();
        let both = [0, 1].map(|axis| motions.iter().map(|motion| motion[axis]).collect::<Vec<_>>()).concat();
        Tensor::from_data(TensorData::new(both, [1, 2, h, w]), &Device::flex())
    }

    fn is_object(x: f32, y: f32) -> bool {
        (8.0..22.0).contains(&x) && (10.0..24.0).contains(&y)
    }

    /// Flow of a camera that pans, rotates and moves closer.
    fn camera(x: f32, y: f32) -> [f32; 2] {
        [1.5 + 0.02 * x - 0.03 * y, -0.5 + 0.03 * x + 0.02 * y]
    }

    #[test]
    fn outliers_do_not_change_the_dominant_motion() {
        for [u, v] in [[2.0f32, 0.0], [-9.0, 4.0]] {
            let at = |x: f32, y: f32| if is_object(x, y) { [u, v] } else { camera(x, y) };
            let found = values(dominant_motion(field([32, 32], at), 0.1));
            assert_close(&found, &values(field([32, 32], camera)), 0.03);
        }
    }

    #[test]
    fn an_inverse_times_its_matrix_is_the_identity() {
        let matrix = [[[4.0f32, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]], [[2.0, 0.0, 0.0]; 3]];
        let matrix = Tensor::<3>::from_data(matrix, &Device::flex()).narrow(0, 0, 1);
        let one: Vec<f32> = inverted(matrix.clone()).matmul(matrix).into_data().try_to_vec().expect("floats");
        assert_close(&one, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 1e-5);
    }

    #[test]
    fn pure_camera_motion_is_background() {
        for at in [|_: f32, _: f32| [0.0, 0.0], |_: f32, _: f32| [3.0, -7.0], camera] {
            let soft = motion_saliency(field([32, 32], at), &SETTINGS);
            assert!(values(soft.clone()).iter().all(|&x| x < 0.05));
            let [on, known] = SETTINGS.trimap(soft);
            // an empty mask, and no known pixel
            assert_eq!((values(on), values(known)), (vec![0.0; 1024], vec![0.0; 1024]));
        }
    }

    #[test]
    fn frames_of_a_pan_have_no_foreground() {
        let first = scene([48, 48], |x, y| [x, y]);
        let second = scene([48, 48], |x, y| [x - 2.0, y + 1.0]);
        let found = flow(first, second, &FlowSettings::default());
        let [on, _] = SETTINGS.trimap(motion_saliency(found, &SETTINGS));
        let share: f32 = on.mean().into_scalar();
        assert!(share < 0.02, "{share}");
    }

    #[test]
    fn an_object_is_foreground_with_an_unknown_rim() {
        let at = |x: f32, y: f32| if is_object(x, y) { [-1.0, 3.0] } else { camera(x, y) };
        let [on, known] = SETTINGS.trimap(motion_saliency(field([32, 32], at), &SETTINGS));
        let [on, known] = [on, known].map(values);
        for index in 0..1024 {
            let inside = is_object((index % 32) as f32, (index / 32) as f32);
            assert!(known[index] == 0.0 || (on[index] == 1.0) == inside, "pixel {index}");
        }
        let unknown = known.iter().filter(|&&known| known == 0.0).count();
        assert!((4..120).contains(&unknown), "{unknown} pixels are unknown");
    }

    #[test]
    fn frames_with_unusual_foreground_are_unknown() {
        let counted = |inside: fn(usize, usize) -> bool| {
            let soft: Vec<f32> = (0..400).map(|at| if inside(at % 20, at / 20) { 0.9 } else { 0.1 }).collect();
            let soft = Tensor::from_data(TensorData::new(soft, [1, 1, 20, 20]), &Device::flex());
            let [_, known] = SETTINGS.trimap(soft);
            known.mean().into_scalar::<f32>()
        };
        assert_eq!(counted(|x, y| (5..12).contains(&x) && (5..12).contains(&y)), 1.0);
        assert_eq!(counted(|x, y| (5..11).contains(&x) && (5..11).contains(&y)), 0.0, "36 of 400 are too few");
        assert_eq!(counted(|x, y| x > 0 && x < 19 && y > 0 && y < 19), 0.0, "324 of 400 are too many");
        assert_eq!(counted(|x, _| x < 4), 0.0, "a bar at the border");
    }
}
