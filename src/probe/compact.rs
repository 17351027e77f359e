//! Logistic regression over the smaller of rows and features, so that its cost grows with the smaller number.
//!
//! The best weights are a weighted sum of the rows they are fitted to. With fewer rows than features, nothing is therefore lost
//! by taking coordinates in the space that the rows span: with `X X^T = L L^T` the rows of L have the inner products of those
//! of X, and weights V that fit L stand for `X^T L^-T V`. Ten images of 150,528 pixels make a problem of ten features, small
//! enough for double precision.

use burn::tensor::Device;

use super::curvature::{Curvature, Preconditioner};
use super::newton::{Minimum, minimise};
use super::problem::{Known, Problem};
use super::spanned::Spanned;
use crate::algebra::Cholesky;
use crate::error::Result;

/// Share of the weights' length that they may be off by, in double precision.
const TOLERANCE: f64 = 1e-3;
/// The same in single precision, which rounds slopes that nearly cancel.
const SINGLE_TOLERANCE: f64 = 2e-2;
/// Factor of the tolerance for fits that only compare penalties: the last fit starts from theirs.
const ROUGHLY: f64 = 5.0;
/// Added to the inner products, relative to the mean square of a row, and more than single precision rounds them by: rows may
/// depend on one another.
const RIDGE: f64 = 1e-5;
/// Features up to which the matrix of all their pairs is used.
const PAIRED: usize = 8192;
/// Rows up to which the matrix of all their pairs is used.
const SPANNED: usize = 4096;
/// Rows sampled for the curvature where neither is possible.
pub(super) const SAMPLED: usize = 1024;

/// The dimensions that a problem is solved in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The features, with the matrix of all their pairs.
    Features,
    /// The rows, with the matrix of all their pairs.
    Rows,
    /// The features, with the curvature of some of the rows: both are many.
    Sampled,
}

impl Space {
    /// The cheapest for this many rows and features.
    pub(super) fn of(rows: usize, features: usize) -> Self {
        match rows.min(features) {
            _ if features <= rows && features <= PAIRED => Space::Features,
            _ if rows < features && rows <= SPANNED => Space::Rows,
            _ => Space::Sampled,
        }
    }
}

/// A problem in some space.
pub(super) struct Compact<'a> {
    known: Known<'a>,
    form: Form,
    curvature: Curvature,
    /// Coordinates of a row.
    width: usize,
}

/// The rows in the coordinates of the space.
enum Form {
    /// Those of the features, on the device in single precision.
    Features(Box<Problem>),
    /// Those of the rows, on the host in double precision.
    Rows(Spanned),
}

/// The best of several penalties.
pub(super) struct Choice {
    pub(super) l2: f64,
    /// The weights, for features.
    pub(super) theta: Vec<f64>,
    /// Validation rows that it classifies correctly.
    pub(super) right: usize,
}

/// Fits for penalties from strong to weak, each starting from the weights of the one before.
pub(super) struct Path<'c, 'a> {
    compact: &'c Compact<'a>,
    aside: Known<'a>,
    asked: Problem,
    theta: Vec<f64>,
}

impl Path<'_, '_> {
    /// The weights for features, and the number of validation rows that they classify correctly.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn next(&mut self, l2: f64) -> Result<(Vec<f64>, usize)> {
        let start = std::mem::take(&mut self.theta);
        self.theta = self.compact.solve_within(start, l2, ROUGHLY).await?.at;
        let weights = self.compact.weights(&self.theta);
        let named = self.asked.predict(&weights).await?;
        let Known { rows, labels, .. } = self.aside;
        let right = named.iter().zip(rows).filter(|(named, row)| **named == labels[**row]).count();
        Ok((weights, right))
    }
}

