//! Pixels painted and pixels that are there.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// One row a pixel: `[n, c, h, w]` -> `[n h w, c]`.
pub fn pixel_rows(maps: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = maps.dims();
    maps.permute([0, 2, 3, 1]).reshape([n * h * w, c])
}

/// [`pixel_rows`] undone: `[n h w, c]` -> `[n, c, h, w]`.
pub fn pixel_maps(rows: Tensor<2>, [n, h, w]: [usize; 3]) -> Tensor<4> {
    let [_, c] = rows.dims();
    rows.reshape([n, h, w, c]).permute([0, 3, 1, 2])
}

/// Weighted squared error over the pixels that count: `sum w (x - y)^2 / (c sum [w > 0])`.
///
/// `found` x, `wanted` y: `[n, c, h, w]`; `weights` w: `[n, 1, h, w]`, 0 where a pixel does not count -> `[1]`. Pathak et al.
/// 2016, equation 1, with the mean over what is asked for in place of a sum.
pub fn weighted_squares(found: Tensor<4>, wanted: Tensor<4>, weights: Tensor<4>) -> Tensor<1> {
    let [_, channels, _, _] = found.dims();
    assert_eq!(found.dims(), wanted.dims(), "weighted_squares: as many pixels are wanted as were found");
    let counted = weights.clone().greater_elem(0.0).float().sum().clamp_min(1.0) * channels as f64;
    ((found - wanted).square() * weights).sum() / counted
}

/// The squared error where `counts` is 1, as a share of what the best single colour would leave there:
/// `sum m (x - y)^2 / sum m (y - mu)^2`, mu the mean of each channel of y over the pixels that count; no gradient.
///
/// `found` x, `wanted` y: `[n, c, h, w]`; `counts` m: `[n, 1, h, w]` -> `[1]`.
pub fn share_of_fixed(found: Tensor<4>, wanted: Tensor<4>, counts: Tensor<4>) -> Tensor<1> {
    let (found, counts) = (found.detach(), counts.detach());
    let over = |x: Tensor<4>| x.sum_dim(0).sum_dim(2).sum_dim(3); // [1, c, 1, 1]
    let mean = over(wanted.clone() * counts.clone()) / over(counts.clone()).clamp_min(1.0);
    let left = |x: Tensor<4>| ((x - wanted.clone()).square() * counts.clone()).sum();
    let fixed = left(mean.expand(wanted.dims()));
    left(found) / fixed.clamp_min(1e-12)
}

/// Cross-entropy of yes and no over the pixels that count: `-sum k (m log sigmoid(z) + (1 - m) log sigmoid(-z)) / sum k`.
///
/// `logits` z, `wanted` m in 0 to 1, `known` k, 0 or 1: `[n, 1, h, w]` -> `[1]`; 0 where nothing counts.
pub fn mask_cross_entropy(logits: Tensor<4>, wanted: Tensor<4>, known: Tensor<4>) -> Tensor<1> {
    assert_eq!(logits.dims(), wanted.dims(), "mask_cross_entropy: as many pixels are wanted as were found");
    let yes = log_sigmoid(logits.clone()) * wanted.clone();
    let no = log_sigmoid(logits.neg()) * (wanted.neg() + 1.0);
    ((yes + no).neg() * known.clone()).sum() / known.sum().clamp_min(1.0)
}

/// How well two masks agree where it is known: the pixels in both over the pixels in either, of all images together.
///
/// `found`, `wanted`, `known`, all 0 or 1: `[n, 1, h, w]` -> `[1]`; 0 where nothing counts. Jaccard 1901.
pub fn overlap(found: Tensor<4>, wanted: Tensor<4>, known: Tensor<4>) -> Tensor<1> {
    let both = (found.clone() * wanted.clone() * known.clone()).sum();
    let either = ((found + wanted).clamp_max(1.0) * known).sum();
    both / either.clamp_min(1.0)
}

