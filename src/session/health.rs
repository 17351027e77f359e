//! Health of a run, measured while it trains: collapse of the representation, and a loss that does not move.

use burn::tensor::{Tensor, Transaction};

use super::event::{Embedding, Event, Health, Step, Verdict};
use crate::error::{Error, Result};
use crate::health::{Rows, Spectrum, alignment, lidar, spread, uniformity};

/// Images measured: enough for stable statistics, few enough for the eigenvalues.
const ROWS: usize = 128;
/// Spread below which embeddings are equal up to rounding: no variety at all, which the first measurement can tell.
const FLAT: f64 = 1e-3;
/// Spread below which all images get nearly the same embedding.
const COLLAPSED: f64 = 0.1;
/// A spread or rank below this share of the largest one seen counts as a fall.
const FALL: f64 = 0.25;
/// A new network has little spread: before this step only a fall counts.
const SETTLED: usize = 100;

/// Measurements of a step beside its embeddings.
pub(super) struct Pulse {
    /// Steps taken.
    pub(super) step: usize,
    /// L2 norm of the gradient, `[1]`.
    pub(super) gradient: Tensor<1>,
    /// Distance of the momentum encoder, `[1]`.
    pub(super) lag: Option<Tensor<1>>,
    /// Share of the time spent waiting for images.
    pub(super) waiting: f64,
}

/// The history that a run's health is judged by: the largest spread and rank so far, and the losses.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    spread: f64,
    rank: f64,
    losses: Losses,
    verdict: Verdict,
    /// True if the training images are all alike: nothing can be learned from them, whatever the loss does.
    images_alike: bool,
}

impl Watch {
    /// Sets whether the training images are all alike.
    pub(super) fn know_images(&mut self, alike: bool) {
        self.images_alike = alike;
    }

    /// Measures the embeddings `[n, d]` of the views in a step. A change for the worse comes with a warning.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) async fn measure(&mut self, pulse: Pulse, embeddings: Vec<Tensor<2>>) -> Result<Vec<Event>> {
        let Pulse { step, gradient, lag, waiting } = pulse;
        let follows = lag.is_some();
        let mut read =
            Transaction::default().register(Tensor::cat([Some(gradient), lag].into_iter().flatten().collect(), 0));
        let mut shape = [0, 0];
        for embedding in embeddings.into_iter().take(2) {
            let [n, width] = embedding.dims();
            shape = [n.min(ROWS), width];
            read = read.register(embedding.slice([0..shape[0], 0..width]));
        }
        let read = read.execute_async().await.map_err(Error::read)?;
        let mut numbers = read.into_iter().map(|data| data.iter::<f32>().collect::<Vec<f32>>());
        let lengths = numbers.next().unwrap_or_default();
        let gradient = lengths.first().map_or(f64::NAN, |&length| f64::from(length));
        let lag = follows.then(|| lengths.last().map_or(f64::NAN, |&length| f64::from(length)));
        let views: Vec<Rows> = numbers.map(|values| Rows::new(values, shape[1])).collect();
        let embedding = views.first().map(|first| statistics(first, views.get(1)));
        Ok(self.judge(Health { step, gradient, lag, waiting, embedding, ..Health::default() }))
    }

    /// Adds the loss of a step, of this start of the run or of an earlier one.
    pub(super) fn hear(&mut self, step: &Step) {
        self.losses.hear(step.loss);
    }

    /// Replays a measurement from before the run was interrupted.
    pub(super) fn recall(&mut self, seen: &Health) {
        self.judge(seen.clone());
    }

    fn judge(&mut self, mut seen: Health) -> Vec<Event> {
        let still = self.losses.stand_still();
        seen.verdict = match &seen.embedding {
            Some(embedding) => self.of_embedding(seen.step, embedding),
            None => Verdict::Healthy,
        };
        if self.images_alike {
            seen.verdict = Verdict::NoVariety;
        }
        if still && seen.verdict == Verdict::Healthy {
            seen.verdict = Verdict::Stalled;
        }
        let before = std::mem::replace(&mut self.verdict, seen.verdict);
        let warning = (before != seen.verdict).then(|| warning(&seen, self.rank)).flatten();
        let warning = warning.map(|message| Event::Warning { message });
        std::iter::once(Event::Health(seen)).chain(warning).collect()
    }

    /// The verdict on embeddings, by the rank of the rows less their mean and not by RankMe itself: the mean is one direction to
    /// RankMe, and the larger it grows the fewer the others seem to be, though images differ as they did.
    fn of_embedding(&mut self, step: usize, &Embedding { spread, centred_rank, .. }: &Embedding) -> Verdict {
        let fallen = spread < FALL * self.spread;
        let low = step >= SETTLED && spread < COLLAPSED;
        let flat = centred_rank < FALL * self.rank;
        (self.spread, self.rank) = (self.spread.max(spread), self.rank.max(centred_rank));
        if spread < FLAT {
            Verdict::NoVariety
        } else if fallen || low || !spread.is_finite() {
            Verdict::Collapsing
        } else if flat {
            Verdict::DimensionalCollapse
        } else {
            Verdict::Healthy
        }
    }
}

