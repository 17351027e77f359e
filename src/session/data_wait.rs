//! How long a run waits for its images.

/// Seconds since the last look at the run's health.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Supply {
    /// When a step began to wait that has not got its images yet.
    since: Option<f64>,
    waited: f64,
    worked: f64,
}

impl Supply {
    /// At `now` a step's images are not there.
    pub(super) fn missing(&mut self, now: f64) {
        self.since.get_or_insert(now);
    }

    /// The images of a step that was begun at `begun` are handed over at `now`.
    pub(super) fn arrived(&mut self, begun: f64, now: f64) {
        self.waited += now - self.since.take().unwrap_or(begun);
    }

    /// A step went on for so many seconds after its images were there.
    pub(super) fn worked(&mut self, seconds: f64) {
        self.worked += seconds;
    }

    /// The share of the time that went by waiting, 0 to 1; counting begins anew.
    pub(super) fn share(&mut self) -> f64 {
        let Self { waited, worked, .. } = std::mem::take(self);
        waited / (waited + worked).max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_counts_from_the_first_miss_until_a_readback() {
        let mut supply = Supply::default();
        assert_eq!(supply.share(), 0.0);
        supply.arrived(1.0, 1.5);
        supply.worked(1.5);
        assert_eq!(supply.share(), 0.25);
        supply.missing(10.0);
        supply.missing(12.0);
        supply.arrived(12.5, 13.0);
        supply.worked(1.0);
        assert_eq!(supply.share(), 0.75, "three seconds of four");
        supply.worked(1.0);
        assert_eq!(supply.share(), 0.0);
    }
}
