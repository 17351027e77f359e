//! Principal components of pixels: a control that looks at the training images and learns nothing but where they vary.

use burn::tensor::{Device, Tensor, TensorData};

use super::features::{Features, floats};
use crate::algebra::{dot, eigenvectors};
use crate::error::{Error, Result};
use crate::rng::{Purpose, normal, stream};

/// The most principal components that are probed.
pub(super) const MOST_COMPONENTS: usize = 256;
/// Rows on the device at once.
const CHUNK: usize = 2000;
/// Extra directions in the iteration, which let the last of the wanted ones converge.
const SPARE: usize = 16;
/// Multiplications by a matrix of all pairs.
pub(super) const ROUNDS: usize = 40;
/// The same where there is no such matrix, and each takes two passes over the rows (Halko, Martinsson and Tropp 2011).
const FEW_ROUNDS: usize = 12;
/// Features, and rows, up to which a matrix of all their pairs is made.
const PAIRED: [usize; 2] = [8192, 4096];
/// Directions that vary by less than this share of the widest are rounding.
const NOTHING: f64 = 1e-5;

/// The directions along which rows vary most, and their centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    mean: Vec<f64>,
    /// `[features, components]`, columns of unit length, the widest first; zeros beyond what the rows span.
    axes: Vec<f32>,
    width: usize,
}

/// The layer name of components of this layer: `pca` of `pixels`, `pca/2` of `pixels/2`.
pub(super) fn layer(of: &str) -> String {
    of.replacen("pixels", "pca", 1)
}

impl Components {
    /// The first `width` principal components of these rows (fewer, if there are fewer features) by subspace iteration (Golub
    /// and Van Loan 2013, section 8.2.4): a few more directions than needed are multiplied by the covariance again and again
    /// and orthonormalised each time; a last rotation makes the covariance between them 0.
    ///
    /// With fewer rows than features the directions are sums of rows: the iteration then finds their weights, with the inner
    /// products of the rows in place of the covariance. Its cost grows with the smaller of rows and features.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn of(rows: &Features, width: usize, device: &Device) -> Result<Self> {
        let mean = mean(rows);
        let spread = Spread::of(rows, &mean, device).await?;
        let side = spread.side(rows);
        let width = width.min(rows.width);
        let m = (width + SPARE).min(side);
        // columns are kept as rows, one after another
        let start = normal(&mut stream(0, Purpose::Probe, 1), m * side, 1.0);
        let mut columns: Vec<Vec<f64>> =
            start.chunks_exact(side).map(|column| column.iter().map(|&x| f64::from(x)).collect()).collect();
        orthonormalise(&mut columns);
        for _ in 0..spread.rounds() {
            columns = spread.multiply(&columns, device).await?;
            orthonormalise(&mut columns);
        }
        let moved = spread.multiply(&columns, device).await?;
        let between: Vec<Vec<f64>> = columns.iter().map(|a| moved.iter().map(|b| dot(a, b)).collect()).collect();
        let turned = eigenvectors(between);
        let combine = |shares: &Vec<f64>| {
            let value = |at: usize| shares.iter().zip(&columns).map(|(share, column)| share * column[at]).sum();
            (0..side).map(value).collect::<Vec<f64>>()
        };
        let found = turned.iter().take(width).map(combine).collect();
        let axes = spread.axes(found, width, rows.width, device).await?;
        Ok(Self { mean, axes, width })
    }

    /// Coordinates of each row along the directions.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn project(&self, rows: &Features, device: &Device) -> Result<Features> {
        let shape = [rows.width, self.width];
        let axes = Tensor::<2>::from_data(TensorData::new(self.axes.clone(), shape), device);
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for start in (0..rows.len()).step_by(CHUNK) {
            let x = centred(rows, start, &self.mean, device); // [n, d]
            let along = x.matmul(axes.clone()).into_data_async().await;
            values.extend(floats(along.map_err(Error::read)?)?);
        }
        Ok(Features { layer: layer(&rows.layer), width: self.width, values })
    }
}

fn mean(rows: &Features) -> Vec<f64> {
    let mut sum = vec![0f64; rows.width];
    rows.rows().for_each(|row| sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x)));
    let n = rows.len().max(1) as f64;
    sum.into_iter().map(|sum| sum / n).collect()
}

/// The rows from `start` on without their mean, `[n, d]`.
fn centred(rows: &Features, start: usize, mean: &[f64], device: &Device) -> Tensor<2> {
    let n = CHUNK.min(rows.len() - start);
    let some = rows.rows().skip(start).take(n);
    let values: Vec<f32> =
        some.flat_map(|row| row.iter().zip(mean).map(|(&x, mean)| (f64::from(x) - mean) as f32)).collect();
    Tensor::from_data(TensorData::new(values, [n, rows.width]), device)
}

/// The covariance of the centred rows X `[n, d]`.
enum Spread {
    /// `X^T X / n`, `[d, d]`.
    Covariance(Tensor<2>),
    /// X, and `X X^T / n`, `[n, n]`.
    Products { x: Box<Tensor<2>>, products: Box<Tensor<2>> },
    /// X alone, where both would be too large.
    Rows(Tensor<2>),
}