fn statistics(first: &Rows, second: Option<&Rows>) -> Embedding {
    let spectrum = Spectrum::of(first);
    let centred = Spectrum::centred(first);
    Embedding {
        rows: first.count(),
        width: first.width(),
        spread: spread(first),
        rank: spectrum.effective_rank(),
        centred_rank: centred.effective_rank(),
        lidar: second.map(|second| lidar(first, second)),
        alignment: second.map(|second| alignment(first, second)),
        uniformity: uniformity(first),
        decay: centred.decay(),
        spectrum: spectrum.octaves(),
    }
}

/// The warning for a verdict, with the numbers behind it where they were measured; `None` for a healthy run.
fn warning(Health { step, verdict, embedding, .. }: &Health, most_used: f64) -> Option<String> {
    let figure = |of: fn(&Embedding) -> f64| embedding.as_ref().map(of).filter(|value| value.is_finite());
    let spread = figure(|seen| seen.spread);
    let rank = figure(|seen| seen.centred_rank).unwrap_or(0.0);
    match verdict {
        Verdict::Healthy => None,
        Verdict::NoVariety => Some(format!(
            "No variety at step {step}: there is nothing to tell the images apart by{}. Either the images are alike, or the network has \
             collapsed to one answer; nothing is learned like this.",
            spread.map_or(String::new(), |spread| format!(" (spread {spread:.3})"))
        )),
        Verdict::Collapsing => Some(match spread {
            Some(spread) => format!(
                "The representation is collapsing at step {step}: the network gives almost the same description to every \
                 image, and no longer learns. The spread of the embeddings is {spread:.3}; healthy is about 1."
            ),
            None => format!(
                "The representation is collapsing at step {step}: its embeddings are no longer finite numbers. Try a lower \
                 learning rate."
            ),
        }),
        Verdict::DimensionalCollapse => Some(format!(
            "The representation is collapsing at step {step}: the network describes images in ever fewer ways, and learns ever \
             less about them. They differ in ever fewer directions ({rank:.1}; it has been {most_used:.1}), though their spread \
             is as large as before ({:.3}).",
            spread.unwrap_or(0.0)
        )),
        Verdict::Stalled => Some(format!(
            "The run has stalled at step {step}: the loss is where it began. Try another learning rate; if all images are alike, \
             there is nothing to learn from them."
        )),
    }
}

/// The first and the latest losses of a run.
#[derive(Clone, Debug, Default)]
struct Losses {
    first: Vec<f64>,
    latest: std::collections::VecDeque<f64>,
    heard: usize,
    /// Measurements in a row at which the two could not be told apart.
    still: usize,
}

impl Losses {
    /// Losses in a mean.
    const WINDOW: usize = 50;
    /// Losses before a run can count as stalled.
    const PATIENCE: usize = 200;
    /// Measurements in a row that must agree: a loss may cross its first level while it moves.
    const LOOKS: usize = 3;