impl<'a> Compact<'a> {
    /// Puts the problem on the device. `curvature` is that of other rows of the same features, where it is known.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn new(
        known: Known<'a>,
        space: Space,
        curvature: Option<Curvature>,
        device: &Device,
    ) -> Result<Self> {
        let width = known.features.width;
        let whole = Problem::new(&known, device);
        let curvature = match (space, curvature) {
            (Space::Rows, _) => return Self::of_rows(known, whole).await,
            (_, Some(known)) => known,
            (Space::Sampled, None) => {
                // evenly spread, because they may be sorted
                let count = known.rows.len().min(SAMPLED);
                let some: Vec<usize> = (0..count).map(|place| known.rows[place * known.rows.len() / count]).collect();
                Curvature::sampled(Known { rows: &some, ..known }.values(), width)
            }
            (Space::Features, None) => Curvature::Whole { gram: whole.gram().await?, width },
        };
        Ok(Self { known, form: Form::Features(Box::new(whole)), curvature, width })
    }

    async fn of_rows(known: Known<'a>, whole: Problem) -> Result<Self> {
        let n = known.rows.len();
        let products = whole.products().await?; // [n, n]
        drop(whole);
        let mean = (0..n).map(|row| f64::from(products[row * n + row])).sum::<f64>() / n as f64;
        let rows =
            Cholesky::of_products(n, (RIDGE * mean).max(f64::MIN_POSITIVE), |i, j| f64::from(products[i * n + j]));
        let labels = known.rows.iter().map(|&row| known.labels[row]).collect();
        let spanned = Spanned::new(rows, labels, known.classes);
        let curvature = Curvature::Whole { gram: spanned.gram(), width: n };
        Ok(Self { known, form: Form::Rows(spanned), curvature, width: n })
    }

    /// The curvature, for another problem in the space of the features; `None` in that of the rows.
    pub(super) fn into_curvature(self) -> Option<Curvature> {
        matches!(self.form, Form::Features(_)).then_some(self.curvature)
    }

    /// Zeros to start from.
    pub(super) fn start(&self) -> Vec<f64> {
        vec![0.0; (self.width + 1) * self.known.classes]
    }

    /// Minimises from `theta`, weights in this space.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn solve(&self, theta: Vec<f64>, l2: f64) -> Result<Minimum> {
        self.solve_within(theta, l2, 1.0).await
    }

    /// [`Compact::solve`] with `factor` times the tolerance.
    async fn solve_within(&self, theta: Vec<f64>, l2: f64, factor: f64) -> Result<Minimum> {
        let classes = self.known.classes;
        let mut preconditioner = Preconditioner::new(&self.curvature, l2);
        let precondition = |variance: f64, slopes: &mut [f64]| preconditioner.at(variance).apply(slopes, classes);
        match &self.form {
            Form::Features(problem) => minimise(&**problem, l2, theta, factor * SINGLE_TOLERANCE, precondition).await,
            Form::Rows(spanned) => minimise(spanned, l2, theta, factor * TOLERANCE, precondition).await,
        }
    }

    /// Fits for one penalty after another, judged by the rows set `aside`.
    pub(super) fn path(&self, aside: Known<'a>, device: &Device) -> Path<'_, 'a> {
        Path { compact: self, aside, asked: Problem::new(&aside, device), theta: self.start() }
    }

    /// The penalty that classifies most of the rows set `aside`, the stronger of two that tie. `penalties` are tried from strong to
    /// weak; once one classifies clearly fewer than one before it, the weaker ones, whose fits take longest, are left out.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn choose(&self, aside: Known<'a>, penalties: &[f64], device: &Device) -> Result<Choice> {
        let mut path = self.path(aside, device);
        let mut best = Choice { l2: 0.0, theta: Vec::new(), right: 0 };
        for &l2 in penalties {
            let (theta, right) = path.next(l2).await?;
            if is_clearly_below(right, best.right, aside.rows.len()) {
                break;
            }
            if right > best.right || best.theta.is_empty() {
                best = Choice { l2, theta, right };
            }
        }
        Ok(best)
    }

    /// Weights in this space as weights of the features: `[width + 1, classes]`.
    pub(super) fn weights(&self, theta: &[f64]) -> Vec<f64> {
        let Form::Rows(spanned) = &self.form else { return theta.to_vec() };
        let Known { features, rows, scale, classes, .. } = self.known;
        let (v, bias) = theta.split_at(self.width * classes);
        let shares = spanned.shares(v);
        let mut weights = vec![0.0; features.width * classes];
        for (&row, shares) in rows.iter().zip(shares.chunks_exact(classes)) {
            for (sums, x) in weights.chunks_exact_mut(classes).zip(scale.row(features.row(row))) {
                sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += f64::from(x) * share);
            }
        }
        weights.extend(bias);
        weights
    }
}

