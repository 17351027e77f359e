//! Colours as classes: each pixel's place among bins of the plane of a and b, weights against an excess of gray, and the
//! way back from a distribution to a colour.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// Smallest sum that shares are divided by.
const TINY: f64 = 1e-12;

/// Each pixel's nearest bins and their shares.
#[derive(Clone, Debug)]
pub struct SoftCode {
    /// The nearest bin first `[m, k]`.
    pub places: Tensor<2, Int>,
    /// Their shares; each row sums to 1 `[m, k]`.
    pub shares: Tensor<2>,
}

/// `Z_q = exp(-|y - c_q|^2 / 2 sigma^2)` for the `neighbours` bins nearest to the colour y, set to sum 1; 0 for all others.
///
/// `colours` y: `[m, 2]`, `centres` c: `[q, 2]`. Zhang, Isola and Efros 2016, section 2.1 (10 neighbours in the code, sigma 5).
pub fn soft_code(colours: Tensor<2>, centres: Tensor<2>, neighbours: usize, sigma: f64) -> SoftCode {
    let (near, places) = squared_distances(colours, centres).neg().topk_with_indices(neighbours, 1);
    SoftCode { places, shares: softmax(near / (2.0 * sigma * sigma), 1) }
}

/// The nearest bin of each colour: `[m, 2]`, `[q, 2]` -> `[m]`.
pub fn nearest_bin(colours: Tensor<2>, centres: Tensor<2>) -> Tensor<1, Int> {
    squared_distances(colours, centres).argmin(1).squeeze_dim(1)
}

/// `|y_i - c_q|^2`: `[m, d]`, `[q, d]` -> `[m, q]`.
fn squared_distances(colours: Tensor<2>, centres: Tensor<2>) -> Tensor<2> {
    let [_, d] = colours.dims();
    assert_eq!(centres.dims()[1], d, "bins: colours and centres must have as many numbers");
    let along = |axis: usize| {
        let off = colours.clone().narrow(1, axis, 1) - centres.clone().narrow(1, axis, 1).transpose(); // [m, q]
        off.square()
    };
    (1..d).fold(along(0), |sum, axis| sum + along(axis))
}

impl SoftCode {
    /// The bin with the largest share of each pixel, which is the nearest of those that have one `[m]`.
    pub fn nearest(&self) -> Tensor<1, Int> {
        self.places.clone().gather(1, self.shares.clone().argmax(1)).squeeze_dim(1)
    }

    /// With the whole share at that bin.
    pub fn hard(&self) -> Self {
        let places = self.nearest().unsqueeze_dim::<2>(1);
        Self { shares: Tensor::ones(places.dims(), &self.shares.device()), places }
    }

    /// With the shares of all bins: `[m, bins]`.
    pub fn dense(&self, bins: usize) -> Tensor<2> {
        let [m, _] = self.shares.dims();
        let empty = Tensor::zeros([m, bins], &self.shares.device());
        empty.scatter(1, self.places.clone(), self.shares.clone(), IndexingUpdateOp::Add)
    }

    /// Without the bins whose `live` is 0; the shares of the others make up for it. A pixel none of whose bins is live keeps
    /// nothing.
    ///
    /// `live`: `[bins]` of 0 and 1.
    pub fn among(self, live: Tensor<1>) -> Self {
        let [m, k] = self.shares.dims();
        let on = live.select(0, self.places.clone().reshape([m * k])).reshape([m, k]);
        let kept = self.shares * on;
        let shares = kept.clone() / kept.sum_dim(1).clamp_min(TINY);
        Self { shares, ..self }
    }

    /// `-sum_q Z_q log softmax(z)_q` of each pixel: `logits` z `[m, q]` -> `[m]`.
    pub fn cross_entropy(&self, logits: Tensor<2>) -> Tensor<1> {
        let found = log_softmax(logits, 1).gather(1, self.places.clone()); // [m, k]
        (found * self.shares.clone()).sum_dim(1).neg().squeeze_dim(1)
    }
}

