//! Colorization as classification: soft-encoded ab bins, class rebalancing, and the annealed mean that turns a distribution over
//! bins back into a colour. a and b are the colour channels of CIE Lab.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// Smallest sum that weights are divided by.
const TINY: f64 = 1e-12;

/// Soft-encoded colours of m pixels, sparse: the k nearest bins of each pixel and their weights.
#[derive(Clone, Debug)]
pub struct SoftCode {
    /// Index of each bin, the nearest first: `[m, k]`.
    pub bins: Tensor<2, Int>,
    /// Weight of each bin: `[m, k]`, rows sum to 1.
    pub weights: Tensor<2>,
}

/// Soft encoding of colours: `Z_q = exp(-|y - c_q|^2 / 2 sigma^2)` for the `neighbours` bins nearest to the colour y, divided by
/// their sum; 0 for all other bins.
///
/// `colours` y: `[m, 2]`, `centres` c: `[q, 2]`, `sigma` in units of a and b. Zhang, Isola and Efros 2016, section 2.1 (10
/// neighbours in the code, sigma 5).
pub fn soft_code(colours: Tensor<2>, centres: Tensor<2>, neighbours: usize, sigma: f64) -> SoftCode {
    let (near, bins) = squared_distances(colours, centres).neg().topk_with_indices(neighbours, 1);
    SoftCode { bins, weights: softmax(near / (2.0 * sigma * sigma), 1) }
}

/// Index of the bin nearest to each colour: `colours` `[m, 2]`, `centres` `[q, 2]` -> `[m]`.
pub fn nearest_bin(colours: Tensor<2>, centres: Tensor<2>) -> Tensor<1, Int> {
    squared_distances(colours, centres).argmin(1).squeeze_dim(1)
}

/// `|y_i - c_q|^2`: `[m, d]`, `[q, d]` -> `[m, q]`.
fn squared_distances(colours: Tensor<2>, centres: Tensor<2>) -> Tensor<2> {
    let [_, d] = colours.dims();
    assert_eq!(centres.dims()[1], d, "squared_distances: colours and centres must have as many channels");
    let along = |axis: usize| {
        let difference = colours.clone().narrow(1, axis, 1) - centres.clone().narrow(1, axis, 1).transpose(); // [m, q]
        difference.square()
    };
    (1..d).fold(along(0), |sum, axis| sum + along(axis))
}

impl SoftCode {
    /// Bin with the largest weight of each pixel, its nearest one: `[m]`.
    pub fn nearest(&self) -> Tensor<1, Int> {
        self.bins.clone().gather(1, self.weights.clone().argmax(1)).squeeze_dim(1)
    }

    /// One-hot encoding: all weight on [`SoftCode::nearest`].
    pub fn hard(&self) -> Self {
        let bins = self.nearest().unsqueeze_dim::<2>(1);
        Self { weights: Tensor::ones(bins.dims(), &self.weights.device()), bins }
    }

    /// Dense encoding, with a weight for each of `count` bins: `[m, count]`.
    pub fn dense(&self, count: usize) -> Tensor<2> {
        let [m, _] = self.weights.dims();
        let empty = Tensor::zeros([m, count], &self.weights.device());
        empty.scatter(1, self.bins.clone(), self.weights.clone(), IndexingUpdateOp::Add)
    }

    /// Restricted to the bins whose `live` is 1, with the weights of each pixel divided by their new sum. A pixel without any
    /// live bin gets weights of 0.
    ///
    /// `live`: `[q]` of 0 and 1.
    pub fn among(self, live: Tensor<1>) -> Self {
        let [m, k] = self.weights.dims();
        let on = live.select(0, self.bins.clone().reshape([m * k])).reshape([m, k]);
        let kept = self.weights * on;
        let weights = kept.clone() / kept.sum_dim(1).clamp_min(TINY);
        Self { weights, ..self }
    }

    /// Cross-entropy of each pixel, `-sum_q Z_q log softmax(z)_q`, in nats: `logits` z `[m, q]` -> `[m]`.
    pub fn cross_entropy(&self, logits: Tensor<2>) -> Tensor<1> {
        let log_probabilities = log_softmax(logits, 1).gather(1, self.bins.clone()); // [m, k]
        (log_probabilities * self.weights.clone()).sum_dim(1).neg().squeeze_dim(1)
    }
}

