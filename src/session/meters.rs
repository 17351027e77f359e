//! Sums between two events: images and seconds since the last step event, losses of an epoch.

/// Images and seconds since the last loss was read back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    pub(super) images: usize,
    pub(super) seconds: f64,
}

impl Meter {
    pub(super) fn images_per_second(&self) -> f64 {
        self.images as f64 / self.seconds.max(1e-9)
    }
}

/// Sums over the step events of an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Means {
    pub(super) count: usize,
    pub(super) loss: f64,
    pub(super) metric: Option<f64>,
}

impl Means {
    pub(super) fn add(&mut self, loss: f64, metric: Option<f64>) {
        self.count += 1;
        self.loss += loss;
        self.metric = metric.map(|metric| self.metric.unwrap_or(0.0) + metric);
    }

    /// Mean loss and metric; `None` where there were no step events.
    pub(super) fn means(&self) -> Option<(f64, Option<f64>)> {
        let count = self.count as f64;
        (self.count > 0).then(|| (self.loss / count, self.metric.map(|sum| sum / count)))
    }
}
