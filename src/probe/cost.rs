//! Expected time and memory of probes, estimated before they start.
//!
//! Both follow from sizes alone; the speeds of the device are measured with a product or two. Solvers take as many iterations
//! as the data make them, so the time is right to within a factor of two or so.

use burn::tensor::{Device, Tensor, Transaction};

use super::ProbeSettings;
use super::compact::{SAMPLED, Space};
use super::features::{self, HELD};
use super::pca::{self, MOST_COMPONENTS};
use crate::algebra::Cholesky;
use crate::data::Size;
use crate::error::{Error, Result};
use crate::net::Encoder;
use crate::platform;

/// Evaluations of the objective and products with its curvature for one penalty; `cargo bench --bench probe` prints them.
const EVALUATIONS: f64 = 200.0;
/// Factorisations for one penalty.
const FACTORED: f64 = 3.0;
/// Seconds per similarity: kNN keeps the nearest in one pass, retrieval sorts all.
const SCANNED: f64 = 1.5e-9;
const SORTED: f64 = 40e-9;
/// Multiply-adds a second of the orthonormalisation, a loop on the host.
const LOOPED: f64 = 1.5e9;
/// Multiply-adds of thin products in double precision on the host, a second.
const DOUBLE: f64 = 5e9;
/// Pixel values that a forward pass is timed on.
const TIMED: usize = 600_000;
/// Forward passes, of which the fastest counts: the first may choose kernels.
const PASSES: usize = 3;
/// Side of the matrices that products are timed on.
const SIDE: usize = 1024;
/// Measurements of a speed. A single one takes a millisecond and is off by a factor of ten when another program interrupts it.
const LOOKS: usize = 6;
/// Columns of thin products: about as many as there are classes.
const THIN: usize = 10;
/// Similarities of the validation, as a share of all pairs of training rows: one sixth of the rows, with the other five sixths.
const VALIDATED: f64 = 5.0 / 36.0;

/// Sizes that the cost of probes depends on.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a> {
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
    /// Size of an image.
    pub size: Size,
    /// Classes.
    pub classes: usize,
    /// The probes.
    pub settings: &'a ProbeSettings,
}

/// Expected time and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Seconds.
    pub seconds: f64,
    /// Bytes at the highest point, beyond those of the images.
    pub bytes: f64,
}

impl Cost {
    /// The cost of both in turn: times add up, and memory is freed in between.
    pub fn then(self, next: Self) -> Self {
        Self { seconds: self.seconds + next.seconds, bytes: self.bytes.max(next.bytes) }
    }

    /// The cost of `count` repetitions.
    pub fn times(self, count: usize) -> Self {
        Self { seconds: self.seconds * count as f64, ..self }
    }
}

/// Multiply-adds a second on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// In products of square matrices.
    wide: f64,
    /// In products with few columns.
    thin: f64,
    /// In factorisations on the host, in double precision.
    factor: f64,
}

impl Speed {
    /// Times some products, well under a second on a CPU.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn measure(device: &Device) -> Result<Self> {
        let square = Tensor::<2>::ones([SIDE, SIDE], device);
        let thin = Tensor::<2>::ones([SIDE, THIN], device);
        let work = (SIDE * SIDE) as f64;
        let wide = work * SIDE as f64 / timed(|| square.clone().matmul(square.clone())).await?;
        let thin = work * THIN as f64 / timed(|| square.clone().matmul(thin.clone())).await?;
        let side = SIDE / 2;
        let factoring = (0..LOOKS).map(|_| {
            let start = platform::now();
            let factor = Cholesky::of(side, 1.0, |i, j| f64::from(u8::from(i == j)));
            factor.solve(&mut vec![1.0; side], 1);
            platform::now() - start
        });
        let factor = (side as f64).powi(3) / 6.0 / fastest(factoring);
        Ok(Self { wide, thin, factor })
    }
}

