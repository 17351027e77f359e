//! Whether what the loss compares is collapsing, watched while it happens.

use burn::tensor::{Tensor, Transaction};

use super::event::{Event, Health, Verdict};
use crate::error::{Error, Result};
use crate::health;

/// Images looked at: enough to tell, few enough for the eigenvalues.
const ROWS: usize = 128;
/// Spread below which all images get nearly the same answer.
const COLLAPSED: f64 = 0.1;
/// A spread this share of the largest one seen is a fall.
const FALL: f64 = 0.25;
/// A fresh network spreads little: before this step only a fall counts.
const SETTLED: usize = 100;

/// What has been seen of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    largest: f64,
    warned: bool,
}

impl Watch {
    /// Measures the embedding `[n, d]` of step `step`; says it in words when it has collapsed since the last time.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn look(&mut self, step: usize, embedding: Tensor<2>) -> Result<Vec<Event>> {
        let [n, width] = embedding.dims();
        let rows = n.min(ROWS);
        let some = embedding.inner().slice([0..rows, 0..width]);
        let read = Transaction::default().register(health::spread(some.clone())).register(some).execute_async().await;
        let read = read.map_err(|error| Error::DeviceLost(error.to_string()))?;
        let mut floats = read.into_iter().map(|data| data.iter::<f32>().collect::<Vec<f32>>());
        let spread = floats.next().and_then(|spread| spread.first().copied()).map_or(f64::NAN, f64::from);
        let rank = health::effective_rank(&floats.next().unwrap_or_default(), width);
        Ok(self.judge(Health { step, spread, rank, rows, width, verdict: Verdict::Healthy }))
    }

    fn judge(&mut self, mut seen: Health) -> Vec<Event> {
        let fallen = seen.spread < FALL * self.largest;
        let low = seen.step >= SETTLED && seen.spread < COLLAPSED;
        self.largest = self.largest.max(seen.spread);
        let collapsing = fallen || low || !seen.spread.is_finite();
        if collapsing {
            seen.verdict = Verdict::Collapsing;
        }
        let told = std::mem::replace(&mut self.warned, collapsing);
        let first = collapsing && !told;
        let warning = first.then(|| Event::Warning { message: warning(&seen) });
        std::iter::once(Event::Health(seen)).chain(warning).collect()
    }
}

fn warning(Health { step, spread, rank, rows, width, .. }: &Health) -> String {
    format!(
        "The representation is collapsing at step {step}: the network gives all images nearly the same answer (spread {spread:.3}; \
         healthy is about 1). The {rows} images looked at use {rank:.1} of {width} directions."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use futures_lite::future::block_on;

    fn seen(watch: &mut Watch, step: usize, spread: f64) -> (Verdict, usize) {
        let health = Health { step, spread, rank: 1.0, rows: 2, width: 4, verdict: Verdict::Healthy };
        let events = watch.judge(health);
        let Event::Health(health) = &events[0] else { panic!("the first event is the health") };
        (health.verdict, events.len() - 1)
    }

    #[test]
    fn a_fall_is_told_once_and_again_after_recovery() {
        let mut watch = Watch::default();
        assert_eq!(seen(&mut watch, 10, 0.05), (Verdict::Healthy, 0), "a fresh network spreads little");
        assert_eq!(seen(&mut watch, 20, 0.9), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 30, 0.2), (Verdict::Collapsing, 1));
        assert_eq!(seen(&mut watch, 40, 0.1), (Verdict::Collapsing, 0));
        assert_eq!(seen(&mut watch, 50, 0.8), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 60, 0.0), (Verdict::Collapsing, 1));
    }

    #[test]
    fn staying_low_is_a_collapse_too() {
        assert_eq!(seen(&mut Watch::default(), 200, 0.05), (Verdict::Collapsing, 1));
        assert_eq!(seen(&mut Watch::default(), 200, f64::NAN), (Verdict::Collapsing, 1));
    }

    #[test]
    fn equal_rows_have_neither_spread_nor_rank() {
        let embedding = Tensor::<2>::from_data(TensorData::new([1.0f32, 2.0].repeat(6), [6, 2]), &Device::flex());
        let events = block_on(Watch::default().look(200, embedding)).expect("flex reads");
        let Event::Health(health) = &events[0] else { panic!("the first event is the health") };
        assert!(health.spread < 1e-3 && (health.rank - 1.0).abs() < 1e-3, "{health:?}");
        assert_eq!(events.len(), 2);
    }
}