/// True if `right` of `rows` is more than two standard errors below `most` of them.
fn is_clearly_below(right: usize, most: usize, rows: usize) -> bool {
    let share = most as f64 / rows.max(1) as f64;
    let error = (rows as f64 * share * (1.0 - share)).sqrt();
    most as f64 - right as f64 > 2.0 * error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::features::Features;
    use crate::probe::problem::Scale;
    use crate::rng::{Purpose, normal, stream};
    use futures_lite::future::block_on;

    /// Scaled rows of three classes, some of them there twice.
    fn rows(n: usize, width: usize) -> (Features, Vec<u16>) {
        let mut values = normal(&mut stream(6, Purpose::Probe, n as u64), n * width, 1.0);
        let labels: Vec<u16> = (0..n).map(|row| (row % 3) as u16).collect();
        labels.iter().enumerate().for_each(|(row, &label)| values[row * width + usize::from(label)] += 3.0);
        let twice = values[..width].to_vec();
        values[3 * width..4 * width].copy_from_slice(&twice);
        let features = Features { layer: "test".into(), width, values };
        let all: Vec<usize> = (0..n).collect();
        (Scale::of(&features, &all).apply(&features), labels)
    }

    fn fitted(n: usize, width: usize, space: Space, l2: f64) -> Vec<f64> {
        let (features, labels) = rows(n, width);
        let all: Vec<usize> = (0..n).collect();
        let scale = Scale::none(width);
        let known = Known { features: &features, labels: &labels, rows: &all, scale: &scale, classes: 3 };
        let compact = block_on(Compact::new(known, space, None, &Device::flex())).expect("a problem");
        let Minimum { at, converged, .. } = block_on(compact.solve(compact.start(), l2)).expect("a fit");
        assert!(converged, "{space:?}");
        compact.weights(&at)
    }

    /// Distance of two vectors of weights, relative to the length of the second; three biases follow the weights.
    fn apart(found: &[f64], wanted: &[f64]) -> f64 {
        let weights = wanted.len() - 3;
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let off = squares(&mut found.iter().zip(wanted).take(weights).map(|(a, b)| a - b));
        (off / squares(&mut wanted[..weights].iter().copied())).sqrt()
    }

    /// The minimum by gradient descent with Nesterov's momentum, written out in double precision.
    fn descended(n: usize, width: usize, l2: f64) -> Vec<f64> {
        let (features, labels) = rows(n, width);
        let gradient = |theta: &[f64]| {
            let mut slopes: Vec<f64> = theta.iter().map(|theta| l2 * theta).collect();
            slopes[width * 3..].fill(0.0);
            for (row, &label) in features.rows().zip(&labels) {
                let x: Vec<f64> = row.iter().map(|&x| f64::from(x)).chain([1.0]).collect();
                let logit = |class: usize| x.iter().enumerate().map(|(j, x)| x * theta[j * 3 + class]).sum::<f64>();
                let shares = [0, 1, 2].map(|class| logit(class).exp());
                let sum: f64 = shares.iter().sum();
                for (class, share) in shares.into_iter().enumerate() {
                    let wrong = share / sum - f64::from(u8::from(class == usize::from(label)));
                    x.iter().enumerate().for_each(|(j, x)| slopes[j * 3 + class] += wrong * x / n as f64);
                }
            }
            slopes
        };
        // at most the trace of the curvature
        let steepest = 0.5 * (1.0 + features.values.iter().map(|x| x * x).sum::<f32>() / n as f32);
        let steepest = f64::from(steepest) + l2;
        let root = (l2 / steepest).sqrt();
        let momentum = (1.0 - root) / (1.0 + root);
        let mut at = vec![0.0; (width + 1) * 3];
        let mut ahead = at.clone();
        for _ in 0..30_000 {
            let slopes = gradient(&ahead);
            let next: Vec<f64> = ahead.iter().zip(&slopes).map(|(x, slope)| x - slope / steepest).collect();
            ahead = next.iter().zip(&at).map(|(next, at)| next + momentum * (next - at)).collect();
            at = next;
        }
        let steep = gradient(&at).into_iter().fold(0.0, |most: f64, slope| most.max(slope.abs()));
        assert!(steep < 1e-8, "the descent has not ended: {steep}");
        at
    }

    #[test]
    fn the_minimum_is_that_of_a_slow_descent() {
        for (n, width, l2) in [(12, 40, 1e-2), (12, 40, 1e-4), (15, 10, 1e-4), (60, 6, 1e-3)] {
            let wanted = descended(n, width, l2);
            for space in [Space::of(n, width), Space::Sampled] {
                let allowed = if space == Space::Rows { TOLERANCE } else { SINGLE_TOLERANCE };
                let off = apart(&fitted(n, width, space, l2), &wanted);
                assert!(off <= allowed, "{space:?}, {n} rows of {width} at {l2}: {off} of the weights");
            }
        }
    }

    #[test]
    fn every_space_has_the_same_minimum() {
        for (n, width) in [(12, 40), (90, 30)] {
            let [features, rows, sampled] =
                [Space::Features, Space::Rows, Space::Sampled].map(|space| fitted(n, width, space, 0.1));
            assert!(features.iter().any(|weight| weight.abs() > 0.1), "there is something to be found");
            for other in [features, sampled] {
                let off = apart(&other, &rows);
                assert!(off <= SINGLE_TOLERANCE + TOLERANCE, "{n} rows of {width}: {off} of the weights");
            }
        }
    }

    #[test]
    fn rows_that_are_there_many_times_are_told_apart() {
        // photographs of one colour each: as many different rows as classes, in single precision
        let (n, width, classes) = (96, 768, 12);
        let shades = normal(&mut stream(7, Purpose::Probe, 0), classes * 3, 1.0);
        let labels: Vec<u16> = (0..n).map(|row| (row % classes) as u16).collect();
        let values = labels.iter().flat_map(|&label| (0..width).map(move |at| (label, at)));
        let values = values.map(|(label, at)| shades[usize::from(label) * 3 + at / (width / 3)]).collect();
        let features = Features { layer: "test".into(), width, values };
        let all: Vec<usize> = (0..n).collect();
        let scale = Scale::of(&features, &all);
        let known = Known { features: &features, labels: &labels, rows: &all, scale: &scale, classes };
        let device = Device::flex();
        let compact = block_on(Compact::new(known, Space::of(n, width), None, &device)).expect("a problem");
        let mut path = compact.path(known, &device);
        let right = [1e-2, 1e-4].map(|l2| block_on(path.next(l2)).expect("a fit").1);
        assert_eq!(right[1], n, "{right:?}");
    }

    #[test]
    fn the_smaller_of_rows_and_features_decides() {
        assert_eq!(Space::of(50_000, 3072), Space::Features, "CIFAR-10");
        assert_eq!(Space::of(48, 150_528), Space::Rows);
        assert_eq!(Space::of(3000, 3000), Space::Features);
        assert_eq!([Space::of(20_000, 12_288), Space::of(9000, 16_875)], [Space::Sampled; 2]);
    }

    #[test]
    fn a_path_ends_where_it_clearly_goes_down() {
        // 90 of 100: the standard error is 3
        assert!(!is_clearly_below(85, 90, 100));
        assert!(is_clearly_below(83, 90, 100));
        assert!(!is_clearly_below(0, 0, 0));
        // every row is classified correctly: any less is clear
        assert!(is_clearly_below(99, 100, 100));
    }

    #[test]
    fn the_path_counts_what_single_fits_classify_correctly() {
        let device = Device::flex();
        for (n, width) in [(12, 40), (60, 10)] {
            let (features, labels) = rows(n, width);
            let (asked, truth) = rows(n + 30, width);
            let all: Vec<usize> = (0..n).collect();
            let others: Vec<usize> = (0..n + 30).collect();
            let scale = Scale::none(width);
            let known = Known { features: &features, labels: &labels, rows: &all, scale: &scale, classes: 3 };
            let aside = Known { features: &asked, labels: &truth, rows: &others, ..known };
            let penalties = [10.0, 0.1];
            let compact = block_on(Compact::new(known, Space::of(n, width), None, &device)).expect("a problem");
            let mut path = compact.path(aside, &device);
            for l2 in penalties {
                let (_, right) = block_on(path.next(l2)).expect("a fit");
                let at = block_on(compact.solve(compact.start(), l2)).expect("a fit").at;
                let named = block_on(Problem::new(&aside, &device).predict(&compact.weights(&at))).expect("names");
                let single = named.iter().zip(&truth).filter(|(a, b)| a == b).count();
                assert!(single.abs_diff(right) <= 1, "{single} and {right} at {l2}");
            }
        }
    }

    #[test]
    fn the_choice_is_the_best_of_the_path() {
        let device = Device::flex();
        let (features, labels) = rows(60, 10);
        let [inside, outside]: [Vec<usize>; 2] = [(0..40).collect(), (40..60).collect()];
        let scale = Scale::none(10);
        let known = Known { features: &features, labels: &labels, rows: &inside, scale: &scale, classes: 3 };
        let aside = Known { rows: &outside, ..known };
        let compact = block_on(Compact::new(known, Space::of(40, 10), None, &device)).expect("a problem");
        let penalties = [10.0, 0.1, 1e-3, 1e-5];
        let mut path = compact.path(aside, &device);
        let right = penalties.map(|l2| block_on(path.next(l2)).expect("a fit").1);
        let most = right.into_iter().max().expect("four fits");
        let choice = block_on(compact.choose(aside, &penalties, &device)).expect("a choice");
        let first = right.iter().position(|&right| right == most).expect("one is the best");
        assert_eq!((choice.l2, choice.right), (penalties[first], most), "{right:?}");
        let empty = Known { rows: &[], ..known };
        let choice = block_on(compact.choose(empty, &penalties, &device)).expect("a choice");
        assert_eq!((choice.l2, choice.right), (10.0, 0), "without validation rows the strongest");
    }
}
