//! Multinomial logistic regression on standardised frozen features, solved to convergence, so that no learning rate can
//! flatter or hurt a method.
//!
//! `min_{W, b} -1/n sum_i log softmax(W x_i + b)[y_i] + l2 / 2 |W|^2`, until the gradient is at most 0.02 times as long as
//! `l2 W` (0.001 times with fewer images than features): W is then off by at most that share of its length. A gradient that
//! is small by itself would say little, for under a weak penalty all of them are. scikit-learn's C is 1 / (n l2).

use burn::tensor::Device;

use super::compact::{Choice, Compact, Space};
use super::features::Features;
use super::newton::Minimum;
use super::problem::{Known, Problem, Scale};
use super::sample::Validation;
use crate::error::Result;

/// A fitted probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The penalty in use.
    pub l2: f64,
    /// True if the tolerance was met within the allowed iterations.
    pub converged: bool,
    /// Evaluations of the objective and products with its curvature in the fit to all rows.
    pub passes: usize,
    /// Accuracy on the validation rows of a probe fitted to the others, where penalties were chosen.
    pub validation: Option<f64>,
    scale: Scale,
    /// `W` as `[d, k]`, then `b` as `[k]`.
    theta: Vec<f64>,
    classes: usize,
}

/// Fits a probe. Of several penalties the one that classifies most of the validation rows correctly is chosen (the stronger of
/// two that tie), and the first `learned` rows are fitted again with it. Without validation rows it is 1 / n, scikit-learn's
/// default.
///
/// # Errors
/// When the device is lost.
pub async fn fit(
    train: &Features,
    labels: &[u16],
    learned: usize,
    validation: Option<&Validation>,
    classes: usize,
    penalties: &[f64],
    device: &Device,
) -> Result<Fit> {
    let mut sorted = penalties.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let space = Space::of(learned, train.width);
    let all: Vec<usize> = (0..learned).collect();
    let scale = Scale::of(train, &all);
    let known = Known { features: train, labels, rows: &all, scale: &scale, classes };
    let (choice, curvature) = match (sorted.as_slice(), validation) {
        ([] | [_], _) | (_, None) => (None, None),
        (several, Some(rows)) => {
            let scale = Scale::of(train, &rows.kept);
            let kept = Known { rows: &rows.kept, scale: &scale, ..known };
            let aside = Known { rows: &rows.aside, ..kept };
            let compact = Compact::new(kept, space, None, device).await?;
            let choice = compact.choose(aside, several, device).await?;
            (Some((choice, aside.rows.len())), compact.into_curvature())
        }
    };
    let compact = Compact::new(known, space, curvature, device).await?;
    let (l2, start, validation) = match choice {
        Some((Choice { l2, theta, right }, aside)) => {
            // weights over features cannot start a fit over rows
            let start = if space == Space::Rows { compact.start() } else { theta };
            (l2, start, Some(right as f64 / aside as f64))
        }
        None => match sorted.as_slice() {
            [only] => (*only, compact.start(), None),
            _ => (1.0 / learned.max(1) as f64, compact.start(), None),
        },
    };
    let Minimum { at, converged, passes } = compact.solve(start, l2).await?;
    let theta = compact.weights(&at);
    Ok(Fit { l2, converged, passes, validation, scale, theta, classes })
}

/// Fits a probe to the rows that validation keeps alone, without the second fit to all rows of [`fit`].
///
/// # Errors
/// When the device is lost.
pub async fn fit_once(
    train: &Features,
    labels: &[u16],
    rows: &Validation,
    classes: usize,
    penalties: &[f64],
    device: &Device,
) -> Result<Fit> {
    let mut sorted = penalties.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let scale = Scale::of(train, &rows.kept);
    let kept = Known { features: train, labels, rows: &rows.kept, scale: &scale, classes };
    let aside = Known { rows: &rows.aside, ..kept };
    let compact = Compact::new(kept, Space::of(rows.kept.len(), train.width), None, device).await?;
    let l2 = match sorted.as_slice() {
        [only] => *only,
        several => compact.choose(aside, several, device).await?.l2,
    };
    let Minimum { at, converged, passes } = compact.solve(compact.start(), l2).await?;
    let theta = compact.weights(&at);
    let named = Problem::new(&aside, device).predict(&theta).await?;
    let right = named.iter().zip(&rows.aside).filter(|(named, row)| **named == labels[**row]).count();
    let validation = Some(right as f64 / rows.aside.len().max(1) as f64);
    drop(compact);
    Ok(Fit { l2, converged, passes, validation, scale, theta, classes })
}