impl Spread {
    async fn of(rows: &Features, mean: &[f64], device: &Device) -> Result<Self> {
        let n = rows.len();
        let d = rows.width;
        if d <= n && d <= PAIRED[0] {
            return covariance(rows, mean, device).await.map(Spread::Covariance);
        }
        let chunks = (0..n).step_by(CHUNK).map(|start| centred(rows, start, mean, device));
        let x = Tensor::cat(chunks.collect(), 0);
        if n < d && n <= PAIRED[1] {
            let products = x.clone().matmul(x.clone().transpose()) / n.max(1) as f64;
            return Ok(Spread::Products { x: Box::new(x), products: Box::new(products) });
        }
        Ok(Spread::Rows(x))
    }

    /// Length of a direction during the iteration: the number of features, or of rows if those are fewer.
    fn side(&self, rows: &Features) -> usize {
        match self {
            Spread::Covariance(_) => rows.width,
            Spread::Products { .. } => rows.len(),
            Spread::Rows(_) => rows.len().min(rows.width),
        }
    }

    fn rounds(&self) -> usize {
        if matches!(self, Spread::Rows(_)) { FEW_ROUNDS } else { ROUNDS }
    }

    /// The covariance, or the matrix of inner products, times each column.
    async fn multiply(&self, columns: &[Vec<f64>], device: &Device) -> Result<Vec<Vec<f64>>> {
        let side = columns.first().map_or(1, Vec::len);
        let columns = on_device(columns, device);
        // the matrices are their own transposes
        let moved = match self {
            Spread::Covariance(matrix) => columns.matmul(matrix.clone()),
            Spread::Products { products, .. } => columns.matmul((**products).clone()),
            Spread::Rows(x) => {
                let [n, d] = x.dims();
                let back = x.clone().transpose();
                let (first, second) = if n < d { (x.clone(), back) } else { (back, x.clone()) };
                columns.matmul(first).matmul(second) / n as f64
            }
        };
        let read = moved.into_data_async().await; // [m, side]
        let values = floats(read.map_err(Error::read)?)?;
        crate::platform::yield_now().await;
        Ok(values.chunks_exact(side).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect())
    }

    /// The directions as `[d, width]`, columns of unit length. Those found as weights of rows are summed up first.
    async fn axes(&self, found: Vec<Vec<f64>>, width: usize, d: usize, device: &Device) -> Result<Vec<f32>> {
        let x = match self {
            Spread::Covariance(_) => None,
            Spread::Products { x, .. } => Some(x.as_ref()),
            Spread::Rows(x) => Some(x),
        };
        let found = match x {
            Some(x) if found.first().is_some_and(|one| one.len() < d) => {
                let read = on_device(&found, device).matmul(x.clone()).into_data_async().await;
                let values = floats(read.map_err(Error::read)?)?;
                let mut summed: Vec<Vec<f64>> =
                    values.chunks_exact(d).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect();
                let widest = summed.iter().map(|axis| dot(axis, axis).sqrt()).fold(0.0, f64::max);
                for axis in &mut summed {
                    let length = dot(axis, axis).sqrt();
                    let share = if length > NOTHING * widest { 1.0 / length } else { 0.0 };
                    axis.iter_mut().for_each(|x| *x *= share);
                }
                summed
            }
            _ => found,
        };
        let mut axes = vec![0f32; d * width];
        for (place, axis) in found.iter().enumerate() {
            axis.iter().enumerate().for_each(|(row, &value)| axes[row * width + place] = value as f32);
        }
        Ok(axes)
    }
}

