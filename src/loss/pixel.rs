//! Losses and metrics on predicted pixels and masks, and the adversarial loss.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// Maps as rows, one a pixel: `[n, c, h, w]` -> `[n h w, c]`.
pub fn pixel_rows(maps: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = maps.dims();
    maps.permute([0, 2, 3, 1]).reshape([n * h * w, c])
}

/// Inverse of [`pixel_rows`]: `[n h w, c]` -> `[n, c, h, w]`.
pub fn pixel_maps(rows: Tensor<2>, [n, h, w]: [usize; 3]) -> Tensor<4> {
    let [_, c] = rows.dims();
    rows.reshape([n, h, w, c]).permute([0, 3, 1, 2])
}

/// Weighted mean squared error over the pixels of positive weight: `sum w (x - y)^2 / (c sum [w > 0])`.
///
/// `prediction` x, `target` y: `[n, c, h, w]`; `weights` w: `[n, 1, h, w]`, 0 for pixels left out -> `[1]`. Pathak et al. 2016,
/// equation 1, with a mean over the pixels in place of the sum.
pub fn weighted_squared_error(prediction: Tensor<4>, target: Tensor<4>, weights: Tensor<4>) -> Tensor<1> {
    let [_, channels, _, _] = prediction.dims();
    assert_eq!(prediction.dims(), target.dims(), "weighted_squared_error: the target must match the prediction");
    let counted = weights.clone().greater_elem(0.0).float().sum().clamp_min(1.0) * channels as f64;
    ((prediction - target).square() * weights).sum() / counted
}

/// Share of variance that the prediction leaves unexplained within a mask, that is its squared error over that of the best
/// constant colour: `sum m (x - y)^2 / sum m (y - mu)^2` with mu the mean of each channel of y within the mask; no gradient.
///
/// `prediction` x, `target` y: `[n, c, h, w]`; `mask` m of 0 and 1: `[n, 1, h, w]` or `[n, c, h, w]` -> `[1]`, 0 for a perfect
/// prediction.
pub fn unexplained_variance(prediction: Tensor<4>, target: Tensor<4>, mask: Tensor<4>) -> Tensor<1> {
    let prediction = prediction.detach();
    let mask = mask.detach();
    let over = |x: Tensor<4>| x.sum_dim(0).sum_dim(2).sum_dim(3); // [1, c, 1, 1]
    let mean = over(target.clone() * mask.clone()) / over(mask.clone()).clamp_min(1.0);
    let left = |x: Tensor<4>| ((x - target.clone()).square() * mask.clone()).sum();
    let fixed = left(mean.expand(target.dims()));
    left(prediction) / fixed.clamp_min(1e-12)
}

/// Binary cross-entropy over the pixels whose target is known: `-sum k (m log sigmoid(z) + (1 - m) log sigmoid(-z)) / sum k`, in
/// nats.
///
/// `logits` z, `target` m in 0 to 1, `known` k of 0 and 1: `[n, 1, h, w]` each -> `[1]`, 0 if no pixel is known.
pub fn mask_cross_entropy(logits: Tensor<4>, target: Tensor<4>, known: Tensor<4>) -> Tensor<1> {
    assert_eq!(logits.dims(), target.dims(), "mask_cross_entropy: the target must match the logits");
    let yes = log_sigmoid(logits.clone()) * target.clone();
    let no = log_sigmoid(logits.neg()) * (target.neg() + 1.0);
    ((yes + no).neg() * known.clone()).sum() / known.sum().clamp_min(1.0)
}

/// Intersection over union of two masks within `known`, over all pixels of the batch together.
///
/// `prediction`, `target`, `known` of 0 and 1: `[n, 1, h, w]` each -> `[1]`, 0 if the union is empty. Jaccard 1901.
pub fn iou(prediction: Tensor<4>, target: Tensor<4>, known: Tensor<4>) -> Tensor<1> {
    let both = (prediction.clone() * target.clone() * known.clone()).sum();
    let either = ((prediction + target).clamp_max(1.0) * known).sum();
    both / either.clamp_min(1.0)
}