    fn hear(&mut self, loss: f64) {
        self.heard += 1;
        if self.first.len() < Self::WINDOW {
            self.first.push(loss);
        }
        if self.latest.len() == Self::WINDOW {
            self.latest.pop_front();
        }
        self.latest.push_back(loss);
    }

    /// True if the latest losses are within two standard errors of the first, at this measurement and those before.
    fn stand_still(&mut self) -> bool {
        if self.heard < Self::PATIENCE {
            return false;
        }
        let (was, early) = moments(self.first.iter());
        let (is, late) = moments(self.latest.iter());
        let error = ((early + late) / Self::WINDOW as f64).sqrt();
        self.still = if (was - is).abs() < 2.0 * error { self.still + 1 } else { 0 };
        self.still >= Self::LOOKS
    }
}

/// Mean and variance.
fn moments<'a>(values: impl ExactSizeIterator<Item = &'a f64> + Clone) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, values.map(|value| (value - mean).powi(2)).sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use burn::tensor::{Device, TensorData};
    use futures_lite::future::block_on;

    fn seen(watch: &mut Watch, step: usize, spread: f64, rank: f64) -> (Verdict, usize) {
        let rows = Rows::new([1.0, 0.0, 0.0, 1.0], 2);
        let embedding = Some(Embedding { spread, centred_rank: rank, ..statistics(&rows, None) });
        let events = watch.judge(Health { step, embedding, ..Health::default() });
        let Event::Health(health) = &events[0] else { panic!("the first event is the health") };
        (health.verdict, events.len() - 1)
    }

    #[test]
    fn a_collapse_is_reported_once_and_again_after_recovery() {
        let mut watch = Watch::default();
        assert_eq!(seen(&mut watch, 10, 0.05, 9.0), (Verdict::Healthy, 0), "a fresh network spreads little");
        assert_eq!(seen(&mut watch, 20, 0.9, 9.0), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 30, 0.2, 9.0), (Verdict::Collapsing, 1));
        assert_eq!(seen(&mut watch, 40, 0.1, 9.0), (Verdict::Collapsing, 0));
        assert_eq!(seen(&mut watch, 50, 0.8, 9.0), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 60, 0.05, 9.0), (Verdict::Collapsing, 1));
        assert_eq!(seen(&mut watch, 70, 0.0, 9.0), (Verdict::NoVariety, 1), "worse is told again");
    }

    #[test]
    fn staying_low_is_a_collapse_too() {
        assert_eq!(seen(&mut Watch::default(), 200, 0.05, 9.0), (Verdict::Collapsing, 1));
        assert_eq!(seen(&mut Watch::default(), 200, f64::NAN, 9.0), (Verdict::Collapsing, 1));
    }

    #[test]
    fn equal_embeddings_are_never_called_healthy() {
        assert_eq!(seen(&mut Watch::default(), 1, 0.0, 0.0), (Verdict::NoVariety, 1), "known at the first look");
        let mut watch = Watch { images_alike: true, ..Watch::default() };
        assert_eq!(seen(&mut watch, 1, 0.9, 9.0), (Verdict::NoVariety, 1), "views of equal images may differ");
        let Event::Health(health) = watch.judge(Health { step: 2, ..Health::default() }).remove(0) else { panic!() };
        assert_eq!(health.verdict, Verdict::NoVariety, "methods without embeddings too");
    }

    #[test]
    fn a_warning_names_no_number_that_was_not_measured() {
        let rows = Rows::new([1.0, 0.0, 0.0, 1.0], 2);
        let diverged = Embedding { spread: f64::NAN, centred_rank: f64::NAN, ..statistics(&rows, None) };
        let all = [Verdict::NoVariety, Verdict::Collapsing, Verdict::DimensionalCollapse, Verdict::Stalled];
        for verdict in all {
            for embedding in [None, Some(diverged.clone())] {
                let said =
                    warning(&Health { step: 1, verdict, embedding, ..Health::default() }, 9.0).expect("a warning");
                assert!(!said.contains("NaN"), "{said}");
            }
        }
    }

    #[test]
    fn fewer_directions_are_a_collapse_while_the_spread_stays() {
        let mut watch = Watch::default();
        assert_eq!(seen(&mut watch, 1, 0.97, 80.0), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 50, 0.97, 29.5), (Verdict::Healthy, 0));
        assert_eq!(seen(&mut watch, 100, 0.97, 14.8), (Verdict::DimensionalCollapse, 1));
        assert_eq!(seen(&mut watch, 150, 0.01, 1.0), (Verdict::Collapsing, 1), "worse is told again");
    }

    #[test]
    fn an_answer_that_all_images_share_is_no_collapse() {
        // the same differences between images, around nothing and around a far point
        let noise = normal(&mut stream(3, Purpose::Views, 0), 64 * 16, 1.0);
        let around = |offset: f32| {
            Rows::new(noise.iter().enumerate().map(|(at, x)| x + if at % 16 == 0 { offset } else { 0.0 }), 16)
        };
        let near = statistics(&around(0.0), None);
        let far = statistics(&around(200.0), None);
        assert!(far.rank < FALL * near.rank, "RankMe sees little else than the offset: {} of {}", far.rank, near.rank);
        assert!((far.centred_rank - near.centred_rank).abs() < 1e-3, "{} and {}", far.centred_rank, near.centred_rank);
        let spread = near.spread;
        let mut watch = Watch::default();
        let mut verdict = |embedding| watch.of_embedding(10, &Embedding { spread, ..embedding });
        assert_eq!([verdict(near), verdict(far)], [Verdict::Healthy; 2]);
    }

    #[test]
    fn an_interrupted_run_remembers_its_best() {
        let mut before = Watch::default();
        let rows = Rows::new([1.0, 0.0, 0.0, 1.0], 2);
        let embedding = Some(Embedding { spread: 1.0, centred_rank: 60.0, ..statistics(&rows, None) });
        before.recall(&Health { step: 1, embedding, ..Health::default() });
        assert_eq!(seen(&mut before, 50, 0.9, 9.0), (Verdict::DimensionalCollapse, 1));
    }

    #[test]
    fn equal_rows_have_neither_spread_nor_rank() {
        let embedding = Tensor::<2>::from_data(TensorData::new([1.0f32, 2.0].repeat(6), [6, 2]), &Device::flex());
        let [gradient, lag] = [0.5, 0.25].map(|length| Tensor::<1>::from_floats([length], &Device::flex()));
        let pulse = Pulse { step: 200, gradient, lag: Some(lag), waiting: 0.125 };
        let views = vec![embedding.clone(), embedding];
        let events = block_on(Watch::default().measure(pulse, views)).expect("flex reads");
        let Event::Health(health) = &events[0] else { panic!("the first event is the health") };
        let embedding = health.embedding.as_ref().expect("two views");
        assert_eq!((health.gradient, health.lag, health.waiting), (0.5, Some(0.25), 0.125));
        assert!(embedding.alignment.is_some_and(|apart| apart.abs() < 1e-9), "{health:?}");
        assert!(embedding.spread < 1e-3 && (embedding.rank - 1.0).abs() < 1e-3, "{health:?}");
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn a_loss_that_does_not_fall_has_stalled() {
        let verdicts = |loss: fn(usize) -> f64| {
            let mut watch = Watch::default();
            let look = |step: usize| {
                (step - 49..=step).for_each(|at| watch.losses.hear(loss(at)));
                let health = Health { step, ..Health::default() };
                let Event::Health(health) = watch.judge(health).remove(0) else { panic!("the health comes first") };
                health.verdict
            };
            (1..=8).map(|round| round * 50).map(look).collect::<Vec<_>>()
        };
        let stalled = verdicts(|at| 2.0 + 0.1 * (at as f64 * 2.4).sin());
        assert_eq!(stalled[..5], [Verdict::Healthy; 5]);
        assert_eq!(stalled[5..], [Verdict::Stalled; 3]);
        assert_eq!(verdicts(|at| 2.0 - 0.001 * at as f64 + 0.1 * (at as f64 * 2.4).sin()), [Verdict::Healthy; 8]);
    }
}