/// Seconds of the fastest of [`LOOKS`] calls: the first may choose kernels, and other programs interrupt some.
async fn timed(product: impl Fn() -> Tensor<2>) -> Result<f64> {
    let mut seconds = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let start = platform::now();
        product().into_data_async().await.map_err(Error::read)?;
        seconds.push(platform::now() - start);
    }
    Ok(fastest(seconds.into_iter()))
}

/// Smallest of several measured times in seconds, at least a microsecond, as clocks may be coarse.
fn fastest(seconds: impl Iterator<Item = f64>) -> f64 {
    seconds.fold(f64::INFINITY, f64::min).max(1e-6)
}

/// Cost of passing images through an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Passes {
    /// Seconds an image.
    pub seconds: f64,
    /// Features of each layer that is probed.
    widths: Vec<usize>,
}

impl Passes {
    /// Times the encoder on a few black images.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn of(encoder: &Encoder, work: &Workload<'_>, device: &Device) -> Result<Self> {
        let Size { channels, height, width } = work.size;
        let count = (TIMED / work.size.bytes().max(1)).clamp(4, 256);
        let mut found = Self { seconds: f64::INFINITY, widths: Vec::new() };
        for _ in 0..PASSES {
            let start = platform::now();
            let layers = encoder.layers(Tensor::zeros([count, channels, height, width], device), work.settings.grid);
            found.widths = layers.iter().map(|layer| layer.dims()[1]).collect();
            let read = layers.into_iter().fold(Transaction::default(), Transaction::register);
            read.execute_async().await.map_err(Error::read)?;
            found.seconds = found.seconds.min((platform::now() - start) / count as f64);
        }
        if let Some(layer) = &work.settings.layer {
            let names = encoder.layer_names();
            found.widths =
                names.iter().zip(&found.widths).filter(|(name, _)| *name == layer).map(|(_, w)| *w).collect();
        }
        Ok(found)
    }
}

