//! The share of time that a run waits for its images.

/// Seconds of waiting and of work since the last measurement of the run's health.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DataWait {
    /// Time at which a step began to wait for images that have not arrived.
    since: Option<f64>,
    waited: f64,
    worked: f64,
}

impl DataWait {
    /// Notes that the images of a step are missing at time `now`.
    pub(super) fn missing(&mut self, now: f64) {
        self.since.get_or_insert(now);
    }

    /// Notes that the images of a step begun at time `begun` are on the device at time `now`.
    pub(super) fn arrived(&mut self, begun: f64, now: f64) {
        self.waited += now - self.since.take().unwrap_or(begun);
    }

    /// Notes the seconds of a step after its images had arrived.
    pub(super) fn worked(&mut self, seconds: f64) {
        self.worked += seconds;
    }

    /// The share of the time spent waiting, 0 to 1. Counting starts again at zero.
    pub(super) fn share(&mut self) -> f64 {
        let Self { waited, worked, .. } = std::mem::take(self);
        waited / (waited + worked).max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_counts_from_the_first_miss() {
        let mut wait = DataWait::default();
        assert_eq!(wait.share(), 0.0);
        wait.arrived(1.0, 1.5);
        wait.worked(1.5);
        assert_eq!(wait.share(), 0.25);
        wait.missing(10.0);
        wait.missing(12.0);
        wait.arrived(12.5, 13.0);
        wait.worked(1.0);
        assert_eq!(wait.share(), 0.75, "three seconds of four");
        wait.worked(1.0);
        assert_eq!(wait.share(), 0.0);
    }
}