/// Weights that make rare colours count: `w_q = 1 / ((1 - lambda) p_q + lambda / Q)`, scaled so that `sum_q p_q w_q = 1`.
///
/// Unscaled weights would change the learning rate. At lambda 1 all weights are 1. `prior` p: `[q]`, of which only the
/// proportions count; `live`: `[q]` of 0 and 1, whose sum is Q; what is not live weighs nothing -> `[q]`. Zhang, Isola and
/// Efros 2016, equation 4, lambda 1/2 there.
pub fn rebalanced(prior: Tensor<1>, live: Tensor<1>, lambda: f64) -> Tensor<1> {
    let prior = prior.clone() / prior.sum().clamp_min(TINY);
    let even = live.clone() / live.clone().sum().clamp_min(1.0);
    let raw = (prior.clone() * (1.0 - lambda) + even * lambda).clamp_min(TINY).recip() * live;
    raw.clone() / (prior * raw).sum().clamp_min(TINY)
}

/// x as it is, with the gradient of `scale x`: the loss that is read does not change, what is learned does. So does the
/// authors' code of colorization.
///
/// `x`, `scale`: `[m]` -> `[m]`.
pub fn gradient_scaled(x: Tensor<1>, scale: Tensor<1>) -> Tensor<1> {
    let scaled = x.clone() * scale.detach();
    scaled.clone() + (x - scaled).detach()
}

/// The annealed mean `sum_q c_q softmax(z / T)_q`: at T = 1 the mean colour, near T = 0 the likeliest one. In between it is
/// neither gray nor spotted.
///
/// `logits` z: `[m, q]`, `centres` c: `[q, d]` -> `[m, d]`. Zhang, Isola and Efros 2016, equation 5, T 0.38 there.
pub fn annealed_mean(logits: Tensor<2>, centres: Tensor<2>, t: f64) -> Tensor<2> {
    softmax(logits / t, 1).matmul(centres)
}

/// 1 for images with some colour, 0 for those in which no a or b is beyond `least`: `ab` `[n, 2, h, w]` -> `[n]`.
pub fn coloured(ab: Tensor<4>, least: f64) -> Tensor<1> {
    let [n, c, h, w] = ab.dims();
    ab.reshape([n, c * h * w]).abs().max_dim(1).greater_elem(least).float().squeeze_dim(1)
}

/// How often each of `classes` is right: `[m]` -> `[classes]`, sums to 1.
pub fn frequencies(labels: Tensor<1, Int>, classes: usize) -> Tensor<1> {
    let [m] = labels.dims();
    let all = Tensor::<1, Int>::arange(0..classes as i64, &labels.device()).unsqueeze_dim::<2>(0).expand([m, classes]);
    let hits = labels.unsqueeze_dim::<2>(1).expand([m, classes]).equal(all);
    hits.float().mean_dim(0).squeeze_dim(0)
}