/// Largest [`iou`] of a constant mask for all images, a baseline: the mask holds the pixels that are in the target in at least a
/// share t of the images, with the best t out of `0, 1 / steps, ..`.
///
/// `target`, `known` of 0 and 1: `[n, 1, h, w]` each -> `[1]`.
pub fn best_fixed_iou(target: Tensor<4>, known: Tensor<4>, steps: usize) -> Tensor<1> {
    let often = (target.clone() * known.clone()).sum_dim(0) / known.clone().sum_dim(0).clamp_min(1.0); // [1, 1, h, w]
    let of = |step: usize| {
        let mask = often.clone().greater_equal_elem(step as f64 / steps as f64).float().expand(target.dims());
        iou(mask, target.clone(), known.clone())
    };
    Tensor::cat((0..steps).map(of).collect(), 0).max()
}

/// Adversarial loss of a discriminator's logits: `-mean log sigmoid(z)` with `real`, else `-mean log(1 - sigmoid(z))`.
///
/// The generator takes it with `real` for its own images: the same optimum as `log(1 - D)`, without the vanishing gradient where
/// the discriminator is confident. `logits` z: `[n]` -> `[1]`, in nats. Goodfellow et al. 2014, equation 1.
pub fn adversarial_loss(logits: Tensor<1>, real: bool) -> Tensor<1> {
    log_sigmoid(if real { logits } else { logits.neg() }).mean().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{differences_agree, gradient, max_gradient, number, table, tensor};
    use burn::tensor::{Device, TensorData};

    fn maps(values: &[f32], shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    #[test]
    fn pixel_maps_undo_pixel_rows() {
        let device = Device::flex();
        let x = maps(&(0..24).map(|i| i as f32).collect::<Vec<_>>(), [2, 3, 2, 2], &device);
        let rows = pixel_rows(x.clone());
        let second: Vec<f32> = rows.clone().narrow(0, 1, 1).into_data().try_to_vec().expect("floats");
        assert_eq!(second, [1.0, 5.0, 9.0]);
        assert_eq!(pixel_maps(rows, [2, 2, 2]).into_data(), x.into_data());
    }

    #[test]
    fn gradients_are_proportional_to_the_weights() {
        let device = Device::flex().autodiff();
        let weights = maps(&[0.0, 1.0, 10.0, 0.0], [1, 1, 2, 2], &device);
        let x = tensor(&vec![vec![0.5, 0.5, 0.5, 0.5]], &device).require_grad();
        let target = maps(&[0.3; 4], [1, 1, 2, 2], &device);
        let loss = weighted_squared_error(x.clone().reshape([1, 1, 2, 2]), target, weights);
        // (0.04 + 10 * 0.04) / 2
        assert!((number(loss.clone()) - 0.22).abs() < 1e-6);
        let slopes = gradient(&x, loss).remove(0);
        assert_eq!((slopes[0], slopes[3]), (0.0, 0.0));
        assert!((slopes[2] / slopes[1] - 10.0).abs() < 1e-5, "{slopes:?}");
        let exact = weighted_squared_error(target_like(&x), target_like(&x), maps(&[1.0; 4], [1, 1, 2, 2], &device));
        assert_eq!(number(exact), 0.0);
    }

    fn target_like(x: &Tensor<2>) -> Tensor<4> {
        x.clone().detach().reshape([1, 1, 2, 2])
    }

    #[test]
    fn squared_error_and_its_gradient_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [x, y] = [0.0, 0.5].map(|s| table(3, 4, s));
        let w = [1.0f32, 0.0, 2.0, 0.5, 0.0, 1.0];
        let slowly = |x: &Vec<Vec<f64>>| {
            let [x, y] = [x, &y].map(|rows| rows.concat());
            // [3, 2, 1, 2]: image, channel, column
            let sum: f64 = (0..12).map(|at| f64::from(w[at / 4 * 2 + at % 2]) * (x[at] - y[at]).powi(2)).sum();
            sum / (2.0 * 4.0)
        };
        let leaf = tensor(&x, &device).require_grad();
        let shape = [3, 2, 1, 2];
        let loss = weighted_squared_error(
            leaf.clone().reshape(shape),
            tensor(&y, &device).reshape(shape),
            maps(&w, [3, 1, 1, 2], &device),
        );
        assert!((number(loss.clone()) - slowly(&x)).abs() < 1e-6);
        differences_agree(&x, &gradient(&leaf, loss), slowly);
    }

    #[test]
    fn the_mean_colour_leaves_all_variance_unexplained() {
        let device = Device::flex();
        let target = maps(&[1.0, 3.0, 0.0, 4.0, 9.0, 9.0], [1, 1, 2, 3], &device);
        let mask = maps(&[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], [1, 1, 2, 3], &device);
        // 1, 3 and 9 are in the mask: their mean is 13 / 3
        let share = |prediction: Tensor<4>| number(unexplained_variance(prediction, target.clone(), mask.clone()));
        assert!((share(target.ones_like() * (13.0 / 3.0)) - 1.0).abs() < 1e-6);
        assert!(share(target.ones_like() * 4.0) > 1.0);
        assert_eq!(share(target.clone()), 0.0);
    }

    #[test]
    fn unknown_pixels_get_no_gradient_and_zero_logits_cost_ln_2() {
        let device = Device::flex().autodiff();
        let target = maps(&[1.0, 0.0, 1.0, 0.0], [1, 1, 2, 2], &device);
        let known = maps(&[1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2], &device);
        let z = tensor(&vec![vec![0.0; 4]], &device).require_grad();
        let lost = |z: &Tensor<2>| mask_cross_entropy(z.clone().reshape([1, 1, 2, 2]), target.clone(), known.clone());
        assert!((number(lost(&z)) - std::f64::consts::LN_2).abs() < 1e-6);
        assert_eq!(gradient(&z, lost(&z)), vec![vec![-0.25, 0.25, 0.0, 0.0]]);
        let z = vec![vec![1.3, -0.4, 5.0, 2.0]];
        let slowly = |z: &Vec<Vec<f64>>| ((1.0 + (-z[0][0]).exp()).ln() + (1.0 + z[0][1].exp()).ln()) / 2.0;
        let leaf = tensor(&z, &device).require_grad();
        assert!((number(lost(&leaf)) - slowly(&z)).abs() < 1e-6);
        differences_agree(&z, &gradient(&leaf, lost(&leaf)), slowly);
        let nothing = mask_cross_entropy(leaf.clone().reshape([1, 1, 2, 2]), target.clone(), known * 0.0);
        assert_eq!(number(nothing), 0.0);
    }

    #[test]
    fn iou_counts_known_pixels_only() {
        let device = Device::flex();
        let of = |values: &[f32]| maps(values, [2, 1, 1, 4], &device);
        let target = of(&[1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        let prediction = of(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let known = of(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        // intersection: 2; union: the first three pixels of the first image and the first of the second
        assert_eq!(number(iou(prediction.clone(), target.clone(), known.clone())), 0.5);
        assert_eq!(number(iou(target.clone(), target.clone(), known.clone())), 1.0);
        assert_eq!(number(iou(prediction, target.clone(), known.clone() * 0.0)), 0.0);
        // a mask of the first pixel: 2 of 3; of the first two: 3 of 4; of all: 3 of 7
        assert_eq!(number(best_fixed_iou(target, known, 10)), 0.75);
    }

    #[test]
    fn zero_logits_cost_ln_2_and_move_towards_the_target() {
        let device = Device::flex().autodiff();
        let z = tensor(&vec![vec![0.0, 0.0, 0.0]], &device).require_grad();
        for (real, sign) in [(true, -1.0), (false, 1.0)] {
            let loss = adversarial_loss(z.clone().squeeze_dim(0), real);
            assert!((number(loss.clone()) - std::f64::consts::LN_2).abs() < 1e-6);
            let slope = gradient(&z, loss)[0][0];
            assert!((slope - sign * 0.5 / 3.0).abs() < 1e-6, "{slope}");
        }
        // confident and wrong: still finite, and with a gradient of one
        let sure = tensor(&vec![vec![-200.0]], &device).require_grad();
        let loss = adversarial_loss(sure.clone().squeeze_dim(0), true);
        assert!((number(loss.clone()) - 200.0).abs() < 1e-3);
        assert!((max_gradient(&sure, loss) - 1.0).abs() < 1e-6);
    }
}