/// Class rebalancing, weights that make rare colours count: `w_q = 1 / ((1 - lambda) p_q + lambda / Q)`, scaled so that
/// `sum_q p_q w_q = 1`, which keeps the learning rate comparable. At lambda 1 all weights are 1.
///
/// `prior` p: `[q]`, normalised here; `live`: `[q]` of 0 and 1, whose sum is Q -> `[q]`, 0 for bins that are not live. Zhang,
/// Isola and Efros 2016, equation 4, lambda 1/2 there.
pub fn rebalancing_weights(prior: Tensor<1>, live: Tensor<1>, lambda: f64) -> Tensor<1> {
    let prior = prior.clone() / prior.sum().clamp_min(TINY);
    let even = live.clone() / live.clone().sum().clamp_min(1.0);
    let raw = (prior.clone() * (1.0 - lambda) + even * lambda).clamp_min(TINY).recip() * live;
    raw.clone() / (prior * raw).sum().clamp_min(TINY)
}

/// Identity whose gradient is multiplied by `scale`: the reported loss stays unweighted while training uses the weights, as in
/// the authors' code of colorization.
///
/// `x`, `scale`: `[m]` -> `[m]`.
pub fn scale_gradient(x: Tensor<1>, scale: Tensor<1>) -> Tensor<1> {
    let scaled = x.clone() * scale.detach();
    scaled.clone() + (x - scaled).detach()
}

/// Annealed mean `sum_q c_q softmax(z / T)_q`: the mean colour at T = 1, the likeliest colour near T = 0. In between, predictions
/// are neither gray nor spotted.
///
/// `logits` z: `[m, q]`, `centres` c: `[q, d]` -> `[m, d]`. Zhang, Isola and Efros 2016, equation 5, T 0.38 there.
pub fn annealed_mean(logits: Tensor<2>, centres: Tensor<2>, t: f64) -> Tensor<2> {
    softmax(logits / t, 1).matmul(centres)
}

/// 1 for images with some colour, 0 for those in which neither a nor b exceeds `least` in size: `ab` `[n, 2, h, w]` -> `[n]`.
pub fn has_colour(ab: Tensor<4>, least: f64) -> Tensor<1> {
    let [n, c, h, w] = ab.dims();
    ab.reshape([n, c * h * w]).abs().max_dim(1).greater_elem(least).float().squeeze_dim(1)
}

/// Relative frequency of each class among the labels: `[m]` -> `[classes]`, sums to 1.
pub fn class_frequencies(labels: Tensor<1, Int>, classes: usize) -> Tensor<1> {
    let [m] = labels.dims();
    let all = Tensor::<1, Int>::arange(0..classes as i64, &labels.device()).unsqueeze_dim::<2>(0).expand([m, classes]);
    let hits = labels.unsqueeze_dim::<2>(1).expand([m, classes]).equal(all);
    hits.float().mean_dim(0).squeeze_dim(0)
}