/// `-sum_q p_q ln p_q` of shares `[q]`, or of what is set to sum 1 `-> [1]`: what the best fixed answer to questions with
/// these answers loses on average.
pub fn entropy(shares: Tensor<1>) -> Tensor<1> {
    let p = shares.clone() / shares.sum().clamp_min(TINY);
    (p.clone() * p.clamp_min(TINY).log()).sum().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, differences_agree, gradient, number, rows, table, tensor};
    use burn::tensor::Device;

    /// All bins of step 10 from -110 to 110.
    fn grid() -> Rows {
        let value = |index: i32| f64::from(10 * (index - 11));
        (0..23 * 23).map(|place| vec![value(place / 23), value(place % 23)]).collect()
    }

    fn one(x: Tensor<1>) -> Vec<f64> {
        rows(x.unsqueeze_dim(0)).remove(0)
    }

    #[test]
    fn a_soft_code_has_the_known_shares() {
        let device = Device::flex();
        let bins = grid();
        let code = soft_code(tensor(&vec![vec![12.0, -7.0]], &device), tensor(&bins, &device), 10, 5.0);
        let dense = rows(code.dense(bins.len())).remove(0);
        let share = |a: f64, b: f64| dense[bins.iter().position(|bin| *bin == [a, b]).expect("a bin")];
        let known = [
            (10.0, -10.0, 0.491833),
            (10.0, 0.0, 0.220995),
            (20.0, -10.0, 0.148137),
            (20.0, 0.0, 0.066562),
            (0.0, -10.0, 0.029908),
            (0.0, -20.0, 0.001219),
        ];
        for (a, b, expected) in known {
            assert!((share(a, b) - expected).abs() < 1e-5, "({a}, {b}): {} is not {expected}", share(a, b));
        }
        assert!((dense.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert_eq!(dense.iter().filter(|&&share| share > 0.0).count(), 10);
    }

    #[test]
    fn ties_give_no_more_neighbours_and_the_nearest_counts_most() {
        let device = Device::flex();
        let bins = tensor(&grid(), &device);
        // on a bin, between two and between four: many bins are equally far
        let colours = tensor(&vec![vec![0.0, 0.0], vec![5.0, 0.0], vec![5.0, 5.0], vec![-37.2, 61.9]], &device);
        let code = soft_code(colours.clone(), bins.clone(), 10, 5.0);
        for row in rows(code.dense(529)) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            assert!(row.iter().filter(|&&share| share > 0.0).count() <= 10);
        }
        // the one-hot code is where the soft one is largest, but for ties
        let hard: Vec<i64> = nearest_bin(colours, bins).into_data().iter::<i64>().collect();
        let soft: Vec<i64> = code.nearest().into_data().iter::<i64>().collect();
        assert_eq!((hard[0], hard[3]), (soft[0], soft[3]));
    }

    #[test]
    fn zero_logits_lose_ln_q_whatever_the_code() {
        let device = Device::flex();
        let bins = grid()[..313].to_vec();
        let colours = tensor(&vec![vec![3.0, 4.0], vec![-60.0, 20.0]], &device);
        let code = soft_code(colours, tensor(&bins, &device), 10, 5.0);
        for loss in one(code.cross_entropy(Tensor::zeros([2, 313], &device))) {
            assert!((loss - 5.746_203).abs() < 1e-5, "{loss}");
        }
    }

    #[test]
    fn cross_entropy_agrees_with_the_dense_formula_and_with_central_differences() {
        let device = Device::flex().autodiff();
        let centres: Rows = (0..7).map(|i| vec![10.0 * f64::from(i % 3), 10.0 * f64::from(i / 3)]).collect();
        let colours = tensor(&vec![vec![3.0, 4.0], vec![12.0, 18.0], vec![7.0, -2.0]], &device);
        let code = soft_code(colours, tensor(&centres, &device), 4, 5.0);
        let dense = rows(code.dense(7));
        let z = table(3, 7, 0.4);
        let slowly = |z: &Rows| {
            let row = |(z, code): (&Vec<f64>, &Vec<f64>)| -> f64 {
                let sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
                z.iter().zip(code).map(|(z, share)| share * (sum - z)).sum()
            };
            z.iter().zip(&dense).map(row).sum::<f64>()
        };
        let leaf = tensor(&z, &device).require_grad();
        let loss = code.cross_entropy(leaf.clone()).sum();
        assert!((number(loss.clone()) - slowly(&z)).abs() < 1e-5);
        differences_agree(&z, &gradient(&leaf, loss), slowly);
    }

    #[test]
    fn weights_have_the_known_values_and_mean_one_under_the_prior() {
        let device = Device::flex();
        let prior = Tensor::<1>::from_floats([0.7, 0.2, 0.1], &device);
        let weights = one(rebalanced(prior, Tensor::ones([3], &device), 0.5));
        for (found, expected) in weights.iter().zip([0.754170, 1.461204, 1.798405]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        assert!((0.7 * weights[0] + 0.2 * weights[1] + 0.1 * weights[2] - 1.0).abs() < 1e-6);
        // a bin that no pixel has changes nothing when it is not live
        let prior = Tensor::<1>::from_floats([0.7, 0.0, 0.2, 0.1], &device);
        let live = Tensor::<1>::from_floats([1.0, 0.0, 1.0, 1.0], &device);
        let with = one(rebalanced(prior, live, 0.5));
        assert!((with[0] - weights[0]).abs() < 1e-5 && (with[3] - weights[2]).abs() < 1e-5);
    }

    #[test]
    fn scaling_a_gradient_leaves_the_value() {
        let device = Device::flex().autodiff();
        let x = tensor(&vec![vec![2.0], vec![-3.0]], &device).require_grad();
        let scale = Tensor::<1>::from_floats([0.25, 4.0], &device);
        let y = gradient_scaled(x.clone().squeeze_dim(1), scale);
        assert_eq!(one(y.clone().inner()), [2.0, -3.0]);
        assert_eq!(gradient(&x, y.sum()), [[0.25], [4.0]]);
    }

    #[test]
    fn annealing_goes_from_the_mean_to_the_likeliest() {
        let device = Device::flex();
        let z = tensor(&vec![[0.6f64, 0.3, 0.1].map(f64::ln).to_vec()], &device);
        // with axes as centres the mean colour is the distribution itself
        let identity = tensor(&crate::loss::test_support::axes(3, 3), &device);
        let at = |t: f64| rows(annealed_mean(z.clone(), identity.clone(), t)).remove(0);
        for (t, expected) in [(0.38, [0.854463, 0.137882, 0.007655]), (1.0, [0.6, 0.3, 0.1]), (1e-3, [1.0, 0.0, 0.0])] {
            for (found, expected) in at(t).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "T {t}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn squares_answer_gray_where_classes_keep_a_colour() {
        // of eleven birds alike but for their colour six are red and five green
        let device = Device::flex().autodiff();
        let centres = Tensor::<2>::from_floats([[60.0, 40.0], [0.0, 0.0], [-60.0, -40.0]], &device);
        let seen = centres.clone().select(0, Tensor::from_ints([0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2], &device));
        // the answer with the least squares, by its gradient of 0, and that with the least cross-entropy
        let square = tensor(&vec![vec![60.0 / 11.0, 40.0 / 11.0]], &device).require_grad();
        let slope = gradient(&square, (square.clone().expand([11, 2]) - seen.clone()).square().sum());
        assert!(slope[0].iter().all(|slope| slope.abs() < 1e-3), "{slope:?}");
        let shares = [6.0f64 / 11.0, 1e-9, 5.0 / 11.0];
        let logits = tensor(&vec![shares.map(f64::ln).to_vec()], &device).require_grad();
        let code = soft_code(seen, centres.clone(), 1, 5.0);
        let slope = gradient(&logits, code.cross_entropy(logits.clone().expand([11, 3])).sum());
        assert!(slope[0].iter().all(|slope| slope.abs() < 1e-4), "{slope:?}");
        // the one is nearly gray, the other red
        let colour = rows(annealed_mean(logits, centres, 0.1)).remove(0);
        assert!(60f64.hypot(40.0) / 11.0 < 7.0 && colour[0] > 40.0, "{colour:?}");
    }

    #[test]
    fn near_gray_images_are_told_from_coloured_ones() {
        let device = Device::flex();
        let mut values = vec![1.0f32; 3 * 2 * 4];
        values[9] = -5.5;
        values[18] = 4.9;
        let ab = Tensor::<4>::from_data(burn::tensor::TensorData::new(values, [3, 2, 2, 2]), &device);
        assert_eq!(one(coloured(ab, 5.0)), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn only_live_bins_share() {
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
    fn frequencies_count_labels() {
        let labels = Tensor::<1, Int>::from_ints([2, 0, 2, 3], &Device::flex());
        assert_eq!(one(frequencies(labels, 5)), [0.25, 0.0, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn entropy_is_that_of_the_shares_whatever_their_sum() {
        let device = Device::flex();
        let found = number(entropy(Tensor::from_floats([2.0, 0.0, 2.0, 4.0], &device)));
        assert!((found - 1.5 * 2f64.ln()).abs() < 1e-6, "{found}");
    }
}
