//! Principal components of pixels: a control that looks at the training images and learns nothing but where they vary.

use burn::tensor::{Device, Tensor, TensorData};

use super::features::{Features, floats};
use crate::algebra::{dot, eigenvectors};
use crate::error::{Error, Result};
use crate::rng::{Purpose, normal, stream};

/// Rows on the device at once.
const CHUNK: usize = 2000;
/// Directions beyond those that are wanted: they let the last of those settle.
const SPARE: usize = 16;
/// Multiplications by the covariance.
const ROUNDS: usize = 40;

/// The directions along which rows vary most, and their centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    mean: Vec<f64>,
    /// `[features, components]`, columns of unit length, the widest first.
    axes: Vec<f32>,
    width: usize,
}

impl Components {
    /// The first `width` of these rows (fewer, where there are not so many features), by multiplying a few more directions
    /// than are wanted by the covariance over and over, always kept at right angles (subspace iteration; Golub and Van Loan
    /// 2013, section 8.2.4), and turning them at last so that the covariance between them vanishes.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn of(rows: &Features, width: usize, device: &Device) -> Result<Self> {
        let d = rows.width;
        let (width, m) = (width.min(d), (width + SPARE).min(d));
        let mean = mean(rows);
        let covariance = covariance(rows, &mean, device).await?;
        // columns are kept as rows, one after another
        let start = normal(&mut stream(0, Purpose::Probe, 1), m * d, 1.0);
        let mut columns: Vec<Vec<f64>> =
            start.chunks_exact(d).map(|column| column.iter().map(|&x| f64::from(x)).collect()).collect();
        orthonormalise(&mut columns);
        for _ in 0..ROUNDS {
            columns = multiply(&covariance, &columns, device).await?;
            orthonormalise(&mut columns);
        }
        let moved = multiply(&covariance, &columns, device).await?;
        let between: Vec<Vec<f64>> = columns.iter().map(|a| moved.iter().map(|b| dot(a, b)).collect()).collect();
        let turned = eigenvectors(between);
        let mut axes = vec![0f32; d * width];
        for (place, shares) in turned.iter().take(width).enumerate() {
            for row in 0..d {
                let value: f64 = shares.iter().zip(&columns).map(|(share, column)| share * column[row]).sum();
                axes[row * width + place] = value as f32;
            }
        }
        Ok(Self { mean, axes, width })
    }

    /// How far each row lies along each direction.
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
            values.extend(floats(along.map_err(|error| Error::DeviceLost(error.to_string()))?)?);
        }
        Ok(Features { layer: "pca".into(), width: self.width, values })
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

/// The matrix times each column.
async fn multiply(matrix: &Tensor<2>, columns: &[Vec<f64>], device: &Device) -> Result<Vec<Vec<f64>>> {
    let (m, d) = (columns.len(), columns.first().map_or(0, Vec::len));
    let values: Vec<f32> = columns.iter().flatten().map(|&x| x as f32).collect();
    let columns = Tensor::<2>::from_data(TensorData::new(values, [m, d]), device);
    // the matrix is its own transpose
    let read = columns.matmul(matrix.clone()).into_data_async().await; // [m, d]
    let values = floats(read.map_err(|error| Error::DeviceLost(error.to_string()))?)?;
    Ok(values.chunks_exact(d).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect())
}

/// Gram and Schmidt's way, each column against those before it.
fn orthonormalise(columns: &mut [Vec<f64>]) {
    for place in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(place);
        let column = &mut rest[0];
        // once more for what rounding left over
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
}
