//! Multinomial logistic regression as an optimisation problem: standardised rows on the device, the loss and its derivatives.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData, Transaction};

use super::features::{Features, floats};
use super::newton::{Loss, Point};
use crate::error::{Error, Result};
use crate::platform;

/// Mean and deviation of each feature over some rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
}

impl Scale {
    /// Of these rows.
    pub(super) fn of(features: &Features, rows: &[usize]) -> Self {
        let mut sum = vec![0f64; features.width];
        let mut squares = vec![0f64; features.width];
        for &row in rows {
            for ((sum, square), &x) in sum.iter_mut().zip(&mut squares).zip(features.row(row)) {
                *sum += f64::from(x);
                *square += f64::from(x).powi(2);
            }
        }
        let n = rows.len().max(1) as f64;
        let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
        let spread = mean.iter().zip(&squares).map(|(mean, square)| (square / n - mean * mean).max(0.0).sqrt());
        // a constant feature carries no information; dividing it by 1 leaves it at 0
        let std = spread.map(|std| if std > 1e-8 { std } else { 1.0 }).collect();
        Self { mean, std }
    }

    /// For features that are standardised already.
    pub(super) fn none(width: usize) -> Self {
        Self { mean: vec![0.0; width], std: vec![1.0; width] }
    }

    /// The features standardised.
    pub(super) fn apply(&self, features: &Features) -> Features {
        let values = features.rows().flat_map(|row| self.row(row)).collect();
        Features { layer: features.layer.clone(), width: features.width, values }
    }

    pub(super) fn row(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.mean).zip(&self.std).map(|((&x, mean), std)| ((f64::from(x) - mean) / std) as f32)
    }
}

/// Labelled rows that a probe is fitted to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) features: &'a Features,
    /// A label for each row of the features.
    pub(super) labels: &'a [u16],
    /// Indices of the rows in use.
    pub(super) rows: &'a [usize],
    /// Brings features to mean 0 and deviation 1.
    pub(super) scale: &'a Scale,
    pub(super) classes: usize,
}

impl Known<'_> {
    /// The rows standardised, `[n, d]`.
    pub(super) fn values(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.rows.len() * self.features.width);
        self.rows.iter().for_each(|&row| values.extend(self.scale.row(self.features.row(row))));
        values
    }
}

/// Rows and labels on the device.
pub(super) struct Problem {
    x: Tensor<2>,
    hot: Tensor<2>,
    pub(super) width: usize,
    pub(super) classes: usize,
    device: Device,
}

impl Problem {
    pub(super) fn new(known: &Known<'_>, device: &Device) -> Self {
        let Known { features, labels, rows, classes, .. } = known;
        let labels = rows.iter().map(|&row| labels[row]);
        Self::of(known.values(), features.width, labels, *classes, device)
    }

    /// Of standardised rows `[n, width]` with a label each.
    pub(super) fn of(
        values: Vec<f32>,
        width: usize,
        labels: impl ExactSizeIterator<Item = u16>,
        classes: usize,
        device: &Device,
    ) -> Self {
        let n = labels.len();
        let mut hot = vec![0f32; n * classes];
        labels.enumerate().for_each(|(row, label)| hot[row * classes + usize::from(label)] = 1.0);
        let x = Tensor::from_data(TensorData::new(values, [n, width]), device);
        let hot = Tensor::from_data(TensorData::new(hot, [n, classes]), device);
        Self { x, hot, width, classes, device: device.clone() }
    }

    fn logits(&self, theta: &[f64]) -> Tensor<2> {
        let floats: Vec<f32> = theta.iter().map(|&value| value as f32).collect();
        let (w, b) = floats.split_at(self.width * self.classes);
        let w = Tensor::<2>::from_data(TensorData::new(w.to_vec(), [self.width, self.classes]), &self.device);
        let b = Tensor::<2>::from_data(TensorData::new(b.to_vec(), [1, self.classes]), &self.device);
        self.x.clone().matmul(w) + b
    }

    pub(super) async fn predict(&self, theta: &[f64]) -> Result<Vec<u16>> {
        let best: Tensor<2, Int> = self.logits(theta).argmax(1);
        let data = best.into_data_async().await.map_err(Error::read)?;
        Ok(data.iter::<i64>().map(|class| class as u16).collect())
    }

    /// Slopes of weights and biases from those of the logits, to be read with other tensors.
    fn slopes(&self, read: Transaction, logits: Tensor<2>) -> Transaction {
        let weights = self.x.clone().transpose().matmul(logits.clone()); // [d, k]
        read.register(weights).register(logits.sum_dim(0))
    }

    /// `X^T X / n`, `[d, d]`.
    pub(super) async fn gram(&self) -> Result<Vec<f32>> {
        let n = self.x.dims()[0] as f64;
        let gram = self.x.clone().transpose().matmul(self.x.clone()) / n;
        floats(gram.into_data_async().await.map_err(Error::read)?)
    }

    /// `X X^T`, `[n, n]`.
    pub(super) async fn products(&self) -> Result<Vec<f32>> {
        let products = self.x.clone().matmul(self.x.clone().transpose());
        floats(products.into_data_async().await.map_err(Error::read)?)
    }
}

impl Loss for Problem {
    /// Probabilities, `[n, k]`.
    type Predictions = Tensor<2>;

    fn weights(&self) -> usize {
        self.width * self.classes
    }

    async fn evaluate(&self, theta: &[f64]) -> Result<Point<Tensor<2>>> {
        let [n, classes] = self.hot.dims();
        let log_p: Tensor<2> = log_softmax(self.logits(theta), 1);
        let loss = (log_p.clone() * self.hot.clone()).sum().neg() / n as f64;
        let probabilities: Tensor<2> = log_p.exp();
        let others = probabilities.clone().neg() + 1.0;
        let variance = (probabilities.clone() * others).sum() / (n * classes) as f64;
        let wrong = (probabilities.clone() - self.hot.clone()) / n as f64; // d loss / d logits
        let read = self.slopes(Transaction::default().register(loss).register(variance), wrong);
        let [loss, variance, weights, biases] = received(read).await?;
        let first = |values: Vec<f32>| values.first().copied().map_or(f64::NAN, f64::from);
        Ok(Point {
            value: first(loss),
            gradient: weights.into_iter().chain(biases).map(f64::from).collect(),
            variance: first(variance),
            predictions: probabilities,
        })
    }

    async fn curve(&self, probabilities: &Tensor<2>, direction: &[f64]) -> Result<Vec<f64>> {
        let n = self.x.dims()[0] as f64;
        let change = self.logits(direction);
        let mean = (change.clone() * probabilities.clone()).sum_dim(1); // [n, 1]
        let bent = probabilities.clone() * (change - mean) / n;
        let [weights, biases] = received(self.slopes(Transaction::default(), bent)).await?;
        Ok(weights.into_iter().chain(biases).map(f64::from).collect())
    }
}

/// Values of the tensors of a transaction, on the host.
async fn received<const N: usize>(read: Transaction) -> Result<[Vec<f32>; N]> {
    let read = read.execute_async().await.map_err(Error::read)?;
    platform::yield_now().await;
    let values = read.into_iter().map(floats).collect::<Result<Vec<_>>>()?;
    values.try_into().map_err(|_| Error::DeviceLost("a read came back incomplete".into()))
}