/// The largest [`overlap`] that one mask for all images has: the pixels that are wanted in at least so many of them, the
/// number chosen for the best result out of `steps` shares.
///
/// `wanted`, `known`, 0 or 1: `[n, 1, h, w]` -> `[1]`.
pub fn fixed_overlap(wanted: Tensor<4>, known: Tensor<4>, steps: usize) -> Tensor<1> {
    let often = (wanted.clone() * known.clone()).sum_dim(0) / known.clone().sum_dim(0).clamp_min(1.0); // [1, 1, h, w]
    let of = |step: usize| {
        let mask = often.clone().greater_equal_elem(step as f64 / steps as f64).float().expand(wanted.dims());
        overlap(mask, wanted.clone(), known.clone())
    };
    Tensor::cat((0..steps).map(of).collect(), 0).max()
}

/// Whether pictures pass for what they should: `-mean log sigmoid(z)` for real ones, `-mean log(1 - sigmoid(z))` for others.
///
/// `logits` z: `[n]` -> `[1]`. Goodfellow et al. 2014, equation 1, each half by itself; the painter is told "real" of what it
/// painted, which has the same aim as `log(1 - D)` and a gradient where D is sure.
pub fn judged(logits: Tensor<1>, real: bool) -> Tensor<1> {
    log_sigmoid(if real { logits } else { logits.neg() }).mean().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{differences_agree, gradient, number, reach, table, tensor};
    use burn::tensor::{Device, TensorData};

    fn maps(values: &[f32], shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    #[test]
    fn rows_are_pixels_and_go_back() {
        let device = Device::flex();
        let x = maps(&(0..24).map(|i| i as f32).collect::<Vec<_>>(), [2, 3, 2, 2], &device);
        let rows = pixel_rows(x.clone());
        let second: Vec<f32> = rows.clone().narrow(0, 1, 1).into_data().try_to_vec().expect("floats");
        assert_eq!(second, [1.0, 5.0, 9.0]);
        assert_eq!(pixel_maps(rows, [2, 2, 2]).into_data(), x.into_data());
    }

    #[test]
    fn only_weighted_pixels_teach_and_by_their_weight() {
        let device = Device::flex().autodiff();
        let weights = maps(&[0.0, 1.0, 10.0, 0.0], [1, 1, 2, 2], &device);
        let x = tensor(&vec![vec![0.5, 0.5, 0.5, 0.5]], &device).require_grad();
        let wanted = maps(&[0.3; 4], [1, 1, 2, 2], &device);
        let loss = weighted_squares(x.clone().reshape([1, 1, 2, 2]), wanted, weights);
        // (0.04 + 10 * 0.04) / 2
        assert!((number(loss.clone()) - 0.22).abs() < 1e-6);
        let slopes = gradient(&x, loss).remove(0);
        assert_eq!((slopes[0], slopes[3]), (0.0, 0.0));
        assert!((slopes[2] / slopes[1] - 10.0).abs() < 1e-5, "{slopes:?}");
        let exact = weighted_squares(wanted_like(&x), wanted_like(&x), maps(&[1.0; 4], [1, 1, 2, 2], &device));
        assert_eq!(number(exact), 0.0);
    }

    fn wanted_like(x: &Tensor<2>) -> Tensor<4> {
        x.clone().detach().reshape([1, 1, 2, 2])
    }

    #[test]
    fn squares_agree_with_central_differences() {
        let device = Device::flex().autodiff();
        let (x, y) = (table(3, 4, 0.0), table(3, 4, 0.5));
        let w = [1.0f32, 0.0, 2.0, 0.5, 0.0, 1.0];
        let slowly = |x: &Vec<Vec<f64>>| {
            let flat = |rows: &Vec<Vec<f64>>| rows.concat();
            let (x, y) = (flat(x), flat(&y));
            // [3, 2, 1, 2]: image, channel, column
            let sum: f64 = (0..12).map(|at| f64::from(w[at / 4 * 2 + at % 2]) * (x[at] - y[at]).powi(2)).sum();
            sum / (2.0 * 4.0)
        };
        let leaf = tensor(&x, &device).require_grad();
        let shape = [3, 2, 1, 2];
        let loss = weighted_squares(
            leaf.clone().reshape(shape),
            tensor(&y, &device).reshape(shape),
            maps(&w, [3, 1, 1, 2], &device),
        );
        assert!((number(loss.clone()) - slowly(&x)).abs() < 1e-6);
        differences_agree(&x, &gradient(&leaf, loss), slowly);
    }

    #[test]
    fn the_mean_colour_leaves_all_of_the_error_and_the_truth_none() {
        let device = Device::flex();
        let wanted = maps(&[1.0, 3.0, 0.0, 4.0, 9.0, 9.0], [1, 1, 2, 3], &device);
        let counts = maps(&[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], [1, 1, 2, 3], &device);
        // 1, 3 and 9 count: their mean is 13 / 3
        let share = |found: Tensor<4>| number(share_of_fixed(found, wanted.clone(), counts.clone()));
        assert!((share(wanted.ones_like() * (13.0 / 3.0)) - 1.0).abs() < 1e-6);
        assert!(share(wanted.ones_like() * 4.0) > 1.0);
        assert_eq!(share(wanted.clone()), 0.0);
    }

    #[test]
    fn an_undecided_mask_loses_ln_2_and_what_is_not_known_teaches_nothing() {
        let device = Device::flex().autodiff();
        let (wanted, known) =
            (maps(&[1.0, 0.0, 1.0, 0.0], [1, 1, 2, 2], &device), maps(&[1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2], &device));
        let z = tensor(&vec![vec![0.0; 4]], &device).require_grad();
        let lost = |z: &Tensor<2>| mask_cross_entropy(z.clone().reshape([1, 1, 2, 2]), wanted.clone(), known.clone());
        assert!((number(lost(&z)) - std::f64::consts::LN_2).abs() < 1e-6);
        assert_eq!(gradient(&z, lost(&z)), vec![vec![-0.25, 0.25, 0.0, 0.0]]);
        let z = vec![vec![1.3, -0.4, 5.0, 2.0]];
        let slowly = |z: &Vec<Vec<f64>>| ((1.0 + (-z[0][0]).exp()).ln() + (1.0 + z[0][1].exp()).ln()) / 2.0;
        let leaf = tensor(&z, &device).require_grad();
        assert!((number(lost(&leaf)) - slowly(&z)).abs() < 1e-6);
        differences_agree(&z, &gradient(&leaf, lost(&leaf)), slowly);
        let nothing = mask_cross_entropy(leaf.clone().reshape([1, 1, 2, 2]), wanted.clone(), known * 0.0);
        assert_eq!(number(nothing), 0.0);
    }

    #[test]
    fn masks_overlap_by_what_they_share_where_it_is_known() {
        let device = Device::flex();
        let of = |values: &[f32]| maps(values, [2, 1, 1, 4], &device);
        let wanted = of(&[1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        let found = of(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let known = of(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        // shared: 2; in either: the first three of the first image and the first of the second
        assert_eq!(number(overlap(found.clone(), wanted.clone(), known.clone())), 0.5);
        assert_eq!(number(overlap(wanted.clone(), wanted.clone(), known.clone())), 1.0);
        assert_eq!(number(overlap(found, wanted.clone(), known.clone() * 0.0)), 0.0);
        // the first pixel alone: 2 of 3; the first two: 3 of 4; all: 3 of 7
        assert_eq!(number(fixed_overlap(wanted, known, 10)), 0.75);
    }

    #[test]
    fn an_undecided_judge_loses_ln_2_and_teaches_towards_its_verdict() {
        let device = Device::flex().autodiff();
        let z = tensor(&vec![vec![0.0, 0.0, 0.0]], &device).require_grad();
        for (real, sign) in [(true, -1.0), (false, 1.0)] {
            let loss = judged(z.clone().squeeze_dim(0), real);
            assert!((number(loss.clone()) - std::f64::consts::LN_2).abs() < 1e-6);
            let slope = gradient(&z, loss)[0][0];
            assert!((slope - sign * 0.5 / 3.0).abs() < 1e-6, "{slope}");
        }
        // sure and wrong: still finite, and with a slope of one
        let sure = tensor(&vec![vec![-200.0]], &device).require_grad();
        let loss = judged(sure.clone().squeeze_dim(0), true);
        assert!((number(loss.clone()) - 200.0).abs() < 1e-3);
        assert!((reach(&sure, loss) - 1.0).abs() < 1e-6);
    }
}