fn on_device(columns: &[Vec<f64>], device: &Device) -> Tensor<2> {
    let shape = [columns.len(), columns.first().map_or(0, Vec::len)];
    let values: Vec<f32> = columns.iter().flatten().map(|&x| x as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `X^T X / n` of the centred rows, `[d, d]`.
async fn covariance(rows: &Features, mean: &[f64], device: &Device) -> Result<Tensor<2>> {
    let mut sum = Tensor::<2>::zeros([rows.width, rows.width], device);
    for start in (0..rows.len()).step_by(CHUNK) {
        let x = centred(rows, start, mean, device);
        sum = sum + x.clone().transpose().matmul(x);
        crate::platform::yield_now().await;
    }
    Ok(sum / rows.len().max(1) as f64)
}

/// Gram-Schmidt orthonormalisation, each column against those before it.
fn orthonormalise(columns: &mut [Vec<f64>]) {
    for place in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(place);
        let column = &mut rest[0];
        // twice, because rounding leaves a remainder
        for _ in 0..2 {
            for other in before.iter() {
                let along = dot(column, other);
                column.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
            let length = dot(column, column).sqrt().max(1e-30);
            column.iter_mut().for_each(|x| *x /= length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    /// Rows that vary by 8, 4, 2, 1, ... along axes that are turned against the features.
    fn rows(n: usize, d: usize) -> (Features, Vec<Vec<f64>>) {
        let draw = |position, count| normal(&mut stream(4, Purpose::Probe, position), count, 1.0);
        let mut axes: Vec<Vec<f64>> =
            draw(1, d * d).chunks_exact(d).map(|axis| axis.iter().map(|&x| f64::from(x)).collect()).collect();
        orthonormalise(&mut axes);
        let mut values = Vec::new();
        for noise in draw(2, n * d).chunks_exact(d) {
            let along = |place: usize| f64::from(noise[place]) * 8.0 * 0.5f64.powi(place as i32);
            values
                .extend((0..d).map(|j| (5.0 + (0..d).map(|place| along(place) * axes[place][j]).sum::<f64>()) as f32));
        }
        (Features { layer: "pixels".into(), width: d, values }, axes)
    }

    #[test]
    fn the_widest_directions_are_found_in_order() {
        let device = Device::flex();
        let (features, axes) = rows(5000, 30);
        let components = block_on(Components::of(&features, 4, &device)).expect("components");
        let found = block_on(components.project(&features, &device)).expect("features");
        assert_eq!((found.len(), found.width, found.layer.as_str()), (5000, 4, "pca"));
        for (place, axis) in axes.iter().enumerate().take(4) {
            let own: Vec<f64> = (0..30).map(|row| f64::from(components.axes[row * 4 + place])).collect();
            assert!((dot(&own, &own) - 1.0).abs() < 1e-5 && dot(&own, axis).abs() > 0.99, "axis {place}");
            let column = || found.rows().map(|row| f64::from(row[place]));
            let mean = column().sum::<f64>() / 5000.0;
            let std = (column().map(|x| x * x).sum::<f64>() / 5000.0).sqrt();
            assert!(mean.abs() < 1e-3 && (std / (8.0 * 0.5f64.powi(place as i32)) - 1.0).abs() < 0.05, "{mean}, {std}");
            for other in 0..place {
                let together: f64 = found.rows().map(|row| f64::from(row[place]) * f64::from(row[other])).sum();
                assert!((together / 5000.0).abs() < 1e-3, "{place} and {other} go together: {together}");
            }
        }
    }

    #[test]
    fn no_more_directions_than_features_and_flat_rows_do_no_harm() {
        let flat = Features { layer: "pixels".into(), width: 3, values: vec![0.5; 30] };
        let device = Device::flex();
        let components = block_on(Components::of(&flat, 8, &device)).expect("components");
        let found = block_on(components.project(&flat, &device)).expect("features");
        assert_eq!(found.width, 3);
        assert!(found.values.iter().all(|x| x.abs() < 1e-6), "{:?}", found.values);
    }

    #[test]
    fn fewer_rows_than_features_give_the_same_directions() {
        let device = Device::flex();
        let (features, _) = rows(25, 60);
        let mean = mean(&features);
        let x = centred(&features, 0, &mean, &device);
        let whole = Spread::Covariance(block_on(covariance(&features, &mean, &device)).expect("a covariance"));
        let found = block_on(Components::of(&features, 5, &device)).expect("components");
        assert_eq!(whole.side(&features), 60);
        // the covariance multiplies each direction by its variance, and they stand at right angles
        let axis = |place: usize| (0..60).map(|row| f64::from(found.axes[row * 5 + place])).collect::<Vec<f64>>();
        let axes: Vec<Vec<f64>> = (0..5).map(axis).collect();
        let mut before = f64::INFINITY;
        for (moved, axis) in block_on(whole.multiply(&axes, &device)).expect("products").iter().zip(&axes) {
            let variance = dot(moved, axis);
            let off = moved.iter().zip(axis).map(|(m, a)| (m - variance * a).abs()).fold(0.0, f64::max);
            assert!(off < 1e-3 * variance && variance < before && (dot(axis, axis) - 1.0).abs() < 1e-5, "{off}");
            before = variance;
        }
        let implicit = block_on(Spread::Rows(x).multiply(&[vec![1.0; 25]], &device)).expect("products");
        let products = block_on(Spread::of(&features, &mean, &device)).expect("products");
        let explicit = block_on(products.multiply(&[vec![1.0; 25]], &device)).expect("products");
        assert!(implicit[0].iter().zip(&explicit[0]).all(|(a, b)| (a - b).abs() < 1e-3), "{implicit:?} {explicit:?}");
    }

    #[test]
    fn more_directions_than_rows_span_are_zeros_and_no_nan() {
        let device = Device::flex();
        let (features, _) = rows(3, 20);
        for features in [features, Features { layer: "pixels/2".into(), width: 9, values: vec![0.25; 18] }] {
            let found = block_on(Components::of(&features, 5, &device)).expect("components");
            assert!(found.axes.iter().all(|x| x.is_finite()));
            let found = block_on(found.project(&features, &device)).expect("features");
            assert!(found.width == 5 && found.values.iter().all(|x| x.is_finite()));
            let beyond = |row: &[f32]| row[2..].iter().all(|x| x.abs() < 1e-3);
            assert!(found.rows().all(beyond), "three rows differ in two directions: {found:?}");
        }
    }
}