impl Fit {
    /// Fits a probe with one penalty to features that are standardised already.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn with_penalty(
        train: &Features,
        labels: &[u16],
        classes: usize,
        l2: f64,
        device: &Device,
    ) -> Result<Self> {
        let all: Vec<usize> = (0..train.len()).collect();
        let scale = Scale::none(train.width);
        let known = Known { features: train, labels, rows: &all, scale: &scale, classes };
        let compact = Compact::new(known, Space::of(train.len(), train.width), None, device).await?;
        let Minimum { at, converged, passes } = compact.solve(compact.start(), l2).await?;
        let theta = compact.weights(&at);
        Ok(Self { l2, converged, passes, validation: None, scale, theta, classes })
    }

    /// The class with the largest logit for each row.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn predict(&self, test: &Features, device: &Device) -> Result<Vec<u16>> {
        let rows: Vec<usize> = (0..test.len()).collect();
        let labels = vec![0; test.len()];
        let Self { scale, classes, .. } = self;
        let asked = Known { features: test, labels: &labels, rows: &rows, scale, classes: *classes };
        Problem::new(&asked, device).predict(&self.theta).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use futures_lite::future::block_on;

    /// Three overlapping clouds in five dimensions of very different scales.
    fn clouds(n: usize) -> (Features, Vec<u16>) {
        let noise = normal(&mut stream(5, Purpose::Probe, 0), n * 5, 1.0);
        let labels: Vec<u16> = (0..n).map(|i| (i % 3) as u16).collect();
        let values = (0..n * 5).map(|i| {
            let row = i / 5;
            let column = i % 5;
            let centre = if column == usize::from(labels[row]) { 2.0 } else { 0.0 };
            (centre + noise[i]) * 10f32.powi(column as i32 - 2)
        });
        (Features { layer: "test".into(), width: 5, values: values.collect() }, labels)
    }

    #[test]
    fn a_probe_fitted_once_is_that_of_the_rows_kept() {
        let device = Device::flex();
        let (features, labels) = clouds(240);
        let (aside, kept): (Vec<usize>, Vec<usize>) = (0..240).partition(|row| row % 6 == 0);
        let rows = Validation { kept, aside };
        let once = block_on(fit_once(&features, &labels, &rows, 3, &[1e-2], &device)).expect("a fit");
        let few = features.chosen(&rows.kept);
        let their: Vec<u16> = rows.kept.iter().map(|&row| labels[row]).collect();
        let alone = block_on(fit(&few, &their, few.len(), None, 3, &[1e-2], &device)).expect("a fit");
        assert!(once.converged && once.l2 == 1e-2);
        let off = once.theta.iter().zip(&alone.theta).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-6, "{off}");
        let asked = features.chosen(&rows.aside);
        let named = block_on(alone.predict(&asked, &device)).expect("names");
        let right = named.iter().zip(&rows.aside).filter(|(named, row)| **named == labels[**row]).count();
        assert_eq!(once.validation, Some(right as f64 / 40.0));
    }

    #[test]
    fn the_optimum_is_one_by_central_differences() {
        let (features, labels) = clouds(300);
        let device = Device::flex();
        let fit = block_on(fit(&features, &labels, 300, None, 3, &[0.01], &device)).expect("a fit");
        assert!(fit.converged);
        // the objective written out in double precision, at the solution and beside it
        let objective = |theta: &[f64]| {
            let mut loss = 0.0;
            for (row, &label) in features.rows().zip(&labels) {
                let x: Vec<f64> = (0..5).map(|j| (f64::from(row[j]) - fit.scale.mean[j]) / fit.scale.std[j]).collect();
                let z: Vec<f64> =
                    (0..3).map(|c| (0..5).map(|j| x[j] * theta[j * 3 + c]).sum::<f64>() + theta[15 + c]).collect();
                loss += z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[usize::from(label)];
            }
            loss / 300.0 + 0.005 * theta[..15].iter().map(|w| w * w).sum::<f64>()
        };
        for index in 0..18 {
            let moved = |by: f64| {
                let mut theta = fit.theta.clone();
                theta[index] += by;
                objective(&theta)
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            assert!(slope.abs() < 3e-4, "the objective still falls along {index}: {slope}");
        }
    }

    #[test]
    fn validation_picks_a_penalty_and_the_probe_beats_chance() {
        let (features, labels) = clouds(600);
        let device = Device::flex();
        let (kept, aside) = (0..600).partition(|row| row % 6 > 0);
        let validation = Validation { kept, aside };
        let alone = block_on(fit(&features, &labels, 600, None, 3, &[1e3, 1e-2], &device)).expect("a fit");
        assert_eq!((alone.l2, alone.validation), (1.0 / 600.0, None), "there is nothing to choose by");
        let fit = block_on(fit(&features, &labels, 600, Some(&validation), 3, &[1e3, 1e-2], &device)).expect("a fit");
        assert_eq!(fit.l2, 1e-2, "a penalty that crushes every weight must lose");
        assert!(fit.validation > Some(0.75) && fit.validation < Some(1.0), "{:?} of 100 rows", fit.validation);
        let named = block_on(fit.predict(&features, &device)).expect("names");
        let right = named.iter().zip(&labels).filter(|(a, b)| a == b).count();
        assert!(right > 480, "{right} of 600");
    }

    /// Sizes of rows in a file.
    #[derive(serde::Deserialize)]
    struct Sizes {
        images: usize,
        features: usize,
        classes: usize,
        penalties: Vec<f64>,
    }

    /// Fits a probe for every penalty to the files of one folder and writes the predictions for the rows after the images.
    fn fit_files(folder: &std::path::Path) {
        let read = |name: &str| std::fs::read(folder.join(name)).expect("a file");
        let sizes: Sizes = serde_json::from_slice(&read("sizes.json")).expect("sizes");
        let values = read("rows.f32").as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let labels: Vec<u16> =
            read("labels.u16").as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        let all = Features { layer: "file".into(), width: sizes.features, values };
        let [train, test] =
            [0..sizes.images, sizes.images..labels.len()].map(|rows| all.chosen(&rows.collect::<Vec<_>>()));
        let device = Device::flex();
        for l2 in sizes.penalties {
            let known = &labels[..sizes.images];
            let fit = block_on(fit(&train, known, sizes.images, None, sizes.classes, &[l2], &device)).expect("a fit");
            let named = block_on(fit.predict(&test, &device)).expect("names");
            let bytes: Vec<u8> = named.into_iter().flat_map(u16::to_le_bytes).collect();
            std::fs::write(folder.join(format!("{l2}.u16")), bytes).expect("written");
            println!("{} of {}, {l2}: {} passes, converged: {}", train.len(), train.width, fit.passes, fit.converged);
        }
    }

    /// Fits probes to the files of tests/reference/sklearn_probes.py, which compares the predictions, where the variable names their
    /// folder.
    #[test]
    fn probes_of_files_are_fitted() {
        let Some(folder) = std::env::var_os("NOLABEL_PROBES") else {
            return println!("NOLABEL_PROBES is not set: no probes fitted to files");
        };
        for case in std::fs::read_dir(folder).expect("a folder") {
            fit_files(&case.expect("a case").path());
        }
    }
}