impl Workload<'_> {
    /// Cost of an encoder's layers: passes over all images, then the probes of each layer.
    pub fn encoder(&self, passes: &Passes, speed: Speed) -> Cost {
        let images = self.train + self.test;
        let held: usize = passes.widths.iter().map(|width| width * images).sum();
        let rounds = held.div_ceil(HELD).max(1);
        let probes = passes.widths.iter().map(|&width| self.layer(width, speed));
        let probes = probes.reduce(Cost::then).unwrap_or_default();
        let forward = passes.seconds * (images * rounds) as f64;
        Cost { seconds: forward + probes.seconds, bytes: 4.0 * held.min(HELD) as f64 + probes.bytes }
    }

    /// Cost of the raw pixels and of their first `width` principal components.
    pub fn pixels(&self, width: usize, speed: Speed) -> Cost {
        let n = self.train as f64;
        let images = self.train + self.test;
        let factor = features::pooling(self.size, images);
        let Size { channels, height, width: across } = self.size;
        let d = channels * height.div_ceil(factor) * across.div_ceil(factor);
        let components = width.min(MOST_COMPONENTS).min(self.train.saturating_sub(1)).max(1);
        let pairs = n.min(d as f64);
        let turning = (components as f64).powi(2) * pairs * pca::ROUNDS as f64 * 2.0 / LOOPED;
        let spread = Cost { seconds: n * d as f64 * pairs / speed.wide + turning, bytes: 8.0 * n * d as f64 };
        let own = 4.0 * (images * d) as f64;
        let cost = self.layer(d, speed).then(spread).then(self.layer(components, speed));
        Cost { bytes: cost.bytes + own, ..cost }
    }

    /// Cost of the probes of one layer.
    pub fn layer(&self, width: usize, speed: Speed) -> Cost {
        let n = self.train as f64;
        let m = self.test as f64;
        let d = width as f64;
        let k = self.classes as f64;
        let settings = self.settings;
        let chooses = self.settings.chooses();
        let mut cost = Cost::default();
        if settings.linear {
            cost = cost.then(self.linear(width, speed));
        }
        let compared = n * m + if chooses { VALIDATED * n * n } else { 0.0 };
        let similarities = compared * d / speed.wide;
        if settings.knn {
            cost = cost.then(Cost { seconds: similarities + compared * SCANNED, bytes: 8.0 * (n * d + 256.0 * n) });
        }
        if settings.retrieval {
            cost = cost.then(Cost { seconds: similarities + compared * SORTED, bytes: 8.0 * (n * d + 256.0 * n) });
        }
        Cost { seconds: cost.seconds + n * d * k * 1e-10, ..cost }
    }

    fn linear(&self, width: usize, speed: Speed) -> Cost {
        let n = self.train as f64;
        let d = width as f64;
        let k = self.classes as f64;
        let penalties = self.settings.penalties.len() as f64;
        let (fits, problems) = match self.settings.chooses() {
            true if self.settings.once => (penalties, 1.0),
            true => (penalties + 1.0, 2.0),
            false => (1.0, 1.0),
        };
        let rows = 8.0 * n * d;
        let (setup, iteration, factor, bytes) = match Space::of(self.train, width) {
            Space::Features => {
                (n * d * d / speed.wide, 2.0 * n * d * k / speed.thin + d * d * k / LOOPED, d, 12.0 * d * d)
            }
            Space::Rows => {
                // on the host: products with L and its transpose, and with the inverse of the preconditioner
                let iteration = 2.0 * n * n * k / DOUBLE;
                (problems * (n * n * d / speed.wide + n.powi(3) / 2.0 / speed.factor), iteration, n, 24.0 * n * n)
            }
            Space::Sampled => {
                let s = SAMPLED as f64;
                let iteration = 2.0 * (n + 2.0 * s) * d * k / speed.thin;
                (s * s * d / speed.wide, iteration, s, 4.0 * s * d + 12.0 * s * s)
            }
        };
        let fit = FACTORED * factor.powi(3) / 6.0 / speed.factor + EVALUATIONS * iteration;
        Cost { seconds: setup + fits * fit, bytes: rows + bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: Speed = Speed { wide: 2e10, thin: 5e9, factor: 1e10 };

    fn work(settings: &ProbeSettings, train: usize, side: usize) -> Workload<'_> {
        let size = Size { channels: 3, height: side, width: side };
        Workload { train, test: train / 5, size, classes: 10, settings }
    }

    #[test]
    fn interruptions_do_not_slow_the_speed() {
        assert_eq!(fastest([0.2, 0.001, 0.3].into_iter()), 0.001);
        assert_eq!(fastest([0.0, 0.2].into_iter()), 1e-6, "a coarse clock gives no infinite speed");
    }

    #[test]
    fn cost_grows_with_the_smaller_of_images_and_pixels() {
        let settings = ProbeSettings::default();
        let [small, large] = [64, 224].map(|side| work(&settings, 48, side).pixels(64, SPEED));
        assert!(large.seconds < 3.0 && large.bytes < 4e8, "sixty photographs of 224 px: {large:?}");
        assert!(small.seconds < large.seconds && large.seconds < 15.0 * small.seconds, "{small:?} and {large:?}");
        let many = work(&settings, 50_000, 32).pixels(64, SPEED);
        assert!(many.seconds > 60.0 && many.bytes > 1e9, "{many:?}");
    }

    #[test]
    fn fewer_images_probes_and_layers_cost_less() {
        let settings = ProbeSettings::default();
        let knn = ProbeSettings { linear: false, ..settings.clone() };
        let passes = Passes { seconds: 1e-3, widths: vec![576, 1152, 64] };
        let one = Passes { widths: vec![64], ..passes.clone() };
        let all = work(&settings, 50_000, 32).encoder(&passes, SPEED);
        for less in [
            work(&settings, 5000, 32).encoder(&passes, SPEED),
            work(&knn, 50_000, 32).encoder(&passes, SPEED),
            work(&settings, 50_000, 32).encoder(&one, SPEED),
        ] {
            assert!(less.seconds < all.seconds && less.bytes <= all.bytes, "{less:?} against {all:?}");
        }
        let twice = all.then(all);
        assert_eq!((twice, twice.bytes), (all.times(2), all.bytes));
    }
}