/// Entropy `-sum_q p_q ln p_q` in nats, with p the `weights` divided by their sum: `[q]` -> `[1]`. It is the least mean
/// cross-entropy of a constant prediction for targets distributed like p.
pub fn entropy(weights: Tensor<1>) -> Tensor<1> {
    let p = weights.clone() / weights.sum().clamp_min(TINY);
    (p.clone() * p.clamp_min(TINY).log()).sum().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, differences_agree, gradient, number, rows, table, tensor};
    use burn::tensor::Device;

    /// Centres of all bins of step 10 from -110 to 110.
    fn grid() -> Rows {
        let value = |index: i32| f64::from(10 * (index - 11));
        (0..23 * 23).map(|place| vec![value(place / 23), value(place % 23)]).collect()
    }

    fn one(x: Tensor<1>) -> Vec<f64> {
        rows(x.unsqueeze_dim(0)).remove(0)
    }

    #[test]
    fn a_soft_code_has_golden_weights() {
        let device = Device::flex();
        let bins = grid();
        let code = soft_code(tensor(&vec![vec![12.0, -7.0]], &device), tensor(&bins, &device), 10, 5.0);
        let dense = rows(code.dense(bins.len())).remove(0);
        let weight = |a: f64, b: f64| dense[bins.iter().position(|bin| *bin == [a, b]).expect("a bin")];
        let golden = [
            (10.0, -10.0, 0.491833),
            (10.0, 0.0, 0.220995),
            (20.0, -10.0, 0.148137),
            (20.0, 0.0, 0.066562),
            (0.0, -10.0, 0.029908),
            (0.0, -20.0, 0.001219),
        ];
        for (a, b, expected) in golden {
            assert!((weight(a, b) - expected).abs() < 1e-5, "({a}, {b}): {} is not {expected}", weight(a, b));
        }
        assert!((dense.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert_eq!(dense.iter().filter(|&&weight| weight > 0.0).count(), 10);
    }

    #[test]
    fn ties_add_no_neighbours_and_the_nearest_bin_weighs_most() {
        let device = Device::flex();
        let bins = tensor(&grid(), &device);
        // on a bin, between two and between four: many bins are equally far
        let colours = tensor(&vec![vec![0.0, 0.0], vec![5.0, 0.0], vec![5.0, 5.0], vec![-37.2, 61.9]], &device);
        let code = soft_code(colours.clone(), bins.clone(), 10, 5.0);
        for row in rows(code.dense(529)) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            assert!(row.iter().filter(|&&weight| weight > 0.0).count() <= 10);
        }
        // without ties, the nearest bin is the one with the largest weight
        let hard: Vec<i64> = nearest_bin(colours, bins).into_data().iter::<i64>().collect();
        let soft: Vec<i64> = code.nearest().into_data().iter::<i64>().collect();
        assert_eq!((hard[0], hard[3]), (soft[0], soft[3]));
    }

    #[test]
    fn zero_logits_cost_ln_q_for_any_code() {
        let device = Device::flex();
        let bins = grid()[..313].to_vec();
        let colours = tensor(&vec![vec![3.0, 4.0], vec![-60.0, 20.0]], &device);
        let code = soft_code(colours, tensor(&bins, &device), 10, 5.0);
        for loss in one(code.cross_entropy(Tensor::zeros([2, 313], &device))) {
            assert!((loss - 5.746_203).abs() < 1e-5, "{loss}");
        }
    }

    #[test]
    fn cross_entropy_and_its_gradient_agree_with_the_dense_sum() {
        let device = Device::flex().autodiff();
        let centres: Rows = (0..7).map(|i| vec![10.0 * f64::from(i % 3), 10.0 * f64::from(i / 3)]).collect();
        let colours = tensor(&vec![vec![3.0, 4.0], vec![12.0, 18.0], vec![7.0, -2.0]], &device);
        let code = soft_code(colours, tensor(&centres, &device), 4, 5.0);
        let dense = rows(code.dense(7));
        let z = table(3, 7, 0.4);
        let slowly = |z: &Rows| {
            let row = |(z, code): (&Vec<f64>, &Vec<f64>)| -> f64 {
                let sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
                z.iter().zip(code).map(|(z, weight)| weight * (sum - z)).sum()
            };
            z.iter().zip(&dense).map(row).sum::<f64>()
        };
        let leaf = tensor(&z, &device).require_grad();
        let loss = code.cross_entropy(leaf.clone()).sum();
        assert!((number(loss.clone()) - slowly(&z)).abs() < 1e-5);
        differences_agree(&z, &gradient(&leaf, loss), slowly);
    }

    #[test]
    fn rebalancing_weights_are_golden_and_average_to_one() {
        let device = Device::flex();
        let prior = Tensor::<1>::from_floats([0.7, 0.2, 0.1], &device);
        let weights = one(rebalancing_weights(prior, Tensor::ones([3], &device), 0.5));
        for (found, expected) in weights.iter().zip([0.754170, 1.461204, 1.798405]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        assert!((0.7 * weights[0] + 0.2 * weights[1] + 0.1 * weights[2] - 1.0).abs() < 1e-6);
        // an empty bin that is not live changes nothing
        let prior = Tensor::<1>::from_floats([0.7, 0.0, 0.2, 0.1], &device);
        let live = Tensor::<1>::from_floats([1.0, 0.0, 1.0, 1.0], &device);
        let with = one(rebalancing_weights(prior, live, 0.5));
        assert!((with[0] - weights[0]).abs() < 1e-5 && (with[3] - weights[2]).abs() < 1e-5);
    }

    #[test]
    fn scale_gradient_keeps_the_value() {
        let device = Device::flex().autodiff();
        let x = tensor(&vec![vec![2.0], vec![-3.0]], &device).require_grad();
        let scale = Tensor::<1>::from_floats([0.25, 4.0], &device);
        let y = scale_gradient(x.clone().squeeze_dim(1), scale);
        assert_eq!(one(y.clone().inner()), [2.0, -3.0]);
        assert_eq!(gradient(&x, y.sum()), [[0.25], [4.0]]);
    }

    #[test]
    fn the_annealed_mean_goes_from_mean_to_likeliest() {
        let device = Device::flex();
        let z = tensor(&vec![[0.6f64, 0.3, 0.1].map(f64::ln).to_vec()], &device);
        // with unit vectors as centres, the mean colour is the distribution itself
        let identity = tensor(&crate::loss::test_support::axes(3, 3), &device);
        let at = |t: f64| rows(annealed_mean(z.clone(), identity.clone(), t)).remove(0);
        for (t, expected) in [(0.38, [0.854463, 0.137882, 0.007655]), (1.0, [0.6, 0.3, 0.1]), (1e-3, [1.0, 0.0, 0.0])] {
            for (found, expected) in at(t).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "T {t}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn squared_error_predicts_gray_where_classes_keep_a_colour() {
        // eleven birds that differ in colour only: six red, five green
        let device = Device::flex().autodiff();
        let centres = Tensor::<2>::from_floats([[60.0, 40.0], [0.0, 0.0], [-60.0, -40.0]], &device);
        let seen = centres.clone().select(0, Tensor::from_ints([0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2], &device));
        // the best constant predictions of squared error and of cross-entropy: their gradients are 0
        let square = tensor(&vec![vec![60.0 / 11.0, 40.0 / 11.0]], &device).require_grad();
        let slope = gradient(&square, (square.clone().expand([11, 2]) - seen.clone()).square().sum());
        assert!(slope[0].iter().all(|slope| slope.abs() < 1e-3), "{slope:?}");
        let shares = [6.0f64 / 11.0, 1e-9, 5.0 / 11.0];
        let logits = tensor(&vec![shares.map(f64::ln).to_vec()], &device).require_grad();
        let code = soft_code(seen, centres.clone(), 1, 5.0);
        let slope = gradient(&logits, code.cross_entropy(logits.clone().expand([11, 3])).sum());
        assert!(slope[0].iter().all(|slope| slope.abs() < 1e-4), "{slope:?}");
        // the first is nearly gray, the second red
        let colour = rows(annealed_mean(logits, centres, 0.1)).remove(0);
        assert!(60f64.hypot(40.0) / 11.0 < 7.0 && colour[0] > 40.0, "{colour:?}");
    }

    #[test]
    fn has_colour_takes_near_gray_for_gray() {
        let device = Device::flex();
        let mut values = vec![1.0f32; 3 * 2 * 4];
        values[9] = -5.5;
        values[18] = 4.9;
        let ab = Tensor::<4>::from_data(burn::tensor::TensorData::new(values, [3, 2, 2, 2]), &device);
        assert_eq!(one(has_colour(ab, 5.0)), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn only_live_bins_have_weight() {
        let device = Device::flex();
        let bins = tensor(&grid(), &device);
        let code = soft_code(tensor(&vec![vec![12.0, -7.0]], &device), bins, 10, 5.0);
        let nearest: i64 = code.nearest().into_scalar();
        let mut live = vec![1.0f32; 529];
        live[nearest as usize] = 0.0;
        let kept = rows(code.clone().among(Tensor::from_floats(live.as_slice(), &device)).dense(529)).remove(0);
        assert_eq!(kept[nearest as usize], 0.0);
        assert!((kept.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let none = one(code.among(Tensor::zeros([529], &device)).cross_entropy(Tensor::zeros([1, 529], &device)));
        assert_eq!(none, [0.0]);
    }

    #[test]
    fn class_frequencies_count_labels() {
        let labels = Tensor::<1, Int>::from_ints([2, 0, 2, 3], &Device::flex());
        assert_eq!(one(class_frequencies(labels, 5)), [0.25, 0.0, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn entropy_does_not_depend_on_the_sum_of_the_weights() {
        let device = Device::flex();
        let found = number(entropy(Tensor::from_floats([2.0, 0.0, 2.0, 4.0], &device)));
        assert!((found - 1.5 * 2f64.ln()).abs() < 1e-6, "{found}");
    }
}
